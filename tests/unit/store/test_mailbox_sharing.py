"""What one mailbox's sessions see and do of others: the folders of many, copies and moves between two."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratamail.store import maildir
from tests.unit.store.boxes import ADDRESS, Boxes

DESK = "desk@example.org"


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def test_the_folders_of_many_are_told_without_their_indexes(boxes: Boxes) -> None:
    mailboxes = boxes.mailboxes
    # one that nobody has looked into is made
    usual = [info.name for info in mailboxes.folders(ADDRESS)]
    assert mailboxes.names([DESK]) == {DESK: usual}
    mailboxes.create(DESK, "Kunden/Köln 2.0")
    mailboxes.delete(DESK, "Junk")
    root = Path(boxes.layout.mailbox(DESK))
    maildir.make(str(root / ".Outside"))
    expected = sorted(({*usual} - {"Junk"}) | {"Kunden", "Kunden/Köln 2.0", "Outside"})
    mailboxes.close()
    before = (root / "index.sqlite").stat().st_mtime_ns, sorted(os.listdir(root))
    assert {name: sorted(found) for name, found in mailboxes.names([DESK]).items()} == {DESK: expected}
    assert mailboxes.names([DESK])[DESK][0] == "INBOX"
    assert ((root / "index.sqlite").stat().st_mtime_ns, sorted(os.listdir(root))) == before
    assert sorted(info.name for info in mailboxes.folders(DESK) if info.exists) == expected
