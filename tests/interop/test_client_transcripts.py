"""The habits of mail programs that no test can install (``tests/data/clients/*.txt``), on real connections."""

from __future__ import annotations

import pytest

from tests.support import transcript
from tests.support.client_servers import Account, Far
from tests.support.talk import Talk

pytestmark = pytest.mark.interop


class Connection(transcript.Line):
    def __init__(self, port: int) -> None:
        self._talk = Talk(port)

    def say(self, data: bytes) -> None:
        self._talk.send(data)

    def item(self) -> bytes:
        return self._talk.item()

    def close(self) -> None:
        self._talk.sock.close()


class Peer(transcript.Peer):
    def __init__(self, account: Account) -> None:
        self._account = account
        self.user, self.password = account.user, account.password
        self.opened: list[Connection] = []

    def connect(self) -> Connection:
        self.opened.append(Connection(self._account.port))
        return self.opened[-1]

    def arrive(self, messages: list[bytes]) -> None:
        self._account.arrive(messages)


@pytest.mark.parametrize("name", transcript.names())
def test_it_hears_what_it_needs(far: Far, account: Account, name: str) -> None:
    peer = Peer(account)
    played = transcript.Transcript(peer)
    try:
        played.play(name)
    finally:
        for connection in peer.opened:
            connection.close()
    # Dovecot, as Debian sets it up, lacks a few; this server has everything that the programs make use of
    assert far.name == "dovecot" or not played.left_out
