"""Names and files of a Maildir++ (one mailbox's folders): which file is which message, and the moves between names.

Writes hard links below ``mail/<domain>/<user>/``: ``new/BASE`` while nobody has flagged it, then ``cur/BASE:2,FLAGS``.
BASE is ``SECONDS.ID.COPY,S=SIZE``: ID names the message in the spool, COPY is ``0`` for the delivery and unique for
each later copy. Any other name is some other tool's file and is served too. Syncs nothing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
from collections.abc import Iterator

from stratamail.mail import utf7

INBOX = "INBOX"

SEEN, ANSWERED, FLAGGED, DRAFT, DELETED, FORWARDED = 1, 2, 4, 8, 16, 32
IN_NEW = 1 << 7
"""Where the file lies, kept beside the flags; no client sees it."""
FIRST_KEYWORD, LAST_KEYWORD = 8, 61
SYSTEM = {"\\Seen": SEEN, "\\Answered": ANSWERED, "\\Flagged": FLAGGED, "\\Draft": DRAFT, "\\Deleted": DELETED}
BUILT_IN = {**SYSTEM, "$Forwarded": FORWARDED}
_LETTERS = {"D": DRAFT, "F": FLAGGED, "P": FORWARDED, "R": ANSWERED, "S": SEEN, "T": DELETED}
_SUFFIXES = [
    "".join(letter for letter, bit in sorted(_LETTERS.items()) if flags & bit) for flags in range(FORWARDED << 1)
]
# ends the copy mark of a file that a move made; an inode, which may stand there too, is never 0
MOVED = "-0"
_BASE = re.compile(r"(\d{1,12})\.([0-9a-v]{16})\.([0-9a-f-]+),S=(\d+)")
_SECONDS = re.compile(r"\d{9,11}(?=\.)")
_SIZE = re.compile(r",S=(\d+)")
_BASE32 = "0123456789abcdefghijklmnopqrstuv"


def base(id: str, date: int, size: int, copy: str = "0") -> str:
    """The lasting part of a file's name; ``date`` in microseconds, ``size`` in octets on disk."""
    return f"{max(date, 0) // 1_000_000}.{id}.{copy},S={size}"


def copy_name(name: str, date: int, size: int, copy: str) -> str:
    """The name of a copy of ``name``: it tells the same message, when that tells one."""
    message = message_id(name)
    return base(message, date, size, copy) if message else f"{max(date, 0) // 1_000_000}.{copy},S={size}"


def writable(name: str) -> bool:
    """Whether a name is text, as all names in an index are."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def message_id(name: str) -> str:
    """The spool id that a name tells, "" when another tool made it."""
    match = _BASE.match(name)
    return match[2] if match else ""


def moved(name: str) -> bool:
    """Whether a move made this file: its copy mark ends with :data:`MOVED`."""
    match = _BASE.match(name)
    return match is not None and match[3].endswith(MOVED)


def time_of(message: str) -> int:
    """The time that a spool id begins with, in microseconds, not later than the message's own."""
    unit = 0
    for digit in message[:10]:
        unit = unit * 32 + _BASE32.index(digit)
    return unit << 7


def order(name: str) -> tuple[str, str]:
    """A sort key near the order of arrival, for names whose seq is unknown: the id begins with its time."""
    match = _BASE.match(name)
    if match:
        return match[2], name
    seconds = _SECONDS.match(name)
    unit = (int(seconds[0]) * 1_000_000 >> 7) if seconds else 0  # as the ids of the spool count time
    digits = ""
    for _ in range(10):
        unit, digit = divmod(unit, 32)
        digits = _BASE32[digit] + digits
    return digits, name


def date_of(name: str) -> int | None:
    """The INTERNALDATE in microseconds that a name tells, or None."""
    match = _SECONDS.match(name) or _BASE.match(name)
    return int(match[0] if match.re is _SECONDS else match[1]) * 1_000_000 if match else None


def size_of(name: str) -> int | None:
    """The octets that a name tells, or None."""
    match = _SIZE.search(name)
    return int(match[1]) if match else None


def relative(name: str, flags: int) -> str:
    """The path of a message below its folder: ``name`` is its BASE."""
    if flags & IN_NEW and not flags & 0x3F:
        return f"new/{name}"
    return f"cur/{name}:2,{_SUFFIXES[flags & 0x3F]}"


