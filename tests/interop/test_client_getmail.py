"""getmail6: fetches what it has not fetched yet, from folders that it is told, and deletes there when it is told so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs, run
from tests.support.local_maildir import Near

pytestmark = pytest.mark.interop


def fetch(account: Account, base: Path, *, kind: str = "SimpleIMAPRetriever", delete: bool = False) -> Near:
    """One run into the Maildir ``base/mail``, by a delivery program: its own would not file as root."""
    near = Near(base / "mail").make()
    port = account.tls_port if "SSL" in kind else account.port
    (base / "getmailrc").write_text(
        f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {port}\nusername = {account.user}\n"
        f'password = {account.password}\nmailboxes = ("INBOX", "Archive")\nmove_on_delete = \n'
        f"[destination]\ntype = MDA_external\npath = {near.program(base / 'drop')}\nallow_root_commands = true\n"
        f"[options]\nread_all = false\ndelete = {str(delete).lower()}\nmessage_log_syslog = false\n"
    )
    run("getmail", f"--getmaildir={base}", "--rcfile=getmailrc")
    return near


@pytest.mark.parametrize("kind", ["SimpleIMAPRetriever", "SimpleIMAPSSLRetriever"])
def test_it_fetches_each_message_once(account: Account, tmp_path: Path, kind: str) -> None:
    needs("getmail")
    account.arrive(letters(12))
    client = account.client()
    client.select("INBOX")
    client.uid("MOVE", "12", "Archive")
    client.logout()
    near = fetch(account, tmp_path, kind=kind)
    assert set(near.files()) == {id_of(n) for n in range(12)}
    head, _, text = near.files()[id_of(3)].read_bytes().partition(b"\n\n")  # it adds fields of its own to the head
    assert text == letters(1, 3)[0].replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    assert b"Subject: Letter 3\n" in head
    account.arrive(letters(2, 50))
    fetch(account, tmp_path, kind=kind)
    assert set(near.files()) == {id_of(n) for n in (*range(12), 50, 51)}
    fetch(account, tmp_path, kind=kind)
    assert len(near.files()) == 14
    assert account.count() == 13


def test_it_deletes_what_it_has_fetched(account: Account, tmp_path: Path) -> None:
    needs("getmail")
    account.arrive(letters(5))
    near = fetch(account, tmp_path, delete=True)
    assert len(near.files()) == 5
    assert account.count() == 0
