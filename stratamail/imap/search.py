"""The search program of a client as a tree (RFC 3501 section 6.4.4), and its parser (RFC 4731 RETURN options too).

Text is decoded (US-ASCII or UTF-8); whoever evaluates the tree matches it without regard to case. Dates are calendar
days without time or zone. Flags are written as the client did ("\\\\Seen", "$Forwarded"), compared without case.
Touches no disk.
"""

from __future__ import annotations

from datetime import date

from attrs import frozen

from stratamail.imap.sets import SequenceSet


@frozen
class All:
    """Every message."""


@frozen
class Numbers:
    """Messages by sequence number."""

    set: SequenceSet


@frozen
class Uids:
    """Messages by UID."""

    set: SequenceSet


@frozen
class HasFlag:
    """Messages with the flag ("\\\\Seen", "\\\\Recent", a keyword), or without it when not ``present``."""

    flag: str
    present: bool = True


@frozen
class Larger:
    """RFC822.SIZE greater than ``size`` octets."""

    size: int


@frozen
class Smaller:
    """RFC822.SIZE less than ``size`` octets."""

    size: int


@frozen
class ModSeq:
    """A mod-sequence of ``least`` or more (RFC 7162 section 3.1.5)."""

    least: int


@frozen
class Internal:
    """INTERNALDATE's day, of the date as FETCH shows it, which is in UTC: ``when`` is "before", "on" or "since"."""

    when: str
    day: date


@frozen
class Within:
    """INTERNALDATE within the last ``seconds`` (YOUNGER), or before them when ``older`` (RFC 5032 section 2)."""

    seconds: int
    older: bool


@frozen
class Saved:
    """The day on which a message came into its mailbox (RFC 8514 section 4.3), in UTC: ``when`` is "before", "on" or
    "since"."""

    when: str
    day: date


@frozen
class EmailId:
    """Messages with that EMAILID (RFC 8474 section 6)."""

    id: str


@frozen
class ThreadId:
    """Messages with that THREADID (RFC 8474 section 6)."""

    id: str


@frozen
class Sent:
    """The Date field's day: ``when`` is "before", "on" or "since"."""

    when: str
    day: date


@frozen
class Header:
    """A header field ``name`` (lower case) that holds ``text``; "" means that the field exists. ``name`` "bcc", "cc",
    "from", "subject" and "to" come from the keys of that name too."""

    name: str
    text: str


@frozen
class Body:
    """``text`` in the decoded text parts."""

    text: str


@frozen
class Text:
    """``text`` in header or decoded text parts."""

    text: str


@frozen
class And:
    """All of ``keys``."""

    keys: tuple[Key, ...]


@frozen
class Or:
    """One of two."""

    left: Key
    right: Key


@frozen
class Not:
    """The others."""

    key: Key


Key = (
    All
    | Numbers
    | Uids
    | HasFlag
    | Larger
    | Smaller
    | ModSeq
    | Internal
    | Within
    | Saved
    | EmailId
    | ThreadId
    | Sent
    | Header
    | Body
    | Text
    | And
    | Or
    | Not
)
