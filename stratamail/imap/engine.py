"""The server's ear: bytes in, events out (RFC 3501 section 2.2, RFC 7888 LITERAL+, RFC 3502 MULTIAPPEND, RFC 3516
literal8). No transport, clock or disk.

Feed :meth:`ServerEngine.receive`, then take :meth:`ServerEngine.next` until it gives None. One command is in flight:
the door takes the next event only when it has answered the last. Whatever way the bytes are split, the events are the
same (a message literal's chunks aside, whose concatenation is). Nothing is allocated for a literal before its size was
found acceptable; the message of an APPEND is handed on in chunks as it comes.
"""

from __future__ import annotations

import re

from attrs import field, frozen

from stratamail.imap.commands import Append, Command
from stratamail.imap.grammar.folders import append_head, append_message
from stratamail.imap.grammar.table import parse
from stratamail.imap.sets import LARGEST
from stratamail.imap.tokens import Cursor, ParseError

LINE_BEFORE = 16_384
"""Octets of one command, its literals included, before sign-in: an AUTHENTICATE response is the longest."""
READ_BESIDE = 4096
"""A longer command is not read at once: see :class:`Long`."""
LINE_AFTER = 2_000_000
"""The same after sign-in: webmail selects 100,000 messages in one line, and searches bring literals."""
ANSWER = 16_384

_LITERAL = re.compile(rb"\{([0-9]{1,20})(\+?)\}$")
_MESSAGE_LITERAL = re.compile(rb"~?\{([0-9]{1,20})(\+?)\}$")
"""What a message is announced with: "~" says that it may hold NUL (RFC 3516 section 4.4)."""
_TAG = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]{1,200}')
_APPEND = re.compile(rb"APPEND ", re.IGNORECASE)


@frozen
class Request:
    """A whole command."""

    tag: str
    command: Command


@frozen
class Long:
    """A whole command that takes long to read: :meth:`read` it where nobody waits."""

    tag: str
    cursor: Cursor = field(repr=False)

    def read(self) -> Request | Invalid:
        try:
            return Request(self.tag, parse(self.cursor))
        except ParseError as error:
            return Invalid(self.tag, error.text, error.code, error.no)


@frozen
class Invalid:
    """What is no command, with the answer it gets; ``tag`` "*" when it had none."""

    tag: str
    text: str
    code: str = ""
    no: bool = False


@frozen
class Continue:
    """The client waits to be told to send a literal: write ``+ OK``."""


@frozen
class AppendHead:
    """An APPEND whose message waits: call :meth:`ServerEngine.accept` (write ``+ OK`` first when ``waits``) or
    :meth:`ServerEngine.refuse`. ``more``: a further message of the APPEND whose last one is complete."""

    tag: str
    append: Append
    waits: bool
    more: bool = False


@frozen
class Chunk:
    """A piece of the message being appended."""

    data: bytes = field(repr=False)


@frozen
class AppendEnd:
    """The messages are complete; ``error`` when something followed the last that is neither the end of the line nor
    another message."""

    tag: str
    error: str = ""
    code: str = ""
    no: bool = False


@frozen
class Answer:
    """A line that the client sent after a continuation (AUTHENTICATE, IDLE), without its line end."""

    line: bytes = field(repr=False)


@frozen
class Overflow:
    """More than we hold for one command: say BYE and close."""

    text: str


Event = Request | Long | Invalid | Continue | AppendHead | Chunk | AppendEnd | Answer | Overflow

_COMMAND, _LITERAL_DATA, _DECIDE, _MESSAGE, _TAIL, _SKIP, _SWALLOW, _ANSWER, _DEAD = range(9)


