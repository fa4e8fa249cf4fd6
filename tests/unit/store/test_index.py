"""The index file: version 1 brought up to date in place, what is remembered of expunges, summaries, usage, uses."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stratamail.store.index import AT_ONCE, Index, Row
from stratamail.store.index_file import VERSION
from stratamail.store.mailbox_values import MailboxError
from tests.unit.store.boxes import ADDRESS, Boxes

# what version 1 did not have
_OLDER = """
DROP TABLE summaries;
DROP INDEX marks_folder;
ALTER TABLE messages DROP COLUMN saved;
ALTER TABLE folders DROP COLUMN use;
ALTER TABLE folders DROP COLUMN unmarked;
ALTER TABLE folders DROP COLUMN seen;
PRAGMA user_version = 1;
"""


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def path_of(boxes: Boxes) -> str:
    return os.path.join(boxes.root, "index.sqlite")


def delete(boxes: Boxes, *uids: int) -> None:
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", uids, "+", ["\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX", uids)


# versions


def test_version_1_is_brought_up_to_date_in_place(boxes: Boxes) -> None:
    boxes.deliver(3)
    delete(boxes, 1)
    boxes.mailboxes.keep(ADDRESS, "INBOX", "envelope", [(2, b"rendered")])
    before = boxes.mailboxes.load(ADDRESS, "INBOX")
    boxes.mailboxes.close()
    with closing(sqlite3.connect(path_of(boxes))) as db:
        db.executescript(_OLDER)
    after = boxes.reopen().load(ADDRESS, "INBOX")
    assert (after.uidvalidity, after.uidnext, after.modseq) == (before.uidvalidity, before.uidnext, before.modseq)
    assert after.columns.uids == before.columns.uids
    assert after.columns.saves == after.columns.dates
    assert boxes.mailboxes.cached(ADDRESS, "INBOX", "envelope", [2]) == {}, "older versions rendered otherwise"
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", 0) == ([1], True)
    uses = {info.name: info.use for info in boxes.mailboxes.folders(ADDRESS)}
    assert uses["Sent"] == "\\Sent"
    boxes.mailboxes.close()
    with closing(sqlite3.connect(path_of(boxes))) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_an_upgrade_that_is_cut_changes_nothing(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.close()
    with closing(sqlite3.connect(path_of(boxes))) as db:
        db.executescript(_OLDER)
        # its last statement fails
        db.execute("CREATE TABLE summaries (x)")
    uidvalidity = None
    with pytest.raises(sqlite3.OperationalError):
        Index(path_of(boxes))
    with closing(sqlite3.connect(path_of(boxes))) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        [uidvalidity] = db.execute("SELECT uidvalidity FROM folders WHERE name='INBOX'").fetchone()
        db.execute("DROP TABLE summaries")
    assert boxes.reopen().load(ADDRESS, "INBOX").uidvalidity == uidvalidity


def test_a_version_of_the_future_is_rebuilt(boxes: Boxes) -> None:
    boxes.deliver(1)
    before = boxes.mailboxes.load(ADDRESS, "INBOX").uidvalidity
    boxes.mailboxes.close()
    with closing(sqlite3.connect(path_of(boxes))) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    after = boxes.reopen().load(ADDRESS, "INBOX")
    assert (after.uidvalidity != before, list(after.columns.uids)) == (True, [1])


# expunges (RFC 7162 section 3.2.5)


def test_vanished_uids_since_a_modseq(boxes: Boxes) -> None:
    boxes.deliver(5)
    start = boxes.mailboxes.load(ADDRESS, "INBOX").modseq
    delete(boxes, 2)
    middle = boxes.mailboxes.load(ADDRESS, "INBOX").modseq
    boxes.mailboxes.move(ADDRESS, "INBOX", [4, 3], "Archive")
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", start) == ([2, 3, 4], True)
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", middle) == ([3, 4], True)
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", middle + 2) == ([], True)
    assert boxes.mailboxes.vanished(ADDRESS, "Archive", 0) == ([], True)


def test_forgotten_expunges_are_told_to_be_incomplete(boxes: Boxes) -> None:
    boxes.deliver(4)
    delete(boxes, 1)
    first = boxes.mailboxes.load(ADDRESS, "INBOX").modseq
    delete(boxes, 2)
    boxes.mailboxes.close()
    index = Index(path_of(boxes))
    with index.change():
        index.trim_marks(kept=1)
    index.close()
    boxes.reopen()
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", first - 1) == ([2], False)
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", first) == ([2], True)


# flags unless changed (RFC 7162 section 3.1.3)


def test_unchanged_since_is_decided_for_each_message(boxes: Boxes) -> None:
    boxes.deliver(3)
    since = boxes.mailboxes.load(ADDRESS, "INBOX").modseq
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Seen"])
    rows, modified = boxes.mailboxes.set_flags_unchanged(ADDRESS, "INBOX", [3, 2, 1, 9], "+", ["\\Flagged"], since)
    assert ([row.uid for row in rows], modified) == ([3, 1], [2])
    assert [bool(flags & 4) for flags in boxes.mailboxes.load(ADDRESS, "INBOX").columns.flags] == [True, False, True]
    rows, modified = boxes.mailboxes.set_flags_unchanged(ADDRESS, "INBOX", [1, 2], "+", ["\\Flagged"], 0)
    assert (rows, modified) == ([], [1, 2])


# when a message was saved (RFC 8514)


def test_saved_is_when_it_came_into_this_folder(boxes: Boxes) -> None:
    times = [100.0]
    boxes.mailboxes._now = lambda: times[-1]
    boxes.deliver(1)
    times.append(200.0)
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    times.append(300.0)
    boxes.mailboxes.append(ADDRESS, "Archive", [boxes.arrival()])
    assert list(boxes.mailboxes.load(ADDRESS, "INBOX").columns.saves) == [100_000_000]
    assert list(boxes.mailboxes.load(ADDRESS, "Archive").columns.saves) == [200_000_000, 300_000_000]


# summaries


def test_summaries_go_along_with_their_messages(boxes: Boxes) -> None:
    boxes.deliver(3)
    mailboxes = boxes.mailboxes
    mailboxes.keep_summaries(ADDRESS, "INBOX", [(1, b"one"), (2, b"two"), (3, b"three"), (9, b"nobody's")])
    mailboxes.keep(ADDRESS, "INBOX", "envelope", [(1, b"envelope")])
    assert mailboxes.summaries(ADDRESS, "INBOX", [1, 2, 3, 9]) == {1: b"one", 2: b"two", 3: b"three"}
    mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    mailboxes.move(ADDRESS, "INBOX", [2], "Archive")
    delete(boxes, 3)
    assert mailboxes.summaries(ADDRESS, "INBOX", [1, 2, 3]) == {1: b"one"}
    assert mailboxes.summaries(ADDRESS, "Archive", [2, 1]) == {1: b"one", 2: b"two"}
    assert mailboxes.cached(ADDRESS, "Archive", "envelope", [1, 2]) == {1: b"envelope"}
    mailboxes.delete(ADDRESS, "Archive")
    mailboxes.close()
    with closing(sqlite3.connect(path_of(boxes))) as db:
        assert db.execute("SELECT count(*) FROM summaries").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM cache").fetchone() == (1,)


# usage


def test_usage_is_right_after_every_change(boxes: Boxes) -> None:
    mailboxes = boxes.mailboxes
    assert mailboxes.usage(ADDRESS) == (0, 0)
    boxes.deliver(3)
    mailboxes.append(ADDRESS, "Sent", [boxes.arrival(b"x" * 100)])
    mailboxes.copy(ADDRESS, "INBOX", [1, 2], "Archive")
    mailboxes.move(ADDRESS, "INBOX", [3], "Archive")
    mailboxes.set_flags(ADDRESS, "Archive", [1], "+", ["\\Deleted"])
    mailboxes.expunge(ADDRESS, "Archive")
    usage = mailboxes.usage(ADDRESS)
    size = mailboxes.load(ADDRESS, "INBOX").columns.sizes[0]
    assert usage == (5, 4 * size + 100)
    boxes.reopen()
    assert boxes.mailboxes.usage(ADDRESS) == usage
    boxes.mailboxes.delete(ADDRESS, "Archive")
    assert boxes.mailboxes.usage(ADDRESS) == (3, 2 * size + 100)


# special use (RFC 6154)


def test_a_special_use_belongs_to_one_folder_and_goes_along(boxes: Boxes) -> None:
    boxes.mailboxes.create(ADDRESS, "Every", "\\All \\Important")
    with pytest.raises(MailboxError) as refused:
        boxes.mailboxes.create(ADDRESS, "Again", "\\all")
    assert refused.value.code == "USEATTR"
    with pytest.raises(MailboxError):
        boxes.mailboxes.create(ADDRESS, "Sent mail", "\\Sent")
    boxes.mailboxes.rename(ADDRESS, "Sent", "Sent mail")
    boxes.mailboxes.create(ADDRESS, "Sent")
    boxes.reopen(unclean=True)
    found = {info.name: info for info in boxes.mailboxes.folders(ADDRESS)}
    assert (found["Every"].use, found["Sent mail"].use, found["Sent"].use) == ("\\All \\Important", "\\Sent", "")
    assert found["Every"].uidvalidity == boxes.mailboxes.load(ADDRESS, "Every").uidvalidity


# keywords


def test_append_and_copy_into_a_full_folder_are_refused_whole(boxes: Boxes) -> None:
    words = [f"$w{i}" for i in range(54)]
    boxes.mailboxes.append(ADDRESS, "Archive", [boxes.arrival(flags=frozenset(words))])
    boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["$another"])
    for change in (
        lambda: boxes.mailboxes.append(ADDRESS, "Archive", [boxes.arrival(flags=frozenset(["$more"]))]),
        lambda: boxes.mailboxes.copy(ADDRESS, "INBOX", [2, 1], "Archive"),
        lambda: boxes.mailboxes.move(ADDRESS, "INBOX", [2, 1], "Archive"),
    ):
        with pytest.raises(MailboxError) as refused:
            change()
        assert refused.value.code == "LIMIT"
    assert (boxes.uids("Archive"), boxes.uids()) == ([1], [1, 2])
    # what needs no new one goes in
    boxes.mailboxes.append(ADDRESS, "Archive", [boxes.arrival(flags=frozenset(["$W1", "\\Seen"]))])
    boxes.mailboxes.copy(ADDRESS, "INBOX", [2], "Archive")
    assert boxes.uids("Archive") == [1, 2, 3]


# memory


def test_idle_indexes_are_closed_and_opened_again(boxes: Boxes) -> None:
    boxes.deliver(1)
    assert os.path.exists(path_of(boxes) + "-wal")
    boxes.mailboxes.release(60.0)
    assert os.path.exists(path_of(boxes) + "-wal")
    boxes.mailboxes.release(-1.0)
    assert not os.path.exists(path_of(boxes) + "-wal")
    assert boxes.uids() == [1]


# columns


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, AT_ONCE + 1])
def test_all_of_a_folder_is_loaded_as_it_was_written(tmp_path: Path, count: int) -> None:
    index = Index(str(tmp_path / "index.sqlite"))
    extremes = [
        Row(1, 2**53, 2**61 | 1, 2**40, -86_400_000_000, "name with 'quotes', a\nline end, ünd", 0),
        Row(7, 1, 0, 0, 0, "1.x", -1),
        Row(2**32 - 1, 5, 128, 1, 2**50, "2.y", 2**50),
    ]
    rows = [Row(uid, uid, 0, uid, uid, f"{uid}.z", uid) for uid in range(10, 10 + count)]
    rows = [*extremes[:2], *rows, extremes[2]] if count else []
    with index.change():
        folder, other = index.create("INBOX", 1), index.create("Other", 2)
        index.add(folder, rows)
        index.add(other, [Row(3, 1, 0, 1, 1, "3.other", 1)])
    found = index.load(folder)
    columns = found.uids, found.modseqs, found.flags, found.sizes, found.dates, found.bases, found.saves
    assert list(map(tuple, zip(*columns, strict=True))) == list(map(tuple, rows))
    assert all(len(column) == len(rows) for column in columns)
    index.close()
