"""What two servers say of a message, without what each may choose.

RFC 3501 leaves free: quoted string or literal, the case of types, encodings and parameter names (RFC 2045 section 5.1:
"matching of media type and subtype is ALWAYS case-insensitive", and "ordering of parameters is not significant"), a
single language with or without a list. A text without a charset is us-ascii (RFC 2045 section 5.2), said or not.
Dovecot puts words such as MISSING_DOMAIN where an address lacks something; this server leaves it empty: RFC 3501
section 7.4.2 gives no such words, and only NIL would mean something else (a group). Dovecot writes a run of blanks in a
subject as one; RFC 5322 section 2.2.3: "Unfolding is accomplished by simply removing any CRLF that is immediately
followed by WSP".
"""

from __future__ import annotations

import re

from tests.support.responses import Said

_INVENTED = (b"MISSING_MAILBOX", b"MISSING_DOMAIN", b"SYNTAX_ERROR", b"INVALID_ROUTE")


def envelope(said: Said) -> Said:
    assert isinstance(said, list)
    date, subject, *people, answer, ident = said
    if isinstance(subject, bytes):
        subject = re.sub(rb"[ \t\r]+", b" ", subject)
    return [date, subject, *map(_people, people), answer, ident]


def _people(said: Said) -> Said:
    if not isinstance(said, list):
        return said
    return [[b"" if word in _INVENTED else word for word in one] for one in said if isinstance(one, list)]


def structure(said: Said) -> Said:
    """Of BODY and of BODYSTRUCTURE."""
    assert isinstance(said, list)
    if isinstance(said[0], list):
        parts = _parts(said)
        kind, *rest = said[len(parts) :]
        out: list[Said] = [[structure(each) for each in parts], _low(kind)]
        if rest:
            params, disposition, language, *more = rest
            out += [_params(params), _disposition(disposition), _languages(language), *more]
        return out
    major, minor, params, ident, description, encoding, *rest = said
    major, minor = _low(major), _low(minor)
    out = [major, minor, _params(params, major == b"text"), ident, description, _low(encoding)]
    if (major, minor) == (b"message", b"rfc822"):
        size, inner, below, lines, *rest = rest
        out += [size, envelope(inner), structure(below), lines]
    else:
        taken = 2 if major == b"text" else 1
        out += rest[:taken]
        rest = rest[taken:]
    if rest:
        md5, disposition, language, *more = rest
        out += [md5, _disposition(disposition), _languages(language), *more]
    return out


def sections(said: Said, prefix: str = "") -> list[str]:
    """The sections that BODYSTRUCTURE tells of: every part, its MIME header, header and text of messages."""
    assert isinstance(said, list)
    out: list[str] = []
    for number, part in enumerate(_parts(said) if isinstance(said[0], list) else [said], 1):
        assert isinstance(part, list)
        name = f"{prefix}{number}"
        out += [name, f"{name}.MIME"]
        if isinstance(part[0], list):
            out += sections(part, f"{name}.")
        elif (_low(part[0]), _low(part[1])) == (b"message", b"rfc822"):
            out += [f"{name}.HEADER", f"{name}.TEXT", *sections(part[8], f"{name}.")]
    return out


def _parts(said: list[Said]) -> list[Said]:
    """The parts of a multipart."""
    return said[: next(at for at, each in enumerate(said) if not isinstance(each, list))]


def _languages(said: Said) -> Said:
    return [said] if isinstance(said, bytes) else said


def _low(said: Said) -> Said:
    return said.lower() if isinstance(said, bytes) else said


def _params(said: Said, text: bool = False) -> Said:
    words = said if isinstance(said, list) else []
    pairs = [(_low(name), value) for name, value in zip(words[::2], words[1::2], strict=True)]
    if text and all(name != b"charset" for name, _ in pairs):
        pairs.append((b"charset", b"us-ascii"))
    return [part for pair in sorted(pairs, key=repr) for part in pair]


def _disposition(said: Said) -> Said:
    return [_low(said[0]), _params(said[1])] if isinstance(said, list) else said
