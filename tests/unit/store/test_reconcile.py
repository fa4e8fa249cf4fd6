"""After an unclean start, a loss or a broken index, mailbox and folders agree again, and no number comes twice."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from stratamail.store import reconcile
from stratamail.store.mailbox_values import Replaced
from tests.unit.store.boxes import ADDRESS, Boxes


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def index_of(boxes: Boxes) -> str:
    return os.path.join(boxes.root, "index.sqlite")


def test_a_clean_restart_changes_nothing(boxes: Boxes) -> None:
    boxes.deliver(3)
    before = boxes.mailboxes.status(ADDRESS, "INBOX")
    boxes.reopen()
    assert boxes.mailboxes.status(ADDRESS, "INBOX") == before


def test_after_an_unclean_start_numbers_go_on_past_what_was_reserved(boxes: Boxes) -> None:
    boxes.deliver(3)
    before = boxes.mailboxes.load(ADDRESS, "INBOX")
    boxes.reopen(unclean=True)
    after = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert after.uidvalidity == before.uidvalidity
    assert list(after.columns.uids) == [1, 2, 3]
    assert after.uidnext > 1000
    assert after.modseq > before.modseq
    boxes.deliver(1)
    assert boxes.uids()[-1] == after.uidnext
    again = boxes.reopen().load(ADDRESS, "INBOX")
    assert again.uidnext == after.uidnext + 1


def lose_rows(boxes: Boxes, *uids: int) -> None:
    """What a power cut may take of an index that is not synced on every change."""
    boxes.mailboxes.close()
    with sqlite3.connect(index_of(boxes)) as db:
        db.executemany("DELETE FROM messages WHERE uid=?", [(uid,) for uid in uids])
    db.close()


def test_files_that_the_index_lost_come_back_in_order_of_seq_above_all_numbers(boxes: Boxes) -> None:
    arrivals = [boxes.arrival() for _ in range(4)]
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    # seq and id disagree for two of them: seq decides
    boxes.seqs[arrivals[2].id], boxes.seqs[arrivals[3].id] = 4, 3
    lose_rows(boxes, 2, 3, 4)
    boxes.reopen(unclean=True)
    columns = boxes.mailboxes.load(ADDRESS, "INBOX").columns
    assert columns.uids[0] == 1
    assert columns.uids[1] > 1000
    ids = [name.split(".")[1] for name in columns.bases]
    assert ids == [arrivals[i].id for i in (0, 1, 3, 2)]
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    assert len(boxes.uids()) == 4


def test_a_row_whose_file_is_gone_is_linked_again_from_the_spool(boxes: Boxes) -> None:
    [arrival] = boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    [below] = boxes.files()
    os.unlink(os.path.join(boxes.root, below))
    boxes.reopen(unclean=True)
    assert boxes.uids() == [1]
    assert boxes.files() == {below}
    assert os.path.samefile(os.path.join(boxes.root, below), arrival.path)


def test_a_row_with_neither_file_nor_spool_file_goes(boxes: Boxes) -> None:
    [arrival, _] = boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    [below] = [name for name in boxes.files() if name.endswith("S")]
    os.unlink(os.path.join(boxes.root, below))
    os.unlink(arrival.path)
    boxes.reopen(unclean=True)
    assert boxes.uids() == [2]


def test_a_marked_name_whose_unlink_was_lost_is_removed(boxes: Boxes) -> None:
    [arrival] = boxes.deliver(1)
    [below] = boxes.files()
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Archive")
    os.link(arrival.path, os.path.join(boxes.root, below))
    boxes.reopen(unclean=True)
    assert boxes.uids() == []
    assert boxes.files() == set()
    assert boxes.uids("Archive") == [1]


def test_a_mark_that_was_lost_shows_the_message_once_more(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.close()
    saved = Path(index_of(boxes)).read_bytes()
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    boxes.mailboxes.close()
    Path(index_of(boxes)).write_bytes(saved)
    boxes.reopen(unclean=True)
    assert boxes.uids() == [1]
    assert len(boxes.files()) == 1


def test_flags_in_file_names_count_after_an_unclean_start(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["$Work"])
    [below] = boxes.files()
    name = below.split("/")[1].partition(":2,")[0]
    os.rename(os.path.join(boxes.root, below), os.path.join(boxes.root, "cur", name + ":2,FS"))
    boxes.reopen(unclean=True)
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert loaded.columns.flags[0] == 1 | 4 | 1 << 8


def test_one_message_under_two_names_is_one(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    [below] = boxes.files()
    full = os.path.join(boxes.root, below)
    os.link(full, os.path.join(boxes.root, "new", below[4:].partition(":2,")[0]))
    boxes.reopen(unclean=True)
    assert boxes.uids() == [1]
    assert boxes.files() == {below}


def test_files_of_other_tools_are_taken_in(boxes: Boxes) -> None:
    boxes.deliver(1)
    (Path(boxes.root) / "new" / "1600000000.M1P2.host").write_bytes(b"old")
    (Path(boxes.root) / "cur" / "odd:2,S").write_bytes(b"odd one")
    (Path(boxes.root) / "cur" / ".hidden").write_bytes(b"no")
    boxes.reopen(unclean=True)
    columns = boxes.mailboxes.load(ADDRESS, "INBOX").columns
    assert len(columns.uids) == 3
    assert set(columns.sizes) >= {3, 7}
    assert 1_600_000_000_000_000 in columns.dates
    copied = boxes.mailboxes.copy(ADDRESS, "INBOX", list(columns.uids), "Archive")
    assert len(copied.targets) == 3


def test_a_message_moved_by_another_tool_between_folders(boxes: Boxes) -> None:
    boxes.deliver(1)
    [below] = boxes.files()
    os.rename(os.path.join(boxes.root, below), os.path.join(boxes.root, ".Archive", "cur", below[4:] + ":2,S"))
    boxes.reopen(unclean=True)
    assert len(boxes.uids("Archive")) == 1
    assert boxes.uids() == [1]  # it is in the spool: shown once more rather than not at all


@pytest.mark.parametrize("damage", ["junk", "empty", "missing", "truncated", "other", "newer"])
def test_a_broken_index_is_built_again_with_new_uidvalidity(boxes: Boxes, damage: str) -> None:
    arrivals = boxes.deliver(30)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Seen"])
    boxes.mailboxes.create(ADDRESS, "Projects/é")
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Projects/é")
    before = boxes.mailboxes.status(ADDRESS, "INBOX")
    boxes.mailboxes.close()
    path = Path(index_of(boxes))
    if damage == "junk":
        path.write_bytes(b"\xff" * 20_000)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:9000])
    elif damage == "other":
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE other (x)")
        db.close()
    else:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version=99")
        db.close()
    boxes.reopen(unclean=damage == "truncated")
    after = boxes.mailboxes.status(ADDRESS, "INBOX")
    assert after.messages == 29
    assert after.unseen == 28
    assert after.uidvalidity > before.uidvalidity
    assert boxes.mailboxes.status(ADDRESS, "Projects/é").messages == 1
    columns = boxes.mailboxes.load(ADDRESS, "INBOX").columns
    assert [name.split(".")[1] for name in columns.bases] == [arrival.id for arrival in arrivals[1:]]
    assert all(folder.subscribed for folder in boxes.mailboxes.folders(ADDRESS) if folder.name != "Projects")


def test_an_index_that_breaks_while_it_is_open_is_built_again_and_sessions_hear_of_it(boxes: Boxes) -> None:
    boxes.deliver(200)
    boxes.mailboxes.close()
    boxes.mailboxes.count("other@example.com")
    path = Path(index_of(boxes))
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    path.write_bytes(data)
    boxes.heard.clear()
    assert boxes.mailboxes.status(ADDRESS, "INBOX").messages == 200
    assert (ADDRESS, "", Replaced()) in boxes.heard


def test_a_cut_rename_is_finished(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.create(ADDRESS, "old")
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "old")
    boxes.mailboxes.rename(ADDRESS, "old", "fresh")
    os.rename(os.path.join(boxes.root, ".fresh"), os.path.join(boxes.root, ".old"))
    boxes.reopen(unclean=True)
    names = {folder.name for folder in boxes.mailboxes.folders(ADDRESS)}
    assert "fresh" in names
    assert "old" not in names
    assert boxes.uids("fresh") == [1]


def test_a_cut_delete_brings_no_message_back(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.create(ADDRESS, "x")
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "x")
    [below] = boxes.files(".x")
    source = boxes.arrival()
    boxes.mailboxes.delete(ADDRESS, "x")
    os.makedirs(os.path.join(boxes.root, ".x", "cur"))
    os.makedirs(os.path.join(boxes.root, ".x", "new"))
    os.link(source.path, os.path.join(boxes.root, ".x", below))
    boxes.reopen(unclean=True)
    assert boxes.uids("x") == []
    assert boxes.files(".x") == set()


def test_a_mailbox_not_opened_since_an_unclean_start_is_mended_after_a_clean_one(boxes: Boxes) -> None:
    boxes.deliver(2)
    lose_rows(boxes, 2)
    boxes.reopen(unclean=True)
    boxes.reopen()
    assert len(boxes.uids()) == 2


def test_after_a_power_cut_clients_are_told_of_every_message_again(
    boxes: Boxes, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    known = boxes.mailboxes.load(ADDRESS, "INBOX").modseq
    # the process was killed: what it wrote is there
    boxes.reopen(unclean=True)
    assert max(boxes.mailboxes.load(ADDRESS, "INBOX").columns.modseqs) == known
    # the machine was started anew
    monkeypatch.setattr(reconcile, "boot", lambda: 1)
    boxes.reopen(unclean=True)
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert min(loaded.columns.modseqs) > known
    assert loaded.modseq == max(loaded.columns.modseqs)
