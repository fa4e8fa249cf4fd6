"""What CONDSTORE and QRESYNC add to other commands (RFC 7162 section 7): modifiers, parameters, mod-sequences."""

from __future__ import annotations

import re

from attrs import frozen

from stratamail.imap.commands import Resync
from stratamail.imap.sets import STAR, SequenceSet
from stratamail.imap.tokens import Cursor, ParseError

LARGEST = 2**63 - 1
_NUMBER = re.compile(rb"[0-9]{1,19}")
_NAME = re.compile(r"/flags/.+", re.DOTALL)


@frozen
class Selection:
    """The parameters of SELECT."""

    condstore: bool = False
    resync: Resync | None = None


def mod_sequence(cursor: Cursor, zero: bool = False) -> int:
    """63 bits, positive unless ``zero``."""
    value = int(cursor.take(_NUMBER, "mod-sequence"))
    if value > LARGEST or not (value or zero):
        raise ParseError("Invalid mod-sequence")
    return value


def select_parameters(cursor: Cursor) -> Selection:
    """What may follow the name: ``(CONDSTORE)``, ``(QRESYNC (...))``, both (sections 3.1.8 and 3.2.5)."""
    if cursor.peek() != b" ":
        return Selection()
    cursor.space()
    if cursor.at_end():
        return Selection()
    found: dict[str, Resync | None] = {}

    def parameter() -> None:
        name = cursor.word()
        if name in found:
            raise ParseError(f"{name} is there twice")
        if name == "QRESYNC":
            cursor.space()
            found[name] = _resync(cursor)
        elif name == "CONDSTORE":
            found[name] = None
        else:
            raise ParseError("Unknown SELECT parameter")

    cursor.list(parameter)
    return Selection("CONDSTORE" in found, found.get("QRESYNC"))


def fetch_modifiers(cursor: Cursor, uid: bool) -> tuple[int | None, bool]:
    """``(CHANGEDSINCE n)`` and, of UID FETCH, ``VANISHED`` with it (sections 3.1.4.1 and 3.2.6)."""
    if cursor.peek() != b" ":
        return None, False
    cursor.space()
    if cursor.at_end():
        return None, False
    found: dict[str, int] = {}

    def modifier() -> None:
        name = cursor.word()
        if name in found:
            raise ParseError(f"{name} is there twice")
        if name == "CHANGEDSINCE":
            cursor.space()
            found[name] = mod_sequence(cursor, zero=True)
        elif name == "VANISHED":
            found[name] = 0
        else:
            raise ParseError("Unknown FETCH modifier")

    cursor.list(modifier)
    if "VANISHED" in found and not uid:
        raise ParseError("VANISHED is for UID FETCH")
    if "VANISHED" in found and "CHANGEDSINCE" not in found:
        raise ParseError("VANISHED needs CHANGEDSINCE")
    return found.get("CHANGEDSINCE"), "VANISHED" in found


def store_modifiers(cursor: Cursor) -> int | None:
    """``(UNCHANGEDSINCE n) `` before the flags, with the blank behind it (section 3.1.3)."""
    if cursor.peek() != b"(":
        return None
    found: list[int] = []

    def modifier() -> None:
        if cursor.word() != "UNCHANGEDSINCE":
            raise ParseError("Unknown STORE modifier")
        cursor.space()
        found.append(mod_sequence(cursor, zero=True))

    cursor.list(modifier)
    if len(found) > 1:
        raise ParseError("UNCHANGEDSINCE is there twice")
    cursor.space()
    return found[0] if found else None


def search_criterion(cursor: Cursor) -> int:
    """What follows the search key MODSEQ (section 3.1.5). All metadata of a message share one mod-sequence here: the
    name of an entry is read and passed over."""
    if cursor.peek() == b'"' or cursor.at_literal():
        if _NAME.fullmatch(cursor.string().decode("latin-1")) is None:
            raise ParseError("Unknown metadata entry")
        cursor.space()
        if cursor.word() not in ("PRIV", "SHARED", "ALL"):
            raise ParseError("Expected priv, shared or all")
        cursor.space()
    return mod_sequence(cursor, zero=True)


def _resync(cursor: Cursor) -> Resync:
    cursor.expect(b"(")
    uidvalidity = cursor.number()
    if not uidvalidity:
        raise ParseError("Invalid UIDVALIDITY")
    cursor.space()
    modseq = mod_sequence(cursor)
    known: SequenceSet | None = None
    numbers: SequenceSet | None = None
    uids: SequenceSet | None = None
    if cursor.peek() == b" ":
        cursor.space()
        if cursor.peek() != b"(":
            known = _fixed_set(cursor)
            if cursor.peek() == b" ":
                cursor.space()
        if cursor.accept(b"("):
            numbers = _fixed_set(cursor)
            cursor.space()
            uids = _fixed_set(cursor)
            cursor.expect(b")")
            if _count(numbers) != _count(uids):
                raise ParseError("Known sequence numbers and UIDs do not pair up")
    cursor.expect(b")")
    return Resync(uidvalidity, modseq, known, numbers, uids)


def _fixed_set(cursor: Cursor) -> SequenceSet:
    """A set without ``*``."""
    found = cursor.sequence_set()
    if found.saved or any(STAR in span for span in found.ranges):
        raise ParseError("* is not allowed here")
    return found


def _count(numbers: SequenceSet) -> int:
    """How many numbers an ascending set names."""
    count = last = 0
    for low, high in numbers.ranges:
        if not last < low <= high:
            raise ParseError("Known numbers must ascend")
        count += high - low + 1
        last = high
    return count
