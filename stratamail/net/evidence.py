"""What an attempt to reach a primary tells about its health: a value that the relay and the probes both speak of."""

from __future__ import annotations

from attrs import frozen

PROBE, RELAY = "probe", "relay"


@frozen
class Evidence:
    """``alive``: it answered as a mail server does (a refusal of a message is an answer too). ``proof``: it accepted a
    message. ``stage`` is how far we got ("connect", "greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "dot"); ``text``
    what was seen, for a person."""

    alive: bool
    stage: str
    text: str
    source: str = PROBE
    proof: bool = False
