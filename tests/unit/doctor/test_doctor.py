"""What the doctor finds on this machine and at a primary."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from stratamail.config.settings import GB, Limits, Listen, Server, Settings, Tls
from stratamail.doctor import domain as domains
from stratamail.doctor import machine
from stratamail.doctor.finding import FAILURE, OK, WARNING, Finding
from stratamail.doctor.hosts import endpoint_ports, is_ours, lookup_problem
from stratamail.net import certificate
from stratamail.store.layout import Layout
from stratamail.store.queue.alerts import Alert
from stratamail.store.queue.deliveries import Counts
from stratamail.tenancy.model import Domain, HostPort

NOW = 1_800_000_000.0
YEAR = 365 * 86400.0


def levels(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    found = list(findings)
    assert all(finding.cure for finding in found if finding.level != OK)
    assert not any(finding.cure for finding in found if finding.level == OK)
    return [(finding.check, finding.level) for finding in found]


def test_state(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "state"))
    assert levels(machine.state(layout)) == [("state", FAILURE)]
    os.makedirs(layout.spool)
    assert levels(machine.state(layout)) == [("state", FAILURE)]
    os.makedirs(layout.mail)
    assert levels(machine.state(layout)) == [("state", OK), ("links", OK)]
    assert os.listdir(layout.spool) == []
    assert os.listdir(layout.mail) == []


def test_disk(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    assert machine.disk(layout, 0).level == OK
    assert machine.disk(layout, 10**9 * GB).level == FAILURE
    assert machine.disk(Layout(str(tmp_path / "none")), 0).level == FAILURE


def test_a_certificate_for_roots_eyes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine, "open", refuse, raising=False)
    found = machine.certificate("/tls/mx.example.pem", NOW)
    assert (found.level, "restart" in found.cure) == (FAILURE, True)


def test_certificates(tmp_path: Path) -> None:
    settings = Settings(Server("mx.example"), tls=Tls(str(tmp_path / "tls")))
    assert levels(machine.certificates(settings, NOW)) == [("tls", FAILURE)]
    path = certificate.ensure(str(tmp_path / "tls"), "mx.example", NOW)
    assert path is not None
    assert levels(machine.certificates(settings, NOW)) == [("tls", WARNING)]
    assert machine.certificate(path, NOW + 20 * YEAR).level == FAILURE
    (tmp_path / "tls" / "other.pem").write_bytes(b"junk")
    assert ("tls", FAILURE) in levels(machine.certificates(settings, NOW))
    text = Path(path).read_bytes()
    Path(path).write_bytes(text[text.index(b"-----BEGIN CERT") :])
    assert machine.certificate(path, NOW).text == "holds no private key"


class Peer:
    """Says one line after the other, each when the other side has spoken."""

    def __init__(self, *lines: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = HostPort("127.0.0.1", self._listener.getsockname()[1])
        self._lines = lines
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as heard:
            for line in self._lines:
                connection.sendall(line)
                if not heard.readline():
                    return

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(*lines: bytes) -> Peer:
        made.append(Peer(*lines))
        return made[-1]

    yield make
    for one in made:
        one.close()


SETTINGS = Settings(Server("mx.example"), Listen(smtp=()), limits=Limits(message_size=1000))


@pytest.mark.parametrize(
    ("lines", "tls", "level", "words"),
    [
        ((b"220 hi\r\n", b"250-mx\r\n250 SIZE 5000\r\n", b"221 bye\r\n"), "", OK, "answers"),
        ((b"220 hi\r\n", b"250-mx\r\n250 SIZE 500\r\n", b"221 bye\r\n"), "", WARNING, "500 bytes"),
        ((b"220 hi\r\n", b"250 mx\r\n", b"221 bye\r\n"), "encrypt", FAILURE, "STARTTLS"),
        ((b"554 no\r\n", b"221 bye\r\n"), "", FAILURE, "554"),
        ((b"220 hi\r\n", b"550 go away\r\n", b"221 bye\r\n"), "", FAILURE, "550"),
        ((b"SSH-2.0-x\r\n",), "", FAILURE, ""),
    ],
)
def test_what_a_primary_answers(
    peer: Callable[..., Peer], lines: tuple[bytes, ...], tls: str, level: str, words: str
) -> None:
    host = peer(*lines).host
    found = domains.answers(Domain(1, 1, "a.example", (host,), tls=tls), host, SETTINGS)
    assert found.level == level
    assert words in found.text


def test_a_primary_that_is_not_there_or_ourselves() -> None:
    settings = Settings(Server("mx.example"), Listen(smtp=("tcp:2525",)))
    ours = Domain(1, 1, "a.example", (HostPort("127.0.0.1", 2525),))
    assert levels(domains.primary(ours, ours.primaries[0], settings)) == [("dns", OK), ("primary", FAILURE)]
    lost = Domain(1, 1, "a.example", (HostPort("nowhere.invalid", 25),))
    assert levels(domains.primary(lost, lost.primaries[0], settings)) == [("dns", FAILURE)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = Domain(1, 1, "a.example", (HostPort("127.0.0.1", port),))
    assert levels(domains.primary(gone, gone.primaries[0], settings)) == [("dns", OK), ("primary", FAILURE)]


def test_lists_and_held() -> None:
    domain = Domain(1, 1, "a.example", unknown="reject", filter="proofpoint")
    assert domains.recipients(domain, 0).level == FAILURE
    assert domains.recipients(domain, 3).level == OK
    assert domains.recipients(Domain(1, 1, "a.example"), 0).level == WARNING
    listed = Domain(1, 1, "a.example", trust=(ip_network("192.0.2.0/24"),))
    assert domains.trust(listed).text == "192.0.2.0/24"
    assert "7 recipients were put off" in domains.trust(listed, 7).text
    assert domains.trust(domain).level == WARNING
    assert domains.trust(Domain(1, 1, "a.example")).level == OK
    assert domains.held(domain, Counts(held=2)).level == WARNING
    assert domains.held(domain, Counts()).level == OK


def test_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = Listen((f"tcp:{port}",), (), (), (), (), ())
        settings = Settings(Server("mx.example"), listen)
        assert levels(machine.ports(settings, False)) == [("ports", WARNING)]
        assert levels(machine.ports(settings, True)) == [("ports", OK)]
    assert levels(machine.ports(settings, True)) == [("ports", FAILURE)]


def test_endpoints() -> None:
    assert endpoint_ports("tcp:25") == [("0.0.0.0", 25)]
    assert endpoint_ports("tcp6:port=25") == [("::", 25)]
    assert endpoint_ports(r"tcp6:25:interface=\:\:1") == [("::1", 25)]
    assert endpoint_ports("unix:/x") == []


def test_hosts() -> None:
    listen = Listen(smtp=("tcp:2525:interface=127.0.0.1",))
    assert is_ours(HostPort("localhost", 2525), listen)
    assert not is_ours(HostPort("127.0.0.2", 2525), listen)
    assert not is_ours(HostPort("127.0.0.1", 2526), listen)
    assert is_ours(HostPort("127.0.0.1", 587), listen)
    assert lookup_problem(HostPort("192.0.2.1")) == ""
    assert "not found" in lookup_problem(HostPort("nowhere.invalid"))


def test_alerts_of_the_last_week_are_shown() -> None:
    assert levels(machine.alerts([], NOW)) == [("alerts", OK)]
    fresh = Alert(2, int((NOW - 60) * 1_000_000), "acme.example", "held", "3 messages were refused")
    old = Alert(1, int((NOW - 8 * 86_400) * 1_000_000), "", "sync-failed", "The disk fails")
    found = list(machine.alerts([fresh, old], NOW))
    assert levels(found) == [("alerts", WARNING)]
    assert "acme.example held" in found[0].subject
    assert found[0].text == "3 messages were refused"
