"""What a folder list shows of a message: the fields of IMAP's ENVELOPE (RFC 3501 section 7.4.2), values raw.

Address lists are read leniently (RFC 5322 section 3.4 with its obsolete forms): never an error, at worst fewer
addresses. Touches no disk.
"""

from __future__ import annotations

import re

from attrs import frozen

from stratamail.mail.fieldvalue import comment_end, quoted, skip
from stratamail.mail.headers import Field, fields, value

MAX_ADDRESSES = 10_000

_ATOM = re.compile(rb'[^\x00-\x20()<>@,;:\\"\[\]\x7f]+')
_LITERAL = re.compile(rb"\[[^\[\]\\]*\]?")
_ROUTE = re.compile(rb"@[^:>@]{0,250}(?:@[^:>@]{0,250}){0,4}(?=:)")
"""Bounded: a value of nothing but ``@`` must not be looked through to its end for every one of them."""
_BLANK = re.compile(rb"[ \t\r\n]+")


@frozen
class Mailbox:
    """One address: ``local``@``host`` with the display ``name`` and obsolete ``route``. A group opens with ``host``
    None and its name in ``local``, and closes with both None, as IMAP writes it."""

    name: bytes | None
    route: bytes | None
    local: bytes | None
    host: bytes | None


@frozen
class Summary:
    """Unfolded raw values, None when the field is absent. ``sender`` and ``reply_to`` are ``from_`` when absent or
    empty."""

    date: bytes | None
    subject: bytes | None
    from_: tuple[Mailbox, ...]
    sender: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    in_reply_to: bytes | None
    message_id: bytes | None


def summarise(block: bytes) -> Summary:
    """The summary of a header block; address fields that occur twice are joined, of others the first counts."""
    found: dict[bytes, list[Field]] = {}
    for field in fields(block):
        found.setdefault(field.name, []).append(field)

    def text(name: bytes) -> bytes | None:
        return value(block, found[name][0]) if name in found else None

    def people(name: bytes) -> tuple[Mailbox, ...]:
        return tuple(one for field in found.get(name, ()) for one in addresses(value(block, field)))

    author = people(b"from")
    return Summary(
        text(b"date"), text(b"subject"), author, people(b"sender") or author, people(b"reply-to") or author,
        people(b"to"), people(b"cc"), people(b"bcc"), text(b"in-reply-to"), text(b"message-id"),
    )  # fmt: skip


def addresses(raw: bytes) -> list[Mailbox]:
    """The addresses of a field's value in order."""
    return _Addresses(raw).run()


class _Addresses:
    """Collects words until a delimiter tells what they were."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._out: list[Mailbox] = []
        self._words: list[bytes] = []
        self._spaced: list[bool] = []
        self._comment: bytes | None = None
        self._group = False
        self._at = -1

    def run(self) -> list[Mailbox]:
        raw, pos, size = self._raw, 0, len(self._raw)
        spaced = False
        while pos < size and len(self._out) < MAX_ADDRESSES:
            byte = raw[pos]
            blank = _BLANK.match(raw, pos)
            if blank is not None:
                pos, spaced = blank.end(), True
                continue
            if byte == 0x28:
                end = comment_end(raw, pos)
                self._comment = raw[pos + 1 : end - 1] if end > pos + 1 else b""
                pos, spaced = end, True
                continue
            if byte == 0x22:
                word, pos = quoted(raw, pos)
                self._add(word, spaced)
            elif byte == 0x3C:
                pos = self._angle(pos + 1)
            elif byte == 0x2C:
                self._flush()
                pos += 1
            elif byte == 0x3B:
                self._flush()
                if self._group:
                    self._out.append(Mailbox(None, None, None, None))
                    self._group = False
                pos += 1
            elif byte == 0x3A and not self._group and self._at < 0:
                self._out.append(Mailbox(None, None, self._phrase() or b"", None))
                self._clear()
                self._group = True
                pos += 1
            elif byte == 0x40 and self._at < 0 and self._words:
                self._at = len(self._words)
                pos += 1
            elif byte == 0x5B:
                literal = _LITERAL.match(raw, pos)
                pos = literal.end() if literal else pos + 1
                self._add(literal.group() if literal else b"[", spaced)
            else:
                atom = _ATOM.match(raw, pos)
                if atom is not None:
                    self._add(atom.group(), spaced)
                pos = atom.end() if atom else pos + 1
            spaced = False
        self._flush()
        if self._group:
            self._out.append(Mailbox(None, None, None, None))
        return self._out

    def _add(self, word: bytes, spaced: bool) -> None:
        self._words.append(word)
        self._spaced.append(spaced)

    def _clear(self) -> None:
        self._words, self._spaced, self._comment, self._at = [], [], None, -1

    def _phrase(self) -> bytes | None:
        return b" ".join(self._words) if self._words else None

    def _joined(self) -> bytes:
        """The words as they stood: with a blank where one was."""
        out: list[bytes] = []
        for i, word in enumerate(self._words):
            out += (b" " if i and self._spaced[i] else b"", b"@" if i == self._at else b"", word)
        return b"".join(out)

    def _flush(self) -> None:
        """A bare ``local@host (name)``, or words that are none: shown as a local part with an empty host."""
        if self._words:
            at = self._at if self._at >= 0 else len(self._words)
            local, host = b"".join(self._words[:at]), b"".join(self._words[at : self._host_end(at)])
            if self._at < 0:
                local = self._joined()
            self._out.append(Mailbox(self._comment or None, None, local, host))
        self._clear()

    def _host_end(self, at: int) -> int:
        """Where the host that begins at word ``at`` ends: at a blank that no dot adjoins (a comma was forgotten)."""
        for i in range(at + 1, len(self._words)):
            if self._spaced[i] and not self._words[i].startswith(b".") and not self._words[i - 1].endswith(b"."):
                return i
        return len(self._words)

    def _angle(self, pos: int) -> int:
        """``<@route:local@host>`` after its display name."""
        raw, size = self._raw, len(self._raw)
        name = self._joined() if self._words else self._comment
        words: list[bytes] = []
        route: bytes | None = None
        at = -1
        while pos < size:
            pos = skip(raw, pos)
            byte = raw[pos] if pos < size else 0x3E
            if byte == 0x3E:
                pos += 1
                break
            if byte == 0x22:
                word, pos = quoted(raw, pos)
                words.append(word)
            elif byte == 0x40:
                if at < 0 and words:
                    at = len(words)
                elif not words:
                    found = _ROUTE.match(raw, pos)
                    if found is not None:
                        route, pos = found.group(), found.end()
                pos += 1
            elif byte == 0x5B:
                literal = _LITERAL.match(raw, pos)
                words.append(literal.group() if literal else b"[")
                pos = literal.end() if literal else pos + 1
            elif byte == 0x3C or byte == 0x2C:
                pos += 1
                if byte == 0x2C:
                    break
            else:
                atom = _ATOM.match(raw, pos)
                if atom is not None:
                    words.append(atom.group())
                pos = atom.end() if atom else pos + 1
        if words or name:
            split = at if at >= 0 else len(words)
            self._out.append(Mailbox(name or None, route, b"".join(words[:split]), b"".join(words[split:])))
        self._clear()
        return pos
