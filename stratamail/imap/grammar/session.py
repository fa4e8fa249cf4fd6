"""Commands of the session itself (RFC 3501 sections 6.1 and 6.2, RFC 2971 ID, RFC 5161 ENABLE, RFC 4959 SASL-IR)."""

from __future__ import annotations

import re

from stratamail.imap.commands import (
    Authenticate,
    Capability,
    Command,
    Enable,
    Id,
    Idle,
    Login,
    Logout,
    Namespace,
    Noop,
    StartTls,
)  # fmt: skip
from stratamail.imap.tokens import MOST_ITEMS, Cursor, ParseError

_BASE64 = re.compile(rb"[A-Za-z0-9+/=]+")


def capability(cursor: Cursor) -> Command:
    return Capability()


def noop(cursor: Cursor) -> Command:
    return Noop()


def logout(cursor: Cursor) -> Command:
    return Logout()


def starttls(cursor: Cursor) -> Command:
    return StartTls()


def namespace(cursor: Cursor) -> Command:
    return Namespace()


def idle(cursor: Cursor) -> Command:
    return Idle()


def login(cursor: Cursor) -> Command:
    cursor.space()
    user = _text(cursor.astring())
    cursor.space()
    return Login(user, _text(cursor.astring()))


def authenticate(cursor: Cursor) -> Command:
    cursor.space()
    mechanism = cursor.word()
    initial = None
    if cursor.peek() == b" ":
        cursor.space()
        initial = b"" if cursor.accept(b"=") else cursor.take(_BASE64, "initial response")
    return Authenticate(mechanism, initial)


def enable(cursor: Cursor) -> Command:
    names = []
    cursor.space()
    names.append(cursor.word())
    while cursor.peek() == b" " and len(names) < MOST_ITEMS:
        cursor.space()
        names.append(cursor.word())
    return Enable(tuple(names))


def identify(cursor: Cursor) -> Command:
    """At most 30 pairs (RFC 2971 section 3.3)."""
    cursor.space()
    if cursor.peek() != b"(":
        if cursor.nstring() is not None:
            raise ParseError("Expected a list or NIL")
        return Id()
    raw = cursor.list(cursor.nstring)
    if len(raw) % 2 or len(raw) > 60:
        raise ParseError("Expected at most 30 pairs")
    pairs = []
    for name, value in zip(raw[::2], raw[1::2], strict=True):
        if name is None:
            raise ParseError("A field name may not be NIL")
        pairs.append(
            (name.decode("utf-8", "replace").lower(), None if value is None else value.decode("utf-8", "replace"))
        )
    return Id(tuple(pairs))


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
