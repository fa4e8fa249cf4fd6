"""kill -9 while clients append several messages at once (RFC 3502): all messages of a command are there, or none."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.sizes import sized
from tests.support.talk import Closed, Talk

ADDRESS = "anna@several.example"
AT_ONCE = 4
ROUNDS = sized(3, 15)


class Writer(threading.Thread):
    """Appends until the connection breaks. ``begun`` and ``kept`` are the names of commands."""

    def __init__(self, server: Server, name: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.begun: list[str] = []
        self.kept: list[str] = []
        self._name = name
        self._chosen = random.Random(seed)
        self._talk = signed_in(server)

    def run(self) -> None:
        try:
            while True:
                self._append(f"{self._name}-{len(self.begun)}")
        except (Closed, OSError):
            return

    def _append(self, name: str) -> None:
        self.begun.append(name)
        command = b"t APPEND Sent"
        for number in range(AT_ONCE):
            body = b"x" * self._chosen.choice((10, 5_000, 100_000))
            data = f"Subject: {name}.{number}\r\n\r\n".encode() + body
            command += b" (\\Seen) {%d+}\r\n%b" % (len(data), data)
        self._talk.send(command + b"\r\n")
        if answered(self._talk).startswith(b"t OK [APPENDUID "):
            self.kept.append(name)


def signed_in(server: Server) -> Talk:
    talk = server.talk("imap", timeout=60)
    talk.line()
    talk.send(f't LOGIN {ADDRESS} "{PASSWORD}"\r\n'.encode())
    assert answered(talk).startswith(b"t OK")
    return talk


def answered(talk: Talk) -> bytes:
    while not (line := talk.line()).startswith(b"t "):
        pass
    return line


def subjects(server: Server) -> Counter[str]:
    imap = server.imap(ADDRESS)
    imap.select("Sent")
    _, rows = imap.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    imap.logout()
    return Counter(re.findall(r"Subject: (\S+)", b"".join(row[1] for row in rows if isinstance(row, tuple)).decode()))


def test_all_or_none() -> None:
    server = Server()
    try:
        server.cli("init")
        server.add_domain("several.example", f"127.0.0.1:{free_port()}")
        server.add_mailboxes(ADDRESS)
        server.start()
        chosen = random.Random(7)
        begun: list[str] = []
        kept: list[str] = []
        for turn in range(ROUNDS):
            writers = [Writer(server, f"m{turn}-{number}", 100 * turn + number) for number in range(3)]
            for writer in writers:
                writer.start()
            time.sleep(0.2 + chosen.random() * 0.8)
            server.kill()
            for writer in writers:
                writer.join(30)
                begun += writer.begun
                kept += writer.kept
            server.start()
            found = subjects(server)
            assert all(count == 1 for count in found.values()), "each message is there once"
            whole = Counter(name.rpartition(".")[0] for name in found)
            assert set(whole.values()) <= {AT_ONCE}, "a command is kept whole or not at all"
            assert set(kept) <= set(whole) <= set(begun)
        assert kept
        parts = list(Path(server.state, "spool").rglob("*.part"))
        assert parts == []
    finally:
        server.close()
