"""What a message is sorted, threaded and found by, taken from its header once and kept as a few bytes.

Texts are decoded (RFC 2047) and folded for comparing (i;unicode-casemap); message ids are 64-bit hashes. Touches no
disk; ``to_bytes`` is what ``summaries`` in ``index.sqlite`` holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from struct import Struct

from attrs import frozen

from stratamail.mail.collation import casemap
from stratamail.mail.dates import Sent, parse_date
from stratamail.mail.fieldvalue import decode_words, to_text
from stratamail.mail.headers import header_end
from stratamail.mail.subject import base_subject
from stratamail.mail.summary import Mailbox, addresses

VERSION = 1
"""Of the bytes; others are no digests of ours and are made anew."""

FIELDS = ("subject", "from", "to", "cc", "bcc")
"""The header fields whose decoded text is kept, by their number in ``present`` and ``cut``."""

TEXTS = (*FIELDS, "base", "from-mailbox", "to-mailbox", "cc-mailbox", "from-display", "to-display")
"""All texts in the order of the bytes. "base" is the base subject, "X-mailbox" the part before the @ of X's first
address, "X-display" its display value (RFC 5957)."""

KEPT = 2_000
"""Characters of a field that are kept; a longer one is marked in ``cut``."""

REFERENCES = 100
"""So many of a message's references are kept, the first and the last ones."""

AGAIN = "\x01"
"""Stands between the values of a field that occurs twice."""

NO_DATE = -(1 << 63)
"""In the place of the seconds of a Date field that there is not."""

_WANTED = re.compile(
    rb"^(subject|from|to|cc|bcc|date|message-id|references|in-reply-to)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(rb"\r?\n")
_ID = re.compile(rb'<((?:[^<>"]|"(?:[^"\\]|\\.)*")+)>', re.DOTALL)
_BLANK = re.compile(rb"[ \t\r\n]+")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_HEAD = Struct("<BBBBqiQH")
_NOTHING = _HEAD.pack(VERSION, 0, 0, 0, NO_DATE, 0, 0, 0) + b"\0" * (len(TEXTS) - 1)
_ADDRESS_OCTETS = 4_000


@frozen
class Digest:
    """``id`` and ``references`` are hashes of message ids (0: none; In-Reply-To's stands in for absent References, RFC
    5256); ``answer``: the subject is a reply's or a forward's. ``present`` and ``cut`` have a bit for each of
    ``FIELDS``: the header has it; its text here is only its beginning. ``texts`` are in the order of ``TEXTS``,
    casemapped, without NUL."""

    sent: Sent | None
    id: int
    references: tuple[int, ...]
    answer: bool
    present: int
    cut: int
    texts: tuple[str, ...]

    def text(self, name: str) -> str:
        return self.texts[TEXTS.index(name)]

    def to_bytes(self) -> bytes:
        sent = self.sent
        head = _HEAD.pack(
            VERSION, self.present, self.cut, self.answer, NO_DATE if sent is None else sent.seconds,
            0 if sent is None else sent.day, self.id, len(self.references),
        )  # fmt: skip
        references = b"".join(one.to_bytes(8, "little") for one in self.references)
        return head + references + "\0".join(self.texts).encode("utf-8", "replace")

    @classmethod
    def from_bytes(cls, data: bytes) -> Digest:
        """ValueError when these are no bytes of :meth:`to_bytes`."""
        if not _whole(data):
            raise ValueError("not a digest of this version")
        one = unpack([data])
        raw = one.references[0]
        sent = None if one.seconds[0] == NO_DATE else Sent(one.seconds[0], one.days[0])
        return cls(
            sent, one.ids[0], tuple(int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8)),
            bool(one.answers[0]), one.present[0], one.cut[0],
            tuple(column[0].decode("utf-8", "replace") for column in one.texts),
        )  # fmt: skip


@frozen
class Unpacked:
    """The parts of many digests as columns: ``seconds`` may be :data:`NO_DATE`, ``days`` 0, ``references`` have 8
    octets each, ``texts`` a column for each of ``TEXTS`` in UTF-8."""

    present: Sequence[int]
    cut: Sequence[int]
    answers: Sequence[int]
    seconds: Sequence[int]
    days: Sequence[int]
    ids: Sequence[int]
    references: Sequence[bytes]
    texts: Sequence[Sequence[bytes]]


