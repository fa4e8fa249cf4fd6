"""Debian's Dovecot as a second opinion on what an IMAP server says of a message: private folder, loopback, no login
delay. Runs as root or not; everything lies below one new temporary folder."""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

from stratamail.net.certificate import make
from tests.support.ports import free_port
from tests.support.server import folder
from tests.support.waiting import until

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_CONFIG = """
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain login
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
mail_location = maildir:~/Maildir
first_valid_uid = 1
mail_max_userip_connections = 1000
first_valid_gid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}
}}
namespace inbox {{
  inbox = yes
{folders}
}}
"""
_FOLDERS = "  separator = /\n" + "".join(
    f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}\n"
    for name in ("Archive", "Drafts", "Junk", "Sent", "Trash")
)


def required() -> None:
    """Skips the test where there is no Dovecot, or no root to run it as another user."""
    if PROGRAM is None or os.geteuid():
        pytest.skip("needs dovecot-imapd and root")


class Dovecot:
    """Runs while it is entered; :meth:`client` is signed in and has a new INBOX selected.

    One mailbox for all names, without TLS. With ``homes`` each user has a mailbox of their own, ``home/NAME/Maildir``,
    with "/" between folders and the usual five folders; and there is TLS with a certificate for localhost.
    """

    def __init__(self, homes: bool = False) -> None:
        self.base = folder("dovecot")
        self.port = free_port()
        self.tls_port = free_port() if homes else 0
        self._homes = homes
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Dovecot:
        assert PROGRAM is not None
        config = self.base / "dovecot.conf"
        tls, folders, home = "ssl = no", "", f"{self.base}/home"
        if self._homes:
            pem = self.base / "localhost.pem"
            pem.write_bytes(make("localhost", time.time()))
            tls = f"ssl = yes\nssl_cert = <{pem}\nssl_key = <{pem}"
            folders, home = _FOLDERS, f"{home}/%n"
        config.write_text(
            _CONFIG.format(
                base=self.base, port=self.port, tls_port=self.tls_port, user="nobody", group="nogroup",
                tls=tls, folders=folders, home=home,
            )
        )  # fmt: skip
        for name in ("run", "home"):
            made = self.base / name
            made.mkdir()
            shutil.chown(made, "nobody", "nogroup")
        self._process = subprocess.Popen([PROGRAM, "-F", "-c", str(config)])
        until(self._answers, f"Dovecot starts; its log: {self.base}/log", 20.0, 0.05)
        return self

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, Path(self.base, "log").read_text(errors="replace")
        try:
            imaplib.IMAP4("127.0.0.1", self.port, timeout=5).logout()
        except (OSError, imaplib.IMAP4.error):
            return False
        return True

    @property
    def pid(self) -> int:
        """The process whose children serve the sessions."""
        assert self._process is not None
        return self._process.pid

    def client(self, user: str = "anna") -> imaplib.IMAP4:
        made = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        made.login(user, "secret")
        made.select()
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        shutil.rmtree(self.base, ignore_errors=True)
