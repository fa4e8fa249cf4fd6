"""ENVELOPE, BODY and BODYSTRUCTURE as IMAP writes them, and the bytes of a section (RFC 3501 sections 6.4.5 and 7.4.2).

Works on the tree of ``mail.structure``, whose depth is bounded; touches no disk.
"""

from __future__ import annotations

import re
from functools import lru_cache

from stratamail.imap.commands import Section
from stratamail.imap.render import nstring, string
from stratamail.mail.fieldvalue import Params
from stratamail.mail.headers import fields, header_end
from stratamail.mail.structure import Part, find
from stratamail.mail.summary import Mailbox, Summary, summarise

RFC822_HEADER = "HEADER"
_NAME = re.compile(rb"[!-9;-~]+")


def envelope(summary: Summary) -> bytes:
    people = b" ".join(
        _people(group)
        for group in (summary.from_, summary.sender, summary.reply_to, summary.to, summary.cc, summary.bcc)
    )
    head = nstring(summary.date) + b" " + nstring(summary.subject)
    return b"(%b %b %b %b)" % (head, people, nstring(summary.in_reply_to), nstring(summary.message_id))


def _people(group: tuple[Mailbox, ...]) -> bytes:
    if not group:
        return b"NIL"
    return (
        b"(" + b"".join(b"(" + b" ".join(map(nstring, (m.name, m.route, m.local, m.host))) + b")" for m in group) + b")"
    )


def bodystructure(data: bytes, root: Part, extended: bool = True) -> bytes:
    """BODYSTRUCTURE, or BODY when not ``extended``."""
    out: list[bytes] = []
    _part(data, root, extended, out)
    return b"".join(out)


def _part(data: bytes, part: Part, extended: bool, out: list[bytes]) -> None:
    if part.multipart:
        out.append(b"(")
        for child in part.children:
            _part(data, child, extended, out)
        out.append(b" " + string(part.subtype))
        if extended:
            out.append(
                b" %b %b %b %b" % (_params(part.params), _disposition(part), _language(part), nstring(part.location))
            )
        out.append(b")")
        return
    out.append(
        b"(%b %b %b %b %b %b %d"
        % (
            string(part.type),
            string(part.subtype),
            _params(part.params),
            nstring(part.id),
            nstring(part.description),
            string(part.encoding),
            part.body_end - part.body_start,
        )
    )
    if part.message:
        inner = part.children[0]
        out.append(b" " + envelope(summarise(data[inner.header_start : inner.body_start])) + b" ")
        _part(data, inner, extended, out)
        out.append(b" %d" % part.lines)
    elif part.type.lower() == b"text":
        out.append(b" %d" % part.lines)
    if extended:
        out.append(b" %b %b %b %b" % (nstring(part.md5), _disposition(part), _language(part), nstring(part.location)))
    out.append(b")")


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(" + b" ".join(string(name) + b" " + string(text) for name, text in params) + b")"


def _disposition(part: Part) -> bytes:
    if part.disposition is None:
        return b"NIL"
    kind, params = part.disposition
    return b"(" + string(kind) + b" " + _params(params) + b")"


def _language(part: Part) -> bytes:
    if not part.language:
        return b"NIL"
    if len(part.language) == 1:
        return string(part.language[0])
    return b"(" + b" ".join(map(string, part.language)) + b")"


def header_only(section: Section) -> bool:
    """Whether the message's own header is all that ``section`` needs."""
    return not section.part and section.text.startswith(RFC822_HEADER)


def span(section: Section, size: int, header_size: int, root: Part | None) -> tuple[int, int] | None:
    """Where in the message's ``size`` octets the section lies (of HEADER.FIELDS: the header that they are chosen from),
    None when there is no such part. ``root`` may be None when the section names no part."""
    if not section.part:
        if section.text == "":
            return 0, size
        return (header_size, size) if section.text == "TEXT" else (0, header_size)
    part = find(root, section.part) if root is not None else None
    if part is None:
        return None
    if section.text == "":
        return part.body_start, part.body_end
    if section.text == "MIME":
        return part.header_start, part.body_start
    if not part.message:
        return None
    inner = part.children[0]
    return (inner.body_start, inner.body_end) if section.text == "TEXT" else (inner.header_start, inner.body_start)


