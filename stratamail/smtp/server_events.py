"""What the SMTP server engine tells its door: one frozen value per thing that needs a decision or must be known.

Events that wait for :meth:`ServerEngine.reply`: Mail, Rcpt, Data, End, Credentials, StartTls. No other does.
"""

from __future__ import annotations

from attrs import frozen

from stratamail.mail.envelope import Recipient


@frozen
class Offer:
    """What one door offers. ``size`` in octets is announced and enforced, ``recipients`` a message; ``auth`` is ""
    (none), "tls" (over TLS only) or "clear" (loopback); ``require_auth`` answers 530 to MAIL before sign-in."""

    hostname: str
    size: int
    recipients: int = 1000
    starttls: bool = False
    auth: str = ""
    require_auth: bool = False
    product: str = "StrataMail"


@frozen
class Hello:
    """EHLO (``extended``) or HELO. Already answered; any transaction is gone."""

    name: str
    extended: bool


@frozen
class Mail:
    """MAIL FROM. ``size`` is 0 when not declared; ``auth`` the AUTH= parameter as given."""

    sender: str
    size: int = 0
    body: str = ""
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    auth: str = ""


@frozen
class Rcpt:
    recipient: Recipient


@frozen
class Data:
    """A body is about to come (DATA, or the first BDAT of a transaction): 354 takes it, anything else refuses."""

    chunking: bool = False


@frozen
class Chunk:
    """Octets of the body, unstuffed; never empty. No answer; the door may wait before it asks for the next event."""

    data: bytes


@frozen
class End:
    """The body is complete. ``size`` octets were counted; above the offer's size ``oversize`` is set, and the octets
    past it were not handed out. ``bare``: a CR or LF stood alone somewhere in it."""

    size: int
    bare: bool
    oversize: bool


@frozen
class Reset:
    """The transaction ended without a body: RSET, a new greeting, or a body that failed. Already answered."""


@frozen
class Credentials:
    """AUTH is complete. Answer 235, or 535 and the like."""

    user: str
    password: str
    mechanism: str


@frozen
class StartTls:
    """Answer 220, write what :meth:`ServerEngine.take` gives, start TLS, then call :meth:`ServerEngine.secured`."""


@frozen
class Quit:
    """Already answered; close when the reply is out."""


Event = Hello | Mail | Rcpt | Data | Chunk | End | Reset | Credentials | StartTls | Quit
