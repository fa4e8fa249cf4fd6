"""The whole story with Debian's Postfix on both sides: the filter in front, and the primary that goes down."""

from __future__ import annotations

import hashlib
import re
import smtplib
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

import pytest
from attrs import frozen

from stratamail.mail import dkim
from tests.support import corpus, postfix
from tests.support.postfix import Delivered, Postfix
from tests.support.server import PASSWORD, Server, without_trace
from tests.support.sizes import sized
from tests.support.waiting import until
from tests.support.watch import Watcher

pytestmark = pytest.mark.interop

DOMAIN = "acme.example"
USERS = tuple(f"{name}@{DOMAIN}" for name in ("ben", "carla", "dirk", "eva"))
COUNT = sized(300, 1200)
_NUMBER = re.compile(rb"^Message-ID: <sample\.(\d+)@", re.MULTILINE)


@frozen
class Stage:
    server: Server
    primary: Postfix
    front: Postfix


@pytest.fixture
def stage() -> Iterator[Stage]:
    postfix.required()
    server = Server()
    try:
        server.cli("init")
        with Postfix.primary(DOMAIN) as primary:
            server.add_domain(DOMAIN, f"127.0.0.1:{primary.port}")
            server.add_mailboxes(*USERS)
            server.start()
            with Postfix.filter(DOMAIN, primary.port, server.ports["smtp"]) as front:
                yield Stage(server, primary, front)
    finally:
        server.close()


def recipients(number: int) -> list[str]:
    """One mailbox in turn; every tenth message goes to two."""
    chosen = [USERS[number % len(USERS)]]
    return chosen + ([USERS[(number + 1) % len(USERS)]] if number % 10 == 0 else [])


def give(port: int, numbers: range) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        for number in numbers:
            client.sendmail("anna@news.example", recipients(number), corpus.sample(number).data, ["BODY=8BITMIME"])


def number_of(data: bytes) -> int:
    found = _NUMBER.search(data)
    assert found is not None, data[:500]
    return int(found[1])


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def test_an_outage_of_three_hundred_messages(stage: Stage) -> None:
    server, primary, front = stage.server, stage.primary, stage.front
    server.wait_state(DOMAIN, "up")

    # the primary is up: nothing passes through us
    give(front.port, range(1000, 1020))
    until(lambda: front.queued() == 0, "the filter has passed on everything")
    assert server.queue("--all") == []
    before = primary.count()
    assert before == sum(len(recipients(n)) for n in range(1000, 1020))

    # it goes down: everything fails over to us, message by message
    primary.stop()
    watchers = {user: Watcher(server.ports["imap"], user, PASSWORD) for user in USERS}
    givers = [
        threading.Thread(target=give, args=(front.port, range(start, start + COUNT // 3)))
        for start in range(0, COUNT, COUNT // 3)
    ]
    for giver in givers:
        giver.start()
    for giver in givers:
        giver.join()
    expected = Counter(user for number in range(COUNT) for user in recipients(number))
    until(lambda: {u: w.count for u, w in watchers.items()} == expected, "all are visible", 60)
    server.wait_state(DOMAIN, "down")
    owed = server.queue()
    assert len(owed) == expected.total()
    _print_visibility(owed, watchers)

    # what is shown is what came, byte for byte, under our own trace line
    reached = _check_shown(server, expected)
    _check_curl(server)

    # it comes back: nobody does anything
    primary.start()
    server.wait_flushed(DOMAIN, 90)
    until(lambda: primary.count() == before + expected.total(), "the primary has delivered all", 30)
    delivered = primary.delivered()[before:]
    _check_given_back(delivered, reached, owed)

    server.wait_state(DOMAIN, "up")
    listing = server.queue("--all")
    assert {row["state"] for row in listing} == {"delivered"}
    until(lambda: server.json("events", DOMAIN)[-1]["closed"], "the event closes")
    event = server.json("events", DOMAIN)[-1]
    assert (event["kind"], event["delivered"], event["held"], event["left_over"]) == ("machine", expected.total(), 0, 0)
    assert event["captured"] == expected.total()

    # and mail goes its usual way again
    give(front.port, range(2000, 2004))
    until(lambda: primary.count() == before + expected.total() + 5, "mail reaches the primary by itself")
    assert len(server.queue("--all")) == expected.total()


def _print_visibility(owed: list[dict[str, str]], watchers: dict[str, Watcher]) -> None:
    """Arrival is stamped just before the 250, so these figures are upper bounds."""
    waits = []
    arrived: dict[str, list[float]] = defaultdict(list)
    for row in owed:
        arrived[row["recipient"]].append(datetime.fromisoformat(row["arrived"]).timestamp())
    for user, watcher in watchers.items():
        waits += [watcher.seen[i] - when for i, when in enumerate(arrived[user], 1)]
        watcher.stop()
    p50, p99 = quantile(waits, 0.5), quantile(waits, 0.99)
    print(
        f"\nvisible over IMAP after arrival: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, max {max(waits):.3f} s"
    )
    assert max(waits) < 10


def _check_shown(server: Server, expected: Counter[str]) -> dict[int, bytes]:
    """Message by number as it reached us, our trace line included."""
    reached: dict[int, bytes] = {}
    for user, count in expected.items():
        shown = server.shown(user)
        assert len(shown) == count
        for data in shown:
            number = number_of(data)
            assert reached.setdefault(number, data) == data
            sample = corpus.sample(number)
            # between our line and the message there is only what the filter put on top
            assert without_trace(data).startswith(b"Received: "), sample.name
            assert data.endswith(b"\r\n" + sample.data), sample.name
    assert set(reached) == set(range(COUNT))
    return reached


def _check_curl(server: Server) -> None:
    url = f"imap://127.0.0.1:{server.ports['imap']}/INBOX"
    login = ["curl", "-s", "--user", f"{USERS[0]}:{PASSWORD}"]
    found = subprocess.run([*login, url, "-X", "SEARCH ALL"], capture_output=True, check=True).stdout
    assert len(found.split()) - 2 == len(server.shown(USERS[0]))
    one = subprocess.run([*login, f"{url};UID=1"], capture_output=True, check=True).stdout
    assert one == server.shown(USERS[0])[0]


def _check_given_back(delivered: list[Delivered], reached: dict[int, bytes], owed: list[dict[str, str]]) -> None:
    got: dict[str, list[int]] = defaultdict(list)
    for message in delivered:
        number = number_of(message.data)
        got[message.recipient].append(number)
        assert message.data.endswith(reached[number].replace(b"\r\n", b"\n")), corpus.sample(number).name
        on_top = message.data[: -len(reached[number].replace(b"\r\n", b"\n"))]
        assert re.fullmatch(rb"(?:(?:Return-Path|X-Original-To|Delivered-To|Received):.*\n(?:[ \t].*\n)*)+", on_top)
        if corpus.sample(number).signed:
            (verdict,) = dkim.verify(message.data.replace(b"\n", b"\r\n"), corpus.key_record)
            assert verdict.passed, verdict
    numbers = {hashlib.sha256(without_trace(data)).hexdigest(): number for number, data in reached.items()}
    arrived: dict[str, list[int]] = defaultdict(list)
    for row in owed:
        arrived[row["recipient"]].append(numbers[row["sha256"]])
    assert got == arrived, "each mailbox in order of arrival, every message once"