def extract(data: bytes, root: Part | None, section: Section) -> bytes | None:
    """The section's bytes, the partial range applied, None (NIL) when there is no such part. ``root`` may be None when
    the section names no part."""
    header_size = header_end(data) if section.text and not section.part else 0
    found = span(section, len(data), header_size, root)
    if found is None:
        return None
    if section.text.startswith("HEADER.FIELDS"):
        return chosen_fields(data[found[0] : found[1]], section)
    return _partial(data, found, section)


def encoding(root: Part | None, section: Section) -> bytes:
    """What BINARY takes off the section (RFC 3516 section 4.2), in capitals. What holds parts or a message, and the
    message as a whole, has no encoding of its own (RFC 2045 section 6.4)."""
    part = find(root, section.part) if root is not None and section.part else None
    return b"BINARY" if part is None or part.children else part.encoding


def binary(section: Section, content: bytes | None) -> bytes:
    """One BINARY or BINARY.SIZE item of a FETCH response, of a section's decoded octets, None when there is no such
    part. The partial range counts decoded octets (RFC 3516 section 4.3)."""
    if section.kind == "BINARY.SIZE":
        return label(section) + b" %d" % len(content or b"")
    if content is None:
        return label(section) + b" NIL"
    content = _partial(content, (0, len(content)), section)
    return label(section) + announced(len(content), b"\0" in content) + content


def announced(size: int, nul: bool) -> bytes:
    """A literal is announced; with NUL octets it is a literal8."""
    return b" ~{%d}\r\n" % size if nul else b" {%d}\r\n" % size


def _partial(data: bytes, found: tuple[int, int], section: Section) -> bytes:
    start, end = found
    if section.partial is not None:
        start = min(start + section.partial[0], end)
        end = min(start + section.partial[1], end)
    return data[start:end]


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape").lower()


@lru_cache(maxsize=200)
def _pattern(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """Finds whole fields of these names: what ``headers.fields`` finds, much faster when few are wanted."""
    possible = filter(_NAME.fullmatch, map(_raw, names))
    either = b"|".join(map(re.escape, possible)) or b"(?!)"
    return re.compile(rb"^(?:" + either + rb")[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*\n?", re.IGNORECASE | re.MULTILINE)


def chosen_fields(block: bytes, section: Section) -> bytes:
    """The fields of a header that HEADER.FIELDS (or its NOT) names, with the empty line when there is one, the partial
    range applied."""
    if section.text == "HEADER.FIELDS":
        kept = _pattern(section.fields).findall(block)
    else:
        others = frozenset(map(_raw, section.fields))
        kept = [block[each.start : each.end] for each in fields(block) if each.name and each.name not in others]
    if block in (b"\n", b"\r\n") or block.endswith((b"\n\n", b"\n\r\n")):
        # "included in all header fetches, except in the case of a message which has no body and no blank line"
        kept.append(b"\r\n")
    data = b"".join(kept)
    return _partial(data, (0, len(data)), section)


_LISTED = (
    "bcc", "bimi-selector", "cc", "chat-version", "content-description", "content-transfer-encoding", "content-type",
    "date", "disposition-notification-to", "from", "importance", "in-reply-to", "lines", "list-id", "list-post",
    "list-subscribe", "list-unsubscribe", "message-id", "newsgroups", "priority", "references", "reply-to",
    "resent-date", "resent-from", "sender", "subject", "to", "x-k9mail-identity", "x-label", "x-original-to",
    "x-priority", "x-tuid", "x-uniform-type-identifier", "x-universally-unique-identifier",
)  # fmt: skip
"""The fields that mail programs ask for of each message, to show it in a list."""


def brief(block: bytes) -> bytes:
    """A header reduced to those fields: what :func:`listed` sections ask for is found in it as in the whole."""
    return chosen_fields(block, Section((), "HEADER.FIELDS", _LISTED))


def listed(section: Section) -> bool:
    """Whether a section asks for nothing but such fields of the message's own header."""
    return not section.part and section.text == "HEADER.FIELDS" and _are_listed(section.fields)


@lru_cache(maxsize=200)
def _are_listed(names: tuple[str, ...]) -> bool:
    return frozenset(name.lower() for name in names) <= frozenset(_LISTED)


def label(section: Section) -> bytes:
    """What the response calls the section."""
    text = section.label.encode("latin-1")
    return text if section.partial is None else text + b"<%d>" % section.partial[0]


def item(section: Section, found: bytes | None) -> bytes:
    """One data item of a FETCH response: label and literal (a message's bytes always travel as a literal)."""
    if found is None:
        return label(section) + b" NIL"
    return label(section) + b" {%d}\r\n%b" % (len(found), found)
