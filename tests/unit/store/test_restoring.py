"""What was deleted from a mailbox comes back from the spool, and nothing comes twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratamail.store.mailbox_values import Added
from stratamail.store.queue import restores
from stratamail.store.queue.schema import messages
from tests.unit.store.boxes import ADDRESS, Boxes
from tests.unit.store.queue.rows import put, queue


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


def delete(boxes: Boxes, uids: list[int], folder: str = "INBOX") -> None:
    boxes.mailboxes.set_flags(ADDRESS, folder, uids, "+", ["\\Deleted"])
    assert boxes.mailboxes.expunge(ADDRESS, folder) == uids


def test_what_was_expunged_comes_back_under_a_new_uid(boxes: Boxes) -> None:
    arrivals = boxes.deliver(4)
    delete(boxes, [1, 3])
    boxes.heard.clear()
    number, folders = boxes.mailboxes.restore(ADDRESS, arrivals)
    assert number == 2
    assert os.path.join(boxes.root, "new") in folders
    assert boxes.uids() == [2, 4, 5, 6]
    (heard,) = boxes.heard
    assert isinstance(heard[2], Added)
    assert [row.uid for row in heard[2].rows] == [5, 6]
    assert boxes.mailboxes.restore(ADDRESS, arrivals) == (0, [])
    boxes.reopen(unclean=True)
    assert boxes.uids() == [2, 4, 5, 6], "the marks of the expunges do not take it away again"


def test_what_is_in_another_folder_was_not_deleted(boxes: Boxes) -> None:
    arrivals = boxes.deliver(2)
    boxes.mailboxes.move(ADDRESS, "INBOX", [1], "Trash")
    assert boxes.mailboxes.restore(ADDRESS, arrivals)[0] == 0
    assert boxes.mailboxes.which(ADDRESS, {one.id for one in arrivals} | {"0abcde9999999999"}) == {
        one.id for one in arrivals
    }
    assert boxes.mailboxes.which("nobody@example.com", {arrivals[0].id}) == set()
    delete(boxes, [1], "Trash")
    assert boxes.mailboxes.restore(ADDRESS, arrivals)[0] == 1
    assert len(boxes.uids()) == 2


def test_what_another_tool_removed_counts_as_deleted(boxes: Boxes) -> None:
    arrivals = boxes.deliver(1)
    (name,) = boxes.files()
    os.unlink(os.path.join(boxes.root, name))
    assert boxes.mailboxes.restore(ADDRESS, arrivals)[0] == 1
    assert boxes.uids() == [2]


def test_into_its_folder_while_there_is_one_and_only_with_its_octets(boxes: Boxes) -> None:
    boxes.deliver(1)
    sent = [boxes.arrival(flags=frozenset({"\\Seen"})) for _ in range(3)]
    boxes.mailboxes.append(ADDRESS, "Sent", sent)
    delete(boxes, [1, 2, 3], "Sent")
    os.unlink(sent[0].path)
    assert boxes.mailboxes.restore(ADDRESS, sent[:2], "Sent")[0] == 1
    assert boxes.uids("Sent") == [4]
    assert boxes.mailboxes.restore(ADDRESS, sent[2:], "No such folder")[0] == 1
    assert boxes.uids() == [1, 2]


def test_the_octets_are_those_of_the_spool(boxes: Boxes) -> None:
    arrivals = boxes.deliver(1)
    delete(boxes, [1])
    boxes.mailboxes.restore(ADDRESS, arrivals)
    (name,) = boxes.files()
    assert os.path.samefile(os.path.join(boxes.root, name), arrivals[0].path)


def test_what_a_mailbox_was_given_is_known_by_the_rows() -> None:
    with queue() as conn:
        for seq, change in enumerate(
            (
                {"mailboxes": "7"},
                {"mailboxes": "17,71"},
                {"mailboxes": "3,7,9"},
                {"mailboxes": "7", "unfiled": True},
                {"mailboxes": "7", "shed": True},
                {"mailboxes": "7", "kind": "appended", "flags": "\\Seen \\Draft", "folder": "Drafts"},
                {"mailboxes": "7", "kind": "appended", "flags": "\\Seen", "folder": "Sent"},
            ),
            1,
        ):
            put(conn, "a@acme.test", arrived=seq * 10)
            conn.execute(messages.update().where(messages.c.seq == seq).values(**change))
        number = restores.ask(conn, 7, 0, 1000)
        asked = restores.get(conn, number)
        assert asked is not None
        assert restores.pending(conn) == [asked]
        assert [one.seq for one in restores.page(conn, asked, 0, 2)] == [1, 3]
        assert [(one.seq, one.folder) for one in restores.page(conn, asked, 3, 9)] == [(7, "Sent")]
        later = restores.get(conn, restores.ask(conn, 7, 20, 70))
        assert later is not None
        assert [one.seq for one in restores.page(conn, later, 0, 9)] == [3]
        restores.done(conn, number, 50, 3)
        assert restores.pending(conn) == [later]
        assert restores.get(conn, 99) is None