def unpack(all_: Iterable[bytes]) -> Unpacked:
    """What :meth:`Digest.to_bytes` gave of many, at least one; other bytes count as those of ``EMPTY``."""
    whole = [data if _whole(data) else _NOTHING for data in all_]
    _, present, cut, answers, seconds, days, ids, counts = zip(*map(_HEAD.unpack_from, whole), strict=True)
    size = _HEAD.size
    references = [data[size : size + 8 * count] if count else b"" for data, count in zip(whole, counts, strict=True)]
    texts = b"\0".join([data[size + 8 * count :] for data, count in zip(whole, counts, strict=True)]).split(b"\0")
    columns = [texts[k :: len(TEXTS)] for k in range(len(TEXTS))]
    return Unpacked(present, cut, answers, seconds, days, ids, references, columns)


def _whole(data: bytes) -> bool:
    size = _HEAD.size
    if len(data) < size or data[0] != VERSION:
        return False
    start = size + 8 * (data[size - 2] | data[size - 1] << 8)
    return start <= len(data) and data.count(0, start) == len(TEXTS) - 1


def digest(header: bytes) -> Digest:
    """The digest of a header block (what follows its empty line does not count). Never fails."""
    found: dict[bytes, list[bytes]] = {}
    for name, raw in _WANTED.findall(header, 0, header_end(header)):
        found.setdefault(name.lower(), []).append(_LINE_END.sub(b"", raw).strip(b" \t\r"))
    present = cut = 0
    texts: list[str] = []
    for bit, name in enumerate(FIELDS):
        values = found.get(name.encode(), ())
        text = AGAIN.join([_clean(decode_words(raw)) for raw in values])
        present |= bool(values) << bit
        cut |= (len(text) > KEPT) << bit
        texts.append(casemap(text[:KEPT]) if text else "")
    base, answer = base_subject(decode_words(found.get(b"subject", (b"",))[0]))
    author, first, copy = (_first(found.get(name)) for name in (b"from", b"to", b"cc"))
    texts.append(_text(base))
    texts += [_text(_mailbox(one)) for one in (author, first, copy)]
    texts += [_text(_display(one)) for one in (author, first)]
    ids = message_ids(found.get(b"message-id", (b"",))[0])
    references = [one for raw in found.get(b"references", ()) for one in message_ids(raw)]
    if not references and b"in-reply-to" in found:
        references = message_ids(found[b"in-reply-to"][0])[:1]
    if len(references) > REFERENCES:
        references = [references[0], *references[1 - REFERENCES :]]
    sent = parse_date(to_text(found[b"date"][0])) if b"date" in found else None
    return Digest(sent, ids[0] if ids else 0, tuple(references), answer, present, cut, tuple(texts))


def message_ids(raw: bytes) -> list[int]:
    """The hashes of the valid message ids in a value, quotes that mean nothing removed (RFC 5256 section 3)."""
    out = []
    for inner in _ID.findall(raw):
        inner = _BLANK.sub(b"", _QUOTED.sub(_unquoted, inner))
        if b"@" in inner[1:-1]:
            out.append(int.from_bytes(blake2b(inner, digest_size=8).digest(), "little") or 1)
    return out


def _unquoted(found: re.Match[bytes]) -> bytes:
    return _ESCAPE.sub(rb"\1", found[1])


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").replace(AGAIN, "\ufffd") if "\0" in text or AGAIN in text else text


def _text(text: str) -> str:
    return casemap(_clean(text[:KEPT])) if text else ""


def _first(values: Sequence[bytes] | None) -> Mailbox | None:
    for raw in values or ():
        found = addresses(raw[:_ADDRESS_OCTETS])
        if found:
            return found[0]
    return None


def _mailbox(one: Mailbox | None) -> str:
    """addr-mailbox as ENVELOPE has it; of a group its name."""
    return to_text(one.local or b"") if one is not None else ""


def _display(one: Mailbox | None) -> str:
    """RFC 5957 section 3: a group's or a person's name, else the address."""
    if one is None:
        return ""
    if one.host is None:
        return decode_words(one.local or b"")
    name = decode_words(one.name or b"")
    if name:
        return name
    local, host = to_text(one.local or b""), to_text(one.host)
    return f"{local}@{host}" if host else local


EMPTY = digest(b"")
"""Of a message that cannot be read."""
