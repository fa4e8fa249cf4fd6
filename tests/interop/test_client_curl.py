"""curl as an IMAP client: listing, fetching by UID and by part, searching, uploading, any command of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs, run
from tests.support.server import without_trace

pytestmark = pytest.mark.interop


class Curl:
    def __init__(self, account: Account, tls: bool) -> None:
        needs("curl")
        scheme, port = ("imaps", account.tls_port) if tls else ("imap", account.port)
        self._base = f"{scheme}://127.0.0.1:{port}/"
        self._words = ("curl", "-sS", "-k", "-m", "20", "--user", f"{account.user}:{account.password}")

    def __call__(self, path: str = "", *words: str) -> bytes:
        return run(*self._words, self._base + path, *words)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_its_whole_vocabulary(account: Account, tmp_path: Path, tls: bool) -> None:
    account.arrive(letters(3))
    curl = Curl(account, tls)
    listed = curl()
    for name in (b"INBOX", b"Drafts", b"Sent", b"Trash", b"Junk", b"Archive"):
        assert name in listed
    uid = curl(f"INBOX?HEADER%20Message-ID%20{id_of(1)}").split()[-1].decode()
    assert uid == "2"
    whole = curl(f"INBOX;UID={uid}")
    bare = without_trace(whole) if whole.startswith(b"Received:") else whole
    assert bare == letters(1, 1)[0]
    assert curl(f"INBOX;UID={uid};SECTION=TEXT") == b"Line of letter 1\r\n" * 3
    assert curl("INBOX;MAILINDEX=3;SECTION=HEADER.FIELDS%20(SUBJECT)") == b"Subject: Letter 2\r\n\r\n"
    assert curl("INBOX?SUBJECT%20%22Letter%202%22") == b"* SEARCH 3\r\n"
    assert curl("INBOX?SEEN") == b"* SEARCH 1 2 3\r\n" or account.marked()[id_of(1)] == {"\\Seen"}
    large = b"Message-ID: <large@clients.example>\r\n\r\n" + b"0123456789abcdef\r\n" * 60_000
    (tmp_path / "mail").write_bytes(large)
    curl("Drafts", "--upload-file", str(tmp_path / "mail"))
    assert [message.data for message in account.seen("Drafts")] == [large]
    assert curl("Drafts;UID=1") == large
    curl("", "-X", 'CREATE "New folder"')
    assert "New folder" in account.folders()
    curl("INBOX", "-X", "UID STORE 3 +FLAGS.SILENT (\\Flagged)")
    curl("INBOX", "-X", 'UID COPY 3 "New folder"')
    assert account.marked("New folder") == {id_of(2): {"\\Flagged"} | (account.marked()[id_of(2)] & {"\\Seen"})}
    assert b"MESSAGES 1" in curl("", "-X", 'STATUS "New folder" (MESSAGES)')
    curl("INBOX", "-X", "STORE 1 +FLAGS (\\Deleted)")
    curl("INBOX", "-X", "EXPUNGE")
    assert set(account.marked()) == {id_of(1), id_of(2)}


def test_every_way_of_signing_in(account: Account) -> None:
    curl = Curl(account, False)
    for mechanism in ("PLAIN", "LOGIN"):
        assert b"INBOX" in curl("", "--login-options", f"AUTH={mechanism}")
    assert b"INBOX" in curl("", "--sasl-ir")
    with pytest.raises(AssertionError, match="67"):  # login denied
        run("curl", "-sS", "--user", f"{account.user}:wrong", f"imap://127.0.0.1:{account.port}/")
