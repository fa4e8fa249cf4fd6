"""OfflineIMAP (Python 3) in both directions, by its "quick" and full runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs, run
from tests.support.local_maildir import Near
from tests.support.sizes import sized

pytestmark = pytest.mark.interop

COUNT = sized(30, 300)


class OfflineImap:
    def __init__(self, account: Account, base: Path) -> None:
        self.local = base / "mail"
        self._base = base
        self._config = base / "offlineimaprc"
        self._config.write_text(
            f"[general]\nmetadata = {base}/meta\naccounts = a\nui = basic\nsocktimeout = 20\n\n"
            "[Account a]\nlocalrepository = near\nremoterepository = far\n\n"
            f"[Repository near]\ntype = Maildir\nlocalfolders = {self.local}\nsep = /\n\n"
            "[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\n"
            f"remoteport = {account.port}\nremoteuser = {account.user}\nremotepass = {account.password}\n"
            "ssl = no\nstarttls = no\nauth_mechanisms = PLAIN, LOGIN\nmaxconnections = 1\n"
        )

    def sync(self, *options: str) -> str:
        said = run("offlineimap", "-c", str(self._config), "-o", *options, env={"HOME": str(self._base)}).decode()
        assert "ERROR" not in said, said
        return said

    def near(self, folder: str = "INBOX") -> Near:
        return Near(self.local / folder)


def alike(account: Account, client: OfflineImap, *folders: str) -> None:
    for folder in folders:
        assert client.near(folder).marked() == account.marked(folder), folder


def test_both_sides_change(account: Account, tmp_path: Path) -> None:
    needs("offlineimap")
    account.arrive(letters(COUNT))
    client = OfflineImap(account, tmp_path)
    client.sync()
    assert set(client.near().files()) == {id_of(n) for n in range(COUNT)}
    assert {path.name for path in client.local.iterdir()} == account.folders()
    alike(account, client, "INBOX")

    here = client.near()
    here.mark(id_of(0), "SF")
    here.mark(id_of(1), "R")
    here.remove(id_of(2))
    here.add(letters(1, 900)[0], "900.mine.here")
    client.near("Projects").make()
    client.near("Projects/2026").make().add(letters(1, 901)[0], "901.mine.here")
    far = account.client()
    far.create("Elsewhere")
    far.select("INBOX")
    far.store("2,5:6", "+FLAGS", r"(\Seen)")  # number 1 is marked on both sides
    far.uid("MOVE", "8", "Elsewhere")
    far.store("10", "+FLAGS", r"(\Deleted)")
    far.expunge()
    far.logout()
    account.arrive(letters(3, 800))
    client.sync()
    client.sync()  # what was uploaded in the first run is named after its UID in the second
    alike(account, client, "INBOX", "Elsewhere", "Projects/2026")
    inbox = account.marked()
    moved, deleted = id_of(7), id_of(10)
    assert set(inbox) == {id_of(n) for n in (*range(COUNT), 800, 801, 802, 900)} - {id_of(2), moved, deleted}
    assert inbox[id_of(0)] == {"\\Seen", "\\Flagged"}
    assert inbox[id_of(1)] == {"\\Seen", "\\Answered"}
    assert set(account.marked("Projects/2026")) == {id_of(901)}
    uids = [message.uid for message in account.seen()]
    client.sync("-q")
    client.sync()
    assert [message.uid for message in account.seen()] == uids
    alike(account, client, "INBOX")
