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
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


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
    """Collects words until a delimiter tells what they were. ``_at`` and ``_second`` count the words before the first
    and the second ``@``, -1 when there is none; ``_told``: an address in angle brackets stands before the words."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._out: list[Mailbox] = []
        self._words: list[bytes] = []
        self._spaced: list[bool] = []
        self._comment: bytes | None = None
        self._group = False
        self._told = False
        self._at = -1
        self._second = -1

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
                if self._words:
                    self._comment = _ESCAPE.sub(rb"\1", raw[pos + 1 : end].removesuffix(b")"))
                pos, spaced = end, True
                continue
            if byte == 0x22:
                word, pos = quoted(raw, pos)
                self._add(word, spaced)
            elif byte == 0x3C:
                pos = self._angle(pos + 1)
            elif byte == 0x2C:
                self._flush()
                self._told = False
                pos += 1
            elif byte == 0x3B:
                self._flush()
                self._told = False
                if self._group:
                    self._out.append(Mailbox(None, None, None, None))
                    self._group = False
                pos += 1
            elif byte == 0x3A and self._at < 0:
                # a group in a group is none: its members are the outer one's
                if not self._group:
                    self._out.append(Mailbox(None, None, self._phrase() or b"", None))
                self._clear()
                self._group = True
                pos += 1
            elif byte == 0x40:
                self._sign()
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

    def _sign(self) -> None:
        """An ``@`` was read."""
        if self._at < 0:
            self._at = len(self._words)
        elif self._second < 0:
            self._second = len(self._words)

    def _clear(self) -> None:
        self._words, self._spaced, self._comment, self._at, self._second = [], [], None, -1, -1

    def _phrase(self) -> bytes | None:
        return b" ".join(self._words) if self._words else None

    def _joined(self, end: int | None = None) -> bytes:
        """The words as they stood: with a blank where one was."""
        out: list[bytes] = []
        for i, word in enumerate(self._words[:end]):
            out += (b" " if i and self._spaced[i] else b"", b"@" if i == self._at else b"", word)
        return b"".join(out)

    def _flush(self) -> None:
        """A bare ``local@host (name)``, or words that are none: one is a local part without a host, more are a
        name."""
        words, at = self._words, self._at
        if words and at >= 0:
            begin, end = self._local_start(at), self._host_end(at)
            name = self._joined(begin) if begin else self._comment
            self._out.append(Mailbox(name or None, None, b"".join(words[begin:at]), b"".join(words[at:end])))
        elif words and not self._told:
            if any(self._spaced[1:]):
                self._out.append(Mailbox(self._joined(), None, b"", b""))
            else:
                self._out.append(Mailbox(self._comment or None, None, b"".join(words), b""))
        self._clear()

    def _apart(self, i: int) -> bool:
        """Whether a blank that no dot adjoins stands before word ``i``: addresses have none."""
        return self._spaced[i] and not self._words[i].startswith(b".") and not self._words[i - 1].endswith(b".")

    def _local_start(self, at: int) -> int:
        """Where the local part that ends at word ``at`` begins: words before it are a name without brackets."""
        for i in range(at - 1, 0, -1):
            if self._apart(i):
                return i
        return 0

    def _host_end(self, at: int) -> int:
        """Where the host that begins at word ``at`` ends: at a second ``@``, or at a blank (a comma was forgotten)."""
        stop = self._second if self._second >= 0 else len(self._words)
        for i in range(at + 1, stop):
            if self._apart(i):
                return i
        return stop

    def _angle(self, pos: int) -> int:
        """``<@route:local@host>`` after its display name."""
        raw, size = self._raw, len(self._raw)
        name = self._joined() if self._words else self._comment
        self._clear()
        words = self._words
        route: bytes | None = None
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
                found = None if words or route else _ROUTE.match(raw, pos)
                if found is not None:
                    route, pos = found.group(), found.end()
                else:
                    self._sign()
                pos += 1
            elif byte == 0x5B:
                literal = _LITERAL.match(raw, pos)
                words.append(literal.group() if literal else b"[")
                pos = literal.end() if literal else pos + 1
            elif byte == 0x3A and words:
                words.append(b":")
                pos += 1
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
            split = self._at if self._at >= 0 else len(words)
            stop = self._second if self._second >= 0 else len(words)
            self._out.append(Mailbox(name or None, route, b"".join(words[:split]), b"".join(words[split:stop])))
        self._clear()
        self._told = True
        return pos
