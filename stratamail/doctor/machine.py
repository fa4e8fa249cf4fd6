"""This machine: STATE, disk, certificates, ports, alerts. Blocks for seconds at most; reads only."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509

from stratamail.config.settings import GB, MB, Settings
from stratamail.doctor.finding import Finding, failure, ok, warning
from stratamail.doctor.hosts import endpoint_ports
from stratamail.store.layout import Layout
from stratamail.store.queue.alerts import Alert

PATIENCE = 3.0
# seconds
ALERTS_SHOWN = 7 * 86_400
SOON = timedelta(days=14)


def check(settings: Settings, running: bool, now: float, stored: Sequence[Alert]) -> Iterator[Finding]:
    """Every finding about this machine. ``running``: the server answered at its wake socket; ``now`` in seconds;
    ``stored`` are the alerts."""
    layout = Layout(settings.server.state)
    yield from state(layout)
    yield disk(layout, settings.limits.disk_reserve)
    yield from certificates(settings, now)
    yield from ports(settings, running)
    yield from alerts(stored, now)


def state(layout: Layout) -> Iterator[Finding]:
    if not os.access(layout.state, os.W_OK | os.X_OK):
        yield failure(
            "state", layout.state, "cannot be written", "run `stratamail init`, or give it to the server's user"
        )
        return
    try:
        same = os.stat(layout.spool).st_dev == os.stat(layout.mail).st_dev
    except FileNotFoundError as error:
        yield failure("state", str(error.filename), "is missing", "run `stratamail init`")
        return
    if same:
        yield ok("state", layout.state, "spool and mailboxes are on one filesystem")
    else:
        cure = "put STATE/spool and STATE/mail on one filesystem: messages are hard links from one to the other"
        yield failure("state", layout.state, "spool and mailboxes are on two filesystems", cure)
    yield links(layout)


def links(layout: Layout) -> Finding:
    """Whether the filesystem makes hard links at all (some network and FUSE ones do not)."""
    here = os.path.join(layout.spool, f".doctor-{os.getpid()}")
    there = os.path.join(layout.mail, f".doctor-{os.getpid()}")
    try:
        with open(here, "xb"):
            os.link(here, there)
    except OSError as error:
        return failure(
            "links", layout.state, f"no hard link can be made: {error}", "use a local filesystem such as ext4 or XFS"
        )
    finally:
        for path in (here, there):
            if os.path.exists(path):
                os.unlink(path)
    return ok("links", layout.state, "hard links work")


def disk(layout: Layout, reserve: int) -> Finding:
    try:
        free = shutil.disk_usage(layout.state).free
    except OSError as error:
        return failure("disk", layout.state, str(error), "run `stratamail init`")
    text = f"{free / GB:.1f} GB free, reserve {reserve / GB:.1f} GB"
    if free < reserve:
        cure = "free some space or lower [limits] disk-reserve: new mail is answered 452 until then"
        return failure("disk", layout.state, text, cure)
    if free < 2 * reserve + 500 * MB:
        return warning("disk", layout.state, text, "make room before the next outage: a day of mail must fit")
    return ok("disk", layout.state, text)


def certificates(settings: Settings, now: float) -> Iterator[Finding]:
    folder, hostname = settings.tls.certificates, settings.server.hostname
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".pem"))
    except OSError as error:
        yield failure(
            "tls", folder, f"cannot be read: {error.strerror}", "run `stratamail init`, or name the folder in [tls]"
        )
        return
    if f"{hostname}.pem" not in names:
        cure = f"put key and chain for {hostname} there, or run `stratamail init` for a self-signed one"
        yield failure("tls", folder, f"there is no {hostname}.pem", cure)
    for name in names:
        yield certificate(os.path.join(folder, name), now)


def certificate(path: str, now: float) -> Finding:
    """One PEM file: key and chain are there, and it is valid for some time yet."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        first = x509.load_pem_x509_certificates(data)[0]
    except PermissionError:
        # root has read it before it became the server's user; a renewed one cannot be read
        cure = "let the owner of STATE read it, such as by a group: else a renewed one is in force only after a restart"
        return failure("tls", path, "cannot be read by the server's user", cure)
    except (OSError, ValueError) as error:
        return failure("tls", path, f"cannot be used: {error}", "write key and certificate chain into it, PEM")
    if b"PRIVATE KEY-----" not in data:
        return failure("tls", path, "holds no private key", "append the key: one file has key and chain")
    left = first.not_valid_after_utc - datetime.fromtimestamp(now, UTC)
    if left < timedelta(0):
        return failure(
            "tls", path, f"expired {first.not_valid_after_utc:%Y-%m-%d}", "renew it; it is read again by itself"
        )
    if left < SOON:
        return warning(
            "tls", path, f"expires {first.not_valid_after_utc:%Y-%m-%d}", "renew it; it is read again by itself"
        )
    if first.issuer == first.subject:
        cure = "get one from a public authority: mail clients warn of this one"
        return warning("tls", path, "is self-signed", cure)
    return ok("tls", path, f"valid until {first.not_valid_after_utc:%Y-%m-%d}")


def ports(settings: Settings, running: bool) -> Iterator[Finding]:
    if not running:
        yield warning("ports", "server", "does not run", "start it: twistd -n stratamail --config FILE")
        return
    for door in ("smtp", "submission", "submissions", "imap", "imaps", "http"):
        for endpoint in getattr(settings.listen, door):
            for host, port in endpoint_ports(endpoint):
                yield _port(door, host, port)


def _port(door: str, host: str, port: int) -> Finding:
    subject = f"{door} {host}:{port}"
    # a listener on every address is asked on the loopback one
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        socket.create_connection((target, port), PATIENCE).close()
    except OSError as error:
        return failure("ports", subject, f"does not answer: {error}", "look into the server's log: was the port taken?")
    return ok("ports", subject, "answers")


def alerts(stored: Sequence[Alert], now: float) -> Iterator[Finding]:
    """What the server had to tell a person in the last week, newest first; no channel carries it yet."""
    since = (now - ALERTS_SHOWN) * 1_000_000
    recent = [alert for alert in stored if alert.at >= since]
    if not recent:
        yield ok("alerts", "last 7 days", "none; they are shown here, no channel sends them yet")
    for alert in recent:
        when = datetime.fromtimestamp(alert.at / 1_000_000, UTC).isoformat(timespec="seconds")
        cure = "see to it; it is shown for 7 days"
        yield warning("alerts", f"{when} {alert.domain or 'this server'} {alert.kind}", alert.text, cure)
