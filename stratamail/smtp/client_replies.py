"""Reading what an SMTP server says: bytes in, replies out, whatever way the bytes are split (RFC 5321 section 4.2).

Writes nothing to disk.
"""

from __future__ import annotations

import re

from stratamail.mail.reply import Reply

# RFC 5321 4.5.3.1.5 says 512 octets a line; servers in life go beyond it
MAX_LINE = 4096
MAX_LINES = 256
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")


class Garbled(Exception):
    """The peer does not speak SMTP: its connection cannot be used any further."""


class ReplyReader:
    """Collects lines into replies. ``pending`` octets are kept until their line ends."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._code = 0

    @property
    def pending(self) -> bool:
        """Whether anything was received that is not yet part of a reply."""
        return bool(self._buffer or self._lines)

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Reply | None:
        """The next complete reply, None until more bytes come. Raises :class:`Garbled`."""
        buffer = self._buffer
        while True:
            end = buffer.find(b"\n")
            if end < 0 or end > MAX_LINE:
                if len(buffer) > MAX_LINE:
                    raise Garbled("a reply line without end")
                return None
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            reply = self._line(line[:-1] if line.endswith(b"\r") else line)
            if reply is not None:
                return reply

    def _line(self, line: bytes) -> Reply | None:
        match = _LINE.fullmatch(line)
        if match is None:
            raise Garbled(f"not an SMTP reply: {line[:80]!r}")
        code = int(match[1])
        if self._lines and code != self._code:
            raise Garbled(f"a reply that begins with {self._code} goes on with {code}")
        if len(self._lines) >= MAX_LINES:
            raise Garbled("a reply without end")
        self._code = code
        self._lines.append((match[3] or b"").decode("utf-8", "replace"))
        if match[2] == b"-":
            return None
        lines, self._lines = self._lines, []
        return reply_of(code, lines)


def reply_of(code: int, lines: list[str]) -> Reply:
    """A reply with its enhanced status (RFC 2034) taken out of the text, when every line or the first bears one."""
    found = _STATUS.match(lines[0])
    if found is None or int(found[1][0]) != code // 100:
        return Reply(code, "", "\n".join(lines))
    status = found[1]
    texts = [line[len(status) :].lstrip(" ") if line.startswith(status) else line for line in lines]
    return Reply(code, status, "\n".join(texts))
