"""A box: folders, status, append; what sessions share, and what is loaded while things change."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred

from stratamail.shadow.updates import Exists
from stratamail.store.mailbox_values import MailboxError
from stratamail.store.model import APPENDED
from tests.unit.shadow.rig import Rig, now
from tests.unit.store.boxes import ADDRESS, START


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_folder_commands_reach_the_mailbox(rig: Rig) -> None:
    box = rig.box()
    now(box.create("a/b"))
    now(box.subscribe("a/b"))
    now(box.rename("a/b", "c"))
    now(box.unsubscribe("Trash"))
    now(box.delete("a"))
    found = {folder.name: folder for folder in now(box.folders())}
    assert found["c"].subscribed
    assert not found["Trash"].subscribed
    assert "a" not in found
    now(box.subscribe("not there"))
    ghost = {folder.name: folder for folder in now(box.folders())}["not there"]
    assert (ghost.exists, ghost.selectable, ghost.subscribed) == (False, False, True)


def test_rename_of_inbox_gives_its_messages_away(rig: Rig) -> None:
    rig.deliver(5)
    box = rig.box()
    now(box.rename("inbox", "old"))
    assert now(box.status("old")).messages == 5
    assert list(rig.select("old").uids) == [1, 2, 3, 4, 5]
    rig.deliver(1)
    assert list(rig.select().uids) == [6]


def test_a_deleted_folder_leaves_nothing_on_disk(rig: Rig) -> None:
    box = rig.box()
    now(box.create("x"))
    now(box.delete("x"))
    root = Path(box.path("INBOX"))
    assert not (root / ".x").exists()
    assert list((root / "tmp").iterdir()) == []


def test_status_is_the_same_whether_a_folder_is_loaded_or_not(rig: Rig) -> None:
    rig.deliver(3)
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen"])
    box = rig.box()
    before = now(box.status("inbox"))
    view = rig.select(read_only=True)
    assert now(box.status("INBOX")) == before
    rig.deliver(1)
    assert now(box.status("INBOX")) == rig.mailboxes.status(ADDRESS, "INBOX")
    view.close()
    with pytest.raises(MailboxError) as refused:
        now(box.status("Nowhere"))
    assert refused.value.code == "NONEXISTENT"


def test_append_commits_a_row_and_files_in_its_folder(rig: Rig) -> None:
    box = rig.box()
    drafts = rig.select("Drafts")
    upload = box.upload(["\\Seen", "\\Draft", "$x"], 1_600_000_000_000_000)
    upload.body.write(b"Subject: d\r\n")
    upload.body.write(b"\r\ndraft\r\n")
    appended = now(box.append("Drafts", [upload]))
    assert (appended.uidvalidity, appended.uids) == (drafts.uidvalidity, (1,))
    [new] = rig.committed
    assert (new.kind, new.folder, new.flags, new.date) == (
        APPENDED,
        "Drafts",
        ("$x", "\\Draft", "\\Seen"),
        1_600_000_000_000_000,
    )
    assert (new.source.user, new.deliveries, new.body, new.arrived) == (ADDRESS, (), None, START)
    assert rig.appended == [1001]
    assert drafts.updates() == [Exists(1, 1)]
    assert drafts.row(0).flags == ("\\Seen", "\\Draft", "$x", "\\Recent")
    assert drafts.row(0).date == 1_600_000_000_000_000
    assert now(drafts.content(1)) == b"Subject: d\r\n\r\ndraft\r\n"


def test_append_to_no_folder_stores_nothing(rig: Rig) -> None:
    box = rig.box()
    upload = box.upload()
    with pytest.raises(MailboxError) as refused:
        now(box.append("Nowhere", [upload]))
    assert refused.value.code == "TRYCREATE"
    assert rig.committed == []
    assert rig.spool.bodies[0].abandoned


def test_append_to_a_folder_that_goes_meanwhile_is_not_replayed(rig: Rig) -> None:
    box = rig.box()
    now(box.create("x"))
    view = rig.select("x")
    upload = box.upload()
    upload.body.write(b"x")
    commit = rig.commit

    def late(new: object) -> object:
        rig.mailboxes.delete(ADDRESS, "x")
        return commit(new)  # type: ignore[arg-type]

    object.__setattr__(box._workers, "commit", late)
    with pytest.raises(MailboxError) as refused:
        now(box.append("x", [upload]))
    assert refused.value.code == "NONEXISTENT"
    assert rig.appended == [1001]
    assert not view.alive


def test_append_stops_at_the_disk_reserve(rig: Rig) -> None:
    rig.spool.reserve.open = False
    try:
        with pytest.raises(MailboxError) as refused:
            rig.box().upload()
        assert refused.value.code == "LIMIT"
    finally:
        rig.spool.reserve.open = True


def test_nothing_is_kept_in_the_index_below_the_disk_reserve(rig: Rig) -> None:
    rig.deliver(1)
    view = rig.select()
    rig.spool.reserve.open = False
    try:
        assert now(view.headers([1]))[1].endswith(b"\r\n\r\n")
        assert now(view.cached("header", [1])) == {}
    finally:
        rig.spool.reserve.open = True
    now(view.headers([1]))
    assert list(now(view.cached("header", [1]))) == [1]


def test_mail_that_comes_while_a_folder_is_loaded_is_there_once(rig: Rig) -> None:
    rig.deliver(2)
    box = rig.box()
    results = []
    rig.thread.held = True

    for _ in range(2):
        Deferred.fromCoroutine(box.select("INBOX", False, lambda: None)).addCallback(results.append)
    rig.thread.run(rig.deliver, 1)
    rig.thread.release()
    first, second = results
    for view in (first, second):
        view.updates()
        assert list(view.uids) == [1, 2, 3]
    assert first.folder is second.folder


def test_a_mailbox_stays_loaded_between_sessions_until_others_need_the_room(rig: Rig) -> None:
    rig.deliver(2)
    rig.select().close()
    calls = []
    load = rig.mailboxes.load
    rig.mailboxes.load = lambda *args: (calls.append(args), load(*args))[1]  # type: ignore[method-assign]
    rig.select().close()
    assert calls == []
    rig.shadow._rows_kept = 1
    now(rig.shadow.open("bob@example.com"))
    gc.collect()
    view = rig.select()
    assert len(calls) == 1
    rig.deliver(1)
    assert view.updates() == [Exists(3, view.recent)]


def test_one_mailbox_never_hears_of_another(rig: Rig) -> None:
    view = rig.select()
    rig.mailboxes.deliver("bob@example.com", [rig.arrival()])
    assert view.updates() == []
    assert view.exists == 0
