"""Twenty sessions of two people on their own and a shared mailbox, doing whatever they like: in the end every session
knows what is so, and so does the disk; with kill -9 in the middle too, and no UID ever names two messages."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.imap_worker import Line, Seen, Worker, look
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.sizes import sized

ANNA, BERT, DESK = "anna@stress.example", "bert@stress.example", "desk@stress.example"
SHARED = ["Shared/desk", "Shared/desk/Done"]
FOLDERS = {ANNA: ["INBOX", "Archive", *SHARED], BERT: ["INBOX", *SHARED]}
SESSIONS = 20
LETTERS = {"D": "\\Draft", "F": "\\Flagged", "R": "\\Answered", "S": "\\Seen", "T": "\\Deleted"}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.cli("init")
    made.add_domain("stress.example", f"127.0.0.1:{free_port()}")
    made.add_mailboxes(ANNA, BERT)
    made.cli("address", "add", DESK, "--shared", ANNA, "--shared", BERT)
    made.start()
    try:
        line = connect(made, ANNA)
        assert line.do("CREATE Shared/desk/Done")[1].startswith(b"OK")
        line.close()
        yield made
    finally:
        made.close()


def connect(server: Server, user: str) -> Line:
    return Line(server.ports["imap"], user, PASSWORD)


def user_of(number: int) -> str:
    return ANNA if number % 8 < 4 else BERT


def begin(server: Server, seen: Seen, turn: int) -> list[Worker]:
    workers = []
    for number in range(SESSIONS):
        user = user_of(number)
        workers.append(
            Worker(number, 100 * turn + number, lambda user=user: connect(server, user), FOLDERS[user], seen)
        )  # type: ignore[misc]
    return workers


def compare(server: Server, seen: Seen, workers: list[Worker]) -> None:
    """What every session knows against what a new one sees, and that against the disk."""
    truth = {}
    for user, folders in FOLDERS.items():
        line = connect(server, user)
        for folder in folders:
            mind, subjects = look(line, folder, seen)
            assert sorted(mind.flags) == sorted(subjects)
            truth[user, folder] = mind.flags
        line.close()
    assert [truth[ANNA, folder] for folder in SHARED] == [truth[BERT, folder] for folder in SHARED]
    for worker in workers:
        user = user_of(worker.number)
        assert worker.settle() == truth[user, worker.folder], (worker.number, worker.folder)
    for user, folders in {ANNA: ["INBOX", "Archive"], BERT: ["INBOX"], DESK: ["INBOX", "Done"]}.items():
        for folder in folders:
            named = (ANNA, {"INBOX": SHARED[0], "Done": SHARED[1]}[folder]) if user == DESK else (user, folder)
            assert on_disk(server, user, folder) == truth[named], (user, folder)
    assert seen.wrong == []


def on_disk(server: Server, user: str, folder: str) -> dict[int, frozenset[str]]:
    """UIDs and flags: the index's UID and keywords of every file of the Maildir, the flags of its name."""
    local, _, domain = user.partition("@")
    root = server.state / "mail" / domain / local
    path = root if folder == "INBOX" else root / f".{folder}"
    letters: dict[str, str] = {}
    for below in ("new", "cur"):
        for name in os.listdir(path / below):
            base, _, suffix = name.partition(":2,")
            assert base not in letters, "two files of one message"
            letters[base] = suffix
    with closing(sqlite3.connect(root / "index.sqlite")) as db:
        folder_id = db.execute("SELECT id FROM folders WHERE name = ?", (folder,)).fetchone()[0]
        rows = db.execute("SELECT uid, base, flags FROM messages WHERE folder = ?", (folder_id,)).fetchall()
        words = db.execute("SELECT bit, name FROM keywords WHERE folder = ?", (folder_id,)).fetchall()
    assert sorted(base for _, base, _ in rows) == sorted(letters)
    return {
        uid: frozenset(LETTERS[letter] for letter in letters[base]) | {name for bit, name in words if flags >> bit & 1}
        for uid, base, flags in rows
    }


def complaints(server: Server) -> list[str]:
    return re.findall(r"Traceback.*|.*IMAP command failed.*|.*could not be told.*", Path(server.log).read_text("utf-8"))


def test_twenty_sessions_end_in_agreement(server: Server) -> None:
    seen = Seen()
    workers = begin(server, seen, 0)
    for worker in workers:
        worker.start()
    time.sleep(sized(10, 60))
    for worker in workers:
        worker.stop.set()
    for worker in workers:
        worker.join(30)
        assert not worker.is_alive()
    assert seen.wrong == []
    compare(server, seen, workers)
    for worker in workers:
        # who comes back is told what it missed: nothing
        worker.close()
        worker.open()
    compare(server, seen, workers)
    assert complaints(server) == []
    assert seen.done > 1000


def test_twenty_sessions_and_a_kill(server: Server) -> None:
    seen = Seen()
    kept: list[Worker] = []
    for turn in range(sized(3, 12)):
        workers = begin(server, seen, turn)
        for worker, before in zip(workers, kept, strict=False):
            # the same client comes back with what it knows
            worker.minds, worker.folder = before.minds, before.folder
        for worker in workers:
            worker.start()
        time.sleep(sized(2, 4) + 0.3 * (turn % 3))
        server.kill()
        for worker in workers:
            worker.join(30)
            worker.close()
        assert seen.wrong == []
        server.start()
        for worker in workers:
            worker.open()
        compare(server, seen, workers)
        for worker in workers:
            worker.close()
        kept = workers
    assert complaints(server) == []
    assert seen.done > 500
