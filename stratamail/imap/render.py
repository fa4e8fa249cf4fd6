"""Writes the server's side of the language (RFC 3501 section 7, RFC 4731, RFC 5258). Bytes out; touches no disk.

Flags, names and numbers come in as text, strings of messages as the bytes they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from stratamail.imap.sets import compress
from stratamail.mail import utf7

_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
_QUOTABLE = re.compile(rb'[^\x00\r\n"\\\x80-\xff]{0,1000}')
_ESCAPABLE = re.compile(rb"[^\x00\r\n\x80-\xff]{0,1000}")
_SPECIAL = re.compile(rb'(["\\])')
_CLEAN = re.compile(r"[^\x20-\x7e]+")


def string(value: bytes) -> bytes:
    """A quoted string when the grammar allows it, else a literal (8-bit, line ends, very long). A NUL has no place in
    either (RFC 3501 section 9, CHAR8) and is left out; a message's own octets never pass here."""
    if _QUOTABLE.fullmatch(value):
        return b'"' + value + b'"'
    value = value.replace(b"\0", b"")
    if _ESCAPABLE.fullmatch(value):
        return b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"'
    return b"{%d}\r\n%b" % (len(value), value)


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)


def astring(value: bytes) -> bytes:
    """An atom when possible; "NIL" is quoted."""
    return value if _ATOM.fullmatch(value) and value.upper() != b"NIL" else string(value)


def quote(value: bytes, atom: bool = False) -> str:
    """:func:`string` (or :func:`astring`) as latin-1 text, for labels."""
    return (astring(value) if atom else string(value)).decode("latin-1")


def mailbox(name: str) -> bytes:
    return astring(utf7.encode(name))


def flag_list(flags: Iterable[str]) -> bytes:
    return b"(" + " ".join(flags).encode("ascii", "replace") + b")"


def condition(tag: str, state: str, text: str, code: str = "") -> bytes:
    """A status response: ``tag`` "*" for an untagged one; ``state`` OK, NO, BAD, BYE or PREAUTH; ``code`` without
    brackets."""
    bracket = f"[{code}] " if code else ""
    line = _CLEAN.sub(" ", f"{bracket}{text or state.capitalize()}")
    return f"{tag} {state} {line}\r\n".encode("ascii")


def capability(names: Iterable[str]) -> bytes:
    return f"* CAPABILITY {' '.join(names)}\r\n".encode("ascii")


def listing(
    name: str,
    attributes: Iterable[str],
    word: bytes = b"LIST",
    childinfo: tuple[str, ...] = (),
    delimiter: bytes = b'"/"',
) -> bytes:
    """A LIST or LSUB response; ``childinfo`` are the selection options that match below (RFC 5258 section 3.5)."""
    extended = b""
    if childinfo:
        extended = b' ("CHILDINFO" (' + " ".join(f'"{option}"' for option in childinfo).encode("ascii") + b"))"
    return b"* %b %b %b %b%b\r\n" % (word, flag_list(attributes), delimiter, mailbox(name), extended)


def status(name: str, values: Mapping[str, int | str]) -> bytes:
    pairs = " ".join(f"{item} {value}" for item, value in values.items())
    return b"* STATUS " + mailbox(name) + f" ({pairs})\r\n".encode("ascii")


def vanished(uids: str, earlier: bool = False) -> bytes:
    """``uids`` a set (RFC 7162 section 3.2.10)."""
    return b"* VANISHED %b%b\r\n" % (b"(EARLIER) " if earlier else b"", uids.encode("ascii"))


def search(numbers: Iterable[int], modseq: int | None = None, word: bytes = b"SEARCH") -> bytes:
    """A SEARCH or SORT response; ``modseq`` the highest of the messages found, when the program named MODSEQ and found
    any (RFC 7162 sections 3.1.6 and 3.1.9)."""
    highest = b"" if modseq is None else b" (MODSEQ %d)" % modseq
    return b"* " + word + "".join([f" {n}" for n in numbers]).encode("ascii") + highest + b"\r\n"


def esearch(tag: str, numbers: list[int], uid: bool, returns: frozenset[str], modseq: int | None = None) -> bytes:
    """RFC 4731 section 3.1: MIN, MAX and ALL are left out when nothing was found; COUNT never is. ``modseq`` as of
    section 3.2."""
    parts = [f"* ESEARCH (TAG {quote(tag.encode('ascii'))})"]
    if uid:
        parts.append("UID")
    if numbers:
        if "MIN" in returns:
            parts.append(f"MIN {numbers[0]}")
        if "MAX" in returns:
            parts.append(f"MAX {numbers[-1]}")
        if "ALL" in returns:
            parts.append(f"ALL {compress(numbers)}")
    if "COUNT" in returns:
        parts.append(f"COUNT {len(numbers)}")
    if modseq is not None:
        parts.append(f"MODSEQ {modseq}")
    return (" ".join(parts) + "\r\n").encode("ascii")
