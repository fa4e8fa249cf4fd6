"""A session's view: sequence numbers hold still, news is told in order, content is found wherever it lies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stratamail.shadow.updates import Exists, Expunged, Flags
from stratamail.store.mailbox_values import MailboxError
from tests.unit.shadow.rig import Client, Rig, now
from tests.unit.store.boxes import ADDRESS


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_what_select_tells(rig: Rig) -> None:
    rig.deliver(3)
    rig.mailboxes.set_flags(ADDRESS, "INBOX", [1], "+", ["\\Seen", "$Work"])
    view = rig.select()
    assert (view.exists, view.recent, view.first_unseen, view.unseen, view.uidnext) == (3, 3, 2, 2, 4)
    assert view.keywords == ("$Work",)
    assert view.row(0).flags == ("\\Seen", "$Work", "\\Recent")
    assert view.row(1).size == len(b"Subject: 1\r\n\r\nbody\r\n")


def test_only_one_session_sees_a_message_as_recent(rig: Rig) -> None:
    rig.deliver(2)
    assert rig.select(read_only=True).recent == 2
    first, second = rig.select(), rig.select()
    assert (first.recent, second.recent) == (2, 0)
    rig.deliver(1)
    assert second.updates() == [Exists(3, 1)]
    assert first.updates() == [Exists(3, 2)]
    assert now(rig.box().status("INBOX")).recent == 0
    assert rig.mailboxes.status(ADDRESS, "INBOX").recent == 0


def test_a_delivery_is_announced_at_once(rig: Rig) -> None:
    told: list[int] = []
    view = now(rig.box().select("inbox", False, lambda: told.append(1)))
    rig.deliver(1)
    assert told == [1]
    assert view.exists == 0
    assert view.updates() == [Exists(1, 1)]
    assert view.updates() == []
    view.close()
    rig.deliver(1)
    assert told == [1]
    view.close()


def test_numbers_hold_still_until_expunges_may_be_told(rig: Rig) -> None:
    rig.deliver(4)
    ours, theirs = rig.select(), rig.select()
    now(theirs.store([1, 3], "+", ["\\Deleted"]))
    assert now(theirs.expunge()) == [1, 3]
    rig.deliver(1)
    assert list(ours.uids) == [1, 2, 3, 4]
    assert ours.updates(expunges=False) == []
    assert ours.gone(1)
    assert list(ours.uids) == [1, 2, 3, 4]
    assert ours.row(0).uid == 1
    assert ours.row(3).uid == 4
    assert ours.updates() == [Expunged(3, 3), Expunged(1, 1), Exists(3, ours.recent)]
    assert list(ours.uids) == [2, 4, 5]


def test_a_great_change_is_told_in_portions(rig: Rig) -> None:
    rig.deliver(9)
    ours, theirs = rig.select(), rig.select()
    now(theirs.store([1, 3, 5, 8], "+", ["\\Deleted"]))
    now(theirs.expunge())
    now(theirs.store([7], "+", ["\\Flagged"]))
    rig.deliver(1)
    told = list(ours.uids)
    portions = 0
    while ours.more():
        portions += 1
        assert ours.behind
        for update in ours.updates(limit=1):
            if isinstance(update, Expunged):
                assert told.pop(update.number - 1) == update.uid
            elif isinstance(update, Exists):
                told += [10]
                assert update.exists == len(told)
            else:
                assert told[update.number - 1] == update.uid
        assert told == list(ours.uids)
        rows = [ours.row(i) for i in range(ours.exists)]
        assert [row.uid for row in rows] == told
        assert [row.modseq for row in rows] == list(ours.column("modseqs"))
        assert [row.size for row in rows] == list(ours.column("sizes"))
        assert ours.bases() == [ours.base(i) for i in range(ours.exists)]
        assert ours.first_unseen == 1
    assert told == [2, 4, 6, 7, 9, 10]
    assert portions == 5
    assert not ours.behind


def test_an_expunged_message_can_be_read_until_the_client_knows(rig: Rig) -> None:
    rig.deliver(2)
    ours, theirs = rig.select(), rig.select()
    now(theirs.store([1], "+", ["\\Deleted"]))
    now(theirs.expunge())
    assert now(ours.content(1)).startswith(b"Subject: 0")
    assert now(ours.headers([1, 2])) == {1: b"Subject: 0\r\n\r\n", 2: b"Subject: 1\r\n\r\n"}
    ours.updates()
    with pytest.raises(MailboxError):
        now(ours.content(1))


def test_flags_of_others_are_told_and_ones_own_are_not(rig: Rig) -> None:
    rig.deliver(2)
    ours, theirs = rig.select(), rig.select()
    assert now(theirs.store([2, 7], "+", ["\\Seen"])) == [2]
    assert ours.updates(expunges=False) == [Flags(2, 2, ("\\Seen", "\\Recent"), ours.modseq(1))]
    assert theirs.updates() == []
    assert theirs.flags(1) == ("\\Seen",)


def test_flags_changed_while_an_expunge_waits_are_the_new_ones(rig: Rig) -> None:
    rig.deliver(3)
    ours, theirs = rig.select(), rig.select()
    now(theirs.store([1], "+", ["\\Deleted"]))
    now(theirs.expunge())
    now(ours.store([3], "=", ["\\Flagged"]))
    assert ours.flags(2)[0] == "\\Flagged"
    assert list(ours.column("flags")) == [ours.bits(i) for i in range(3)]


def test_a_read_only_view_changes_nothing(rig: Rig) -> None:
    rig.deliver(1)
    view = rig.select(read_only=True)
    for work in (view.store([1], "+", ["\\Seen"]), view.expunge(), view.move([1], "Trash")):
        with pytest.raises(MailboxError):
            now(work)
    assert now(view.copy([1], "Trash")).targets == (1,)
    assert view.flags(0) == ("\\Recent",)


def test_copy_and_move(rig: Rig) -> None:
    rig.deliver(3)
    view, trash = rig.select(), rig.select("Trash")
    copied = now(view.copy([1, 3], "Trash"))
    assert (copied.sources, copied.targets, copied.uidvalidity) == ((1, 3), (1, 2), trash.uidvalidity)
    moved = now(view.move([2], "Trash"))
    assert (moved.sources, moved.targets) == ((2,), (3,))
    assert view.updates() == [Expunged(2, 2)]
    assert trash.updates()[0] == Exists(3, 3)
    assert now(view.copy([], "Trash")).targets == ()
    with pytest.raises(MailboxError) as refused:
        now(view.copy([1], "Nowhere"))
    assert refused.value.code == "TRYCREATE"


def test_large_sets_are_done_in_slices_and_taken_back_when_one_fails(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratamail.shadow.view.SLICE", 2)
    rig.deliver(5)
    view = rig.select()
    assert now(view.copy(list(view.uids), "Archive")).targets == (1, 2, 3, 4, 5)
    copy = rig.mailboxes.copy
    calls: list[int] = []

    def failing(address: str, name: str, uids: list[int], target: str) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise OSError(5, "disk")
        return copy(address, name, uids, target)

    monkeypatch.setattr(rig.mailboxes, "copy", failing)
    with pytest.raises(OSError, match="disk"):
        now(view.copy(list(view.uids), "Trash"))
    assert now(rig.box().status("Trash")).messages == 0


def test_content_is_found_when_another_tool_renamed_the_file(rig: Rig) -> None:
    rig.deliver(1)
    view = rig.select()
    [below] = rig.files()
    os.rename(os.path.join(rig.root, below), os.path.join(rig.root, "cur", below[4:] + ":2,S"))
    assert now(view.content(1)).startswith(b"Subject: 0")


def test_pieces(rig: Rig) -> None:
    rig.mailboxes.deliver(ADDRESS, [rig.arrival(b"0123456789")])
    view = rig.select()
    assert now(view.piece(1, 2, 3)) == b"234"
    assert now(view.piece(1, 8, 30)) == b"89"
    assert now(view.piece(1, 80, 3)) == b""


@pytest.mark.parametrize("body", [b"", b"\r\n", b"no header end", b"A: b\r\n" * 5000 + b"\r\nbody", b"A: b\n\nx"])
def test_headers_are_read_once_and_kept(rig: Rig, body: bytes) -> None:
    rig.mailboxes.deliver(ADDRESS, [rig.arrival(body)])
    view = rig.select()
    end = {b"": 0, b"\r\n": 2, b"no header end": 13, b"A: b\n\nx": 6}.get(body, 30_002)
    assert now(view.headers([1, 9])) == {1: body[:end]}
    assert now(view.cached("header", [1])) == {1: body[:end]}
    assert now(view.headers([1])) == {1: body[:end]}


def test_a_folder_deleted_or_rebuilt_under_a_session(rig: Rig) -> None:
    told: list[int] = []
    now(rig.box().create("x"))
    view = now(rig.box().select("x", False, lambda: told.append(1)))
    now(rig.box().delete("x"))
    assert told == [1]
    assert not view.alive
    assert view.updates() == []
    view.close()
    with pytest.raises(MailboxError) as refused:
        now(rig.box().select("x", False, lambda: None))
    assert refused.value.code == "NONEXISTENT"


class Sessions(RuleBasedStateMachine):
    """Three sessions on one folder: each client's picture is right after every full news, and numbers never shift
    outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.folder.name))
        self.clients = [Client(self.rig.select(read_only=i == 2)) for i in range(3)]

    def teardown(self) -> None:
        self.rig.mailboxes.close()
        self.folder.cleanup()

    @rule(count=st.integers(1, 3))
    def deliver(self, count: int) -> None:
        self.rig.deliver(count)

    @precondition(lambda self: any(client.view.exists for client in self.clients[:2]))
    @rule(data=st.data(), flag=st.sampled_from(["\\Deleted", "\\Seen", "$k"]), mode=st.sampled_from(["+", "-", "="]))
    def store(self, data: st.DataObject, flag: str, mode: str) -> None:
        client = data.draw(st.sampled_from(self.clients[:2]))
        if client.view.exists:
            uids = data.draw(st.sets(st.sampled_from(list(client.view.uids)), min_size=1))
            now(client.view.store(sorted(uids), mode, [flag]))

    @rule(who=st.integers(0, 1))
    def expunge(self, who: int) -> None:
        now(self.clients[who].view.expunge())

    @precondition(lambda self: self.clients[0].view.exists)
    @rule(data=st.data(), into=st.sampled_from(["INBOX", "Trash"]))
    def move(self, data: st.DataObject, into: str) -> None:
        view = self.clients[0].view
        now(view.move([data.draw(st.sampled_from(list(view.uids)))], into))

    @rule(who=st.integers(0, 2), expunges=st.booleans())
    def news(self, who: int, expunges: bool) -> None:
        client = self.clients[who]
        client.hear(expunges)
        if expunges:
            assert client.uids == self.rig.uids()
            assert list(client.view.uids) == client.uids

    @rule()
    def reselect(self) -> None:
        self.clients[1].view.close()
        self.clients[1] = Client(self.rig.select())

    @invariant()
    def pictures_agree(self) -> None:
        for client in self.clients:
            assert client.uids == list(client.view.uids)
            assert [client.view.row(i).uid for i in range(client.view.exists)] == client.uids
            assert list(client.view.column("flags")) == [client.view.bits(i) for i in range(client.view.exists)]
            assert list(client.view.column("modseqs")) == [client.view.modseq(i) for i in range(client.view.exists)]
            unseen = [i + 1 for i in range(client.view.exists) if not client.view.bits(i) & 1]
            assert client.view.first_unseen == (unseen[0] if unseen else None)
        columns = self.rig.mailboxes.load(ADDRESS, "INBOX").columns
        folder = self.clients[0].view.folder
        assert list(folder.columns.uids) == list(columns.uids)
        assert list(folder.columns.flags) == list(columns.flags)
        assert folder.columns.bases == columns.bases


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
