"""MAIL and RCPT: paths and parameters (RFC 5321 4.1.1.2-3; SIZE RFC 1870, BODY 6152, SMTPUTF8 6531, DSN 3461)."""

from __future__ import annotations

import re

from stratamail.mail.address import PathError, parse_path
from stratamail.mail.envelope import Recipient
from stratamail.mail.reply import Reply
from stratamail.smtp.server_events import Mail, Rcpt
from stratamail.smtp.server_replies import BAD_ARGUMENT, BAD_PARAMETER, UNKNOWN_PARAMETER, Refusal

_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9\-]*")
_NOTIFY = frozenset((b"SUCCESS", b"FAILURE", b"DELAY"))
_NULL_RECIPIENT = Reply(501, "5.1.3", "A recipient cannot be the null path")


def _path(argument: bytes, word: bytes, smtputf8: bool) -> tuple[str, bytes]:
    """``FROM:<path>`` or ``TO:<path>``; blanks after the colon are wrong but common, and harmless."""
    if argument[: len(word)].upper() != word:
        raise Refusal(BAD_ARGUMENT)
    try:
        address, rest = parse_path(argument[len(word) :].lstrip(b" "), smtputf8)
    except PathError as error:
        if error.status == "6.7":
            raise Refusal(Reply(553, "5.6.7", str(error))) from None
        detail = "7" if word == b"FROM:" else "3"
        raise Refusal(Reply(501, f"5.1.{detail}", str(error))) from None
    if rest and not rest.startswith(b" "):
        raise Refusal(BAD_ARGUMENT)
    return address, rest


def _parameters(rest: bytes) -> dict[bytes, bytes | None]:
    found: dict[bytes, bytes | None] = {}
    for word in rest.split():
        name, equals, value = word.partition(b"=")
        name = name.upper()
        if not _KEYWORD.fullmatch(name) or name in found or (equals and not value):
            raise Refusal(BAD_PARAMETER)
        found[name] = value if equals else None
    return found


def _xtext(value: bytes | None, limit: int) -> str:
    if value is None or len(value) > limit or not _XTEXT.fullmatch(value):
        raise Refusal(BAD_PARAMETER)
    return value.decode("ascii")


def parse_mail(argument: bytes) -> Mail:
    """What follows ``MAIL``. Raises :class:`Refusal`."""
    # the parameter that allows UTF-8 stands after the path it allows it in
    smtputf8 = not argument.isascii() and b" SMTPUTF8" in argument.rpartition(b">")[2].upper()
    sender, rest = _path(argument, b"FROM:", smtputf8)
    if not rest.strip():
        return Mail(sender)
    size, body, ret, envid, auth = 0, "", "", "", ""
    utf8 = False
    for name, value in _parameters(rest).items():
        if name == b"SIZE":
            if value is None or not value.isdigit() or len(value) > 20:
                raise Refusal(BAD_PARAMETER)
            size = int(value)
        elif name == b"BODY":
            body = (value or b"").upper().decode("ascii", "replace")
            if body not in ("7BIT", "8BITMIME"):
                raise Refusal(BAD_PARAMETER)
        elif name == b"SMTPUTF8":
            if value is not None:
                raise Refusal(BAD_PARAMETER)
            utf8 = True
        elif name == b"RET":
            ret = (value or b"").upper().decode("ascii", "replace")
            if ret not in ("FULL", "HDRS"):
                raise Refusal(BAD_PARAMETER)
        elif name == b"ENVID":
            envid = _xtext(value, 100)
        elif name == b"AUTH":
            auth = "<>" if value == b"<>" else _xtext(value, 500)
        else:
            raise Refusal(UNKNOWN_PARAMETER)
    return Mail(sender, size, body, utf8, ret, envid, auth)


def parse_rcpt(argument: bytes, smtputf8: bool) -> Rcpt:
    """What follows ``RCPT``. Raises :class:`Refusal`."""
    address, rest = _path(argument, b"TO:", smtputf8)
    if not address:
        raise Refusal(_NULL_RECIPIENT)
    if not rest.strip():
        return Rcpt(Recipient(address))
    notify, orcpt = "", ""
    for name, value in _parameters(rest).items():
        if name == b"NOTIFY":
            notify = _notify(value or b"")
        elif name == b"ORCPT":
            orcpt = _orcpt(value or b"", smtputf8)
        else:
            raise Refusal(UNKNOWN_PARAMETER)
    return Rcpt(Recipient(address, notify, orcpt))


def _notify(value: bytes) -> str:
    value = value.upper()
    words = value.split(b",")
    if value != b"NEVER" and (len(set(words)) != len(words) or not _NOTIFY.issuperset(words)):
        raise Refusal(BAD_PARAMETER)
    return value.decode("ascii")


def _orcpt(value: bytes, smtputf8: bool) -> str:
    """RFC 3461 4.2: ``addr-type;xtext``, at most 500 octets; with SMTPUTF8 also UTF-8 (RFC 6533 section 3)."""
    kind, semicolon, text = value.partition(b";")
    if len(value) > 500 or not semicolon or not text or not _KEYWORD.fullmatch(kind):
        raise Refusal(BAD_PARAMETER)
    if kind.lower() == b"utf-8":
        try:
            decoded = value.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(BAD_PARAMETER) from None
        if not decoded.isprintable() or (not decoded.isascii() and not smtputf8):
            raise Refusal(BAD_PARAMETER)
        return decoded
    if not _XTEXT.fullmatch(text):
        raise Refusal(BAD_PARAMETER)
    return value.decode("ascii")
