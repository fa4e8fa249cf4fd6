"""From replies to what is written down."""

from __future__ import annotations

import pytest

from stratamail.mail.reply import Reply
from stratamail.net.transaction import Answer
from stratamail.profiles.codes import Meaning
from stratamail.relay.judging import LIFETIME, judged
from stratamail.store.model import PRIMARY, WORLD, Delivery, Message
from stratamail.store.queue.lanes import GIVEN_UP, HELD, MESSAGE, REFUSED, UNKNOWN, UNTRIED, WAIT

HOUR = 3_600_000_000


def delivery(destination: str = PRIMARY, sender: str = "ann@acme.test", notify: str = "") -> Delivery:
    message = Message(1, "m1", 0, "inbound", sender, 1, "", 0, "", False, "", "")
    return Delivery(
        1, message, "b@far.test", "b@far.test", "acme.test", destination, "l", notify, "", "queued", 0, 0, ""
    )


def outcome(
    reply: Reply, stage: str = "RCPT", canary: bool = False, **more: object
) -> tuple[str, bool, Meaning | None]:
    smart = bool(more.pop("smart", False))
    now = int(str(more.pop("now", 0)))
    found = judged(delivery(**more), Answer(stage, reply), "", now, now + 1, canary, smart)  # type: ignore[arg-type]
    return found.result.outcome, found.result.notice, found.meaning


DENIED = Reply(554, "5.7.1", "Relay access denied")


def test_relaying_denied_is_about_us_when_a_smart_host_says_it() -> None:
    assert outcome(DENIED, destination=WORLD, smart=True) == (UNTRIED, False, Meaning.SERVER)
    # the exchanger of the recipient has no account of ours to be wrong about
    assert outcome(DENIED, destination=WORLD) == (GIVEN_UP, True, Meaning.REFUSED)
    assert outcome(DENIED) == (UNTRIED, False, Meaning.SERVER)


@pytest.mark.parametrize(("more", "notice"), [({}, True), ({"sender": ""}, False), ({"notify": "never"}, False)])
def test_a_refusal_by_the_world_is_reported_but_never_to_the_null_sender(more: dict[str, str], notice: bool) -> None:
    assert outcome(Reply(550, "5.1.1", "who"), destination=WORLD, **more) == (GIVEN_UP, notice, Meaning.REFUSED)


def test_the_world_has_five_days() -> None:
    busy = Reply(451, "4.2.0", "busy")
    assert outcome(busy, destination=WORLD, now=LIFETIME - 1)[0] == WAIT
    assert outcome(busy, destination=WORLD, now=LIFETIME + 1)[:2] == (GIVEN_UP, True)
    gone = Reply(421, "4.3.2", "closing")
    assert outcome(gone, "MAIL", destination=WORLD, now=LIFETIME - 1)[0] == UNTRIED
    assert outcome(gone, "MAIL", destination=WORLD, now=LIFETIME + 1)[0] == GIVEN_UP


@pytest.mark.parametrize(
    ("reply", "stage", "expected"),
    [
        (Reply(550, "5.1.1", "no such user"), "RCPT", REFUSED),
        (Reply(554, "5.6.0", "no"), "dot", REFUSED),
        (Reply(550, "5.7.1", "go away"), "MAIL", UNTRIED),
        (Reply(550, "5.7.51", "TenantInboundAttribution"), "RCPT", UNTRIED),
        (Reply(530, "5.7.0", "authenticate"), "MAIL", UNTRIED),
        (Reply(421, "4.7.28", "rate"), "dot", UNTRIED),
        (Reply(550, "5.2.121", "rate"), "RCPT", WAIT),
        (Reply(550, "5.2.1", "The user is receiving mail at a ReceivingRatePerm"), "RCPT", WAIT),
        (Reply(450, "4.2.1", "busy"), "RCPT", WAIT),
        (Reply(452, "4.3.1", "storage"), "dot", UNTRIED),
        (Reply(552, "", "Too many recipients"), "RCPT", WAIT),
        (Reply(550, "5.5.3", "RESOLVER.ADR.RecipLimit"), "RCPT", WAIT),
        (Reply(552, "5.2.2", "mailbox full"), "RCPT", REFUSED),
        (Reply(451, "4.6.0", "this message"), "dot", MESSAGE),
    ],
)
def test_what_a_primary_says(reply: Reply, stage: str, expected: str) -> None:
    assert outcome(reply, stage)[0] == expected
    # nothing that a canary hears puts it on hold
    assert outcome(reply, stage, canary=True)[0] == (UNTRIED if expected == REFUSED else expected)
    assert outcome(reply, stage)[0] != HELD


def test_a_canary_with_an_unknown_outcome_is_never_held() -> None:
    lost = Answer("dot", None, "reset")
    for canary in (True, False):
        found = judged(delivery(), lost, "", 0, 1, canary).result
        assert (found.outcome, found.may_hold) == (UNKNOWN, not canary)


def test_lost_before_the_dot_is_no_outcome_at_all() -> None:
    assert judged(delivery(), Answer("DATA", None, "reset"), "", 0, 1, False).result.outcome == UNTRIED
