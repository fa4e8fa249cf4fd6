"""What 20,000 mailboxes cost: a fifth of the largest installation's memory, and lookups that do not grow with it."""

from __future__ import annotations

import time
import tracemalloc

from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, HostPort, Mailbox

DOMAINS, BOXES = 200, 20_000


def make() -> Directory:
    primary = (HostPort("mx.example"),)
    return Directory(
        (Domain(i, i, f"d{i}.example", primary) for i in range(DOMAINS)),
        (Mailbox(i, i % DOMAINS, i % DOMAINS, f"user{i}@d{i % DOMAINS}.example", f"User {i}") for i in range(BOXES)),
        (),
    )


def test_memory_stays_below_600_bytes_a_mailbox() -> None:
    tracemalloc.start()
    try:
        directory = make()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(directory.mailboxes()) == BOXES
    assert used / BOXES < 600


def test_a_lookup_is_quick() -> None:
    directory = make()
    recipients = [f"User{i}+x@D{i % DOMAINS}.example" for i in range(0, BOXES, 10)]
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for recipient in recipients:
            directory.resolve(recipient)
        best = min(best, (time.perf_counter() - started) / len(recipients))
    # some microseconds in life; the bound leaves room for a busy machine
    assert best < 50e-6
