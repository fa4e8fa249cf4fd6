"""Moves between two mailboxes, cut anywhere: a message may be seen in both, never in neither, and no UID is reused."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from stratamail.store import maildir
from tests.crash.test_mailboxes_cut import Cut, Cutter, cutting
from tests.support.sizes import sized
from tests.unit.store.boxes import ADDRESS, Boxes

DESK = "desk@example.com"
PLACES = [(ADDRESS, "INBOX"), (ADDRESS, "Archive"), (DESK, "INBOX"), (DESK, "Archive")]


class Names:
    """Each UID under its UIDVALIDITY is one message, for ever."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._known: dict[tuple[int, int], str] = {}

    def look(self) -> list[str]:
        """The messages of all places, as often as they are there."""
        shown = []
        for address, name in PLACES:
            loaded = self._boxes.mailboxes.load(address, name)
            for uid, base in zip(loaded.columns.uids, loaded.columns.bases, strict=True):
                message = maildir.message_id(base)
                assert self._known.setdefault((loaded.uidvalidity, uid), message) == message
                shown.append(message)
        return shown

    def agree(self) -> None:
        """Rows and files are the same."""
        for address, name in PLACES:
            columns = self._boxes.mailboxes.load(address, name).columns
            path = os.path.join(self._boxes.layout.mailbox(address), maildir.directory(name))
            rows = zip(columns.bases, columns.flags, strict=True)
            assert {below for _, _, below in maildir.scan(path)} == {maildir.relative(*row) for row in rows}


def cross(boxes: Boxes, chance: random.Random, move: bool) -> None:
    (address, name), (other, target) = chance.choice(PLACES), chance.choice(PLACES)
    uids = list(boxes.mailboxes.load(address, name).columns.uids)
    if address != other and uids:
        some = sorted(chance.sample(uids, min(3, len(uids))))
        boxes.mailboxes.copy_to(address, name, some, other, target, move)


@pytest.mark.parametrize("seed", range(sized(10, 60)))
def test_killed_between_any_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    boxes = Boxes(tmp_path)
    chance = random.Random(seed)
    delivered = {arrival.id for arrival in boxes.deliver(8)}
    names = Names(boxes)
    for _ in range(12):
        with cutting(monkeypatch, Cutter(chance.randint(1, 20), chance.random() < 0.5)):
            try:
                while True:
                    cross(boxes, chance, move=True)
                    names.look()
            except Cut:
                pass
        boxes.reopen(unclean=True)
        assert set(names.look()) == delivered
        names.agree()


def test_uncut_moves_leave_each_message_once_with_its_flags(tmp_path: Path) -> None:
    boxes = Boxes(tmp_path)
    chance = random.Random(1)
    delivered = sorted(arrival.id for arrival in boxes.deliver(8))
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", range(1, 9), "+", ["\\Seen", "$work"])
    names = Names(boxes)
    for _ in range(100):
        cross(boxes, chance, move=True)
        assert sorted(names.look()) == delivered
    names.agree()
    for address, name in PLACES:
        loaded = boxes.mailboxes.load(address, name)
        for flags in loaded.columns.flags:
            assert flags & maildir.SEEN
            assert [word for bit, word in enumerate(loaded.keywords, maildir.FIRST_KEYWORD) if flags & 1 << bit] == [
                "$work"
            ]


def test_a_full_folder_takes_nothing(tmp_path: Path) -> None:
    """Rather no copy than one without its keywords."""
    boxes = Boxes(tmp_path)
    boxes.mailboxes.deliver(DESK, [boxes.arrival()])
    words = [f"k{number}" for number in range(maildir.LAST_KEYWORD - maildir.FIRST_KEYWORD + 1)]
    boxes.mailboxes.set_flags(DESK, "INBOX", [1], "+", words)
    boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["other"])
    with pytest.raises(Exception, match="keywords"):
        boxes.mailboxes.copy_to(ADDRESS, "INBOX", [1], DESK, "INBOX", True)
    assert boxes.uids() == [1]
    assert list(boxes.mailboxes.load(DESK, "INBOX").columns.uids) == [1]
