"""The envelope of a message as the peer gave it (RFC 5321 section 2.3.1, RFC 3461 section 4, RFC 6531).

Addresses are kept exactly as they came, without angle brackets; ``mail.address.key`` compares them.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Recipient:
    """``address`` as in RCPT TO; ``notify`` ("NEVER", "SUCCESS,FAILURE" ...) and ``orcpt`` as given, "" when absent."""

    address: str
    notify: str = ""
    orcpt: str = ""


@frozen
class Envelope:
    """``sender`` "" is the null sender; ``body`` is "", "7BIT" or "8BITMIME"; ``ret`` and ``envid`` are "" when
    absent."""

    sender: str
    recipients: tuple[Recipient, ...]
    body: str = ""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    size: int = 0
