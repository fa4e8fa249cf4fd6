"""What all lanes work with. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from stratamail.net.evidence import Evidence
from stratamail.relay.attempt import Line
from stratamail.relay.gate import Gate
from stratamail.relay.records import Access
from stratamail.tenancy.directory import Directory


@frozen
class Shared:
    """What all lanes work with. ``retry_every`` seconds; ``evidence(domain, what)`` tells the watch; ``reports()`` says
    that reports to senders may be owed; ``gate`` how many lanes go to one host; ``window`` the
    most messages on their way at once over one connection."""

    line: Line
    read: Access
    write: Access
    directory: Callable[[], Directory]
    retry_every: float
    smart_host: str
    evidence: Callable[[str, Evidence], None]
    reports: Callable[[], None]
    gate: Gate
    window: int
