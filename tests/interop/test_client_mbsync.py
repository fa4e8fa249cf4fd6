"""mbsync (isync) in both directions: a mailbox here and one there, both changed, alike after each run."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs, run
from tests.support.local_maildir import Near
from tests.support.sizes import sized

pytestmark = pytest.mark.interop

COUNT = sized(200, 1_000)


class Mbsync:
    """One local store; ``sync`` is one run over all folders."""

    def __init__(self, account: Account, base: Path, *, kind: str = "None") -> None:
        self.local = base / "mail"
        self.local.mkdir(parents=True)
        self._config = base / "mbsyncrc"
        port = account.tls_port if kind == "IMAPS" else account.port
        certificate = ""
        if kind != "None":
            trusted = base / "trusted.pem"
            trusted.write_text(ssl.get_server_certificate(("127.0.0.1", account.tls_port)))
            certificate = f"CertificateFile {trusted}\n"
        self._config.write_text(
            f"IMAPAccount far\nHost localhost\nPort {port}\nUser {account.user}\n"
            f'Pass "{account.password}"\nSSLType {kind}\n{certificate}AuthMechs *\n\nIMAPStore far\nAccount far\n\n'
            f"MaildirStore near\nPath {self.local}/\nInbox {self.local}/INBOX\nSubFolders Verbatim\n\n"
            "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nRemove Both\nExpunge Both\nSyncState *\n"
            "CopyArrivalDate yes\n"
        )

    def sync(self) -> None:
        run("mbsync", "-c", str(self._config), "-a", seconds=300)

    def near(self, folder: str = "INBOX") -> Near:
        return Near(self.local / folder)


def _bare(message: bytes) -> bytes:
    """Without the line by which it finds again what it has copied."""
    return b"".join(line for line in message.splitlines(keepends=True) if not line.startswith(b"X-TUID: "))


def alike(account: Account, client: Mbsync, *folders: str) -> None:
    """Each folder holds the same messages with the same flags on both sides."""
    for folder in folders:
        there = account.marked(folder)
        here = client.near(folder).marked()
        assert here == there, folder


def test_everything_comes_and_both_sides_change(account: Account, tmp_path: Path) -> None:
    needs("mbsync")
    account.arrive(letters(COUNT))
    client = Mbsync(account, tmp_path)
    client.sync()
    assert len(client.near().files()) == COUNT
    for name, path in client.near().files().items():
        number = int(name.split(".")[1].split("@")[0])
        assert _bare(path.read_bytes()).endswith(letters(1, number)[0].replace(b"\r\n", b"\n"))
    alike(account, client, "INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash")

    # here: flags, deletions, new messages, a new folder with a folder in it
    here = client.near()
    for number in range(0, COUNT, 10):
        here.mark(id_of(number), "S")
    here.mark(id_of(1), "FRS")
    here.remove(id_of(2))
    here.mark(id_of(3), "T")
    for number in range(5_000, 5_010):
        here.add(letters(1, number)[0], f"{number}.mine.here")
    client.near("Projekte/K&APY-ln").make().add(letters(1, 6_000)[0], "6000.mine.here")
    client.near("Projekte").make()
    # there: the same, and what contradicts it
    far = account.client()
    far.select("INBOX")
    uid = {message.message_id: str(message.uid) for message in account.seen()}
    far.uid("STORE", ",".join(uid[id_of(n)] for n in range(5, COUNT, 10)), "+FLAGS", r"(\Flagged)")
    far.uid("STORE", uid[id_of(1)], "+FLAGS", r"(\Flagged \Draft)")  # Flagged on both sides
    far.uid("STORE", f"{uid[id_of(3)]},{uid[id_of(4)]},{uid[id_of(10)]}", "+FLAGS", r"(\Deleted)")
    far.uid("EXPUNGE", f"{uid[id_of(3)]},{uid[id_of(4)]},{uid[id_of(10)]}")  # 3 goes on both, 10 was read here
    far.create("There")
    far.uid("MOVE", uid[id_of(11)], "There")
    far.uid("COPY", uid[id_of(12)], "Archive")
    far.logout()
    account.arrive(letters(10, 7_000))
    client.sync()

    alike(account, client, "INBOX", "Archive", "There", "Projekte")
    inbox = account.marked()
    gone = {id_of(n) for n in (2, 3, 4, 10, 11)}
    came = {id_of(n) for n in (*range(5_000, 5_010), *range(7_000, 7_010))}
    assert set(inbox) == ({id_of(n) for n in range(COUNT)} - gone) | came
    assert inbox[id_of(0)] == {"\\Seen"}
    assert inbox[id_of(15)] == {"\\Flagged"}
    assert inbox[id_of(1)] == {"\\Seen", "\\Flagged", "\\Answered", "\\Draft"}
    assert set(account.marked("There")) == {id_of(11)}
    assert set(account.marked("Archive")) == {id_of(12)}
    assert set(account.marked("Projekte/K&APY-ln")) == {id_of(6_000)}

    # nothing is left to do: a further run changes neither side
    before = {path.name for path in client.near().files().values()}
    uids = [message.uid for message in account.seen()]
    client.sync()
    assert {path.name for path in client.near().files().values()} == before
    assert [message.uid for message in account.seen()] == uids


def test_deleted_on_both_sides_and_folders_that_go(account: Account, tmp_path: Path) -> None:
    needs("mbsync")
    account.arrive(letters(6))
    client = Mbsync(account, tmp_path)
    far = account.client()
    far.create("Old")
    far.select("INBOX")
    far.copy("1", "Old")
    client.sync()
    assert set(client.near("Old").files()) == {id_of(0)}
    client.near().remove(id_of(0))
    far.store("1:2", "+FLAGS.SILENT", r"(\Deleted)")
    far.expunge()
    far.unselect()
    client.near().mark(id_of(1), "S")  # read here, deleted there
    far.select("Old")
    far.store("1", "+FLAGS", r"(\Deleted)")
    far.close()
    assert far.delete("Old")[0] == "OK"
    client.sync()
    client.sync()
    assert set(client.near().files()) == {id_of(n) for n in range(2, 6)}
    alike(account, client, "INBOX")
    assert "Old" not in account.folders()
    far.logout()


def test_two_copies_of_one_mailbox_agree(account: Account, tmp_path: Path) -> None:
    """A laptop and a desktop, each with its own Maildir: what one does reaches the other through the server."""
    needs("mbsync")
    account.arrive(letters(20))
    first, second = Mbsync(account, tmp_path / "first"), Mbsync(account, tmp_path / "second")
    first.sync()
    second.sync()
    first.near().mark(id_of(0), "S")
    first.near().remove(id_of(1))
    first.near("Archive").add(letters(1, 100)[0], "100.first.here")
    second.near().mark(id_of(0), "F")
    second.near().remove(id_of(2))
    second.near("Archive").add(letters(1, 101)[0], "101.second.here")
    for client in (first, second, first):
        client.sync()
    alike(account, first, "INBOX", "Archive")
    alike(account, second, "INBOX", "Archive")
    assert account.marked()[id_of(0)] == {"\\Seen", "\\Flagged"}
    assert set(account.marked()) == {id_of(n) for n in range(20)} - {id_of(1), id_of(2)}
    assert set(account.marked("Archive")) == {id_of(100), id_of(101)}


@pytest.mark.parametrize("kind", ["IMAPS", "STARTTLS"])
def test_over_tls_with_a_checked_certificate(account: Account, tmp_path: Path, kind: str) -> None:
    needs("mbsync")
    account.arrive(letters(3))
    client = Mbsync(account, tmp_path, kind=kind)
    client.sync()
    alike(account, client, "INBOX")
