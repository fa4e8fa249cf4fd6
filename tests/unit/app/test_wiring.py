"""What was read and answered in an outage, also where people move mail between their own and shared mailboxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred, succeed

from stratamail.app import wiring
from stratamail.app.wiring import Figures
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Address, Domain, HostPort, Mailbox
from tests.unit.store.boxes import ADDRESS, Boxes

DESK = "desk@example.com"
DIRECTORY = Directory(
    [Domain(1, 1, "example.com", (HostPort("mx.example"),))],
    [Mailbox(1, 1, 1, ADDRESS), Mailbox(2, 1, 1, DESK, kind="shared"), Mailbox(3, 1, 1, "eve@example.com")],
    [Address(1, 1, 1, DESK, "shared", (ADDRESS,))],
)


class Calls:
    def run(self, function: Any, *args: Any) -> Deferred[Any]:
        return maybeDeferred(function, *args)


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def counted(boxes: Boxes, monkeypatch: pytest.MonkeyPatch, given: dict[int, set[str]]) -> tuple[int, int]:
    monkeypatch.setattr(wiring, "_mailboxes", lambda conn, event: given)
    read: Any = lambda function: succeed(function(None))  # noqa: E731
    pool: Any = Calls()
    event: Any = None
    figures = Figures(lambda: DIRECTORY, boxes.mailboxes, read, pool)
    found: list[tuple[int, int]] = []
    Deferred.fromCoroutine(figures(event)).addCallback(found.append)
    return found[0]


def test_what_a_reader_takes_out_of_a_shared_mailbox_counts(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = [boxes.arrival() for _ in range(4)]
    boxes.mailboxes.deliver(DESK, arrivals)
    boxes.mailboxes.set_flags(DESK, "INBOX", [1], "+", ["\\Seen"])
    boxes.mailboxes.copy_to(DESK, "INBOX", [2, 3], ADDRESS, "INBOX", True)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["\\Seen"])
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Answered"])
    assert counted(boxes, monkeypatch, {2: {arrival.id for arrival in arrivals}}) == (3, 1)


def test_what_a_reader_files_in_a_shared_mailbox_counts(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    arrivals = boxes.deliver(2)
    boxes.mailboxes.copy_to(ADDRESS, "INBOX", [1], DESK, "Archive", True)
    boxes.mailboxes.set_flags(DESK, "Archive", [1], "+", ["\\Seen", "\\Answered"])
    assert counted(boxes, monkeypatch, {1: {arrival.id for arrival in arrivals}}) == (1, 1)


def test_ones_own_copy_is_not_the_shared_one(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given to both, read in one, and deleted in the other."""
    arrivals = boxes.deliver(2)
    boxes.mailboxes.deliver(DESK, arrivals)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["\\Seen"])
    boxes.mailboxes.set_flags(DESK, "INBOX", [1], "+", ["\\Deleted"])
    boxes.mailboxes.expunge(DESK, "INBOX")
    ids = {arrival.id for arrival in arrivals}
    assert counted(boxes, monkeypatch, {1: ids, 2: ids}) == (2, 0)
