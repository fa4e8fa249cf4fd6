"""EHLO and HELO, and what is announced after them (RFC 5321 4.1.1.1)."""

from __future__ import annotations

import re

from stratamail.mail.reply import Reply
from stratamail.smtp.server_auth import MECHANISMS
from stratamail.smtp.server_events import Offer
from stratamail.smtp.server_replies import BAD_ARGUMENT, Refusal, rendered

# whatever a host calls itself; a wrong name is no reason to refuse (RFC 5321 4.1.4)
_NAME = re.compile(rb"[!-~\x80-\xff]{1,255}")


def parse_hello(argument: bytes) -> str:
    """The client's name. Raises :class:`Refusal`."""
    if not _NAME.fullmatch(argument):
        raise Refusal(BAD_ARGUMENT)
    return argument.decode("utf-8", "replace")


def hello_reply(offer: Offer, tls: bool, extended: bool) -> bytes:
    """The answer's bytes. STARTTLS is not offered once it is on, AUTH only where a password may travel."""
    if not extended:
        return rendered(Reply(250, "", offer.hostname))
    lines = [offer.hostname, "PIPELINING", f"SIZE {offer.size}", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN"]
    lines += ["ENHANCEDSTATUSCODES", "HELP"]
    if offer.starttls and not tls:
        lines.append("STARTTLS")
    if offer.auth == "clear" or (offer.auth and tls):
        lines.append("AUTH " + " ".join(MECHANISMS))
    return rendered(Reply(250, "", "\n".join(lines)))
