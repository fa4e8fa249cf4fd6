"""Structured header values: ``token/token; name=value`` (RFC 2045 section 5.1), comments and encoded words (RFC 2047).

Parameters in pieces are joined (RFC 2231). Every reader takes any bytes and gives the best it can. Touches no disk.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from codecs import lookup
from operator import itemgetter

_TOKEN = re.compile(rb'[^\x00-\x20()<>@,;:\\"/\[\]?=\x7f]+')
_VALUE = re.compile(rb'[^\x00-\x20;"\x7f]+')
_BLANK = re.compile(rb"[\x00-\x20\x7f]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)(?:"|$|\\$)', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_WORD = re.compile(rb"=\?([!->@-~]{1,60}?)(?:\*[A-Za-z0-9-]*)?\?([bBqQ])\?([!->@-~ ]*?)\?=")
_PIECE = re.compile(rb"([^*]+)\*([0-9]{1,3})(\*?)")
_BETWEEN = re.compile(rb"(\?=)[ \t\r\n]+(?==\?)")

Params = tuple[tuple[bytes, bytes], ...]


def skip(value: bytes, pos: int) -> int:
    """The offset behind blanks and nested comments."""
    size = len(value)
    while pos < size:
        match = _BLANK.match(value, pos)
        if match is not None:
            pos = match.end()
        elif value[pos] == 0x28:
            pos = comment_end(value, pos)
        else:
            break
    return pos


def comment_end(value: bytes, pos: int) -> int:
    """The offset behind the comment that opens at ``pos``; the end of the value when it never closes."""
    depth, size = 0, len(value)
    while pos < size:
        byte = value[pos]
        if byte == 0x5C:
            pos += 1
        elif byte == 0x28:
            depth += 1
        elif byte == 0x29:
            depth -= 1
            if depth == 0:
                return pos + 1
        pos += 1
    return size


def quoted(value: bytes, pos: int) -> tuple[bytes, int]:
    """The text of the quoted string that opens at ``pos`` and the offset behind it; an open one ends with the value."""
    match = _QUOTED.match(value, pos)
    if match is None:
        return b"", pos + 1
    return _ESCAPE.sub(rb"\1", match.group(1)), match.end()


def content_type(value: bytes) -> tuple[bytes, bytes, Params] | None:
    """``type, subtype, params``, None when there is not even a type. A missing subtype is "plain" for text, else
    "x-unknown"."""
    pos = skip(value, 0)
    match = _TOKEN.match(value, pos)
    if match is None:
        return None
    major = match.group()
    pos = skip(value, match.end())
    minor = b""
    if value[pos : pos + 1] == b"/":
        match = _TOKEN.match(value, skip(value, pos + 1))
        if match is not None:
            minor = match.group()
            pos = match.end()
    if not minor:
        minor = b"plain" if major.lower() == b"text" else b"x-unknown"
    return major, minor, params(value, pos)


def disposition(value: bytes) -> tuple[bytes, Params] | None:
    """``attachment; filename=x`` (RFC 2183); parameters without a type are an attachment's, as section 2.8 asks of
    types that nobody knows."""
    match = _TOKEN.match(value, skip(value, 0))
    if match is not None:
        return match.group(), params(value, match.end())
    found = params(value, 0)
    return (b"attachment", found) if found else None


def params(value: bytes, pos: int) -> Params:
    """Everything behind the first semicolon from ``pos`` on, pieces joined; what is no ``name=value`` is passed
    over."""
    out: list[tuple[bytes, bytes]] = []
    size = len(value)
    while pos < size and len(out) < 100:
        pos = value.find(b";", pos)
        if pos < 0:
            break
        pos = skip(value, pos + 1)
        name = _TOKEN.match(value, pos)
        if name is None:
            continue
        pos = skip(value, name.end())
        if value[pos : pos + 1] != b"=":
            continue
        pos = skip(value, pos + 1)
        if value[pos : pos + 1] == b'"':
            text, pos = quoted(value, pos)
        else:
            found = _VALUE.match(value, pos)
            text, pos = (found.group(), found.end()) if found else (b"", pos)
        out.append((name.group(), text))
    return joined(out)


def joined(pairs: list[tuple[bytes, bytes]]) -> Params:
    """``name*0="a"; name*1="b"`` as ``name=ab``, behind the others (RFC 2231 section 3). When a piece is encoded
    (``name*0*=``) the whole is ``name*``, still encoded (section 4.1). Pieces of which one is missing or there twice
    stay as they are."""
    pieces: dict[bytes, list[tuple[int, bytes, bytes, bool]]] = {}
    for name, text in pairs:
        match = _PIECE.fullmatch(name)
        if match is not None:
            pieces.setdefault(match[1].lower(), []).append((int(match[2]), name, text, bool(match[3])))
    whole: list[tuple[bytes, bytes]] = []
    used: set[bytes] = set()
    for found in pieces.values():
        found.sort(key=itemgetter(0))
        if [at for at, *_ in found] != list(range(len(found))):
            continue
        used.update(name for _, name, _, _ in found)
        name = found[0][1].partition(b"*")[0]
        if any(coded for *_, coded in found):
            text = b"".join(text if coded else text.replace(b"%", b"%25") for _, _, text, coded in found)
            # charset and language stand in front of the first piece, when that one is encoded
            whole.append((name + b"*", text if found[0][3] else b"''" + text))
        else:
            whole.append((name, b"".join(text for _, _, text, _ in found)))
    return (*((name, text) for name, text in pairs if name not in used), *whole)


def param(pairs: Params, name: bytes) -> bytes | None:
    """The first parameter called ``name`` (lower case)."""
    for key, text in pairs:
        if key.lower() == name:
            return text
    return None


def token(value: bytes) -> bytes | None:
    """The one token of a value such as Content-Transfer-Encoding's, None when there are none or more of them; what
    follows a semicolon does not count."""
    match = _TOKEN.match(value, skip(value, 0))
    if match is None or value[skip(value, match.end()) :][:1] not in (b"", b";"):
        return None
    return match.group()


def tokens(value: bytes) -> tuple[bytes, ...]:
    """A comma list such as Content-Language's."""
    found = (_TOKEN.match(piece, skip(piece, 0)) for piece in value.split(b",")[:50])
    return tuple(match.group() for match in found if match is not None)


