"""What the store keeps, as values that other rooms read and write. Times are integer µs since the epoch (UTC).

``id`` names a message outside (Received, files, listings): 16 characters of lower-case base32hex, the first ten of
them its time. ``seq`` is the order of arrival, given inside the commit.
"""

from __future__ import annotations

from attrs import frozen

from stratamail.mail.envelope import Envelope

INBOUND, SUBMITTED, APPENDED = "inbound", "submitted", "appended"
PRIMARY, WORLD = "primary", "world"
QUEUED, DEFERRED, HELD, DELIVERED, RETURNED = "queued", "deferred", "held", "delivered", "returned"
OWED = (QUEUED, DEFERRED)


@frozen
class Source:
    """Where a message came from: ``peer`` IP address text, ``helo``, ``tls`` ("" or "TLSv1.3 NAME"), ``user`` the
    mailbox address of a submitter or "", ``trusted`` by the domain's list."""

    peer: str = ""
    helo: str = ""
    tls: str = ""
    user: str = ""
    trusted: bool = False


@frozen
class NewDelivery:
    """One (message, recipient) owed. ``domain`` is the protected domain concerned (the recipient's for the primary, the
    sender's for the world); ``lane`` is the protected domain's name for the primary, the recipient's domain
    (key form) for the world. ``held`` is a reason when it is held from the start (loops), else ""."""

    recipient: str
    key: str
    domain: str
    destination: str
    lane: str
    notify: str = ""
    orcpt: str = ""
    held: str = ""


@frozen
class NewMessage:
    """A message ready to be committed. File content is ``trace + body``. ``body`` None: it already lies complete and
    synced in its spool file. ``size`` and ``sha256`` (hex) are over the bytes as they came, without ``trace``.
    ``mailboxes`` get a shadow copy in ``folder`` ("" is INBOX); ``unclaimed`` are address keys without a mailbox.
    ``folder``, ``flags`` and ``date`` (µs, 0 is ``arrived``) are for APPENDED. ``dkim``: as in
    ``store.queue.verdicts``."""

    id: str
    arrived: int
    kind: str
    envelope: Envelope
    source: Source
    size: int
    sha256: str
    trace: bytes
    body: bytes | None
    mailboxes: tuple[int, ...] = ()
    unclaimed: tuple[str, ...] = ()
    deliveries: tuple[NewDelivery, ...] = ()
    folder: str = ""
    flags: tuple[str, ...] = ()
    date: int = 0
    dkim: str = "none"


@frozen
class Message:
    """A committed message's row (no body)."""

    seq: int
    id: str
    arrived: int
    kind: str
    sender: str
    size: int
    sha256: str
    trace_size: int
    body: str
    smtputf8: bool
    ret: str
    envid: str
    mailboxes: tuple[int, ...] = ()
    folder: str = ""
    flags: tuple[str, ...] = ()
    date: int = 0


@frozen
class Delivery:
    """A delivery's row joined with what the relay needs of its message."""

    id: int
    message: Message
    recipient: str
    key: str
    domain: str
    destination: str
    lane: str
    notify: str
    orcpt: str
    state: str
    attempts: int
    next_attempt: int
    last_reply: str
    trying: bool = False
    deferrals: int = 0
    unknown_outcomes: int = 0
    aside: bool = False
    finished: int | None = None
