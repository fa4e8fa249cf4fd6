"""SORT and THREAD of some four hundred awkward messages: the order of Dovecot, but for the messages that are listed in
:mod:`tests.support.accepted` with the sentence that says we are right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import accepted, awkward, dovecot, responses
from tests.support.responses import Said
from tests.support.side_by_side import Pair, pair

pytestmark = pytest.mark.interop

KEYS: dict[str, dict[str, str]] = {
    "ARRIVAL": {},
    "CC": {},
    "DATE": accepted.DATE,
    "FROM": accepted.PEOPLE,
    "SIZE": {},
    "SUBJECT": accepted.SUBJECT,
    "TO": accepted.PEOPLE,
    "DISPLAYFROM": accepted.PEOPLE,
    "DISPLAYTO": accepted.PEOPLE,
}
MIXED = (
    "SUBJECT DATE", "SUBJECT REVERSE DATE", "FROM SUBJECT DATE", "REVERSE FROM REVERSE SUBJECT", "CC TO SIZE",
    "REVERSE SIZE ARRIVAL", "DISPLAYFROM REVERSE ARRIVAL", "REVERSE DATE SUBJECT", "TO DATE", "ARRIVAL SIZE",
)  # fmt: skip


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    dovecot.required()
    with pair(tmp_path_factory.mktemp("state"), awkward.messages()) as both:
        yield both


def named(two: Pair, line: bytes, passed_over: dict[str, str]) -> list[str]:
    names = [two.names[int(number) - 1] for number in line.split()[2:]]
    return [name for name in names if name not in passed_over]


@pytest.mark.parametrize("reverse", ["", "REVERSE "])
@pytest.mark.parametrize("key", KEYS)
def test_sort_by_every_key(two: Pair, key: str, reverse: str) -> None:
    command = f"SORT ({reverse}{key}) UTF-8 ALL".encode("ascii")
    ours, theirs = two.ask_ours(command), two.ask_theirs(command)
    assert named(two, ours, KEYS[key]) == named(two, theirs, KEYS[key])
    assert len(ours.split()) == len(two.names) + 2


@pytest.mark.parametrize("keys", MIXED)
def test_sort_by_several_keys(two: Pair, keys: str) -> None:
    allowed = {name: why for key in keys.split() for name, why in KEYS.get(key, {}).items()}
    command = f"SORT ({keys}) UTF-8 ALL".encode("ascii")
    assert named(two, two.ask_ours(command), allowed) == named(two, two.ask_theirs(command), allowed)


@pytest.mark.parametrize(
    "command",
    [
        "SORT (SUBJECT) UTF-8 SUBJECT plan",
        "UID SORT (REVERSE DATE) US-ASCII SUBJECT road",
        "SORT (DATE) UTF-8 SUBJECT nowhere",
        "SORT RETURN (MIN MAX COUNT) (SUBJECT DATE) UTF-8 SUBJECT plan",
        "SORT RETURN () (REVERSE ARRIVAL) UTF-8 SUBJECT plan",
        "UID SORT RETURN (ALL COUNT) (FROM) UTF-8 SUBJECT road",
        "SORT RETURN (MIN COUNT) (FROM) UTF-8 SUBJECT nowhere",
    ],
)
def test_sort_what_a_search_finds(two: Pair, command: str) -> None:
    raw = command.encode("ascii")
    ours, theirs = responses.values(two.ask_ours(raw)), responses.values(two.ask_theirs(raw))
    assert [word for word in ours if not isinstance(word, list)] == [
        word for word in theirs if not isinstance(word, list)
    ]


def pruned(two: Pair, tree: Said, passed_over: dict[str, str]) -> list[Said]:
    """A thread without the messages that are passed over; what is left alone in a list stands without it."""
    assert isinstance(tree, list)
    out: list[Said] = []
    for each in tree:
        if isinstance(each, list):
            below = pruned(two, each, passed_over)
            if below:
                out.append(below)
        elif isinstance(each, int) and (name := two.names[each - 1]) not in passed_over:
            out.append(name.encode())
    return out[0] if len(out) == 1 and isinstance(out[0], list) else out


def flat(tree: Said) -> Iterator[Said]:
    if isinstance(tree, list):
        for each in tree:
            yield from flat(each)
    else:
        yield tree


@pytest.mark.parametrize("which", ["ORDEREDSUBJECT", "REFERENCES", "REFS"])
def test_threads(two: Pair, which: str) -> None:
    allowed = accepted.DATE | (accepted.ORDER if which == "REFS" else accepted.SUBJECT)
    command = f"THREAD {which} UTF-8 ALL".encode("ascii")
    ours, theirs = responses.values(two.ask_ours(command))[2:], responses.values(two.ask_theirs(command))[2:]
    assert len(str(ours)) > 1000
    ours, theirs = pruned(two, ours, allowed), pruned(two, theirs, allowed)
    if which == "ORDEREDSUBJECT":  # who is first of a thread may be passed over: what belongs together, in order
        ours, theirs = [list(flat(each)) for each in ours], [list(flat(each)) for each in theirs]
    assert ours == theirs


@pytest.mark.parametrize("which", ["ORDEREDSUBJECT", "REFERENCES", "REFS"])
@pytest.mark.parametrize(
    "program", ["SUBJECT road", "NOT SUBJECT road HEADER References t.example", "FROM p3", "SUBJECT nowhere"]
)
def test_threads_of_what_a_search_finds(two: Pair, which: str, program: str) -> None:
    for uid in ("", "UID "):
        command = f"{uid}THREAD {which} UTF-8 {program}".encode("ascii")
        assert responses.values(two.ask_ours(command)) == responses.values(two.ask_theirs(command))


def test_a_thread_of_conversations_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without the other messages, nothing is passed over."""
    dovecot.required()
    bodies = {
        name: data for name, data in awkward.messages().items() if name.startswith(("thread", "subject of thread"))
    }
    with pair(tmp_path_factory.mktemp("state"), bodies) as two:
        for which in ("ORDEREDSUBJECT", "REFERENCES", "REFS"):
            command = f"THREAD {which} UTF-8 ALL".encode("ascii")
            assert responses.values(two.ask_ours(command)) == responses.values(two.ask_theirs(command)), which
