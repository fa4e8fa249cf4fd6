"""What a client asks for, as frozen values; the grammar makes them, the door executes them (RFC 3501 section 6).

Mailbox names are text, already decoded from modified UTF-7, with ``/`` as the delimiter and INBOX in capitals. Flags
are text as the client wrote them. Touches no disk.
"""

from __future__ import annotations

from attrs import field, frozen

from stratamail.imap.search import Key
from stratamail.imap.sets import SequenceSet

# any state


@frozen
class Capability:
    pass


@frozen
class Noop:
    pass


@frozen
class Logout:
    pass


@frozen
class Id:
    """RFC 2971. ``params`` pairs of text; None values are NIL."""

    params: tuple[tuple[str, str | None], ...] = ()


# not authenticated


@frozen
class StartTls:
    pass


@frozen
class Login:
    user: str
    password: str = field(repr=False)


@frozen
class Authenticate:
    """``initial`` is the initial response still in base64 (SASL-IR, RFC 4959), None when absent."""

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


# authenticated


@frozen
class Enable:
    """RFC 5161; names in capitals."""

    capabilities: tuple[str, ...]


@frozen
class Resync:
    """What a client knows of a folder (RFC 7162 section 3.2.5): its UIDVALIDITY and mod-sequence, the UIDs that it has
    (None: it does not say), and a sample of ``numbers`` and ``uids`` that pair up, ascending."""

    uidvalidity: int
    modseq: int
    known: SequenceSet | None = None
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None


@frozen
class Select:
    mailbox: str
    read_only: bool = False
    condstore: bool = False
    resync: Resync | None = None


@frozen
class Create:
    """``use`` the special uses asked for ("\\\\Sent"; RFC 6154 section 3), divided by spaces, "" for none."""

    mailbox: str
    use: str = ""


@frozen
class Delete:
    mailbox: str


@frozen
class Rename:
    old: str
    new: str


@frozen
class Subscribe:
    mailbox: str


@frozen
class Unsubscribe:
    mailbox: str


@frozen
class List:
    """LIST with RFC 5258 and 6154: ``select`` and ``options`` in capitals; ``status`` the items of RETURN (STATUS
    ...)."""

    reference: str
    patterns: tuple[str, ...]
    select: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    status: tuple[str, ...] = ()
    extended: bool = False


@frozen
class Lsub:
    reference: str
    pattern: str


@frozen
class Namespace:
    pass


@frozen
class Status:
    """``items`` in capitals."""

    mailbox: str
    items: tuple[str, ...]


@frozen
class GetQuota:
    """RFC 9208 section 4.1.2."""

    root: str


@frozen
class GetQuotaRoot:
    """RFC 9208 section 4.1.3."""

    mailbox: str


@frozen
class SetQuota:
    """RFC 9208 section 4.1.1."""

    root: str


@frozen
class Append:
    """The head of APPEND, before its literal of ``size`` octets arrives. ``date`` microseconds since the epoch or
    None."""

    mailbox: str
    flags: frozenset[str]
    date: int | None
    size: int


@frozen
class Idle:
    pass


# selected


@frozen
class Check:
    pass


@frozen
class Close:
    pass


@frozen
class Unselect:
    pass


@frozen
class Expunge:
    """``uids`` is None for EXPUNGE, a set for UID EXPUNGE (RFC 4315 section 2.1)."""

    uids: SequenceSet | None = None


@frozen
class Search:
    """``returns`` the RETURN options in capitals (RFC 4731), None when there was no RETURN. ``refused``: (text, code)
    of the NO that it gets, for one with SAVE that could not be read (RFC 5182 section 2.1)."""

    key: Key
    uid: bool
    returns: frozenset[str] | None = None
    refused: tuple[str, str] | None = None


@frozen
class Sort:
    """RFC 5256. ``criteria`` are names with "in reverse", the weightiest first; ``returns`` (RFC 5267) and ``refused``
    as of :class:`Search`."""

    key: Key
    uid: bool
    criteria: tuple[tuple[str, bool], ...]
    returns: frozenset[str] | None = None
    refused: tuple[str, str] | None = None


@frozen
class Thread:
    """RFC 5256. ``algorithm`` in capitals."""

    key: Key
    uid: bool
    algorithm: str


@frozen
class Section:
    """BODY[...] or a kind of it: ``kind`` is "BODY", "BINARY" or "BINARY.SIZE" (RFC 3516). ``part`` are the numbers
    ``(1, 2)``; ``text`` is "", "HEADER", "TEXT", "MIME", "HEADER.FIELDS" or "HEADER.FIELDS.NOT" with ``fields`` as the
    client wrote them; ``partial`` is ``(offset, count)``. ``label`` is what the response calls it, without the partial
    offset (``BODY[1.MIME]``, ``RFC822.HEADER``)."""

    part: tuple[int, ...]
    text: str
    fields: tuple[str, ...] = ()
    peek: bool = False
    partial: tuple[int, int] | None = None
    label: str = ""
    kind: str = "BODY"


@frozen
class Fetch:
    """``items`` in the client's order, macros expanded: an attribute's name or a :class:`Section`. ``changed_since`` a
    mod-sequence or None, ``vanished`` (RFC 7162 sections 3.1.4.1 and 3.2.6)."""

    set: SequenceSet
    items: tuple[str | Section, ...]
    uid: bool
    changed_since: int | None = None
    vanished: bool = False


@frozen
class Store:
    """``mode`` is "+" (add), "-" (remove) or "=" (replace); ``unchanged_since`` a mod-sequence or None (RFC 7162
    section 3.1.3)."""

    set: SequenceSet
    mode: str
    flags: frozenset[str]
    silent: bool
    uid: bool
    unchanged_since: int | None = None


@frozen
class Copy:
    set: SequenceSet
    mailbox: str
    uid: bool


@frozen
class Move:
    """RFC 6851."""

    set: SequenceSet
    mailbox: str
    uid: bool


Command = (
    Capability
    | Noop
    | Logout
    | Id
    | StartTls
    | Login
    | Authenticate
    | Enable
    | Select
    | Create
    | Delete
    | Rename
    | Subscribe
    | Unsubscribe
    | List
    | Lsub
    | Namespace
    | Status
    | GetQuota
    | GetQuotaRoot
    | SetQuota
    | Append
    | Idle
    | Check
    | Close
    | Unselect
    | Expunge
    | Search
    | Sort
    | Thread
    | Fetch
    | Store
    | Copy
    | Move
)
