"""How fast, and in what order, a queue empties into a primary that has come back.

    python -m tests.bench.flush [--messages 5000] [--octets 4096] [--round-trip-ms 0] [--chunking] [--postfix]

The primary is a program of its own on asyncio, whose replies come late by a round trip.
Prints one JSON line: messages a second from first to last, seconds from the primary's return, inversions per mailbox;
with ``--postfix`` the same of Postfix over twenty connections into the same primary (needs root and Postfix).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise

from tests.bench.tools import Tools, measured_server
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.waiting import until

DOMAIN = "bench.example"
_NUMBER = re.compile(rb"^X-Number: (\d+)", re.MULTILINE)


class Counter:
    """A primary that notes who got which number when, and throws the rest away."""

    def __init__(self, chunking: bool, delay: float) -> None:
        self.chunking, self.delay = chunking, delay
        self.times: list[float] = []
        self.numbers: dict[bytes, list[int]] = defaultdict(list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()

        def say(text: bytes) -> None:
            # a whole round trip is added on the way back: the peer cannot tell the directions apart
            loop.call_later(self.delay, writer.write, text) if self.delay else writer.write(text)

        say(b"220 primary.bench.example\r\n")
        rcpts: list[bytes] = []
        body = b""
        try:
            while True:
                line = await reader.readuntil(b"\r\n")
                verb = line[:4].upper()
                if verb == b"EHLO":
                    more = b"250-CHUNKING\r\n" if self.chunking else b""
                    say(b"250-primary\r\n250-PIPELINING\r\n" + more + b"250 8BITMIME\r\n")
                elif verb == b"RCPT":
                    rcpts.append(line)
                    say(b"250 2.1.5 Ok\r\n")
                elif verb == b"DATA":
                    say(b"354 Go\r\n")
                    self._note(rcpts, await reader.readuntil(b"\r\n.\r\n"))
                    say(b"250 2.0.0 Ok\r\n")
                elif verb == b"BDAT":
                    words = line.split()
                    body += await reader.readexactly(int(words[1]))
                    if words[-1].upper() == b"LAST":
                        self._note(rcpts, body)
                        body = b""
                    say(b"250 2.0.0 Ok\r\n")
                elif verb == b"QUIT":
                    say(b"221 2.0.0 Bye\r\n")
                    await asyncio.sleep(self.delay)
                    return
                else:
                    rcpts = [] if verb == b"MAIL" else rcpts
                    say(b"250 2.0.0 Ok\r\n")
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            return
        finally:
            writer.close()

    def _note(self, rcpts: list[bytes], body: bytes) -> None:
        self.times.append(time.monotonic())
        found = _NUMBER.search(body[:4096])
        for rcpt in rcpts:
            self.numbers[rcpt].append(int(found[1]) if found else -1)


async def receive(port: int, counter: Counter, expected: int, seconds: float) -> None:
    server = await asyncio.start_server(counter.serve, "127.0.0.1", port, limit=1 << 24)
    deadline = time.monotonic() + seconds
    while len(counter.times) < expected and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    server.close()


class Twenty(Postfix):
    """Postfix with a full queue and twenty connections to the primary, as it is by default."""

    @classmethod
    def towards(cls, port: int) -> Twenty:
        return cls(
            "sender",
            {
                "relay_domains": DOMAIN,
                "relay_transport": f"smtp:[127.0.0.1]:{port}",
                "smtpd_relay_restrictions": "reject_unauth_destination",
                "defer_transports": "smtp",
                "default_destination_concurrency_limit": "20",
                "initial_destination_concurrency": "20",
            },
        )

    def flush(self) -> None:
        with (self.etc / "main.cf").open("a") as file:
            file.write("defer_transports =\n")
        self._postfix("reload")
        subprocess.run(["/usr/sbin/postqueue", "-c", str(self.etc), "-f"], check=True)


def report(counter: Counter, given: int, began: float, options: argparse.Namespace) -> dict[str, object]:
    """Figures of one flush."""
    got = len(counter.times)
    span = counter.times[-1] - counter.times[0] if got > 1 else 0.0
    return {
        "owed": given,
        "arrived": got,
        "per_second": round(got / span, 1) if span else 0,
        "first_after_s": round(counter.times[0] - began, 3) if got else None,
        "last_after_s": round(counter.times[-1] - began, 3) if got else None,
        "inversions_per_mailbox": sum(a > b for numbers in counter.numbers.values() for a, b in pairwise(numbers)),
        "round_trip_ms": options.round_trip_ms,
    }


def ours(tools: Tools, options: argparse.Namespace) -> dict[str, object]:
    """The queue of this server into a primary that comes back."""
    port = free_port()
    server = measured_server(DOMAIN, f"127.0.0.1:{port}")
    try:
        cell = (1, options.octets, 1)
        given = tools.load(server.ports["smtp"], cell, f"user%d@{DOMAIN}", 600, options.messages)["acknowledged"]
        until(lambda: server.status(DOMAIN)["queued"] == given, "all is owed")
        counter = Counter(options.chunking, options.round_trip_ms / 1000)
        began = time.monotonic()
        asyncio.run(receive(port, counter, given, options.seconds))
    finally:
        server.close()
    return report(counter, given, began, options)


def theirs(tools: Tools, options: argparse.Namespace) -> dict[str, object]:
    """The same mail, out of Postfix's deferred queue over twenty connections."""
    port = free_port()
    postfix = Twenty.towards(port)
    with postfix:
        cell = (10, options.octets, 1)
        given = tools.load(postfix.port, cell, f"user%d@{DOMAIN}", 600, options.messages)["acknowledged"]
        deferred = postfix.base / "spool" / "deferred"
        until(lambda: sum(one.is_file() for one in deferred.rglob("*")) >= given, "all is deferred", 60)
        counter = Counter(options.chunking, options.round_trip_ms / 1000)
        began = time.monotonic()
        postfix.flush()
        asyncio.run(receive(port, counter, given, options.seconds))
    return report(counter, given, began, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--round-trip-ms", type=float, default=0.0)
    parser.add_argument("--chunking", action="store_true")
    parser.add_argument("--postfix", action="store_true")
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    tools = Tools()
    try:
        found: dict[str, object] = {"bench": "flush", **ours(tools, options)}
        if options.postfix:
            found["postfix"] = theirs(tools, options)
    finally:
        shutil.rmtree(tools.base, ignore_errors=True)
    json.dump(found, sys.stdout)
    print()


if __name__ == "__main__":
    main()