def parse(filename: str) -> tuple[str, int]:
    """(BASE, flags) of a name found in ``cur``; unknown letters are passed over."""
    name, _, suffix = filename.partition(":2,")
    flags = 0
    for letter in suffix:
        flags |= _LETTERS.get(letter, 0)
    return name, flags


# folders


def canonical(name: str) -> str:
    """INBOX in capitals whatever the client wrote, also as the parent of others (RFC 3501 section 5.1)."""
    first, slash, rest = name.partition("/")
    return INBOX + slash + rest if first.upper() == INBOX else name


def directory(name: str) -> str:
    """A folder's directory below the Maildir root, "" for INBOX. A dot inside a name is ``&AC4-``."""
    if name == INBOX:
        return ""
    return "." + ".".join(
        utf7.encode(part).decode("utf-8", "surrogatepass").replace(".", "&AC4-") for part in name.split("/")
    )


def folder(directory: str) -> str | None:
    """The folder whose directory it is; None for what is no folder of ours."""
    if not directory.startswith(".") or len(directory) < 2:
        return None
    try:
        parts = [utf7.decode(part.replace("&AC4-", ".").encode("utf-8")) for part in directory[1:].split(".")]
        name = "/".join(parts)
        encoded = name.encode("utf-8")
    except (ValueError, UnicodeError):
        return None
    if not all(parts) or any("/" in part for part in parts) or b"\0" in encoded:
        return None
    return canonical(name)


# files


def make(path: str) -> list[str]:
    """Create ``cur``, ``new`` and ``tmp`` of a folder where missing; the directories whose entries changed."""
    touched = []
    for sub in ("tmp", "new", "cur"):
        child = os.path.join(path, sub)
        if not os.path.isdir(child):
            touched += [*_make_private(child), child]
    return list(dict.fromkeys(touched))


def _make_private(path: str) -> list[str]:
    """Create ``path`` and what leads to it, readable by us alone; the directories that got an entry."""
    if os.path.isdir(path):
        return []
    parent = os.path.dirname(path)
    touched = _make_private(parent)
    os.mkdir(path, 0o700)
    return [*touched, parent]


def link(source: str, target: str) -> bool:
    """Give ``source`` the name ``target``; False when that name is there already."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True


def put(source: str, target: str, temporary: str) -> None:
    """Make ``target`` a name of ``source``, replacing whatever has it, in one step."""
    try:
        os.unlink(temporary)
    except FileNotFoundError:
        pass
    os.link(source, temporary)
    os.rename(temporary, target)
    try:
        os.unlink(temporary)  # rename does nothing when both are names of one file already
    except FileNotFoundError:
        pass


def scan(path: str) -> Iterator[tuple[str, int, str]]:
    """(BASE, flags with the place, path below the folder) of every message file of a folder."""
    for sub in ("new", "cur"):
        try:
            entries = os.scandir(os.path.join(path, sub))
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                    continue
                name, flags = parse(entry.name)
                yield name, (flags | IN_NEW if sub == "new" else flags), f"{sub}/{entry.name}"


def stamp(path: str) -> str:
    """When the entries of a folder's ``new`` and ``cur`` changed last; "" when one of them is missing."""
    try:
        new, cur = os.stat(os.path.join(path, "new")), os.stat(os.path.join(path, "cur"))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return f"{new.st_mtime_ns} {cur.st_mtime_ns}"


def being_written(path: str) -> bool | None:
    """Whether somebody has a file open for writing; None when this file system cannot tell. Raises OSError when the
    file cannot be read."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # whoever opens it for writing meanwhile sends us a signal that does nothing
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    return False


def find(path: str, name: str) -> tuple[int, str] | None:
    """Where BASE ``name`` is now, whatever flags another tool gave it: (flags, path below the folder)."""
    for found, flags, below in scan(path):
        if found == name:
            return flags, below
    return None


def folders(root: str) -> list[str]:
    """The names of all folders on disk below ``root``, INBOX first when it is there."""
    found = []
    try:
        entries = sorted(os.listdir(root))
    except FileNotFoundError:
        return []
    for entry in entries:
        name = folder(entry)
        if name is not None and directory(name) == entry and os.path.isdir(os.path.join(root, entry, "cur")):
            found.append(name)
    return ([INBOX] if os.path.isdir(os.path.join(root, "cur")) else []) + found


def full(error: OSError) -> bool:
    """Whether an error says that the disk (or the quota of its owner) is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
