"""Debian's Postfix as a primary that stops and comes back, and as the filter in front, each configured by itself.

Nothing below /etc/postfix is touched. Needs root (Postfix's master does).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from attrs import frozen

from tests.support.ports import free_port
from tests.support.server import folder
from tests.support.waiting import until

_QUEUE_ID = re.compile(rb"E?SMTPS? id ([0-9A-Za-z]+)")
# the long queue id of Postfix counts seconds and microseconds in these digits, then "z" and the inode
_SERVICES = """\
127.0.0.1:{port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


def required() -> None:
    """Skips the test where Postfix cannot run."""
    if shutil.which("postfix") is None and not os.path.exists("/usr/sbin/postfix"):
        pytest.skip("Postfix is not installed")
    if os.geteuid() != 0:
        pytest.skip("Postfix needs root")


@frozen
class Delivered:
    """A message in the primary's Maildir, with LF line ends as Postfix writes it. ``order`` sorts by acceptance."""

    recipient: str
    order: str
    data: bytes


class Postfix:
    """One instance; ``settings`` are lines of main.cf that decide its part."""

    def __init__(self, name: str, settings: dict[str, str]) -> None:
        self.base = folder(f"strata-{name}")
        self.port = free_port()
        self.etc = self.base / "etc"
        self.mail = self.base / "mail"
        for part in ("etc", "spool", "data", "mail"):
            (self.base / part).mkdir()
        shutil.chown(self.base / "data", "postfix")
        shutil.chown(self.mail, "nobody")
        common = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.base / "spool"),
            "data_directory": str(self.base / "data"),
            "command_directory": "/usr/sbin",
            "daemon_directory": "/usr/lib/postfix/sbin",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": str(self.base / "log"),
            "maillog_file_prefixes": str(self.base),
            "myhostname": f"{name}.example",
            "mydestination": "",
            "alias_maps": "",
            "alias_database": "",
            "inet_interfaces": "loopback-only",
            "inet_protocols": "ipv4",
            "mynetworks": "",
            "enable_long_queue_ids": "yes",
            "local_header_rewrite_clients": "",
            "message_drop_headers": "",
            "message_size_limit": "104857600",
            "virtual_mailbox_limit": "0",
            "smtpd_peername_lookup": "no",
            "disable_dns_lookups": "yes",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_client_connection_count_limit": "0",
            "in_flow_delay": "0",
            "smtp_tls_security_level": "may",
        }
        lines = [f"{key} = {value}" for key, value in (common | settings).items()]
        (self.etc / "main.cf").write_text("\n".join(lines) + "\n")
        (self.etc / "master.cf").write_text(_SERVICES.format(port=self.port))

    @classmethod
    def primary(cls, domain: str) -> Postfix:
        """Where mail of ``domain`` belongs: virtual(8) writes every address into one Maildir."""
        return cls(
            "primary",
            {
                "virtual_mailbox_domains": domain,
                "virtual_mailbox_base": "",
                "virtual_mailbox_maps": "static:all/",
                "virtual_uid_maps": "static:65534",
                "virtual_gid_maps": "static:65534",
                "virtual_destination_recipient_limit": "1",
                "smtpd_relay_restrictions": "reject_unauth_destination",
            },
        )._with_base()

    @classmethod
    def filter(cls, domain: str, primary_port: int, fallback_port: int) -> Postfix:
        """In front of the primary: relays to it, and to us what it does not take for the moment."""
        return cls(
            "filter",
            {
                "relay_domains": domain,
                "relay_transport": f"smtp:[127.0.0.1]:{primary_port}",
                "smtp_fallback_relay": f"[127.0.0.1]:{fallback_port}",
                "smtpd_relay_restrictions": "reject_unauth_destination",
                "minimal_backoff_time": "2s",
                "queue_run_delay": "2s",
                "smtp_destination_concurrency_limit": "5",
                # else a connection kept open to the fallback takes mail for 2 s after the primary is back
                "smtp_connection_cache_on_demand": "no",
            },
        )

    def _with_base(self) -> Postfix:
        with (self.etc / "main.cf").open("a") as file:
            file.write(f"virtual_mailbox_base = {self.mail}\n")
        return self

    def __enter__(self) -> Postfix:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def start(self) -> None:
        self._postfix("start")
        until(self._listening, f"Postfix listens on {self.port}")

    def stop(self) -> None:
        """As an administrator stops it; returns when it is down."""
        self._postfix("stop")
        until(lambda: not self._listening(), "Postfix is down")

    def _postfix(self, verb: str) -> None:
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self.etc), verb], capture_output=True, timeout=60, check=verb == "start"
        )

    def _listening(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
                return sock.recv(4) == b"220 "
        except OSError:
            return False

    def log(self) -> str:
        path = self.base / "log"
        return path.read_text() if path.exists() else ""

    def queued(self) -> int:
        """Messages that it has not yet passed on."""
        spool = self.base / "spool"
        return sum(
            1
            for part in ("incoming", "active", "deferred", "maildrop")
            for file in (spool / part).rglob("*")
            if file.is_file()
        )

    def delivered(self) -> list[Delivered]:
        """What is in its Maildir, in the order in which it was accepted."""
        found = [_read(path) for path in sorted((self.mail / "all" / "new").glob("*"))]
        return sorted(found, key=lambda message: message.order)

    def count(self) -> int:
        new = self.mail / "all" / "new"
        return len(os.listdir(new)) if new.exists() else 0


def _read(path: Path) -> Delivered:
    data = path.read_bytes()
    head = data[: data.find(b"\n\n") + 1]
    to = re.search(rb"^Delivered-To: (.*)$", head, re.MULTILINE)
    queue_id = _QUEUE_ID.search(head)
    assert to is not None and queue_id is not None, head
    return Delivered(to[1].decode(), queue_id[1].decode()[:10], data)
