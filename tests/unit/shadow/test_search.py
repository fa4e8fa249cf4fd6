"""SEARCH against messages of known content (RFC 3501 section 6.4.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratamail.imap.search import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    Internal,
    Key,
    Larger,
    Not,
    Numbers,
    Or,
    Sent,
    Smaller,
    Text,
    Uids,
    Within,
)  # fmt: skip
from stratamail.imap.sets import SequenceSet
from stratamail.shadow.filling import Work
from stratamail.shadow.view import View
from stratamail.store.mailbox_values import Arrival
from tests.unit.shadow.rig import Rig, now
from tests.unit.store.boxes import ADDRESS, START

DAY = 86_400 * 1_000_000
FIRST = 1_700_006_400_000_000  # 2023-11-15, midnight UTC
THIRD = (START - FIRST) // 1_000_000 - 2 * 86_400
"""So many seconds before now the third message came."""
MESSAGES = [
    text.replace("\n", "\r\n").encode("latin-1")
    for text in (
        """From: Ann <ann@example.com>
Subject: Quarterly report
Date: Tue, 14 Nov 2023 23:30:00 -0500

numbers inside
""",
        """From: =?utf-8?B?SsO8cmdlbg==?= <j@example.com>
Subject: =?iso-8859-1?Q?Gr=FC=DFe?=
 =?utf-8?q?_an_alle?=
Date: 15 Nov 2023 10:00:00 +0000
Content-Type: text/plain; charset=iso-8859-1

straße
""",
        """Subject: parts
Date: rubbish
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html
Content-Transfer-Encoding: base64

PGI+aGlkZGVuIHdvcmQ8L2I+
--b
Content-Type: application/pdf

binary secret
--b
Content-Type: message/rfc822

Subject: inner subject

inner body
--b--
""",
        """X-Empty:
to: list@example.com
To: second@example.com
Content-Transfer-Encoding: quoted-printable

soft =
break and =C3=A9t=C3=A9
""",
        "",
    )
]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    arrivals = []
    for i, body in enumerate(MESSAGES):
        made = rig.arrival(body)
        arrivals.append(Arrival(made.id, made.seq, made.path, made.size, FIRST + i * DAY))
    rig.mailboxes.deliver(ADDRESS, arrivals)
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [1, 3], "+", ["\\Seen"])
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["$Work"])
    return rig


@pytest.fixture(params=["read", "looked up", "half indexed", "indexed", "cut"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the answer comes about; it is the same answer."""
    if request.param != "read":
        monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", 0)
    if request.param == "cut":
        monkeypatch.setattr("stratamail.shadow.filling.LONGEST", 5)
    return str(request.param)


def fill(rig: Rig, steps: int = 100) -> None:
    """Let the background work put messages into the full-text index."""
    work = Work(rig.mailboxes.layout.mailbox(ADDRESS), rig.mailboxes.layout.message)
    while steps and work.step(0):
        steps -= 1
    work.close()


def found(view: View, key: Key) -> list[int]:
    """Sequence numbers."""
    return [i + 1 for i in now(view.search(key))]


def numbers(*ranges: tuple[int, int]) -> SequenceSet:
    return SequenceSet(ranges)


CASES: list[tuple[Key, list[int]]] = [
    (All(), [1, 2, 3, 4, 5]),
    (HasFlag("\\seen"), [1, 3]),
    (HasFlag("\\Seen", False), [2, 4, 5]),
    (HasFlag("$WORK"), [2]),
    (HasFlag("$other"), []),
    (HasFlag("$other", False), [1, 2, 3, 4, 5]),
    (HasFlag("\\Recent"), [1, 2, 3, 4, 5]),
    (HasFlag("\\Recent", False), []),
    (Numbers(numbers((2, 3), (0, 0))), [2, 3, 5]),
    (Uids(numbers((4, 4_000_000_000))), [4, 5]),
    (Numbers(numbers((1, 1), (3, 3))), [1, 3]),
    (And((Numbers(numbers((1, 1), (3, 4))), HasFlag("\\Seen", False))), [4]),
    (And((HasFlag("\\Seen"), Numbers(numbers((2, 5))))), [3]),
    (Larger(0), [1, 2, 3, 4]),
    (Smaller(1), [5]),
    (Internal("on", date(2023, 11, 16)), [2]),
    (Internal("before", date(2023, 11, 16)), [1]),
    (Internal("since", date(2023, 11, 16)), [2, 3, 4, 5]),
    (Sent("on", date(2023, 11, 14)), [1]),
    (Sent("since", date(2023, 11, 15)), [2]),
    (Sent("before", date(2023, 11, 15)), [1]),
    (Within(THIRD, older=True), [1, 2]),
    (Within(THIRD, older=False), [3, 4, 5]),
    (Within(THIRD - 1, older=False), [4, 5]),
    (Header("subject", "REPORT"), [1]),
    (Header("subject", "grüße AN"), [2]),
    (Header("from", "jürgen"), [2]),
    (Header("to", "second"), [4]),
    (Header("x-empty", ""), [4]),
    (Header("x-none", ""), []),
    (Header("x-empty", "a"), []),
    (Header("date", "nov 2023"), [1, 2]),
    (Header("content-type", "mixed"), [3]),
    (Body("numbers"), [1]),
    (Body("report"), []),
    (Body("STRA\u00dfE"), [2]),
    (Body("strasse"), []),  # RFC 5051 knows no special casing
    (Body("ra"), [2]),
    (Body("d"), [1, 3, 4]),
    (Body(""), [1, 2, 3, 4, 5]),
    (Body("hidden word"), [3]),
    (Body("secret"), []),
    (Body("inner body"), [3]),
    (Body("inner subject"), [3]),
    (Body("soft break"), [4]),
    (Body("été"), [4]),
    (Text("quarterly"), [1]),
    (Text("numbers"), [1]),
    (Text("list@example"), [4]),
    (Not(Text("numbers")), [2, 3, 4, 5]),
    (Or(Header("subject", "report"), HasFlag("$Work")), [1, 2]),
    (Or(HasFlag("\\Seen"), Larger(10_000)), [1, 3]),
    (And((HasFlag("\\Seen"), Not(Header("subject", "report")))), [3]),
    (And(()), [1, 2, 3, 4, 5]),
    (Not(And((All(), HasFlag("\\Seen")))), [2, 4, 5]),
    (And((Or(Body("numbers"), Body("soft")), Header("to", "list"))), [4]),
]


