"""Five sessions that append, expunge, sort and thread one folder at once, over real threads: every answer is about
messages that are there, and in the end all tell the same right order."""

from __future__ import annotations

import imaplib
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.protocol.imap_harness import ADDRESS
from tests.support.sizes import sized

SESSIONS = 5
SECONDS = sized(2, 20)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.protocol.imap_live", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline().split()[0])
        process.stdin.close()


def connect(port: int) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=30)
    client.login(ADDRESS, "secret")
    client.select()
    return client


def letter(chosen: random.Random, name: str) -> bytes:
    answered = f"References: <{chosen.randrange(40)}@x>\r\n" if chosen.random() < 0.5 else ""
    subject = f"{chosen.choice(['', 'Re: '])}{chosen.randrange(20):02} {name}"
    return f"Subject: {subject}\r\nMessage-ID: <{chosen.randrange(40)}@x>\r\n{answered}\r\nbody\r\n".encode()


def numbers(answer: tuple[str, list[bytes | None]]) -> list[int]:
    kind, data = answer
    assert kind == "OK", data
    return [int(n) for n in re.findall(rb"\d+", data[0] or b"")]


def subjects(client: imaplib.IMAP4) -> dict[int, bytes]:
    kind, data = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert kind == "OK"
    found = {}
    for item in data:
        if isinstance(item, tuple):
            uid = re.search(rb"UID (\d+)", item[0])
            assert uid is not None
            found[int(uid.group(1))] = item[1].strip().upper().removeprefix(b"SUBJECT: ").removeprefix(b"RE: ")
    return found


def work(port: int, seed: int, until: float, faults: list[str]) -> None:
    chosen = random.Random(seed)
    try:
        client = connect(port)
        while time.monotonic() < until:
            deed = chosen.choice(["append", "append", "sort", "thread", "search", "expunge"])
            if deed == "append":
                client.append("INBOX", "", "", letter(chosen, f"by {seed}"))
            elif deed == "sort":
                key = chosen.choice(["SUBJECT", "REVERSE SUBJECT", "DATE", "FROM SIZE"])
                found = numbers(client.uid("SORT", f"({key})", "UTF-8", "ALL"))
                if len(set(found)) != len(found):
                    faults.append(f"{key}: {found}")
            elif deed == "thread":
                found = numbers(client.uid("THREAD", chosen.choice(["REFS", "REFERENCES"]), "UTF-8", "ALL"))
                if len(set(found)) != len(found):
                    faults.append(f"thread: {found}")
            elif deed == "search":
                found = numbers(client.uid("SORT", "(SUBJECT)", "UTF-8", "SUBJECT", f'"by {seed}"'))
                if len(set(found)) != len(found):
                    faults.append(f"search: {found}")
            else:
                shown = numbers(client.uid("SEARCH", "ALL"))
                if len(shown) > 30:
                    client.uid("STORE", ",".join(map(str, chosen.sample(shown, 10))), "+FLAGS.SILENT", "(\\Deleted)")
                    client.expunge()
        client.logout()
    except Exception as error:
        faults.append(repr(error))


def test_all_agree_in_the_end(port: int) -> None:
    faults: list[str] = []
    until = time.monotonic() + SECONDS
    watcher = connect(port)
    threads = [Thread(target=work, args=(port, seed, until, faults)) for seed in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults, faults[:3]
    orders = []
    for client in (watcher, connect(port)):
        client.noop()
        texts = subjects(client)
        assert texts
        order = numbers(client.uid("SORT", "(SUBJECT)", "UTF-8", "ALL"))
        assert order == sorted(sorted(texts), key=lambda uid: texts[uid])
        assert numbers(client.uid("SORT", "(REVERSE SUBJECT)", "UTF-8", "ALL")) == sorted(
            sorted(texts), key=lambda uid: texts[uid], reverse=True
        )
        orders.append(
            (order, client.uid("THREAD", "REFS", "UTF-8", "ALL"), client.thread("REFERENCES", "UTF-8", "ALL"))
        )
        client.logout()
    assert orders[0] == orders[1]
