"""What a primary's reply means for a delivery: the codes that look permanent and are not, who is meant, how long to
wait.

Pure; the rules follow what each maker documents, one for each reply that has a meaning of its own. A queue that takes a
throttle for a refusal loses mail at the flush.
"""

from __future__ import annotations

import re
from enum import Enum

from attrs import frozen

from stratamail.mail.reply import Reply


class Meaning(Enum):
    ACCEPTED = "accepted"
    #: 4xx about this message: counts towards stepping aside
    MESSAGE = "message"
    #: 4xx about the mailbox or a rate: its mailbox waits, nothing is counted
    MAILBOX = "mailbox"
    #: about us or the whole server: everything waits
    SERVER = "server"
    #: 5xx about the message or its recipient
    REFUSED = "refused"


PROVIDER, CONNECTIONS = "provider", "connections"


@frozen
class Verdict:
    """``wait`` seconds before another attempt, 0 = the relay's own interval; ``cure`` for a person, "" when none is
    known. ``scope`` of what is about us: :data:`PROVIDER` (our address at a service, so that all its domains wait),
    :data:`CONNECTIONS` (we hold too many there), "" for this destination only."""

    meaning: Meaning
    wait: float = 0.0
    cure: str = ""
    scope: str = ""


@frozen
class Rule:
    """Applies to a reply that agrees with all that is given: ``codes`` (none: any), ``status`` (a regular expression
    over the whole enhanced code), ``text`` (one found anywhere in its words, in any case). ``source``: whose."""

    source: str
    verdict: Verdict
    codes: tuple[int, ...] = ()
    status: str = ""
    text: str = ""

    def fits(self, reply: Reply) -> bool:
        return (
            (not self.codes or reply.code in self.codes)
            and (not self.status or re.fullmatch(self.status, reply.status) is not None)
            and (not self.text or re.search(self.text, reply.text, re.IGNORECASE) is not None)
        )


_CONNECTOR = "the tenant does not know us: add our address or certificate to its inbound connector"
_CERTIFICATE = f"{_CONNECTOR}; a certificate must be sent with its whole chain"
_SENDER = "allow senders of your own domains on the connector for our address"
_KNOWN = "our sending address must be known to the tenant: an inbound connector"
_ALLOW = "it does not take mail from us for this domain: allow our address there"
_FEWER = "allow more connections from our address there; we open fewer"
_HOUR = 3600.0
_AN_HOUR = Verdict(Meaning.MAILBOX, _HOUR)
_THROTTLED = Verdict(Meaning.SERVER, 300, _KNOWN, scope=PROVIDER)

#: The first that fits decides, whatever the stage.
RULES = (
    Rule("Microsoft 365: sender pair or mailbox over its rate", _AN_HOUR, status=r"5\.2\.12[12]"),
    Rule("Microsoft 365: locked to its filter", Verdict(Meaning.SERVER, 0, _CONNECTOR), status=r"5\.7\.51"),
    Rule("Microsoft 365: no certificate", Verdict(Meaning.SERVER, 0, _CERTIFICATE), status=r"5\.7\.64"),
    Rule("Microsoft 365: attribution", Verdict(Meaning.SERVER, 0, _CONNECTOR), text=r"Tenant(Inbound)?Attribution"),
    Rule("Google: recipient over its rate", _AN_HOUR, status=r"5\.2\.1", text=r"receivingrate|\brate\b"),
    Rule("Google: receiving too quickly, storage full", Verdict(Meaning.MAILBOX), status=r"4\.2\.[12]"),
    Rule("Exchange: too many connections", Verdict(Meaning.SERVER, 0, _FEWER, scope=CONNECTIONS), status=r"4\.3\.2"),
    Rule(
        "any: too many connections", Verdict(Meaning.SERVER, 0, _FEWER, scope=CONNECTIONS), (421,), "", r"too many conn"
    ),
    Rule("Google: unusual rate from our address", Verdict(Meaning.SERVER, 600, scope=PROVIDER), status=r"4\.7\.28"),
    Rule("Google: unusual rate", Verdict(Meaning.SERVER, 600, scope=PROVIDER), (421,), r"4\.7\.0"),
    Rule("any: closing", Verdict(Meaning.SERVER), (421,)),
    Rule("Microsoft 365: address throttled", _THROTTLED, status=r"4\.7\.500", text=r"\bAS\(?\d"),
    Rule("Microsoft 365: back pressure", Verdict(Meaning.SERVER), status=r"4\.7\.500"),
    Rule("Microsoft 365: address throttled", _THROTTLED, status=r"4\.7\.(5\d\d|6\d\d|8[5-9]\d)"),
    Rule("Exchange: back pressure", Verdict(Meaning.SERVER), status=r"4\.3\.1"),
    Rule("any: unknown to it", Verdict(Meaning.SERVER, 0, _ALLOW), (530, 535)),
    Rule(
        "any: relaying denied",
        Verdict(Meaning.SERVER, 0, _ALLOW),
        tuple(range(500, 600)),
        "",
        r"relay(ing)? (access )?(denied|not permitted)",
    ),
    Rule("Exchange: own senders", Verdict(Meaning.REFUSED, 0, _SENDER), status=r"5\.7\.60"),
    Rule("Exchange: own senders", Verdict(Meaning.REFUSED, 0, _SENDER), text=r"permissions? to send as this sender"),
)


def judge(reply: Reply, stage: str) -> Verdict:
    """The meaning of ``reply`` at ``stage`` ("greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "dot")."""
    if reply.positive:
        return Verdict(Meaning.ACCEPTED)
    special = next((rule.verdict for rule in RULES if rule.fits(reply)), None)
    if special is not None:
        return special
    if stage in ("greeting", "EHLO", "HELO", "STARTTLS"):
        return Verdict(Meaning.SERVER)
    if stage == "MAIL":
        # size and the sender's address concern this message; all else at MAIL is about us or the server
        if reply.permanent and (reply.code == 552 or reply.status in ("5.3.4", "5.2.3", "5.1.7", "5.1.8")):
            return Verdict(Meaning.REFUSED)
        if reply.status in ("4.1.7", "4.1.8"):
            return Verdict(Meaning.MESSAGE)
        return Verdict(Meaning.SERVER)
    if stage == "RCPT" and (reply.status == "5.5.3" or "too many recipients" in reply.text.lower()):
        # RFC 5321 section 4.5.3.1.10: whatever its code says, the others go in another transaction
        return Verdict(Meaning.MAILBOX)
    if reply.permanent:
        return Verdict(Meaning.REFUSED)
    if reply.status.startswith(("4.2.", "4.3.", "4.4.")):
        return Verdict(Meaning.MAILBOX)
    if stage == "RCPT" and (reply.status.startswith("4.7.") or reply.code == 452):
        # greylisting and too many recipients: about us or this round, not about the message
        return Verdict(Meaning.MAILBOX)
    return Verdict(Meaning.MESSAGE)
