"""What a mail program asks of a large folder, of this server and of Debian's Dovecot with the same messages.

    python -m tests.bench.imap [--messages 10000 100000] [--rounds 5] [--idle 200]

Both run at the same time and are asked in turns (A B A B), so that the machine's moods hit both. For each size one JSON
line: per row the first answer of a new process and the median of the later ones in milliseconds, and the ratio of the
medians (Dovecot's / ours: above 1 this server is faster). Then one line with the memory of idling connections (PSS).
"""

from __future__ import annotations

import argparse
import email.utils
import json
import os
import random
import re
import shutil
import socket
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.dovecot import Dovecot
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.waiting import until

DOMAIN = "bench.example"
USER = f"user0@{DOMAIN}"
START = 1_700_000_000
RARE, FREQUENT = "Zwiebelturm", "kumquat"
"""One message in 1,000 and one in 10 has them in its text."""
# what Roundcube asks for each row of its list
PAGE_FIELDS = "DATE FROM TO SUBJECT CONTENT-TYPE CC REPLY-TO LIST-POST DISPOSITION-NOTIFICATION-TO X-PRIORITY"
PAGE_ITEMS = f"UID RFC822.SIZE FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS ({PAGE_FIELDS})]"


def messages(count: int) -> Iterator[tuple[str, int, bytes]]:
    """(file name, time, content): plain text of 3 kB in many words, every eighth an answer to an earlier one."""
    chosen = random.Random(7)
    words = ["".join(chosen.choices("abcdefghijklmnopqrstuvwxyz", k=chosen.randint(3, 9))) for _ in range(2000)]
    for n in range(count):
        sent = START + n * 300 + chosen.randint(-5000, 5000)
        name = chosen.choice(words)
        lines = [" ".join(chosen.choices(words, k=10)) for _ in range(34)]
        lines.append(f"{RARE if n % 1000 == 7 else ''} {FREQUENT if n % 10 == 3 else ''}")
        answered = chosen.randrange(n) if n and n % 8 == 0 else None
        head = [
            f"Return-Path: <{name}@example.org>",
            (
                f"Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mx.{DOMAIN} with ESMTP id {n:08x};"
                f"\r\n\t{email.utils.formatdate(sent)}"
            ),
            f"From: {name.title()} <{name}@example.org>",
            f"To: User <{USER}>",
            f"Subject: {'Re: ' if answered is not None else ''}{' '.join(chosen.choices(words, k=6))}",
            f"Date: {email.utils.formatdate(sent)}",
            f"Message-ID: <{n}@example.org>",
            *([f"References: <{answered}@example.org>"] if answered is not None else []),
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ]
        content = ("\r\n".join([*head, "", *lines, ""])).encode()
        seen = "S" if chosen.random() < 0.5 else ""
        yield f"{START + n}.M{n}P1.bench,S={len(content)}:2,{seen}", sent, content


def fill(count: int, ours: Path, theirs: Path) -> None:
    """The same files (hard links) in both Maildirs."""
    for root in (ours, theirs):
        for name in ("cur", "new", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)
    for name, sent, content in messages(count):
        path = ours / "cur" / name
        path.write_bytes(content)
        os.utime(path, (sent, sent))
        os.link(path, theirs / "cur" / name)
    for below, folders, _ in os.walk(theirs.parent):
        for name in (".", *folders):
            shutil.chown(Path(below, name), "nobody", "nogroup")


