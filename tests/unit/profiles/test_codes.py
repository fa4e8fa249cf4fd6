"""The codes that look permanent and are not, one by one."""

from __future__ import annotations

import pytest

from stratamail.mail.reply import Reply
from stratamail.profiles.codes import Meaning, judge
from stratamail.profiles.filters import FILTERS
from stratamail.profiles.primaries import NAMES, PROFILES, profile

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


def test_waits_and_cures() -> None:
    assert judge(Reply(550, "5.2.121", "x"), "RCPT").wait == 3600
    assert "connector" in judge(Reply(550, "5.7.64", "x"), "RCPT").cure
    assert "own domains" in judge(Reply(550, "5.7.60", "x"), "RCPT").cure


def test_profiles() -> None:
    assert {"generic", "m365", "google", "exchange", "cpanel", "plesk", "zimbra", "kerio"} == set(NAMES)
    assert profile("m365").tls == "encrypt"
    assert profile("gone") is PROFILES["generic"]
    assert {"none", "generic", "spamweeder", "proofpoint", "mimecast", "barracuda", "defender"} == set(FILTERS)
