"""The habits of mail programs (``tests/data/clients/*.txt``; Roundcube's among them) at an IMAP door in memory."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House
from tests.support import transcript

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Connection(transcript.Line):
    def __init__(self, client: Client) -> None:
        self._client = client
        self._said = client.greeting

    def say(self, data: bytes) -> None:
        self._said += self._client.send(data)

    def item(self) -> bytes:
        self._said += self._client.read()
        assert b"\n" in self._said, f"nothing more is said: {self._said!r}"
        end = self._said.index(b"\n") + 1
        while (found := _LITERAL.search(self._said[:end])) is not None:
            end = self._said.index(b"\n", end + int(found[1])) + 1
        item, self._said = self._said[:end], self._said[end:]
        return item


class Peer(transcript.Peer):
    user, password = ADDRESS, "secret"

    def __init__(self, house: House) -> None:
        self._house = house

    def connect(self) -> Connection:
        return Connection(self._house.connect())

    def arrive(self, messages: list[bytes]) -> None:
        self._house.deliver(*messages)


@pytest.mark.parametrize("name", transcript.names())
def test_it_hears_what_it_needs(tmp_path: Path, name: str) -> None:
    played = transcript.Transcript(Peer(House(tmp_path)))
    played.play(name)
    assert not played.left_out
