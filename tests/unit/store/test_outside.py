"""A Maildir changed by other tools while the server runs: what is taken in, what is told, what it costs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stratamail.store import maildir
from stratamail.store.mailbox_outside import AGAIN, COMPLETE
from stratamail.store.mailbox_values import Added, Flagged, MailboxError, Removed, Replaced
from tests.unit.store.boxes import ADDRESS, Boxes

OLD = 1_700_000_000


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    boxes = Boxes(tmp_path)
    boxes.mailboxes.folders(ADDRESS)
    return boxes


def stranger(boxes: Boxes, name: str, body: bytes = b"Subject: y\r\n\r\n", folder: str = "", old: bool = True) -> str:
    """A file as another tool delivers it: written in ``tmp`` and renamed."""
    written = os.path.join(boxes.root, folder, "tmp", "1.writing")
    Path(written).write_bytes(body)
    if old:
        os.utime(written, (OLD, OLD))
    target = os.path.join(boxes.root, folder, name)
    os.rename(written, target)
    return target


def bases(boxes: Boxes, folder: str = "INBOX") -> list[str]:
    return list(boxes.mailboxes.load(ADDRESS, folder).columns.bases)


def changes(boxes: Boxes, kind: type) -> list[object]:
    return [change for _, _, change in boxes.heard if isinstance(change, kind)]


def agree(boxes: Boxes, folder: str = "INBOX") -> None:
    """Every row has its file under the very name, and nothing else lies there."""
    columns = boxes.mailboxes.load(ADDRESS, folder).columns
    rows = {maildir.relative(base, flags) for base, flags in zip(columns.bases, columns.flags, strict=True)}
    assert boxes.files(maildir.directory(folder)) == rows


def test_a_new_file_gets_a_new_uid(boxes: Boxes) -> None:
    boxes.deliver(2)
    boxes.heard.clear()
    stranger(boxes, "new/1600000000.M1P2.host")
    stranger(boxes, "cur/1600000001.M2P2.host:2,FS")
    assert boxes.uids() == [1, 2, 3, 4]
    columns = boxes.mailboxes.load(ADDRESS, "INBOX").columns
    assert columns.flags[3] == maildir.FLAGGED | maildir.SEEN
    assert list(columns.sizes[2:]) == [14, 14]
    assert columns.dates[2] == 1_600_000_000_000_000
    [added] = changes(boxes, Added)
    assert [row.uid for row in added.rows] == [3, 4]  # type: ignore[attr-defined]
    agree(boxes)


def test_a_removed_file_is_an_expunge_though_the_spool_has_it(boxes: Boxes) -> None:
    arrivals = boxes.deliver(3)
    boxes.heard.clear()
    os.unlink(os.path.join(boxes.root, "new", bases(boxes)[1]))
    assert boxes.uids() == [1, 3]
    [removed] = changes(boxes, Removed)
    assert isinstance(removed, Removed) and removed.uids == (2,)
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", removed.modseq - 1) == ([2], True)
    # neither a replay nor a repair brings it back
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    boxes.reopen(unclean=True)
    assert boxes.uids() == [1, 3]


def test_a_rename_changes_flags_and_keeps_keywords(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["$label", "\\Seen"])
    [base] = bases(boxes)
    boxes.heard.clear()
    os.rename(f"{boxes.root}/cur/{base}:2,S", f"{boxes.root}/cur/{base}:2,FR")
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert loaded.columns.flags[0] == 1 << 8 | maildir.FLAGGED | maildir.ANSWERED
    [flagged] = changes(boxes, Flagged)
    assert isinstance(flagged, Flagged) and flagged.changes == ((1, loaded.modseq, loaded.columns.flags[0]),)
    agree(boxes)


def test_a_message_that_another_tool_has_seen_moves_to_cur_and_no_client_hears_of_new_flags(boxes: Boxes) -> None:
    boxes.deliver(1)
    [base] = bases(boxes)
    before = boxes.mailboxes.load(ADDRESS, "INBOX").columns.modseqs[0]
    os.rename(f"{boxes.root}/new/{base}", f"{boxes.root}/cur/{base}:2,")
    columns = boxes.mailboxes.load(ADDRESS, "INBOX").columns
    assert (columns.flags[0], columns.modseqs[0]) == (0, before)


def test_a_message_moved_to_another_folder_gets_a_name_and_uid_of_its_own_there(boxes: Boxes) -> None:
    [arrival] = boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["$label", "\\Seen"])
    boxes.mailboxes.keep_summaries(ADDRESS, "INBOX", [(1, b"summary")])
    [base] = bases(boxes)
    os.rename(f"{boxes.root}/cur/{base}:2,S", f"{boxes.root}/.Archive/cur/{base}:2,S")
    assert boxes.uids("Archive") == [1]
    assert boxes.uids() == []
    loaded = boxes.mailboxes.load(ADDRESS, "Archive")
    assert loaded.keywords == ("$label",)
    assert loaded.columns.flags[0] == 1 << 8 | maildir.SEEN
    assert loaded.columns.bases[0] != base
    assert maildir.message_id(loaded.columns.bases[0]) == arrival.id
    assert boxes.mailboxes.summaries(ADDRESS, "Archive", [1]) == {1: b"summary"}
    agree(boxes, "Archive")


def test_a_move_by_another_tool_outlives_a_crash_whichever_folder_is_looked_at_first(boxes: Boxes) -> None:
    boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["$label", "\\Seen"])
    for base in bases(boxes):
        os.rename(f"{boxes.root}/cur/{base}:2,S", f"{boxes.root}/.Archive/cur/{base}:2,S")
    assert boxes.uids() == []
    boxes.reopen(unclean=True)
    assert len(boxes.uids("Archive")) == 2
    assert boxes.uids() == []
    assert boxes.mailboxes.load(ADDRESS, "Archive").keywords == ("$label",)


def test_a_merge_of_folders_by_another_tool_outlives_a_crash(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Archive")
    [base] = bases(boxes, "Archive")
    os.rename(f"{boxes.root}/.Archive/cur/{base}:2,", f"{boxes.root}/.Junk/cur/{base}:2,")
    shutil.rmtree(f"{boxes.root}/.Archive")
    boxes.mailboxes.folders(ADDRESS)
    boxes.reopen(unclean=True)
    assert len(boxes.uids("Junk")) == 1


def test_a_message_moved_there_and_back_is_a_new_one(boxes: Boxes) -> None:
    boxes.deliver(1)
    [base] = bases(boxes)
    os.rename(f"{boxes.root}/new/{base}", f"{boxes.root}/.Archive/cur/{base}:2,S")
    assert boxes.uids() == []
    [there] = bases(boxes, "Archive")
    os.rename(f"{boxes.root}/.Archive/cur/{there}:2,S", f"{boxes.root}/cur/{base}:2,S")
    assert boxes.uids("Archive") == []
    assert boxes.uids() == [2]
    assert bases(boxes) != [base]
    agree(boxes)


def test_a_copy_by_another_tool_is_a_second_message(boxes: Boxes) -> None:
    boxes.deliver(1)
    [base] = bases(boxes)
    shutil.copy(f"{boxes.root}/new/{base}", f"{boxes.root}/.Archive/new/{base}")
    assert boxes.uids() == [1]
    assert boxes.uids("Archive") == [1]
    agree(boxes)
    agree(boxes, "Archive")


def test_what_is_written_in_place_waits_until_it_is_whole(boxes: Boxes) -> None:
    path = f"{boxes.root}/cur/1.x:2,"
    with open(path, "wb") as file:
        file.write(b"half")
        file.flush()
        assert boxes.mailboxes.look(ADDRESS, "INBOX")
        assert boxes.mailboxes.noticed(ADDRESS, "INBOX", {"cur/1.x:2,": 0}) == {"cur/1.x:2,": 0}
        assert boxes.uids() == []
        file.write(b" and whole")
    assert not boxes.mailboxes.look(ADDRESS, "INBOX")
    assert list(boxes.mailboxes.load(ADDRESS, "INBOX").columns.sizes) == [14]


def test_where_no_writer_is_known_a_file_must_rest(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maildir, "being_written", lambda path: None)
    path = stranger(boxes, "cur/1.x:2,", old=False)
    assert boxes.mailboxes.look(ADDRESS, "INBOX")
    assert boxes.uids() == []
    os.utime(path, (OLD, OLD))
    assert boxes.uids() == [1]


def test_tmp_links_and_hidden_files_are_nobodys_business(boxes: Boxes, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    os.symlink(secret, f"{boxes.root}/cur/5.x:2,")
    os.mkdir(f"{boxes.root}/cur/6.x:2,")
    Path(f"{boxes.root}/cur/.nfs000").write_text("x")
    Path(f"{boxes.root}/tmp/7.x").write_text("x")
    assert boxes.uids() == []


def test_odd_names_are_taken_in(boxes: Boxes) -> None:
    raw = os.fsencode(boxes.root)
    for name in (b"cur/caf\xe9:2,S", b"cur/no-suffix", b"cur/8.x:2,Sab", b"new/9.x:2,S", "cur/ü 'x\":2,".encode()):
        Path(os.fsdecode(os.path.join(raw, name))).write_bytes(b"Subject: z\r\n\r\n")
        os.utime(os.path.join(raw, name), (OLD, OLD))
    assert boxes.uids() == [1, 2, 3, 4, 5]
    agree(boxes)
    # and their names are stable
    boxes.heard.clear()
    assert boxes.uids() == [1, 2, 3, 4, 5]
    assert boxes.heard == []


def test_odd_names_are_taken_in_by_a_repair(boxes: Boxes) -> None:
    for name in (b"cur/caf\xe9:2,S", b"cur/no-suffix", b"cur/8.x:2,Sab"):
        Path(os.fsdecode(os.path.join(os.fsencode(boxes.root), name))).write_bytes(b"Subject: z\r\n\r\n")
    boxes.reopen(unclean=True)
    assert boxes.uids() == [1, 2, 3]
    agree(boxes)


def test_own_changes_cost_no_scan(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes.deliver(600)
    boxes.uids()
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["\\Seen", "\\Deleted"])
    boxes.mailboxes.copy(ADDRESS, "INBOX", [3], "Archive")
    boxes.mailboxes.move(ADDRESS, "INBOX", [4], "INBOX")
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    boxes.mailboxes.append(ADDRESS, "INBOX", [boxes.arrival()])
    monkeypatch.setattr(maildir, "scan", None)
    assert len(boxes.uids()) == 599
    boxes.reopen()
    assert len(boxes.uids()) == 599


def test_what_happened_while_the_server_was_stopped_is_noticed(boxes: Boxes) -> None:
    boxes.deliver(3)
    names = bases(boxes)
    boxes.mailboxes.close()
    os.unlink(f"{boxes.root}/new/{names[0]}")
    os.rename(f"{boxes.root}/new/{names[1]}", f"{boxes.root}/cur/{names[1]}:2,S")
    stranger(boxes, "new/1.x")
    boxes.reopen()
    assert boxes.uids() == [2, 3, 4]
    agree(boxes)


def test_status_sees_it_too(boxes: Boxes) -> None:
    boxes.deliver(1)
    stranger(boxes, "cur/1.x:2,S")
    status = boxes.mailboxes.status(ADDRESS, "INBOX")
    assert (status.messages, status.unseen) == (2, 1)
    assert boxes.mailboxes.usage(ADDRESS)[0] == 2


def test_folders_made_removed_and_renamed(boxes: Boxes) -> None:
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{boxes.root}/.Lists.python/{part}")
    stranger(boxes, "cur/1.x:2,S", folder=".Lists.python")
    names = [info.name for info in boxes.mailboxes.folders(ADDRESS)]
    assert "Lists/python" in names
    uidvalidity = boxes.mailboxes.load(ADDRESS, "Lists/python").uidvalidity
    assert boxes.uids("Lists/python") == [1]
    os.rename(f"{boxes.root}/.Lists.python", f"{boxes.root}/.Snakes")
    renamed = boxes.mailboxes.load(ADDRESS, "Snakes")
    assert (renamed.uidvalidity, list(renamed.columns.uids)) == (uidvalidity, [1])
    assert (ADDRESS, "Lists/python", Replaced()) in boxes.heard
    shutil.rmtree(f"{boxes.root}/.Snakes")
    with pytest.raises(MailboxError):
        boxes.mailboxes.load(ADDRESS, "Snakes")
    assert (ADDRESS, "Snakes", Replaced()) in boxes.heard


def test_a_folder_that_is_being_made_is_found_when_it_is_whole(boxes: Boxes) -> None:
    os.mkdir(f"{boxes.root}/.Slow")
    assert "Slow" not in [info.name for info in boxes.mailboxes.folders(ADDRESS)]
    os.mkdir(f"{boxes.root}/.Slow/cur")
    assert "Slow" in [info.name for info in boxes.mailboxes.folders(ADDRESS)]
    os.mkdir(f"{boxes.root}/.Slow/new")
    assert boxes.uids("Slow") == []


def test_a_folder_made_by_a_tool_is_not_set_aside_by_create(boxes: Boxes) -> None:
    boxes.mailboxes.folders(ADDRESS)
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{boxes.root}/.Tool/{part}")
    stranger(boxes, "cur/1.x:2,S", folder=".Tool")
    with pytest.raises(MailboxError, match="exists already"):
        boxes.mailboxes.create(ADDRESS, "Tool")
    assert boxes.uids("Tool") == [1]


def test_a_change_in_a_folder_that_was_removed_is_refused(boxes: Boxes) -> None:
    boxes.deliver(1)
    shutil.rmtree(f"{boxes.root}/.Archive")
    with pytest.raises(MailboxError):
        boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    with pytest.raises(MailboxError):
        boxes.mailboxes.append(ADDRESS, "Archive", [boxes.arrival()])


def test_inbox_without_its_directories_is_an_accident(boxes: Boxes) -> None:
    boxes.deliver(2)
    shutil.rmtree(f"{boxes.root}/new")
    shutil.rmtree(f"{boxes.root}/cur")
    boxes.deliver(1)
    assert boxes.uids() == [1, 2, 3]
    agree(boxes)


# entries as whoever watches tells them


def test_own_changes_are_told_too_and_nothing_comes_of_it(boxes: Boxes) -> None:
    boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Deleted"])
    names = bases(boxes)
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    boxes.heard.clear()
    told = {f"new/{names[0]}": 0, f"new/{names[1]}": 0, f"cur/{names[1]}:2,T": COMPLETE}
    assert boxes.mailboxes.noticed(ADDRESS, "INBOX", told) == {}
    assert boxes.heard == []


def test_a_file_is_whole_when_it_was_moved_in_or_closed(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maildir, "being_written", lambda path: None)
    stranger(boxes, "cur/1.x:2,", old=False)
    assert boxes.mailboxes.noticed(ADDRESS, "INBOX", {"cur/1.x:2,": 0}) == {"cur/1.x:2,": 0}
    assert boxes.mailboxes.noticed(ADDRESS, "INBOX", {"cur/1.x:2,": COMPLETE}) == {}
    assert boxes.uids() == [1]


def test_a_missing_file_is_believed_gone_when_it_is_told_again(boxes: Boxes) -> None:
    boxes.deliver(2)
    names = bases(boxes)
    boxes.heard.clear()
    os.unlink(f"{boxes.root}/new/{names[0]}")
    later = boxes.mailboxes.noticed(ADDRESS, "INBOX", {f"new/{names[0]}": 0})
    assert later == {f"new/{names[0]}": AGAIN}
    assert boxes.heard == []
    assert boxes.mailboxes.noticed(ADDRESS, "INBOX", later) == {}
    assert len(changes(boxes, Removed)) == 1


def test_a_rename_told_in_two_parts_is_no_expunge(boxes: Boxes) -> None:
    boxes.deliver(1)
    [base] = bases(boxes)
    os.rename(f"{boxes.root}/new/{base}", f"{boxes.root}/cur/{base}:2,S")
    later = boxes.mailboxes.noticed(ADDRESS, "INBOX", {f"new/{base}": 0})
    assert boxes.mailboxes.noticed(ADDRESS, "INBOX", {**later, f"cur/{base}:2,S": COMPLETE}) == {}
    assert changes(boxes, Removed) == []
    assert boxes.mailboxes.load(ADDRESS, "INBOX").columns.flags[0] == maildir.SEEN


def test_after_what_was_told_a_look_scans_nothing(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes.deliver(1)
    boxes.uids()
    boxes.mailboxes.look(ADDRESS, "INBOX")
    stranger(boxes, "cur/1.x:2,")
    boxes.mailboxes.noticed(ADDRESS, "INBOX", {"cur/1.x:2,": COMPLETE})
    monkeypatch.setattr(maildir, "scan", None)
    assert boxes.uids() == [1, 2]


def test_a_failed_change_leaves_no_file_that_would_be_taken_for_anothers(boxes: Boxes) -> None:
    good, bad = boxes.arrival(), boxes.arrival()
    os.unlink(bad.path)
    with pytest.raises(FileNotFoundError):
        boxes.mailboxes.append(ADDRESS, "INBOX", [good, bad])
    assert boxes.uids() == []


def test_mv_cp_and_rm(boxes: Boxes) -> None:
    boxes.deliver(3)
    names = bases(boxes)
    new, archive = f"{boxes.root}/new", f"{boxes.root}/.Archive/cur"
    subprocess.run(["mv", f"{new}/{names[0]}", f"{archive}/{names[0]}:2,S"], check=True)
    subprocess.run(["cp", "-p", f"{new}/{names[1]}", f"{archive}/{names[1]}:2,"], check=True)
    subprocess.run(["rm", f"{new}/{names[2]}"], check=True)
    assert boxes.uids() == [2]
    assert len(boxes.uids("Archive")) == 2
    agree(boxes)
    agree(boxes, "Archive")
