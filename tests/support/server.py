"""The server under test as an operator runs it: a process, free loopback ports, a STATE of its own, set up by the CLI.

Everything lies below one new temporary folder, so that two checkouts can test at the same time.
"""

from __future__ import annotations

import atexit
import imaplib
import json
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from stratamail.cli.main import main
from tests.support.ports import free_port
from tests.support.talk import Talk
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse 9"
DOORS = ("smtp", "submission", "submissions", "imap", "imaps", "http")
_CLI = "from stratamail.cli.main import main; main()"


_running: set[subprocess.Popen[bytes]] = set()


@atexit.register
def _end_what_is_left() -> None:
    """A run that broke off leaves no server behind."""
    for process in _running:
        if process.poll() is None:
            process.kill()


class Refused(Exception):
    """The CLI ended with another status than 0. ``status``, ``output`` and ``reason`` (stderr)."""

    def __init__(self, status: int, output: str, reason: str) -> None:
        super().__init__(f"exit {status}: {reason or output}")
        self.status = status
        self.output = output
        self.reason = reason


def folder(name: str = "strata") -> Path:
    """A new folder that unprivileged daemons can enter too (pytest's own cannot be entered by them)."""
    made = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    made.chmod(0o755)
    return made


class Server:
    """One server. ``settings`` overrides keys per table: ``{"limits": {"message-size": "1MB"}}``; None removes a key.

    ``wrap`` is put in front of the command line, ``environ`` added to its environment.
    """

    def __init__(
        self,
        settings: dict[str, dict[str, Any]] | None = None,
        *,
        wrap: Sequence[str] = (),
        environ: dict[str, str] | None = None,
        base: Path | None = None,
    ) -> None:
        self.base = base or folder()
        self.state = self.base / "state"
        self.certificates = self.base / "tls"
        self.config = self.base / "stratamail.toml"
        self.log = self.base / "server.log"
        self.ports = {door: free_port() for door in DOORS}
        self.process: subprocess.Popen[bytes] | None = None
        self._wrap = list(wrap)
        self._environ = environ or {}
        self.write_config(settings or {})

    def write_config(self, settings: dict[str, dict[str, Any]]) -> None:
        tables: dict[str, dict[str, Any]] = {
            "server": {"hostname": "mx.strata.example", "state": str(self.state)},
            "listen": {door: [f"tcp:{port}:interface=127.0.0.1"] for door, port in self.ports.items()},
            "tls": {"certificates": str(self.certificates)},
            "relay": {"retry-every": "2s", "resolver": "127.0.0.1:9"},
            "probe": {"every": "1s", "open": "2 of 3", "close": "1 of 1", "quiet": "1s"},
            "limits": {"disk-reserve": "10MB", "connections-per-peer": 500},
        }
        for table, keys in settings.items():
            tables.setdefault(table, {}).update(keys)
        lines = []
        for table, keys in tables.items():
            lines.append(f"[{table}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
        self.config.write_text("\n".join(lines) + "\n")
        self.certificates.mkdir(exist_ok=True)

    # the command line
    def cli(self, *words: str, stdin: str = "") -> str:
        """Runs one command in this process, which saves the start of Python; its stdout. Raises :class:`Refused`."""
        mask = os.umask(0o022)
        try:
            done = CliRunner().invoke(main, ["--config", str(self.config), *words], input=stdin)
        finally:
            os.umask(mask)  # the command line sets its own
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        if done.exit_code:
            raise Refused(done.exit_code, done.stdout, done.stderr)
        return done.stdout

    def command(self, *words: str, stdin: str = "") -> str:
        """The same in a process of its own, as people run it."""
        done = subprocess.run(
            [sys.executable, "-c", _CLI, "--config", str(self.config), *words],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise Refused(done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.cli(*words, "--json"))

    def add_domain(self, domain: str, primary: str, *options: str) -> None:
        self.cli("domain", "add", domain, "--primary", primary, *options)

    def add_mailboxes(self, *addresses: str) -> None:
        for address in addresses:
            self.cli("mailbox", "add", address, "--password-stdin", stdin=PASSWORD + "\n")

    def queue(self, *options: str) -> list[dict[str, Any]]:
        listing: list[dict[str, Any]] = self.json("queue", "list", *options)
        return listing

    def status(self, domain: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status", domain)
        return found

    def wait_state(self, domain: str, state: str, seconds: float = 20.0) -> None:
        until(lambda: self.status(domain)["primary_state"] == state, f"{domain} {state}", seconds, 0.2)

    def wait_flushed(self, domain: str, seconds: float = 30.0) -> None:
        """Nothing is owed to the primary any more, but what is held."""
        until(lambda: self.status(domain)["queued"] == 0, f"the queue of {domain} is empty", seconds, 0.2)

    # the process
    def start(self, seconds: float = 30.0, check: str = "readyz") -> Server:
        """Returns when ``/readyz`` (or ``check``) says yes; AssertionError with the log when it ends before."""
        assert self.process is None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *self._wrap,
                    sys.executable,
                    "-m",
                    "twisted",
                    "--log-format=text",
                    "stratamail",
                    "--config",
                    str(self.config),
                ],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=os.environ | self._environ,
                start_new_session=True,
            )
        _running.add(self.process)
        until(lambda: self._says_yes(check), f"the server starts; its log: {self.log}", seconds, 0.02)
        return self

    def _says_yes(self, check: str) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.tail()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}/{check}", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self, seconds: float = 40.0) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)
        self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self, keep: bool = False) -> None:
        if self.process is not None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        if not keep:
            shutil.rmtree(self.base, ignore_errors=True)

    def memory(self) -> int:
        """Resident octets of the process."""
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    # clients
    def talk(self, door: str, **options: Any) -> Talk:
        return Talk(self.ports[door], **options)

    def deliver(self, data: bytes, recipients: Sequence[str], sender: str = "anna@news.example") -> bytes:
        """One message on a connection of its own at the smtp door; the reply to the dot."""
        with self.talk("smtp") as talk:
            talk.greet()
            return talk.deliver(sender, list(recipients), data)

    def imap(self, user: str, password: str = PASSWORD) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=30)
        client.login(user, password)
        return client

    def submission(self, user: str, password: str = PASSWORD) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.ports["submission"], timeout=30)
        client.login(user, password)
        return client

    def shown(self, user: str, mailbox: str = "INBOX") -> list[bytes]:
        """Every message of a mailbox as IMAP gives it, in order of UID."""
        client = self.imap(user)
        try:
            client.select(mailbox, readonly=True)
            _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        finally:
            client.logout()
        return [item[1] for item in found if isinstance(item, tuple)]

    def spooled(self) -> dict[str, bytes]:
        """Every spool file by id."""
        return {path.name: path.read_bytes() for path in self.state.glob("spool/*/*") if path.parent.name != "lost"}


def without_trace(message: bytes) -> bytes:
    """A message of ours without the Received field on top of it."""
    assert message.startswith(b"Received:"), message[:200]
    at = 0
    while True:
        at = message.index(b"\r\n", at) + 2
        if message[at : at + 1] not in (b" ", b"\t"):
            return message[at:]
