"""The first words of a message as a person reads them (RFC 8970 section 4.1). Never fails, linear in what it reads.

The first text part that has words: decoded, markup and quoted text taken off, blanks joined. Touches no disk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from stratamail.mail.fieldvalue import param, to_text
from stratamail.mail.structure import Part, scan
from stratamail.mail.transfer import decode

LONGEST = 200
"""Characters of a preview."""
OCTETS = 128 * 1024
"""So much of the beginning of a message is read for it."""
_PART = 48 * 1024
_ENOUGH = 8 * LONGEST
_ENCRYPTED = {b"multipart/encrypted", b"application/pkcs7-mime", b"application/x-pkcs7-mime"}
_UNSEEN = dict.fromkeys([0x00AD, 0x034F, 0x180E, *range(0x200B, 0x2010), 0x2060, 0xFEFF])
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0]+")
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]{0,15})")
_HIDDEN = {"script", "style", "head", "title", "template"}
_INLINE = {"a", "abbr", "b", "big", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "wbr"}


def preview(head: bytes) -> str:
    """Of a message's first :data:`OCTETS`: at most :data:`LONGEST` characters, "" when there are no words to show or
    they are encrypted."""
    root = scan(head[:OCTETS])
    if _kind(root) in _ENCRYPTED:
        return ""
    for part in _shown(root):
        words = _words(_text(head, part), part.subtype.lower() == b"html")
        if words:
            return words[:LONGEST].rstrip(" ")
    return ""


def _kind(part: Part) -> bytes:
    return (part.type + b"/" + part.subtype).lower()


def _shown(root: Part) -> Iterator[Part]:
    """The text parts in the order in which they are tried."""
    attached: list[Part] = []
    for part in root.walk():
        if part.children or part.type.lower() != b"text" or part.subtype.lower() == b"calendar":
            continue
        if part.disposition is not None and part.disposition[0].lower() == b"attachment":
            attached.append(part)
        else:
            yield part
    # a lone attachment is better than nothing when it is text
    yield from (part for part in attached if part.subtype.lower() == b"plain")


def _text(data: bytes, part: Part) -> str:
    end = min(part.body_end, part.body_start + _PART)
    content = decode(data[part.body_start : end], part.encoding)
    if content is None:
        return ""
    if end < part.body_end or part.body_end == OCTETS:
        content = _whole_characters(content)
    charset = param(part.params, b"charset") or b"utf-8"
    return to_text(content, charset.decode("latin-1"))


def _whole_characters(content: bytes) -> bytes:
    """Without the half of a UTF-8 character that a cut left at the end."""
    for back in range(1, min(4, len(content)) + 1):
        byte = content[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            return content[:-back]
    return content


def _words(text: str, html: bool) -> str:
    if html:
        return _joined(unescape(_without_markup(text)))
    lines = text.split("\n")
    kept: list[str] = []
    for line in lines:
        if line.rstrip("\r") == "-- " and kept:
            break
        if not line.startswith(">"):
            kept.append(line)
    return _joined(" ".join(kept)) or _joined(text)


def _joined(text: str) -> str:
    # more than a few times what is shown is never needed, invisible characters between the words included
    return _CONTROL.sub(" ", text[: 20 * _ENOUGH].translate(_UNSEEN)).strip(" ")


def _without_markup(text: str) -> str:
    """The text of an HTML page; each piece of it is looked at once."""
    lower = text.lower()
    out: list[str] = []
    length = pos = 0
    while length < 20 * _ENOUGH:
        start = text.find("<", pos)
        piece = text[pos:] if start < 0 else text[pos:start]
        out.append(piece)
        length += len(piece.strip())
        if start < 0:
            break
        end = _behind(text, lower, start, out)
        if end < 0:
            break
        pos = end
    return "".join(out)


def _behind(text: str, lower: str, start: int, out: list[str]) -> int:
    """Where the text goes on behind the markup at ``start``, -1 when it does not."""
    if text.startswith("<!--", start):
        end = text.find("-->", start + 4)
        return end + 3 if end >= 0 else -1
    match = _TAG.match(text, start)
    if match is None and text[start + 1 : start + 2] not in ("!", "?", "/"):
        out.append("<")
        return start + 1
    name = match.group(1).lower() if match else ""
    if name in _HIDDEN and text[start + 1] != "/":
        close = lower.find(f"</{name}", start)
        if close < 0:
            return -1
        start = close
    end = text.find(">", start)
    if name not in _INLINE:
        out.append(" ")
    return end + 1 if end >= 0 else -1