class ServerEngine:
    """``limit`` is raised by the door at sign-in (:data:`LINE_BEFORE`, :data:`LINE_AFTER`)."""

    def __init__(self, limit: int = LINE_BEFORE) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._scanned = 0
        self._state = _COMMAND
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._held = 0
        self._need = 0
        self._tag = "*"
        self._mailbox = ""

    @property
    def buffered(self) -> int:
        """Octets received and not yet used."""
        return len(self._buffer)

    @property
    def receiving(self) -> bool:
        """Whether a message literal is on its way."""
        return self._state in (_MESSAGE, _TAIL)

    def receive(self, data: bytes) -> None:
        if self._state != _DEAD:
            self._buffer += data

    def expect_answer(self) -> None:
        """The next line answers a continuation request."""
        self._state = _ANSWER

    def accept(self) -> None:
        """The message announced by :class:`AppendHead` is welcome."""
        self._state = _MESSAGE

    def refuse(self, waits: bool) -> None:
        """It is not: a client that waits sends nothing, the others' octets are thrown away unread."""
        if waits:
            self._restart()
        else:
            self._state = _SKIP

    def next(self) -> Event | None:
        """The next event, None when more bytes (or a decision of the door) are needed."""
        while True:
            state = self._state
            if state == _COMMAND:
                event = self._line()
            elif state == _LITERAL_DATA:
                event = self._literal()
            elif state == _MESSAGE:
                event = self._message()
            elif state == _SKIP:
                event = self._skip()
            elif state in (_TAIL, _SWALLOW):
                event = self._tail()
            elif state == _ANSWER:
                event = self._answered()
            else:
                return None
            # without an event something has still been done when the state is another
            if event is not None or self._state == state:
                return event

    def _literal(self) -> Event | None:
        if len(self._buffer) >= self._need:
            self._literals.append(self._take(self._need))
            self._state = _COMMAND
        return None

    def _message(self) -> Event | None:
        if self._need == 0:
            self._state = _TAIL
            return None
        if not self._buffer:
            return None
        data = self._take(min(self._need, len(self._buffer)))
        self._need -= len(data)
        return Chunk(data)

    def _skip(self) -> Event | None:
        self._need -= len(self._take(min(self._need, len(self._buffer))))
        if self._need == 0:
            self._state = _SWALLOW
        return None

    def _tail(self) -> Event | None:
        """The rest of the line behind a message, or behind a literal that was thrown away."""
        line = self._read_line(self.limit)
        if line is None or isinstance(line, Overflow):
            return line
        if self._state == _TAIL:
            return self._after_message(line)
        return self._throw_away(line)

    def _after_message(self, line: bytes) -> Event:
        """What follows a message: the end of the command, or the head of the next one (RFC 3502)."""
        tag = self._tag
        if not line.strip(b" "):
            self._restart()
            return AppendEnd(tag)
        match = _MESSAGE_LITERAL.search(line)
        try:
            if match is None or not line.startswith(b" "):
                raise ParseError("Unexpected text after the message")
            self._need = int(match.group(1))
            if self._need > LARGEST:
                raise ParseError("Message too large", code="TOOBIG", no=True)
            append = append_message(Cursor([line[1 : match.start()]], []), self._mailbox, self._need)
        except ParseError as error:
            return self._throw_away(line) or AppendEnd(tag, error.text, error.code, error.no)
        self._state = _DECIDE
        return AppendHead(tag, append, not match.group(2), more=True)

    def _answered(self) -> Event | None:
        line = self._read_line(ANSWER)
        if line is None or isinstance(line, Overflow):
            return line
        self._restart()
        return Answer(line)

    def _take(self, count: int) -> bytes:
        data = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        self._scanned = 0
        return data

    def _restart(self) -> None:
        self._state = _COMMAND
        self._texts, self._literals = [], []
        self._held = self._need = 0
        self._tag = "*"

    def _read_line(self, limit: int) -> bytes | Overflow | None:
        """A line without its end (CRLF; a bare LF is forgiven)."""
        end = self._buffer.find(b"\n", self._scanned)
        if (end if end >= 0 else len(self._buffer)) > limit:
            return self._overflow("Command too long")
        if end < 0:
            self._scanned = len(self._buffer)
            return None
        line = self._take(end + 1)[:-1]
        return line.removesuffix(b"\r")

    def _throw_away(self, line: bytes) -> Overflow | None:
        """Ends a refused command; a literal with which it goes on unasked is read and forgotten."""
        match = _LITERAL.search(line)
        if match is None or not match.group(2):
            self._restart()
            return None
        self._need = int(match.group(1))
        if self._need > LARGEST:
            return self._overflow("Literal too large")
        self._state = _SKIP
        return None

    def _overflow(self, text: str) -> Overflow:
        self._state = _DEAD
        self._buffer.clear()
        return Overflow(text)

    def _line(self) -> Event | None:
        line = self._read_line(self.limit - self._held)
        if line is None or isinstance(line, Overflow):
            return line
        if not self._texts:
            if not line:
                return Invalid("*", "Empty command")
            tag, line = self._split_tag(line)
            if not tag:
                return self._throw_away(line) or Invalid("*", "Missing or invalid tag")
            self._tag = tag
        match = _LITERAL.search(line)
        if match is not None:
            return self._announced(line, match)
        self._texts.append(line)
        found = Long(self._tag, Cursor(self._texts, self._literals))
        beside = len(line) + self._held > READ_BESIDE
        self._restart()
        return found if beside else found.read()

    def _split_tag(self, line: bytes) -> tuple[str, bytes]:
        match = _TAG.match(line)
        if match is None or line[match.end() : match.end() + 1] not in (b" ", b""):
            return "", line
        return match.group().decode("ascii"), line[match.end() + 1 :]

    def _announced(self, line: bytes, match: re.Match[bytes]) -> Event | None:
        """A literal follows: of the command (held), or the message of an APPEND (handed on)."""
        size, waits = int(match.group(1)), not match.group(2)
        self._texts.append(line[: match.start()])
        tag = self._tag
        append = _APPEND.match(self._texts[0])
        if append is not None and (self._literals or len(self._texts[0]) > append.end()):
            self._texts[-1] = self._texts[-1].removesuffix(b"~")
            cursor = Cursor([self._texts[0][append.end() :], *self._texts[1:]], self._literals)
            self._need = size
            try:
                if size > LARGEST:
                    raise ParseError("Message too large", code="TOOBIG", no=True)
                head = AppendHead(tag, append_head(cursor, size), waits)
            except ParseError as error:
                return self._refused(Invalid(tag, error.text, error.code, error.no), waits)
            self._mailbox = head.append.mailbox
            self._state = _DECIDE
            return head
        self._held += len(line) + size
        if self._held > self.limit:
            self._need = size
            return self._refused(Invalid(tag, "Literal too large", "TOOBIG", no=True), waits)
        self._need = size
        self._state = _LITERAL_DATA
        return Continue() if waits else None

    def _refused(self, answer: Invalid, waits: bool) -> Event:
        if self._need > LARGEST and not waits:
            return self._overflow(answer.text)
        self.refuse(waits)
        return answer
