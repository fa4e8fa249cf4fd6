"""From what a peer said of a recipient to what is written down. Pure: one place decides, the lane acts."""

from __future__ import annotations

from attrs import frozen

from stratamail.net.smtp import spoken
from stratamail.net.transaction import Answer
from stratamail.profiles.codes import Meaning, Verdict, judge
from stratamail.store.model import WORLD, Delivery
from stratamail.store.queue.lanes import ACCEPTED, GIVEN_UP, MESSAGE, PATIENCE, REFUSED, UNKNOWN, UNTRIED, WAIT, Result

# mail to the world is given up after so long (RFC 5321 section 4.5.4.1)
LIFETIME = 5 * 86_400_000_000


@frozen
class Judged:
    """``meaning`` None: the connection was lost. ``wait`` seconds that a reply about the server asks for (0: none), and
    its ``scope``."""

    delivery: Delivery
    result: Result
    meaning: Meaning | None
    wait: float = 0.0
    cure: str = ""
    scope: str = ""

    @property
    def accepted(self) -> bool:
        return self.meaning is Meaning.ACCEPTED


def keeps_waiting(one: Judged) -> bool:
    """Whether the others of its mailbox wait for this one: it stays owed, and has not lost its patience."""
    if one.result.outcome in (ACCEPTED, REFUSED, GIVEN_UP) or one.delivery.aside:
        return False
    return one.delivery.deferrals + (one.result.outcome == MESSAGE) < PATIENCE


def reportable(delivery: Delivery) -> bool:
    """Whether the sender may get a report: never the null sender, never one who asked for none (RFC 3461 section
    4.1)."""
    return bool(delivery.message.sender) and delivery.notify.upper() != "NEVER"


def judged(
    delivery: Delivery, answer: Answer, sha256: str, now: int, again: int, canary: bool, smart: bool = False
) -> Judged:
    """``again`` (µs): when what waits is tried next. A canary's refusal is not believed: it stays owed. ``smart``: the
    answer is a smart host's."""
    if answer.reply is None:
        text = f"connection lost at {answer.stage}: {answer.text}"
        if answer.unknown:
            result = Result(delivery.id, UNKNOWN, f"outcome unknown, {text}", again, may_hold=not canary)
        else:
            result = Result(delivery.id, UNTRIED, text)
        return Judged(delivery, result, None)
    said = spoken(answer.reply)
    verdict = judge(answer.reply, answer.stage)
    meaning = verdict.meaning
    if meaning is Meaning.ACCEPTED and not answer.accepted:
        # no reply at the end can be positive elsewhere; believe nothing
        return Judged(delivery, Result(delivery.id, UNTRIED, said), None)
    text = f"{said} (cure: {verdict.cure})" if verdict.cure else said
    if meaning is Meaning.ACCEPTED:
        return Judged(delivery, Result(delivery.id, ACCEPTED, said, sha256=sha256), meaning)
    if delivery.destination == WORLD:
        return _world(delivery, answer, text, verdict, now, again, smart)
    if meaning is Meaning.SERVER:
        return Judged(delivery, Result(delivery.id, UNTRIED, text), meaning, verdict.wait, verdict.cure, verdict.scope)
    if meaning is Meaning.REFUSED:
        return Judged(delivery, Result(delivery.id, UNTRIED if canary else REFUSED, text), meaning, 0, verdict.cure)
    later = max(again, now + round(verdict.wait * 1_000_000))
    outcome = MESSAGE if meaning is Meaning.MESSAGE else WAIT
    return Judged(delivery, Result(delivery.id, outcome, text, later), meaning)


def _world(
    delivery: Delivery, answer: Answer, text: str, verdict: Verdict, now: int, again: int, smart: bool
) -> Judged:
    """Mail of our users is never held: a refusal comes back as a report. A smart host's refusal of us ("relaying
    denied") pauses; from a recipient's own exchanger it is an answer like any other."""
    meaning, cure = verdict.meaning, verdict.cure
    permanent = answer.reply is not None and answer.reply.permanent
    about_us = meaning is Meaning.SERVER and (not permanent or (bool(cure) and smart))
    if meaning is Meaning.REFUSED or (meaning is Meaning.SERVER and not about_us):
        result = Result(delivery.id, GIVEN_UP, text, notice=reportable(delivery))
        return Judged(delivery, result, Meaning.REFUSED)
    if now - delivery.message.arrived > LIFETIME:
        result = Result(delivery.id, GIVEN_UP, f"given up after 5 days: {text}", notice=reportable(delivery))
        return Judged(delivery, result, Meaning.REFUSED)
    if meaning is Meaning.SERVER:
        return Judged(delivery, Result(delivery.id, UNTRIED, text), meaning, 0, cure, verdict.scope)
    return Judged(delivery, Result(delivery.id, MESSAGE if meaning is Meaning.MESSAGE else WAIT, text, again), meaning)