class Connection:
    """A signed-in session that measures its commands."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = 0
        while b"\n" not in self.socket.recv(4096):
            pass
        self.sign_in = self.ask(f'LOGIN "{user}" "{password}"')[0]

    def ask(self, command: str) -> tuple[float, bytes]:
        """(milliseconds, the last octets of the answer, with its tagged line). RuntimeError unless that says OK."""
        self._number += 1
        tag = b"T%d " % self._number
        start = time.perf_counter()
        self.socket.sendall(tag + command.encode() + b"\r\n")
        answer = bytearray()
        while not (answer.endswith(b"\r\n") and (b"\n" + tag in answer[-500:] or answer.startswith(tag))):
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError
            answer += data
            if len(answer) > 1 << 20:
                del answer[: -(1 << 19)]
        spent = (time.perf_counter() - start) * 1000
        if not re.search(rb"(^|\n)" + tag + rb"OK", bytes(answer[-500:])):
            raise RuntimeError(f"{command}: {bytes(answer[-300:])!r}")
        return spent, bytes(answer)

    def close(self) -> None:
        self.socket.close()


def webmail_page(door: tuple[int, str, str], count: int) -> float:
    """What webmail does for each page of its list, in milliseconds: a connection of its own, the folder, whether the
    last message is still there, the order, a page of header fields, LOGOUT."""
    start = time.perf_counter()
    connection = Connection(*door)
    connection.ask("SELECT INBOX")
    connection.ask(f"UID SEARCH {count}")
    connection.ask("UID SORT (DATE) US-ASCII ALL")
    page = ",".join(map(str, range(max(1, count - 49), count + 1)))
    connection.ask(f"UID FETCH {page} ({PAGE_ITEMS})")
    connection.ask("LOGOUT")
    connection.close()
    return (time.perf_counter() - start) * 1000


def rows(count: int) -> dict[str, str]:
    """The commands of the table; the words stand in some messages of every size."""
    page = f"{max(1, count // 2 - 49)}:{max(1, count // 2)}"
    last = f"{max(1, count - 49)}:{count}"
    return {
        "fetch 1:* (uid flags)": "FETCH 1:* (UID FLAGS)",
        "page of 50 header fields": f"FETCH {page} ({PAGE_ITEMS})",
        "page of 50 envelopes": f"FETCH {last} (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE)",
        "search unseen": "SEARCH UNSEEN",
        "search number of the last": f"UID SEARCH {count}",
        "sort date": "UID SORT (DATE) US-ASCII ALL",
        "sort subject": "UID SORT (SUBJECT) US-ASCII ALL",
        "search subject": "SEARCH SUBJECT abc",
        "thread references": "UID THREAD REFERENCES US-ASCII ALL",
        "search body, a rare word": f"SEARCH BODY {RARE}",
        "search body, a frequent word": f"SEARCH BODY {FREQUENT}",
        "status": "STATUS INBOX (MESSAGES UNSEEN)",
        "fetch one": f"FETCH {max(1, count // 3)} (BODY.PEEK[])",
        "store a flag": f"STORE {max(1, count // 2)} +FLAGS (\\Flagged)",
        "store it back": f"STORE {max(1, count // 2)} -FLAGS (\\Flagged)",
        "noop": "NOOP",
    }


def measure(count: int, rounds: int, doors: dict[str, tuple[int, str, str]]) -> dict[str, Any]:
    """``doors``: name → (port, user, password)."""
    times: dict[str, dict[str, list[float]]] = {}

    def note(row: str, name: str, spent: float) -> None:
        times.setdefault(row, {}).setdefault(name, []).append(spent)

    open_ones = {}
    for name, door in doors.items():
        open_ones[name] = connection = Connection(*door)
        note("sign in", name, connection.sign_in)
        spent, answer = connection.ask("SELECT INBOX")
        assert f"* {count} EXISTS".encode() in answer, answer[-500:]
        note("select", name, spent)
    for _ in range(rounds):
        for name, door in doors.items():
            again = Connection(*door)
            note("sign in", name, again.sign_in)
            note("select", name, again.ask("SELECT INBOX")[0])
            again.close()
    for row, command in rows(count).items():
        for _ in range(rounds + 1):
            for name, connection in open_ones.items():
                note(row, name, connection.ask(command)[0])
    for _ in range(rounds + 1):
        for name, door in doors.items():
            note("webmail page", name, webmail_page(door, count))
    for connection in open_ones.values():
        connection.close()
    out: dict[str, Any] = {}
    for row, found in times.items():
        out[row] = {
            name: {"first": round(all_[0], 2), "warm": round(statistics.median(all_[1:]), 2)}
            for name, all_ in found.items()
        }
        out[row]["ratio"] = round(out[row]["dovecot"]["warm"] / max(out[row]["stratamail"]["warm"], 0.001), 2)
    return out


def proportional(pids: list[int]) -> int:
    """Proportional set size of processes, kB."""
    total = 0
    for pid in pids:
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        except OSError:
            continue
        total += int(found.group(1)) if found else 0
    return total


def family(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def idling(count: int, door: tuple[int, str, str], root: int) -> dict[str, float]:
    """Memory that ``count`` idling sessions on one folder add."""
    first = Connection(*door)
    first.ask("SELECT INBOX")
    before = proportional(family(root))
    made = []
    for _ in range(count):
        connection = Connection(*door)
        connection.ask("SELECT INBOX")
        connection.socket.sendall(b"I IDLE\r\n")
        assert connection.socket.recv(1000).startswith(b"+")
        made.append(connection)
    after = proportional(family(root))
    for connection in [first, *made]:
        connection.close()
    return {"before kB": before, "after kB": after, "kB a connection": round((after - before) / count, 1)}


def indexed(server: Server, count: int) -> None:
    """Waits until all text can be found by the index."""
    told = -1

    def done() -> bool:
        nonlocal told
        found = int(server.json("mailbox", "show", USER)["searchable"])
        if found != told:
            told = found
        return found >= count

    until(done, "all messages are indexed", 1200.0, 2.0)


def run(count: int, rounds: int, idle: int) -> None:
    server = Server({"limits": {"disk-reserve": "100MB"}})
    server.cli("init")
    server.add_domain(DOMAIN, f"127.0.0.1:{free_port()}")
    server.add_mailboxes(USER)
    try:
        with Dovecot() as dovecot:
            fill(count, server.state / "mail" / DOMAIN / "user0", dovecot.base / "home" / "Maildir")
            theirs = (dovecot.port, "anna", "secret")
            server.start()
            start = time.monotonic()
            for port, user, password in ((server.ports["imap"], USER, PASSWORD), theirs):
                taken_in = Connection(port, user, password)
                taken_in.ask("SELECT INBOX")
                taken_in.close()
            indexed(server, count)
            filled = time.monotonic() - start
            server.restart()
            ours = (server.ports["imap"], USER, PASSWORD)
            table = measure(count, rounds, {"stratamail": ours, "dovecot": theirs})
            line = {"bench": "imap", "messages": count, "taken in and indexed s": round(filled, 1)}
            print(json.dumps({**line, "milliseconds": table}), flush=True)
            if idle:
                assert server.process is not None
                memory = {
                    "stratamail": idling(idle, ours, server.process.pid),
                    "dovecot": idling(idle, theirs, dovecot.pid),
                }
                print(json.dumps({"bench": "imap-idle", "messages": count, "connections": idle, **memory}), flush=True)
    finally:
        server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--idle", type=int, default=200)
    options = parser.parse_args()
    for count in options.messages:
        run(count, options.rounds, options.idle)


if __name__ == "__main__":
    main()
