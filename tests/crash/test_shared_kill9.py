"""kill -9 while clients move mail between their own and a shared mailbox: nothing is lost, no UID names two messages.

Between two mailboxes a message is there before it leaves here: a cut MOVE may show it in both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.crash import test_imap_kill9 as kill9
from tests.crash.test_imap_kill9 import ADDRESS, CLIENTS, Known, Worker, look
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.sizes import sized

FOLDERS = ("INBOX", "Archive", "Shared/desk", "Shared/desk/Archive")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.cli("init")
    made.add_domain("kill.example", f"127.0.0.1:{free_port()}")
    made.add_mailboxes(ADDRESS)
    made.cli("address", "add", "desk@kill.example", "--shared", ADDRESS)
    try:
        yield made
    finally:
        made.close()


def test_nothing_is_lost_between_two_mailboxes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kill9, "FOLDERS", FOLDERS)
    known = Known()
    for turn in range(sized(4, 20)):
        server.start()
        workers = [Worker(server, known, number, turn) for number in range(CLIENTS)]
        for worker in workers:
            worker.start()
        time.sleep(0.5 + 0.3 * (turn % 5))  # a random moment of their work; there is nothing to wait for
        server.kill()
        for worker in workers:
            worker.join(20)
        server.start()
        subjects, flagged = look(server, known)
        assert known.wrong == []
        found = set(subjects)
        assert {one for one in subjects if subjects.count(one) > 1} <= known.unsure
        assert known.there - known.unsure <= found
        assert not (known.gone - known.unsure) & found
        assert (known.flagged & known.there) - known.unsure <= flagged
        server.stop()
    assert {folder for folder, _, _ in known.named} == set(FOLDERS)
