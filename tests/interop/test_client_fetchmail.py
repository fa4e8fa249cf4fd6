"""fetchmail over IMAP: new mail handed to a delivery program, kept or deleted there; idling for more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.client_servers import Account, id_of, letters, needs, run
from tests.support.local_maildir import Near
from tests.support.waiting import until

pytestmark = pytest.mark.interop


class Fetchmail:
    """Messages end in the Maildir :attr:`near`, by a delivery program of a few lines."""

    def __init__(self, account: Account, base: Path, options: str = "", tls: bool = False) -> None:
        self.near = Near(base / "mail").make()
        drop = self.near.program(base / "drop")
        port = account.tls_port if tls else account.port
        ssl = "ssl no sslcertck" if tls else 'sslproto ""'
        self._config = base / "fetchmailrc"
        self._config.write_text(
            f'poll 127.0.0.1 service {port} protocol IMAP timeout 20\n  username "{account.user}" '
            f'password "{account.password}" {ssl} {options} mda "{drop}"\n'
        )
        self._config.chmod(0o600)
        self.words = (
            *("fetchmail", "-f", str(self._config), "--nosyslog", "--pidfile", str(base / "pid")),
            *("--idfile", str(base / "ids"), "--nodetach"),
        )  # fmt: skip
        self.env = {"HOME": str(base), "FETCHMAILHOME": str(base)}

    def fetch(self, *options: str, found: bool = True) -> None:
        """One run; its exit status says whether there was mail."""
        run(*self.words, *options, env=self.env, status=(0,) if found else (1,))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_it_fetches_and_keeps(account: Account, tmp_path: Path, tls: bool) -> None:
    needs("fetchmail")
    account.arrive(letters(6))
    client = Fetchmail(account, tmp_path, "keep", tls=tls)
    client.fetch()
    assert set(client.near.files()) == {id_of(n) for n in range(6)}
    assert account.marked() == {id_of(n): {"\\Seen"} for n in range(6)}
    client.fetch(found=False)  # everything has been seen
    account.arrive(letters(1, 30))
    client.fetch()
    assert set(client.near.files()) == {id_of(n) for n in (*range(6), 30)}


def test_it_fetches_and_deletes(account: Account, tmp_path: Path) -> None:
    needs("fetchmail")
    account.arrive(letters(6))
    client = Fetchmail(account, tmp_path, "fetchall nokeep expunge 2")
    client.fetch()
    assert set(client.near.files()) == {id_of(n) for n in range(6)}
    assert account.count() == 0
    client.fetch(found=False)


def test_it_idles(account: Account, tmp_path: Path) -> None:
    needs("fetchmail")
    account.arrive(letters(1))
    client = Fetchmail(account, tmp_path, "idle keep")
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(client.words, env=client.env | {"PATH": "/usr/bin:/bin"}, stdout=log, stderr=log)
    try:
        until(lambda: id_of(0) in client.near.files(), "the first message is fetched")
        account.arrive(letters(2, 10))
        until(lambda: len(client.near.files()) == 3, "the messages that came while it was idling are fetched")
        assert running.poll() is None
    finally:
        running.terminate()
        running.wait(20)
