"""What a mail client is tried on: this server and, as the check of the check, Debian's Dovecot.

Both behind one face, so that a scenario is written once: a new mailbox for each test, mail that arrives in it, and what
lies in it afterwards as a plain IMAP client sees it. Everything lies below temporary folders; nothing leaves loopback.
"""

from __future__ import annotations

import imaplib
import itertools
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.dovecot import Dovecot
from tests.support.server import PASSWORD, Server, without_trace
from tests.support.talk import Talk
from tests.support.waiting import until

_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^>]*)>")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_NAME = re.compile(rb'\) (?:"[^"]*"|NIL) "?([^"]*)"?$')
_count = itertools.count(1)


@frozen
class Seen:
    """A message as a plain client sees it: ``data`` without the trace of its delivery."""

    uid: int
    flags: frozenset[str]
    data: bytes

    @property
    def message_id(self) -> str:
        found = _MESSAGE_ID.search(self.data)
        return found[1].decode() if found is not None else ""


class Account(ABC):
    """One new mailbox: INBOX, Archive, Drafts, Junk, Sent, Trash. ``port`` may be spoken to without TLS."""

    port: int
    tls_port: int
    user: str
    password: str

    @abstractmethod
    def arrive(self, messages: Iterable[bytes]) -> None:
        """The messages arrive from outside, in order; they are shown when this returns."""

    def client(self) -> imaplib.IMAP4:
        made = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        made.login(self.user, self.password)
        return made

    def folders(self) -> set[str]:
        client = self.client()
        try:
            lines = [line for line in client.list()[1] if isinstance(line, bytes)]
        finally:
            client.logout()
        return {found[1].decode() for line in lines if (found := _NAME.search(line)) is not None}

    def seen(self, folder: str = "INBOX") -> list[Seen]:
        """Every message of a folder, in order of UID; nothing is changed by looking."""
        client = self.client()
        try:
            kind, said = client.select(f'"{folder}"', readonly=True)
            assert kind == "OK", said
            if said == [b"0"]:
                return []
            _, found = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
        finally:
            client.logout()
        return list(_messages(found))

    def marked(self, folder: str = "INBOX") -> dict[str, set[str]]:
        """Message-ID → flags, without ``\\Recent``; each Message-ID once, or AssertionError."""
        seen = self.seen(folder)
        out = {message.message_id: set(message.flags) - {"\\Recent"} for message in seen}
        assert len(out) == len(seen), sorted(message.message_id for message in seen)
        return out

    def count(self, folder: str = "INBOX") -> int:
        client = self.client()
        try:
            _, said = client.status(f'"{folder}"', "(MESSAGES)")
        finally:
            client.logout()
        return int(re.findall(rb"MESSAGES (\d+)", said[0])[0])


def _messages(rows: Iterable[object]) -> Iterable[Seen]:
    """imaplib splits a row at its literal: (before, data), after."""
    items = list(rows)
    for number, item in enumerate(items):
        if not isinstance(item, tuple):
            continue
        after = items[number + 1] if number + 1 < len(items) else b""
        around = item[0] + b" " + (after if isinstance(after, bytes) else b"")
        flags = _FLAGS.search(around)
        uid = re.search(rb"UID (\d+)", around)
        assert flags is not None
        assert uid is not None
        data = item[1]
        if data.startswith(b"Received:"):
            data = without_trace(data)
        yield Seen(int(uid[1]), frozenset(flags[1].decode().split()), data)


class Far(ABC):
    """A running IMAP server."""

    name: str

    @abstractmethod
    def account(self) -> Account: ...

    @abstractmethod
    def close(self) -> None: ...


class OurAccount(Account):
    def __init__(self, server: Server, user: str) -> None:
        self._server = server
        self.user, self.password = user, PASSWORD
        self.port, self.tls_port = server.ports["imap"], server.ports["imaps"]

    def arrive(self, messages: Iterable[bytes]) -> None:
        wanted = self.count()
        with self._server.talk("smtp") as talk:
            talk.greet()
            for data in messages:
                assert talk.deliver("anna@news.example", [self.user], data).startswith(b"250")
                wanted += 1
        until(lambda: self.count() >= wanted, f"{wanted} messages of {self.user}")


class Ours(Far):
    name = "stratamail"

    def __init__(self) -> None:
        self.server = Server()
        self.server.cli("init")
        self.server.add_domain("clients.example", "127.0.0.1:9")
        self.server.start()

    def account(self) -> Account:
        user = f"reader{next(_count)}@clients.example"
        self.server.add_mailboxes(user)
        return OurAccount(self.server, user)

    def close(self) -> None:
        self.server.close()


class TheirAccount(Account):
    def __init__(self, dovecot: Dovecot, user: str) -> None:
        self._new = dovecot.base / "home" / user / "Maildir" / "new"
        self.user, self.password = user, "secret"
        self.port, self.tls_port = dovecot.port, dovecot.tls_port
        self.client().logout()  # which makes the folders

    def arrive(self, messages: Iterable[bytes]) -> None:
        wanted = self.count()
        for data in messages:
            wanted += 1
            made = self._new.parent / "tmp" / f"{next(_count):08}.M{wanted}.peer"
            made.write_bytes(data)
            shutil.chown(made, "nobody", "nogroup")
            made.rename(self._new / made.name)
        until(lambda: self.count() >= wanted, f"{wanted} messages of {self.user}")


class Theirs(Far):
    name = "dovecot"

    def __init__(self) -> None:
        self._dovecot = Dovecot(homes=True)
        self._dovecot.__enter__()

    def account(self) -> Account:
        return TheirAccount(self._dovecot, f"reader{next(_count)}")

    def close(self) -> None:
        self._dovecot.__exit__(None, None, None)


def talk(account: Account) -> Talk:
    """A raw connection to the account's server, greeted, not signed in."""
    made = Talk(account.port)
    assert made.line().startswith(b"* OK")
    return made


def needs(program: str) -> str:
    """The full path of a client; the test is skipped where it is not installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def run(
    *words: str,
    stdin: bytes = b"",
    seconds: float = 60.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    status: tuple[int, ...] = (0,),
) -> bytes:
    """One run of a client: its standard output. AssertionError with all it said when it ends with another status."""
    done = subprocess.run(
        words, input=stdin, capture_output=True, timeout=seconds, check=False, cwd=cwd,
        env=dict(os.environ) | dict(env or {}),
    )  # fmt: skip
    said = (done.stdout.decode(errors="replace")[-6000:], done.stderr.decode(errors="replace")[-6000:])
    assert done.returncode in status, (words, done.returncode, *said)
    return done.stdout


def letters(count: int, start: int = 0, size: int = 3) -> list[bytes]:
    """Small messages with Message-ID ``letter.N@clients.example`` and a subject of their own, lines ended by CRLF."""
    return [
        (
            f'From: "Anna Berg" <anna@news.example>\r\nTo: reader@clients.example\r\nSubject: Letter {number}\r\n'
            f"Date: Tue, 24 Nov 2026 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} +0000\r\n"
            f"Message-ID: <letter.{number}@clients.example>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n" + f"Line of letter {number}\r\n" * size
        ).encode()
        for number in range(start, start + count)
    ]


def id_of(number: int) -> str:
    return f"letter.{number}@clients.example"
