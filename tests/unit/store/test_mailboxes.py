"""Mailboxes: deliver, flags, expunge, copy, move, folders, on disk and in the index alike."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratamail.store import foldertree, maildir
from stratamail.store.mailbox_values import Added, Flagged, MailboxError, Removed, Replaced
from stratamail.store.mailboxes import count_messages
from tests.unit.store.boxes import ADDRESS, Boxes


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def test_delivery_links_the_spool_file_and_gives_uids_in_order_of_seq(boxes: Boxes) -> None:
    arrivals = [boxes.arrival() for _ in range(3)]
    boxes.mailboxes.deliver(ADDRESS, arrivals[::-1])
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert list(loaded.columns.uids) == [1, 2, 3]
    assert [name.split(".")[1] for name in loaded.columns.bases] == [arrival.id for arrival in arrivals]
    assert loaded.uidnext == 4
    for name, arrival in zip(loaded.columns.bases, arrivals, strict=True):
        assert os.path.samefile(os.path.join(boxes.root, "new", name), arrival.path)
    [(address, folder, change)] = [told for told in boxes.heard if isinstance(told[2], Added)]
    assert (address, folder, [row.uid for row in change.rows]) == (ADDRESS, "INBOX", [1, 2, 3])


def test_delivering_again_changes_nothing(boxes: Boxes) -> None:
    arrivals = boxes.deliver(3)
    boxes.heard.clear()
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    assert boxes.uids() == [1, 2, 3]
    assert boxes.heard == []


def test_what_was_expunged_stays_expunged_when_it_is_delivered_again(boxes: Boxes) -> None:
    arrivals = boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    assert boxes.uids() == [2]
    assert len(boxes.files()) == 1


def test_what_was_moved_stays_moved_when_it_is_delivered_again(boxes: Boxes) -> None:
    arrivals = boxes.deliver(1)
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Archive")
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    assert boxes.uids() == []
    assert boxes.uids("Archive") == [1]


def test_a_known_name_without_its_file_gets_it_back(boxes: Boxes) -> None:
    arrivals = boxes.deliver(1)
    [below] = boxes.files()
    os.unlink(os.path.join(boxes.root, below))
    boxes.mailboxes.deliver(ADDRESS, arrivals)
    assert boxes.files() == {below}
    assert boxes.uids() == [1]


def test_the_folders_to_sync_are_the_ones_that_changed(boxes: Boxes) -> None:
    boxes.deliver(1)
    assert os.path.join(boxes.root, "new") in boxes.mailboxes.folders_to_sync(ADDRESS)
    assert boxes.mailboxes.folders_to_sync(ADDRESS) == []
    boxes.deliver(1)
    assert boxes.mailboxes.folders_to_sync(ADDRESS) == [os.path.join(boxes.root, "new")]


def test_flags_go_into_the_file_name_and_the_index(boxes: Boxes) -> None:
    boxes.deliver(2)
    rows = boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 99], "+", ["\\Seen", "\\flagged", "$Work"])
    assert [row.uid for row in rows] == [1]
    assert any(name.endswith(":2,FS") for name in boxes.files())
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert loaded.keywords == ("$Work",)
    change = boxes.heard[-1][2]
    assert isinstance(change, Flagged)
    assert [uid for uid, _, _ in change.changes] == [1]
    assert loaded.modseq > loaded.columns.modseqs[1]
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "-", ["\\Seen"])
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "=", ["\\Answered"])
    assert {name.partition(":2,")[2] for name in boxes.files()} == {"F", "R"}


def test_setting_what_is_set_tells_nobody(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    boxes.heard.clear()
    rows = boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    assert [row.uid for row in rows] == [1]
    assert boxes.heard == []


def test_flags_find_a_file_that_another_tool_renamed(boxes: Boxes) -> None:
    boxes.deliver(1)
    [below] = boxes.files()
    os.rename(os.path.join(boxes.root, below), os.path.join(boxes.root, "cur", below[4:] + ":2,F"))
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    assert [name.partition(":2,")[2] for name in boxes.files()] == ["S"]


def test_a_folder_holds_so_many_keywords_and_no_more(boxes: Boxes) -> None:
    boxes.deliver(1)
    for i in range(54):
        boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", [f"k{i}"])
    full = boxes.mailboxes.load(ADDRESS, "INBOX")
    with pytest.raises(MailboxError) as refusal:
        boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen", "one-more"])
    assert refusal.value.code == "LIMIT"
    after = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert (after.keywords, after.columns.flags) == (full.keywords, full.columns.flags)
    assert len(full.keywords) == 54


def test_a_keyword_that_no_message_has_makes_room_for_another(boxes: Boxes) -> None:
    boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", [f"k{i}" for i in range(54)])
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "-", ["k3", "k4"])
    # k4 is wanted too: its place must not go to the first of the new ones
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["new", "k4"])
    boxes.mailboxes.close()
    loaded = boxes.mailboxes.load(ADDRESS, "INBOX")
    named = [
        {word for bit, word in enumerate(loaded.keywords, 8) if word is not None and flags >> bit & 1}
        for flags in loaded.columns.flags
    ]
    assert named == [{f"k{i}" for i in range(54)} - {"k3", "k4"}, {"new", "k4"}]
    assert len(set(loaded.keywords)) == 54
    with pytest.raises(MailboxError):
        boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["yet-another"])


def test_a_folder_is_the_one_that_was_opened_or_nothing_is_changed(boxes: Boxes) -> None:
    boxes.mailboxes.create(ADDRESS, "x")
    before = boxes.mailboxes.load(ADDRESS, "x").uidvalidity
    boxes.mailboxes.delete(ADDRESS, "x")
    boxes.mailboxes.create(ADDRESS, "x")
    boxes.deliver(1)
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "x")
    for method, arguments in (
        ("set_flags", ([1], "+", ["\\Deleted"])),
        ("expunge", ([1],)),
        ("move", ([1], "INBOX")),
        ("keep", ("envelope", [(1, b"of another message")])),
        ("claim_recent", (9,)),
    ):
        with pytest.raises(MailboxError) as refusal:
            boxes.mailboxes.within(ADDRESS, "x", before, method, *arguments)
        assert refusal.value.code == "NONEXISTENT"
    now = boxes.mailboxes.load(ADDRESS, "x")
    assert (list(now.columns.uids), now.columns.flags[0] & 0x3F, now.recent) == ([1], 0, 1)
    assert boxes.mailboxes.within(ADDRESS, "x", now.uidvalidity, "cached", "envelope", [1]) == {}


def test_expunge_takes_only_deleted_ones_and_only_of_the_uids(boxes: Boxes) -> None:
    boxes.deliver(4)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2, 3], "+", ["\\Deleted"])
    assert boxes.mailboxes.expunge(ADDRESS, "INBOX", [2, 4]) == [2]
    assert boxes.heard[-1][2] == Removed((2,), boxes.heard[-1][2].modseq)  # type: ignore[union-attr]
    assert boxes.mailboxes.expunge(ADDRESS, "INBOX") == [1, 3]
    assert boxes.uids() == [4]
    assert len(boxes.files()) == 1


def test_an_expunge_leaves_the_spool_alone(boxes: Boxes) -> None:
    [arrival] = boxes.deliver(1)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    assert os.path.exists(arrival.path)


def test_copies_are_links_with_new_names_and_keep_flags_and_keywords(boxes: Boxes) -> None:
    [first, _] = boxes.deliver(2)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen", "$Work"])
    copied = boxes.mailboxes.copy(ADDRESS, "INBOX", [1, 2, 77], "Trash")
    assert (copied.sources, copied.targets) == ((1, 2), (1, 2))
    again = boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Trash")
    assert again.targets == (3,)
    trash = boxes.mailboxes.load(ADDRESS, "Trash")
    assert trash.keywords == ("$Work",)
    assert trash.uidvalidity == copied.uidvalidity
    assert len(set(trash.columns.bases)) == 3
    assert os.stat(first.path).st_nlink == 4
    assert boxes.uids() == [1, 2]


def test_a_move_within_one_folder_gives_a_new_uid(boxes: Boxes) -> None:
    boxes.deliver(2)
    moved = boxes.mailboxes.move(ADDRESS, "INBOX", [1], "inbox")
    assert moved.targets == (3,)
    assert boxes.uids() == [2, 3]
    assert len(boxes.files()) == 2


def test_a_missing_target_says_trycreate(boxes: Boxes) -> None:
    boxes.deliver(1)
    with pytest.raises(MailboxError) as refused:
        boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Nowhere")
    assert refused.value.code == "TRYCREATE"
    assert boxes.uids() == [1]


def test_append_files_in_its_folder_with_flags(boxes: Boxes) -> None:
    arrival = boxes.arrival(flags=frozenset({"\\Seen", "\\Draft"}))
    appended = boxes.mailboxes.append(ADDRESS, "Drafts", [arrival])
    assert appended.uids == (1,)
    [name] = boxes.files(".Drafts")
    assert name.endswith(":2,DS")
    boxes.mailboxes.deliver(ADDRESS, [arrival], "Drafts")
    assert boxes.uids("Drafts") == [1]


def test_every_mailbox_has_the_usual_folders_subscribed(boxes: Boxes) -> None:
    folders = boxes.mailboxes.folders(ADDRESS)
    assert [folder.name for folder in folders] == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]
    assert all(folder.subscribed and folder.selectable for folder in folders)


def test_create_makes_the_parents_and_delete_leaves_a_parent(boxes: Boxes) -> None:
    boxes.mailboxes.create(ADDRESS, "a/b/c/")
    names = {folder.name: folder for folder in boxes.mailboxes.folders(ADDRESS)}
    assert names["a/b"].selectable and names["a/b"].children
    boxes.mailboxes.delete(ADDRESS, "a/b")
    names = {folder.name: folder for folder in boxes.mailboxes.folders(ADDRESS)}
    assert not names["a/b"].selectable
    assert names["a/b/c"].selectable
    with pytest.raises(MailboxError) as refused:
        boxes.mailboxes.delete(ADDRESS, "a/b")
    assert refused.value.code == "CANNOT"
    boxes.mailboxes.create(ADDRESS, "a/b")


@pytest.mark.parametrize("name", ["", "/a", "a//b", "a\x01", "x" * 300, "é" * 120, "\ud800"])
def test_impossible_names(boxes: Boxes, name: str) -> None:
    with pytest.raises(MailboxError) as refused:
        boxes.mailboxes.create(ADDRESS, name)
    assert refused.value.code == "CANNOT"


def test_a_folder_made_again_has_another_uidvalidity(boxes: Boxes) -> None:
    first = boxes.mailboxes.create(ADDRESS, "x")
    boxes.mailboxes.delete(ADDRESS, "x")
    assert boxes.heard[-1] == (ADDRESS, "x", Replaced())
    assert not os.path.exists(os.path.join(boxes.root, ".x"))
    assert boxes.mailboxes.create(ADDRESS, "x") > first


def test_rename_takes_children_and_subscriptions_along(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.create(ADDRESS, "a/b")
    boxes.mailboxes.subscribe(ADDRESS, "a/b")
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "a/b")
    before = boxes.mailboxes.status(ADDRESS, "a/b")
    boxes.mailboxes.rename(ADDRESS, "a", "new/home")
    names = {folder.name: folder for folder in boxes.mailboxes.folders(ADDRESS)}
    assert "a/b" not in names
    assert names["new/home/b"].subscribed
    assert names["new"].selectable
    assert boxes.mailboxes.status(ADDRESS, "new/home/b") == before
    assert len(boxes.files(".new.home.b")) == 1


def test_rename_refusals(boxes: Boxes) -> None:
    for old, new, code in [
        ("Nowhere", "x", "NONEXISTENT"),
        ("Sent", "Trash", "ALREADYEXISTS"),
        ("Sent", "Sent/x", "CANNOT"),
        ("Sent", "", "CANNOT"),
    ]:
        with pytest.raises(MailboxError) as refused:
            boxes.mailboxes.rename(ADDRESS, old, new)
        assert refused.value.code == code


def test_rename_of_inbox_leaves_it_empty_and_going_on(boxes: Boxes) -> None:
    boxes.deliver(3)
    boxes.mailboxes.create(ADDRESS, "INBOX/sub")
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1, 2], "+", ["$label", "\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX", [1])
    before = boxes.mailboxes.load(ADDRESS, "INBOX")
    boxes.heard.clear()
    boxes.mailboxes.rename(ADDRESS, "inbox", "old/mail")
    moved = boxes.mailboxes.load(ADDRESS, "old/mail")
    assert (moved.columns.uids, moved.columns.flags) == (before.columns.uids, before.columns.flags)
    assert moved.uidvalidity != before.uidvalidity
    assert moved.keywords == ("$label",)
    after = boxes.mailboxes.load(ADDRESS, "INBOX")
    assert (after.uidvalidity, after.uidnext, list(after.columns.uids)) == (before.uidvalidity, 4, [])
    assert [told for told in boxes.heard if isinstance(told[2], Removed)] == [
        (ADDRESS, "INBOX", Removed((2, 3), after.modseq))
    ]
    assert after.modseq > before.modseq
    # what left is not remembered by UID: a client compares all that it has
    assert boxes.mailboxes.vanished(ADDRESS, "INBOX", before.modseq)[1] is False
    assert len(boxes.files(".old.mail")) == 2
    assert boxes.files() == set()
    boxes.deliver(1)
    assert boxes.uids() == [4]
    assert "INBOX/sub" in {folder.name for folder in boxes.mailboxes.folders(ADDRESS)}
    boxes.reopen(unclean=True)
    assert (boxes.uids(), boxes.uids("old/mail")) == ([4], [2, 3])


def test_rename_of_inbox_takes_no_name_that_is_taken(boxes: Boxes) -> None:
    boxes.deliver(1)
    with pytest.raises(MailboxError) as refused:
        boxes.mailboxes.rename(ADDRESS, "INBOX", "Sent")
    assert refused.value.code == "ALREADYEXISTS"
    assert boxes.uids() == [1]


def test_rename_of_inbox_that_fails_is_finished_at_the_next_use(boxes: Boxes, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes.deliver(2)
    with monkeypatch.context() as patch:
        patch.setattr(foldertree, "hand_over", lambda root, path: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            boxes.mailboxes.rename(ADDRESS, "INBOX", "old")
    assert (boxes.uids(), boxes.uids("old")) == ([], [1, 2])
    assert len(boxes.files(".old")) == 2


def test_what_a_deleted_folder_leaves_is_swept(boxes: Boxes) -> None:
    boxes.deliver(1)
    boxes.mailboxes.create(ADDRESS, "x")
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "x")
    boxes.mailboxes.delete(ADDRESS, "x")
    below = os.path.join(boxes.root, "tmp")
    [left] = os.listdir(below)
    assert left.startswith("deleted.")
    foldertree.sweep(boxes.root)
    foldertree.sweep(os.path.join(boxes.root, "nowhere"))
    assert os.listdir(below) == []
    assert boxes.uids() == [1]


def test_inbox_cannot_be_deleted(boxes: Boxes) -> None:
    with pytest.raises(MailboxError):
        boxes.mailboxes.delete(ADDRESS, "Inbox")


def test_status_counts(boxes: Boxes) -> None:
    boxes.deliver(3)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["\\Seen"])
    boxes.mailboxes.claim_recent(ADDRESS, "INBOX", 3)
    status = boxes.mailboxes.status(ADDRESS, "inbox")
    assert (status.messages, status.unseen, status.recent, status.uidnext) == (3, 2, 1, 4)


def test_counts_for_a_listing_beside_the_server(boxes: Boxes) -> None:
    assert count_messages(boxes.layout, ADDRESS) == 0
    boxes.deliver(3)
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Trash")
    assert boxes.mailboxes.count(ADDRESS) == 3
    assert count_messages(boxes.layout, ADDRESS) == 3


def test_read_and_answered_are_counted_once_for_each_message(boxes: Boxes) -> None:
    arrivals = boxes.deliver(4)
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen", "\\Answered"])
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [2, 4], "+", ["\\Seen"])
    sent = boxes.arrival(flags=frozenset({"\\Seen"}))
    boxes.mailboxes.append(ADDRESS, "Sent", [sent])
    ids = {arrival.id for arrival in arrivals}
    found = boxes.mailboxes.tally(ADDRESS, ids)
    assert sum(bool(bits & maildir.SEEN) for bits in found.values()) == 3
    assert sum(bool(bits & maildir.ANSWERED) for bits in found.values()) == 1
    assert boxes.mailboxes.tally(ADDRESS, {arrivals[3].id}) == {arrivals[3].id: found[arrivals[3].id]}
    assert boxes.mailboxes.tally(ADDRESS, set()) == {}
    assert boxes.mailboxes.tally("nobody@example.com", ids) == {}
    assert not os.path.exists(boxes.layout.mailbox("nobody@example.com"))


def test_kept_bytes_live_as_long_as_their_message(boxes: Boxes) -> None:
    boxes.deliver(2)
    boxes.mailboxes.keep(ADDRESS, "INBOX", "envelope", [(1, b"one"), (2, b"two"), (9, b"none")])
    assert boxes.mailboxes.cached(ADDRESS, "INBOX", "envelope", [1, 2, 9]) == {1: b"one", 2: b"two"}
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Deleted"])
    boxes.mailboxes.expunge(ADDRESS, "INBOX")
    assert boxes.mailboxes.cached(ADDRESS, "INBOX", "envelope", [1, 2]) == {2: b"two"}


def test_relink_replaces_every_name_and_keeps_flags(boxes: Boxes) -> None:
    [arrival] = boxes.deliver(1)
    boxes.mailboxes.copy(ADDRESS, "INBOX", [1], "Archive")
    boxes.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    anew = arrival.path + ".new"
    Path(anew).write_bytes(b"right this time")
    os.rename(anew, arrival.path)
    boxes.mailboxes.relink(ADDRESS, arrival.id, arrival.path)
    assert os.stat(arrival.path).st_nlink == 3
    [name] = boxes.files()
    assert name.endswith(":2,S")


def test_a_failure_in_the_middle_leaves_numbers_unused_but_never_twice(boxes: Boxes) -> None:
    boxes.deliver(1)
    good, bad = boxes.arrival(), boxes.arrival()
    os.unlink(bad.path)
    with pytest.raises(FileNotFoundError):
        boxes.mailboxes.deliver(ADDRESS, [good, bad])
    assert boxes.uids() == [1]
    Path(bad.path).write_bytes(b"x")
    boxes.mailboxes.deliver(ADDRESS, [good, bad])
    assert boxes.uids() == [1, 2, 3]


def test_more_mailboxes_than_may_be_open(boxes: Boxes) -> None:
    boxes.mailboxes._indexes._limit = 2
    for name in ("a", "b", "c", "d", "a"):
        boxes.mailboxes.deliver(f"{name}@example.com", [boxes.arrival()])
    assert boxes.mailboxes.count("a@example.com") == 2
    assert len(boxes.mailboxes._indexes._open) == 2


def test_addresses_with_odd_characters_stay_below_mail(boxes: Boxes) -> None:
    for address in ("../../x@example.com", "a/b@example.com", "100%?#@example.com", ".hidden@example.com"):
        boxes.mailboxes.deliver(address, [boxes.arrival()])
        assert os.path.dirname(boxes.layout.mailbox(address)) == os.path.join(boxes.layout.mail, "example.com")
        assert count_messages(boxes.layout, address) == 1