@pytest.mark.parametrize(("key", "expected"), CASES, ids=[str(key) for key, _ in CASES])
def test_each_key(rig: Rig, way: str, key: Key, expected: list[int]) -> None:
    view = rig.select()
    if way not in ("read", "looked up"):
        fill(rig, 2 if way.startswith("half") else 100)
    assert found(view, key) == expected
    assert found(view, key) == expected


def test_a_search_while_an_expunge_waits_uses_the_numbers_the_client_knows(rig: Rig) -> None:
    ours, theirs = rig.select(), rig.select()
    now(theirs.store([1, 2], "+", ["\\Deleted"]))
    now(theirs.expunge())
    assert found(ours, All()) == [1, 2, 3, 4, 5]
    assert found(ours, HasFlag("\\Seen")) == [1, 3]
    assert found(ours, Text("quarterly")) == [1]
    assert found(ours, Header("subject", "parts")) == [3]
    ours.updates()
    assert found(ours, Header("subject", "parts")) == [1]


def test_an_empty_folder(rig: Rig) -> None:
    view = rig.select("Trash")
    for key in (All(), Numbers(numbers((1, 0))), Uids(numbers((0, 0))), Body("x"), HasFlag("\\Seen", False)):
        assert found(view, key) == []


def test_slices_give_what_one_go_gives(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    view = rig.select()
    monkeypatch.setattr("stratamail.shadow.search._HEADERS_AT_ONCE", 2)
    monkeypatch.setattr("stratamail.shadow.search._BODIES_AT_ONCE", 2)
    for key, expected in CASES:
        assert found(view, key) == expected


def test_many_keys_on_many_messages_are_looked_at_beside_the_reactor(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    view = rig.select()
    monkeypatch.setattr("stratamail.shadow.search._LOOKS_IN_REACTOR", 0)
    real, beside = view.compute, []

    async def compute(function: Callable[..., Any], *arguments: Any) -> Any:
        beside.append(function.__name__)
        return await real(function, *arguments)

    monkeypatch.setattr(view, "compute", compute)
    for key, expected in CASES:
        beside.clear()
        assert found(view, key) == expected
        assert key == And(()) or beside[0] in ("_all", "_sift")


LEAVES = st.sampled_from([key for key, _ in CASES])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(Not),
        st.tuples(inner, inner).map(lambda pair: Or(*pair)),
        st.lists(inner, max_size=3).map(lambda keys: And(tuple(keys))),
    ),
    max_leaves=8,
)


def truth(key: Key, number: int) -> bool:
    for known, expected in CASES:
        if known is key:
            return number in expected
    if isinstance(key, Not):
        return not truth(key.key, number)
    if isinstance(key, Or):
        return truth(key.left, number) or truth(key.right, number)
    assert isinstance(key, And)
    return all(truth(part, number) for part in key.keys)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=TREES)
def test_any_tree_means_what_its_leaves_mean(rig: Rig, way: str, key: Key) -> None:
    if way not in ("read", "looked up"):
        fill(rig, 2 if way.startswith("half") else 100)
    view = rig.select(read_only=True)
    try:
        expected = [n for n in range(1, 6) if truth(key, n)]
        assert found(view, And((key, Numbers(numbers((1, 5)))))) == expected
    finally:
        view.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300))
def test_no_message_makes_a_search_fail(rig: Rig, body: bytes) -> None:
    rig.mailboxes.deliver(ADDRESS, [rig.arrival(body)])
    view = rig.select()
    try:
        key = Or(Sent("on", date(2020, 1, 1)), Or(Header("subject", "\x00q"), Text("never there \x00\x01")))
        assert found(view, key) == []
    finally:
        view.close()
