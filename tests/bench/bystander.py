"""What others notice while one mail program asks the heaviest things of a large folder.

    python -m tests.bench.bystander [--messages 100000]

Beside each heavy command a session of another mailbox says NOOP every two milliseconds, and mail for that mailbox comes
in, of which an idling client hears. One JSON line for each command: how long it took, and for both the median, the 99th
of 100 and the worst, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable

from tests.bench.imap import DOMAIN, FREQUENT, USER, Connection, fill, indexed
from tests.support.ports import free_port
from tests.support.server import PASSWORD, Server
from tests.support.waiting import until
from tests.support.watch import Watcher

OTHER = f"user1@{DOMAIN}"
APPENDED = b"Subject: new\r\n\r\n" + b"a" * 982 + b"\r\n"


class Bystanders:
    """Two threads while entered; ``noops`` and ``arrivals`` are milliseconds."""

    def __init__(self, server: Server) -> None:
        self.noops: list[float] = []
        self.arrivals: list[float] = []
        self._server = server
        self._over = False
        self._connection = Connection(server.ports["imap"], OTHER, PASSWORD)
        self._watcher = Watcher(server.ports["imap"], OTHER, PASSWORD)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._say, self._send)]

    def __enter__(self) -> Bystanders:
        for thread in self._threads:
            thread.start()
        time.sleep(0.3)
        self.noops.clear()
        self.arrivals.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for thread in self._threads:
            thread.join()
        self._watcher.stop()
        self._connection.close()

    def _say(self) -> None:
        while not self._over:
            self.noops.append(self._connection.ask("NOOP")[0])
            time.sleep(0.002)

    def _send(self) -> None:
        seen = self._watcher.seen
        with self._server.talk("smtp") as talk:
            talk.greet()
            while not self._over:
                before = len(seen)
                assert talk.deliver("a@b.example", [OTHER], b"Subject: x\r\n\r\nhello\r\n").startswith(b"250")
                taken = time.time()
                until(lambda: len(seen) > before, "the mail is seen", 20, 0.0005)  # noqa: B023
                self.arrivals.append((max(seen.values()) - taken) * 1000)
                time.sleep(0.02)


def shares(times: list[float]) -> dict[str, float]:
    found = sorted(times) or [0.0]
    picked = {"p50": len(found) // 2, "p99": int(len(found) * 0.99), "worst": len(found) - 1}
    return {name: round(found[i], 1) for name, i in picked.items()}


def append(connection: Connection, count: int) -> None:
    for _ in range(count):
        connection.socket.sendall(b"A APPEND INBOX {%d+}\r\n%b\r\n" % (len(APPENDED), APPENDED))
        answer = b""
        while b"A OK" not in answer:
            answer += connection.socket.recv(10_000)


def programs(count: int) -> dict[str, tuple[str | int, ...]]:
    """Name → commands; a number appends so many messages."""
    some = min(3000, count // 4)
    # 74 kB of single numbers at 100,000 messages
    long_set = ",".join(map(str, range(2, max(4, count * 24 // 100), 2)))
    new = f"{count + 1}:*"
    return {
        "SELECT, the first": ("SELECT INBOX",),
        "FETCH 1:* FLAGS": ("FETCH 1:* (UID FLAGS)",) * 10,
        "FETCH of envelopes": (f"FETCH 1:{count // 5} (UID FLAGS ENVELOPE)",),
        "SORT, the first": ("UID SORT (DATE) US-ASCII ALL",),
        "SORT by other keys": tuple(
            f"UID SORT ({key}) US-ASCII ALL"
            for key in ("SUBJECT", "FROM", "TO", "CC", "SIZE", "ARRIVAL", "REVERSE DATE", "DISPLAYFROM")
        ),
        "THREAD": tuple(f"UID THREAD {name} US-ASCII ALL" for name in ("REFERENCES", "ORDEREDSUBJECT", "REFS")),
        "SEARCH UNSEEN": ("SEARCH UNSEEN",) * 20,
        "SEARCH SUBJECT": ("SEARCH SUBJECT abc",) * 20,
        "SEARCH BODY": (f"SEARCH BODY {FREQUENT}",) * 5,
        "SEARCH TEXT": (f"SEARCH TEXT {FREQUENT}",) * 5,
        "SEARCH BODY by reading": (f"SEARCH 1:{count // 5} BODY zq",),
        "STORE of a long set": (f"UID STORE {long_set} +FLAGS.SILENT (\\Flagged)",),
        "COPY": ("CREATE Heavy", "CREATE Heavier", f"UID COPY 1:{some} Heavy"),
        "MOVE": ("SELECT Heavy", f"MOVE 1:{some} Heavier"),
        "EXPUNGE": ("SELECT Heavier", "STORE 1:* +FLAGS.SILENT (\\Deleted)", "EXPUNGE", "SELECT INBOX"),
        "APPEND": (300,),
        "EXPUNGE of some": (f"UID STORE {new} +FLAGS.SILENT (\\Deleted)", f"UID EXPUNGE {new}"),
    }


def measure(server: Server, count: int) -> None:
    connection = Connection(server.ports["imap"], USER, PASSWORD)
    measured("nothing", server, lambda: time.sleep(1.0))
    for name, commands in programs(count).items():

        def work(commands: tuple[str | int, ...] = commands) -> None:
            for command in commands:
                if isinstance(command, int):
                    append(connection, command)
                else:
                    connection.ask(command)

        measured(name, server, work)
    connection.close()


def measured(name: str, server: Server, work: Callable[[], None]) -> None:
    with Bystanders(server) as others:
        start = time.perf_counter()
        work()
        spent = (time.perf_counter() - start) * 1000
        time.sleep(0.05)
    line = {"bench": "bystander", "while": name, "ms": round(spent)}
    print(json.dumps({**line, "noop": shares(others.noops), "exists": shares(others.arrivals)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    count = parser.parse_args().messages
    server = Server({"limits": {"disk-reserve": "100MB"}})
    server.cli("init")
    server.add_domain(DOMAIN, f"127.0.0.1:{free_port()}")
    server.add_mailboxes(USER, OTHER)
    try:
        fill(count, server.state / "mail" / DOMAIN / "user0", server.base / "copies" / "Maildir")
        server.start()
        first = Connection(server.ports["imap"], USER, PASSWORD)
        first.ask("SELECT INBOX")
        first.close()
        indexed(server, count)
        server.restart()
        measure(server, count)
    finally:
        server.close()


if __name__ == "__main__":
    main()
