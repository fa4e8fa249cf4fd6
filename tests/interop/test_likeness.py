"""Some four hundred awkward messages: what this server says of them is what Dovecot says, but for what is listed in
:mod:`tests.support.accepted` with the sentence that says we are right."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support import accepted, alike, awkward, dovecot, responses
from tests.support.responses import Said
from tests.support.side_by_side import Pair, pair

pytestmark = pytest.mark.interop

Found = dict[tuple[str, str], tuple[Said, Said]]
"""(message, item): what we say, what Dovecot says."""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    dovecot.required()
    with pair(tmp_path_factory.mktemp("state"), awkward.messages()) as both:
        yield both


def compare(two: Pair, number: int, items: str) -> Iterator[tuple[str, Said, Said]]:
    command = f"FETCH {number} ({items})".encode("ascii")
    ours = responses.fetched(two.ask_ours(command))[number]
    theirs = responses.fetched(two.ask_theirs(command))[number]
    assert list(ours) == list(theirs)
    for item, value in ours.items():
        yield item, _plain(item, value), _plain(item, theirs[item])


def _plain(item: str, value: Said) -> Said:
    if item == "ENVELOPE":
        return alike.envelope(value)
    if item in ("BODY", "BODYSTRUCTURE"):
        return alike.structure(value)
    if item == "INTERNALDATE" and isinstance(value, bytes):
        return value.replace(b" ", b"0", 1) if value.startswith(b" ") else value  # date-day-fixed allows both
    return value


def different(two: Pair, items: str) -> Found:
    return {
        (name, item): (ours, theirs)
        for number, name in enumerate(two.names, 1)
        for item, ours, theirs in compare(two, number, items)
        if ours != theirs
    }


def check(found: Found, allowed: dict[str, str]) -> None:
    """Nothing differs but what is accepted, and what is accepted does differ."""
    unknown = {key: values for key, values in found.items() if key[0] not in allowed}
    assert unknown == {}
    assert sorted(set(allowed) - {name for name, _ in found}) == []


def test_there_are_many_of_them(two: Pair) -> None:
    assert len(two.names) >= 120


def test_envelopes(two: Pair) -> None:
    check(different(two, "ENVELOPE"), accepted.ENVELOPE)


def test_structures(two: Pair) -> None:
    check(different(two, "BODY BODYSTRUCTURE"), accepted.STRUCTURE)


def test_sizes_and_dates(two: Pair) -> None:
    check(different(two, "RFC822.SIZE INTERNALDATE UID"), {})


def test_headers_and_texts(two: Pair) -> None:
    items = "BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] RFC822.HEADER BODY.PEEK[]<3.40> BODY.PEEK[TEXT]<1.5>"
    check(different(two, items), accepted.OCTETS)


def test_chosen_fields(two: Pair) -> None:
    names = "From To Cc Bcc Sender Reply-To Subject Date Message-ID References In-Reply-To Content-Type X-None Sub"
    items = f"BODY.PEEK[HEADER.FIELDS ({names})] BODY.PEEK[HEADER.FIELDS.NOT ({names})]"
    check(different(two, items), accepted.FIELDS)


def test_every_part(two: Pair) -> None:
    """Of the sections that Dovecot's BODYSTRUCTURE tells of, and of some that no message has."""
    found: Found = {}
    for number, name in enumerate(two.names, 1):
        tree = responses.fetched(two.ask_theirs(b"FETCH %d BODYSTRUCTURE" % number))[number]["BODYSTRUCTURE"]
        wanted = alike.sections(tree)[:100]
        items = " ".join(f"BODY.PEEK[{section}]" for section in [*wanted, "400", "1.400", "1.1.1.1.1.1.1.1.1.1.1.1"])
        for item, ours, theirs in compare(two, number, items):
            if (ours or b"") != (theirs or b""):  # a section that is not there: NIL or empty
                found[name, item] = (ours, theirs)
    check(found, accepted.PARTS)


@pytest.mark.parametrize("name", awkward.LINE_ENDS)
def test_line_ends(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """Octets stay what they are; what is read from them is what Dovecot reads from the same with CRLF."""
    dovecot.required()
    data = awkward.LINE_ENDS[name]
    with pair(tmp_path_factory.mktemp("state"), {name: data}) as two:
        ours = responses.fetched(two.ask_ours(b"FETCH 1 (BODY.PEEK[] RFC822.SIZE ENVELOPE BODY)"))[1]
        theirs = responses.fetched(two.ask_theirs(b"FETCH 1 (BODY.PEEK[] RFC822.SIZE ENVELOPE BODY)"))[1]
    assert ours["BODY[]"] == data
    assert ours["RFC822.SIZE"] == len(data)
    assert theirs["BODY[]"] == re.sub(rb"\r?\n", b"\r\n", data)
    if name not in accepted.LINE_ENDS:
        assert alike.envelope(ours["ENVELOPE"]) == alike.envelope(theirs["ENVELOPE"])
        assert _sizeless(alike.structure(ours["BODY"])) == _sizeless(alike.structure(theirs["BODY"]))


def _sizeless(body: Said) -> Said:
    """Without octets, which line ends change."""
    return [_sizeless(each) for each in body if not isinstance(each, int)] if isinstance(body, list) else body
