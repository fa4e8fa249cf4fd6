"""What the story's outcome is judged by: bytes, order, signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from stratamail.demo.messages import Sample
from stratamail.demo.primary import Taken
from stratamail.demo.screen import Fate
from stratamail.mail import dkim
from stratamail.mail.address import key


def without_trace(message: bytes) -> bytes:
    """``message`` without the Received field on top of it, when there is one."""
    if not message.startswith(b"Received:"):
        return message
    at = message.find(b"\r\n") + 2
    while message[at : at + 1] in (b" ", b"\t"):
        at = message.find(b"\r\n", at) + 2
    return message[at:]


def digest(taken: Taken) -> str:
    return hashlib.sha256(without_trace(taken.data)).hexdigest()


def received(taken: Sequence[Taken], user: str) -> list[str]:
    """SHA-256 of what reached ``user`` at the primary, in order."""
    return [digest(one) for one in taken if any(key(recipient) == user for recipient in one.recipients)]


def once(digests: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(digests))


def signed_well(message: bytes, lookup: Callable[[str], bytes | None]) -> bool:
    verdicts = dkim.verify(message, lookup)
    return bool(verdicts) and all(verdict.passed for verdict in verdicts)


def fates(
    samples: Sequence[Sample],
    visible: Sequence[float | None],
    taken: Sequence[Taken],
    valid: Callable[[bytes], bool],
) -> list[Fate]:
    """What became of each sample: compared with what the primary holds under its digest."""
    found: dict[str, list[Taken]] = {}
    for one in taken:
        found.setdefault(digest(one), []).append(one)
    made = []
    for sample, seen in zip(samples, visible, strict=True):
        sha256 = hashlib.sha256(sample.data).hexdigest()
        copies = found.get(sha256, [])
        reached = sum(len(one.recipients) for one in copies)
        signature = "none"
        if sample.signed:
            signature = "intact" if copies and all(valid(one.data) for one in copies) else "BROKEN"
        intact = reached == len(sample.recipients)
        made.append(Fate(sample.title, len(sample.data), sample.recipients, seen, sha256, intact, signature, reached))
    return made