def to_text(raw: bytes, charset: str = "utf-8") -> str:
    """Decodes with replacement; an unknown or no real charset falls back to UTF-8, then Latin-1."""
    try:
        info = lookup(charset)
        if info._is_text_encoding:
            return raw.decode(charset, "replace") if info.name != "utf-8" else raw.decode("utf-8")
    except (LookupError, ValueError, UnicodeError):
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decode_words(raw: bytes) -> str:
    """An unstructured value as text: encoded words decoded (RFC 2047 section 6.2), raw 8-bit taken as UTF-8 or
    Latin-1. Words of one charset that follow each other are decoded together: some writers split a character. A tab
    is a blank: it stands where a line was folded, and nobody looks for one."""
    raw = raw.replace(b"\t", b" ")
    if b"=?" not in raw:
        return to_text(raw)
    raw = _BETWEEN.sub(rb"\1", raw)
    out: list[str] = []
    pos = 0
    charset, coded = "", bytearray()
    for match in _WORD.finditer(raw):
        name = match[1].decode("ascii", "replace").lower()
        if match.start() > pos or name != charset:
            out += (to_text(bytes(coded), charset), to_text(raw[pos : match.start()]))
            charset, coded = name, bytearray()
        coded += _decoded(match[2], match[3])
        pos = match.end()
    out += (to_text(bytes(coded), charset), to_text(raw[pos:]))
    return "".join(out)


def _decoded(kind: bytes, coded: bytes) -> bytes:
    """The octets of an encoded word; the text as it stands when it is no base64."""
    try:
        if kind in b"bB":
            return a2b_base64(coded + b"=" * (-len(coded) % 4))
        return a2b_qp(coded, header=True)
    except (Error, ValueError):
        return coded
