"""The parts of the demo: its primary is byte-exact and really stops, its name server answers, its judges judge."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator

import pytest

from stratamail.demo import checks, people
from stratamail.demo.messages import ADA, BEN, Sample, make_key, samples
from stratamail.demo.ports import free
from stratamail.demo.primary import Primary, Taken
from stratamail.demo.resolver import Resolver, ask

DATE = "Thu, 01 Jan 2026 00:00:00 +0000"


@pytest.fixture
def primary() -> Iterator[Primary]:
    (port,) = free(1)
    made = Primary("mail.harbour.example", port)
    made.start()
    yield made
    made.stop()


def test_the_primary_keeps_every_byte(primary: Primary) -> None:
    for sample in samples(make_key(), DATE):
        handed = people.hand_over(primary.port, 1, sample.sender, sample.recipients, sample.data)
        assert handed.by == "primary"
        assert primary.taken[-1].data == sample.data
        assert primary.taken[-1].recipients == sample.recipients


def test_the_primary_really_stops_and_starts(primary: Primary) -> None:
    waiting = smtplib.SMTP("127.0.0.1", primary.port, timeout=5)
    primary.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        waiting.noop()
    with pytest.raises(OSError, match="refused"):
        people.hand_over(primary.port, primary.port, "a@b.example", [ADA], b"Subject: x\r\n\r\nx\r\n")
    primary.start()
    people.hand_over(primary.port, 1, "a@b.example", [ADA], b"Subject: x\r\n\r\nx\r\n")
    assert len(primary.taken) == 1


def test_the_filter_fails_over(primary: Primary) -> None:
    (nobody,) = free(1)
    handed = people.hand_over(nobody, primary.port, "a@b.example", [ADA], b"Subject: x\r\n\r\nx\r\n")
    assert handed.by == "strata"


def test_signatures_are_valid_by_the_demos_own_name_server() -> None:
    key = make_key()
    resolver = Resolver({(key.name, "TXT"): [key.record]})
    try:
        signed = [sample for sample in samples(key, DATE) if sample.signed]
        assert len(signed) == 2
        for sample in signed:
            assert checks.signed_well(sample.data, lambda name: ask(resolver.address, name))
            assert not checks.signed_well(sample.data + b"more\r\n", lambda name: ask(resolver.address, name))
        assert ask(resolver.address, "nobody.example") is None
    finally:
        resolver.stop()


def test_the_trace_is_taken_off_and_nothing_else() -> None:
    body = b"Subject: x\r\n\r\nReceived: not this\r\n"
    assert checks.without_trace(b"Received: by us\r\n\tand more\r\n" + body) == body
    assert checks.without_trace(body) == body


def taken(data: bytes, *recipients: str) -> Taken:
    return Taken("a@b.example", recipients, data, time.monotonic())


def test_fates() -> None:
    good = Sample("good", "a@b.example", (ADA, BEN), b"Subject: good\r\n\r\n")
    changed = Sample("changed", "a@b.example", (ADA,), b"Subject: changed\r\n\r\n")
    twice = Sample("twice", "a@b.example", (BEN,), b"Subject: twice\r\n\r\n")
    at_primary = [
        taken(good.data, ADA),
        taken(good.data, BEN),
        taken(changed.data + b"x", ADA),
        taken(twice.data, BEN),
        taken(twice.data, BEN),
    ]
    found = checks.fates([good, changed, twice], [1.0, None, 2.0], at_primary, lambda data: True)
    assert [fate.bytes_intact for fate in found] == [True, False, False]
    order = checks.received(at_primary, BEN)
    assert len(order) == 3
    assert checks.once(order) == order[:2]
