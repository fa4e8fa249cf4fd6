"""What a primary's reply means for a delivery: the codes that look permanent and are not, who is meant, how long to
wait.

Pure; the table follows what each maker documents. A queue that takes a throttle for a refusal loses mail at the flush.
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


@frozen
class Verdict:
    """``wait`` seconds before another attempt, 0 = the relay's own interval; ``cure`` for a person, "" when none is
    known."""

    meaning: Meaning
    wait: float = 0.0
    cure: str = ""


_CONNECTOR = "the tenant does not know us: add our address or certificate to its inbound connector"
_SENDER = "allow senders of your own domains on the connector for our address"
_AS = re.compile(r"AS\(?\d|\bAS\d{3,}", re.IGNORECASE)


def _throttles(reply: Reply) -> Verdict | None:
    """Replies with a meaning of their own, whatever the stage."""
    status, text = reply.status, reply.text.lower()
    if status in ("5.2.121", "5.2.122"):
        return Verdict(Meaning.MAILBOX, 3600)
    if status in ("5.7.51", "5.7.64") or "tenantattribution" in text or "tenantinboundattribution" in text:
        return Verdict(Meaning.SERVER, 0, _CONNECTOR)
    if status == "5.2.1" and ("receivingrate" in text or "rate" in text.split()):
        return Verdict(Meaning.MAILBOX)
    if reply.code == 421:
        return Verdict(Meaning.SERVER)
    if status == "4.7.28" or (status == "4.7.0" and reply.code == 421):
        return Verdict(Meaning.SERVER)
    if status.startswith("4.7."):
        detail = int(status.split(".")[2])
        if 500 <= detail <= 699 or 850 <= detail <= 899:
            known = "our sending address must be known to the tenant: an inbound connector"
            return Verdict(Meaning.SERVER, 0, known if detail != 500 or _AS.search(reply.text) else "")
    if status == "4.3.1":
        return Verdict(Meaning.SERVER)
    if reply.code in (530, 535) or (
        reply.permanent and re.search(r"relay(ing)? (access )?(denied|not permitted)", text)
    ):
        return Verdict(Meaning.SERVER, 0, "it does not take mail from us for this domain: allow our address there")
    if status == "5.7.60" or "permissions to send as this sender" in text:
        return Verdict(Meaning.REFUSED, 0, _SENDER)
    return None


def judge(reply: Reply, stage: str) -> Verdict:
    """The meaning of ``reply`` at ``stage`` ("greeting", "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "dot")."""
    if reply.positive:
        return Verdict(Meaning.ACCEPTED)
    special = _throttles(reply)
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
