"""What ``store.mailboxes`` takes, gives and tells, as frozen values. Touches no disk.

Flags are text where a client's words come in, and bits (``store.maildir``, a folder's keywords from bit 8 on) where
rows go out.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from stratamail.store.index_values import Columns, Row

Keywords = tuple[str | None, ...]


class MailboxError(Exception):
    """A refusal that a mail client may hear: ``code`` is the response code of RFC 5530 or 3501 ("NONEXISTENT",
    "ALREADYEXISTS", "TRYCREATE", "CANNOT", "LIMIT", "INUSE", "OVERQUOTA", "USEATTR") without brackets."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.text = text
        self.code = code


@frozen
class Arrival:
    """A message of the spool to be linked: ``path`` its file, ``size`` octets on disk, ``date`` microseconds."""

    id: str
    seq: int
    path: str
    size: int
    date: int
    flags: frozenset[str] = frozenset()


@frozen
class Appended:
    uidvalidity: int
    uids: tuple[int, ...]


@frozen
class Copied:
    """``sources`` and ``targets`` pair up, in the order asked (RFC 4315 COPYUID)."""

    uidvalidity: int
    sources: tuple[int, ...]
    targets: tuple[int, ...]


def joined(parts: Sequence[Copied]) -> Copied:
    """Copies into one folder, made in several goes (at least one), as one."""
    sources = tuple(uid for part in parts for uid in part.sources)
    targets = tuple(uid for part in parts for uid in part.targets)
    return Copied(parts[0].uidvalidity, sources, targets)


@frozen
class FolderInfo:
    """``selectable`` is false for a parent that exists by its children only, and for a subscribed name without a folder
    (``exists`` false); both have the UIDVALIDITY 0. ``use`` are its special uses ("\\Sent"), divided by spaces."""

    name: str
    selectable: bool = True
    subscribed: bool = False
    children: bool = False
    exists: bool = True
    use: str = ""
    uidvalidity: int = 0


@frozen
class Status:
    messages: int
    recent: int
    unseen: int
    uidnext: int
    uidvalidity: int
    highestmodseq: int
    octets: int


@frozen
class Loaded:
    """A folder as it stands; ``keywords[i]`` has bit ``i + 8``."""

    name: str
    uidvalidity: int
    uidnext: int
    modseq: int
    recent: int
    keywords: Keywords
    columns: Columns


@frozen
class Added:
    """New messages, ascending UIDs above all before. ``keywords`` the folder's now, () when unchanged."""

    rows: tuple[Row, ...]
    keywords: Keywords = ()


@frozen
class Flagged:
    """``changes`` are (uid, modseq, flags)."""

    changes: tuple[tuple[int, int, int], ...]
    keywords: Keywords = ()


@frozen
class Removed:
    """Ascending ``uids`` are gone."""

    uids: tuple[int, ...]
    modseq: int


@frozen
class Replaced:
    """The folder (or with the name "" every one) is not what it was: deleted, renamed or rebuilt; open it anew."""


Change = Added | Flagged | Removed | Replaced
