"""kill -9 while the full-text index is filled and messages come, are copied, moved and expunged: a search always finds
what is there, and the index is complete in the end."""

from __future__ import annotations

import imaplib
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stratamail.store.layout import Layout
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.sizes import sized
from tests.support.waiting import until

DOMAIN = "words.example"
ADDRESS = f"anna@{DOMAIN}"
WORDS = ("kumquat", "Z\u00fcrich", "tomato", "Gr\u00fcne", "\u043f\u0440\u0438\u0432\u0435\u0442")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.cli("init")
    made.add_domain(DOMAIN, f"127.0.0.1:{free_port()}")
    made.add_mailboxes(ADDRESS)
    try:
        yield made
    finally:
        made.close()


def message(number: int) -> bytes:
    """Its words follow from its number."""
    words = " ".join(word for bit, word in enumerate(WORDS) if number >> bit & 1)
    head = f"Subject: number {number}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    return f"{head}{'filling ' * 200}\r\n{words}\r\n".encode()


def sign_in(server: Server) -> imaplib.IMAP4:
    imap = imaplib.IMAP4("127.0.0.1", server.ports["imap"])
    imap.login(ADDRESS, PASSWORD)
    imap.select("INBOX")
    return imap


def check(imap: imaplib.IMAP4, folder: str) -> None:
    """Each word is found in exactly the messages that have it."""
    imap.select(folder)
    _, rows = imap.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    numbers = {}
    for row in rows:
        if isinstance(row, tuple):
            numbers[int(row[0].split(b"UID ")[1].split()[0])] = int(row[1].split()[2])
    for bit, word in enumerate(WORDS):
        imap.literal = word.swapcase().encode()  # type: ignore[attr-defined]
        _, found = imap.uid("SEARCH", "CHARSET", "UTF-8", "BODY")
        expected = {uid for uid, number in numbers.items() if number >> bit & 1}
        assert {int(uid) for uid in (found[0] or b"").split()} == expected, (folder, word)


def test_a_search_finds_what_is_there_whatever_the_index_went_through(server: Server) -> None:
    chosen = random.Random(4)
    count = sized(200, 2000)
    for turn in range(sized(3, 12)):
        server.start()
        imap = sign_in(server)
        for number in range(turn * count, (turn + 1) * count):
            imap.append("INBOX", "", "", message(number))  # type: ignore[arg-type]
        time.sleep(chosen.random())  # a random moment of the work; there is nothing to wait for
        check(imap, "INBOX")
        uids = imap.uid("SEARCH", "ALL")[1][0].split()
        for _ in range(10):
            uid = chosen.choice(uids).decode()
            verb = chosen.choice(("COPY", "MOVE", "STORE"))
            imap.uid(verb, uid, *(("+FLAGS", "(\\Deleted)") if verb == "STORE" else ("Archive",)))
        imap.expunge()
        server.kill()
    server.start()
    imap = sign_in(server)
    check(imap, "INBOX")
    check(imap, "Archive")

    def complete() -> bool:
        shown = server.json("mailbox", "show", ADDRESS)
        return bool(shown["searchable"] == shown["messages"] > 0)

    until(complete, "all is in the index", 120.0, 0.2)
    check(imap, "INBOX")
    check(imap, "Archive")
    imap.logout()
    server.stop()
    path = Path(Layout(str(server.state)).mailbox(ADDRESS)) / "search.sqlite"
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table in ("heads", "bodies"):
            db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    db.close()
