"""The codes that look permanent and are not, one by one."""

from __future__ import annotations

import pytest

from stratamail.mail.reply import Reply
from stratamail.profiles.codes import CONNECTIONS, PROVIDER, RULES, Meaning, judge

A, M, B, S, R = Meaning.ACCEPTED, Meaning.MESSAGE, Meaning.MAILBOX, Meaning.SERVER, Meaning.REFUSED


@pytest.mark.parametrize(
    ("stage", "code", "status", "text", "meaning"),
    [
        ("dot", 250, "2.0.0", "ok", A),
        ("RCPT", 550, "5.1.1", "no such user", R),
        ("RCPT", 550, "", "no such user", R),
        ("dot", 554, "5.7.1", "spam", R),
        ("RCPT", 550, "5.2.121", "sender pair", B),
        ("RCPT", 550, "5.2.122", "mailbox", B),
        ("RCPT", 550, "5.7.51", "TenantInboundAttribution", S),
        ("MAIL", 550, "5.7.64", "TenantAttribution", S),
        ("RCPT", 550, "5.2.1", "The user ... ReceivingRatePerm", B),
        ("RCPT", 550, "5.2.1", "mailbox disabled", R),
        ("RCPT", 450, "4.2.1", "receiving too quickly", B),
        ("RCPT", 452, "4.2.2", "storage full", B),
        ("MAIL", 421, "4.7.28", "unusual rate", S),
        ("dot", 421, "", "closing", S),
        ("RCPT", 451, "4.7.500", "Server busy. (AS761)", S),
        ("RCPT", 451, "4.7.651", "throttled", S),
        ("RCPT", 451, "4.7.860", "volume", S),
        ("MAIL", 452, "4.3.1", "resources", S),
        ("RCPT", 550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", R),
        ("greeting", 554, "", "no", S),
        ("EHLO", 550, "", "no", S),
        ("MAIL", 550, "5.7.1", "you", S),
        ("MAIL", 552, "5.3.4", "too big", R),
        ("MAIL", 550, "5.1.8", "bad sender", R),
        ("RCPT", 554, "5.7.1", "Relay access denied", S),
        ("MAIL", 530, "5.7.0", "Authentication required", S),
        ("RCPT", 450, "4.7.1", "greylisted", B),
        ("RCPT", 452, "4.5.3", "too many recipients", B),
        ("RCPT", 450, "", "later", M),
        ("dot", 451, "4.6.0", "this one", M),
        ("dot", 451, "4.3.0", "local", B),
        ("RCPT", 451, "4.4.1", "no route", B),
    ],
)
def test_meaning(stage: str, code: int, status: str, text: str, meaning: Meaning) -> None:
    assert judge(Reply(code, status, text), stage).meaning is meaning


# every row of what looks permanent and is not: seen, meaning, scope, at least so many seconds, a word of the cure
ROWS = [
    (550, "5.2.121", "the sender's message rate limit was exceeded", B, "", 3600, ""),
    (550, "5.2.122", "The recipient's mailbox is over its limit", B, "", 3600, ""),
    (550, "5.7.51", "TenantInboundAttribution; There is a partner connector", S, "", 0, "connector"),
    (550, "5.7.64", "TenantAttribution; Relay Access Denied", S, "", 0, "chain"),
    (550, "5.7.1", "TenantAttribution", S, "", 0, "connector"),
    (550, "5.2.1", "https://support.google.com/mail/?p=ReceivingRatePerm", B, "", 3600, ""),
    (450, "4.2.1", "The user you are trying to contact is receiving mail too quickly", B, "", 0, ""),
    (452, "4.2.2", "The recipient's inbox is out of storage space", B, "", 0, ""),
    (421, "4.7.28", "unusual rate of mail from your address", S, PROVIDER, 600, ""),
    (450, "4.7.28", "unusual rate of mail from your network", S, PROVIDER, 600, ""),
    (421, "4.7.0", "Try again later, closing connection", S, PROVIDER, 600, ""),
    (451, "4.7.500", "Server busy. Please try again later. (AS761)", S, PROVIDER, 300, "connector"),
    (451, "4.7.500", "Server busy. (S3150) AS77714", S, PROVIDER, 300, "connector"),
    (451, "4.7.550", "Access denied, please try again later", S, PROVIDER, 300, "connector"),
    (451, "4.7.699", "Access denied", S, PROVIDER, 300, "connector"),
    (451, "4.7.650", "The mail server has been temporarily rate limited", S, PROVIDER, 300, "connector"),
    (451, "4.7.651", "The mail server has been temporarily rate limited", S, PROVIDER, 300, "connector"),
    (451, "4.7.850", "Access denied", S, PROVIDER, 300, "connector"),
    (451, "4.7.899", "Access denied", S, PROVIDER, 300, "connector"),
    (451, "4.7.500", "Server busy. Please try again later", S, "", 0, ""),
    (452, "4.3.1", "Insufficient system resources", S, "", 0, ""),
    (421, "4.3.2", "The maximum number of concurrent connections has exceeded a limit", S, CONNECTIONS, 0, "more"),
    (421, "", "Too many connections from your host", S, CONNECTIONS, 0, "more"),
    (550, "5.7.60", "SMTP; Client does not have permissions to send as this sender", R, "", 0, "own domains"),
    (550, "5.7.1", "Client does not have permissions to send as this sender", R, "", 0, "own domains"),
]


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "dot"])
@pytest.mark.parametrize(("code", "status", "text", "meaning", "scope", "wait", "cure"), ROWS)
def test_what_looks_permanent_and_is_not(
    stage: str, code: int, status: str, text: str, meaning: Meaning, scope: str, wait: float, cure: str
) -> None:
    found = judge(Reply(code, status, text), stage)
    assert (found.meaning, found.scope) == (meaning, scope)
    assert found.wait >= wait
    assert cure in found.cure


def test_each_rule_says_whose_it_is_and_no_other_hides_it() -> None:
    hit = {next(rule for rule in RULES if rule.fits(Reply(*row[:3]))) for row in ROWS}
    others = {"any: closing", "any: unknown to it", "any: relaying denied"}
    assert {rule.source for rule in RULES if rule not in hit} == others


@pytest.mark.parametrize("detail", [499, 700, 849, 900])
def test_neighbours_of_a_range_are_not_in_it(detail: int) -> None:
    assert judge(Reply(451, f"4.7.{detail}", "x"), "RCPT").meaning is Meaning.MAILBOX
