"""The SMTP server engine, without I/O: bytes in, events out; replies in, bytes out (RFC 5321 and its extensions).

One command is in flight: after an event that wants an answer nothing more is read until :meth:`ServerEngine.reply`.
Syntax, sequence and limits of the language are answered here; who may send what is the door's business. Writes nothing.

    engine.receive(data)
    while (event := engine.next_event()) is not None:
        ...                      # engine.reply(reply) where the event wants one
    transport.write(engine.take())
"""

from __future__ import annotations

import re
from collections.abc import Callable

from stratamail.mail.reply import Reply
from stratamail.smtp import server_replies as replies
from stratamail.smtp.server_auth import Exchange
from stratamail.smtp.server_body import Incoming, parse_bdat
from stratamail.smtp.server_events import (
    Chunk,
    Credentials,
    Data,
    End,
    Event,
    Hello,
    Mail,
    Offer,
    Quit,
    Rcpt,
    Reset,
    StartTls,
)
from stratamail.smtp.server_hello import hello_reply, parse_hello
from stratamail.smtp.server_mail import parse_mail, parse_rcpt
from stratamail.smtp.server_replies import Refusal

MAX_LINE = 4096
MAX_AUTH_LINE = 12288
# commands that move nothing forward (NOOP, RSET, VRFY, HELP, EHLO): so many between two messages are free
FREE_COMMANDS = 100
_HTTP = frozenset((b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"TRACE", b"DELETE", b"PATCH", b"PRI"))
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_COMMAND, _DATA, _BDAT, _AUTH = range(4)


class ServerEngine:
    """One connection. ``error_limit`` (0: none) closes with 421 after so many 5xx replies; ``closing`` tells the door
    to close once :meth:`take` is written; ``buffered`` octets wait unread."""

    __slots__ = (
        "_body",
        "_buffer",
        "_discard",
        "_exchange",
        "_free",
        "_last",
        "_left",
        "_mode",
        "_out",
        "_pending",
        "_queued",
        "closing",
        "error_limit",
        "errors",
        "extended",
        "helo",
        "mail",
        "offer",
        "recipients",
        "tls",
        "user",
    )

    def __init__(self, offer: Offer, tls: bool = False, error_limit: int = 0) -> None:
        self.offer = offer
        self.tls = tls
        self.error_limit = error_limit
        self.errors = 0
        self.closing = False
        self.helo = ""
        self.extended = False
        self.user = ""
        self.mail: Mail | None = None
        self.recipients = 0
        self._buffer = b""
        self._out: list[bytes] = []
        self._pending: Event | None = None
        self._queued: Event | None = None
        self._mode = _COMMAND
        self._free = 0
        self._exchange: Exchange | None = None
        self._body: Incoming | None = None
        self._left = 0
        self._last = False
        self._discard: Reply | None = None

    # bytes

    def greet(self) -> None:
        """Say 220. A door that refuses the connection calls :meth:`refuse_connection` instead."""
        self._out.append(f"220 {self.offer.hostname} ESMTP {self.offer.product}\r\n".encode())

    def refuse_connection(self, reply: Reply) -> None:
        self._last_reply(reply)

    def receive(self, data: bytes) -> None:
        if not self.closing:
            self._buffer = self._buffer + data if self._buffer else data

    @property
    def buffered(self) -> int:
        return len(self._buffer)

    @property
    def in_body(self) -> bool:
        """A body is being received or waits for the reply to its end."""
        return self._body is not None

    def take(self) -> bytes:
        """The bytes to write, joined; they are handed out once."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    # events

    def next_event(self) -> Event | None:
        """The next event, or None: more bytes or a reply are needed, or the connection is closing."""
        event, self._queued = self._queued, None
        if event is not None:
            return self._hand_out(event)
        while self._pending is None and not self.closing:
            if self._mode == _DATA:
                if not self._buffer:
                    return None
                event = self._read_data()
            elif self._mode == _BDAT:
                if self._left and not self._buffer:
                    return None
                event = self._read_chunk()
            else:
                line = self._line()
                if line is None:
                    return None
                try:
                    event = self._auth_line(line) if self._mode == _AUTH else self._command(line)
                except Refusal as refusal:
                    self._exchange = None
                    self._mode = _COMMAND
                    self._say(refusal.reply)
                    continue
            if event is not None:
                return self._hand_out(event)
        return None

    def _hand_out(self, event: Event) -> Event:
        if event.__class__ in _ASKING:
            self._pending = event
        return event

    def reply(self, reply: Reply) -> None:
        """Answer the event that waits; a 421 closes."""
        event, self._pending = self._pending, None
        assert event is not None, "no event waits for a reply"
        good = reply.code < 400
        kind = event.__class__
        if kind is Mail:
            if good:
                self.mail = event  # type: ignore[assignment]
                self.recipients = 0
        elif kind is Rcpt:
            self.recipients += good
        elif kind is Data:
            self._begin_body(reply)
            return
        elif kind is End:
            self._forget()
            if good:
                self._free = 0
        elif kind is StartTls:
            if good:
                self._say(reply)
                self._renew()
                return
        elif kind is Credentials and good:
            self.user = event.user  # type: ignore[union-attr]
        self._say(reply)

    def say_and_close(self, reply: Reply) -> None:
        """Speak out of turn (time out, shutting down) and close; whatever waits is forgotten."""
        if not self.closing:
            self._pending = self._queued = None
            self._last_reply(reply)

    def secured(self) -> None:
        """TLS is on: the client must greet again."""
        self.tls = True

    # replies

    def _say(self, reply: Reply) -> None:
        self._out.append(reply.render())
        if reply.code >= 500:
            self.errors += 1
            if self.error_limit and self.errors >= self.error_limit and not self.closing:
                self._out.append(replies.TOO_MANY_ERRORS.render())
                self.closing = True
        elif reply.code == 421:
            self.closing = True
        if self.closing:
            self._buffer = b""

    def _last_reply(self, reply: Reply) -> None:
        self._say(reply)
        self.closing = True
        self._buffer = b""

    def _forget(self) -> None:
        self.mail = None
        self.recipients = 0
        self._body = None

    def _renew(self) -> None:
        self._forget()
        self.helo = ""
        self.extended = False
        self._buffer = b""

    # command lines

    def _line(self) -> bytes | None:
        """The next line without its CRLF; None when it is not complete or was refused."""
        at = self._buffer.find(b"\n", 0, MAX_LINE)
        if at < 0 and len(self._buffer) >= MAX_LINE:
            # only a response of AUTH may be longer (RFC 4954 section 4)
            long = self._mode == _AUTH or self._buffer[:4].upper() == b"AUTH"
            if long:
                at = self._buffer.find(b"\n", 0, MAX_AUTH_LINE)
            if at < 0 and (not long or len(self._buffer) >= MAX_AUTH_LINE):
                self._last_reply(replies.LINE_TOO_LONG)
        if at < 0:
            return None
        line, self._buffer = self._buffer[: at + 1], self._buffer[at + 1 :]
        if line[-2:] != b"\r\n" or _CONTROL.search(line, 0, at - 1):
            # a lone LF, CR or NUL never separates commands (smuggling)
            self._say(replies.BAD_LINE)
            return self._line() if not self.closing else None
        return line[:-2]

    def _command(self, line: bytes) -> Event | None:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        handler = _COMMANDS.get(verb)
        if handler is None:
            if verb in _HTTP:
                raise Refusal(replies.NOT_HTTP)
            raise Refusal(replies.UNKNOWN_COMMAND)
        return handler(self, argument.strip(b" \t"))

    def _ehlo(self, argument: bytes) -> Event | None:
        return self._hello(argument, True)

    def _helo(self, argument: bytes) -> Event | None:
        return self._hello(argument, False)

    def _hello(self, argument: bytes, extended: bool) -> Event | None:
        name = parse_hello(argument)
        self._idle_command()
        if self.closing:
            return None
        self._forget()
        self.helo = name
        self.extended = extended
        self._out.append(hello_reply(self.offer, self.tls, extended))
        return Hello(self.helo, extended)

    def _mail(self, argument: bytes) -> Event | None:
        if not self.helo:
            raise Refusal(replies.HELLO_FIRST)
        if self.mail is not None:
            raise Refusal(replies.NESTED_MAIL)
        if self.offer.require_auth and not self.user:
            raise Refusal(replies.SIGN_IN_FIRST)
        mail = parse_mail(argument)
        if mail.size > self.offer.size:
            raise Refusal(replies.TOO_BIG)
        return mail

    def _rcpt(self, argument: bytes) -> Event | None:
        if self.mail is None:
            raise Refusal(replies.NEED_MAIL)
        if self._body is not None:
            raise Refusal(replies.IN_CHUNKS)
        if self.recipients >= self.offer.recipients:
            raise Refusal(replies.TOO_MANY_RECIPIENTS)
        return parse_rcpt(argument, self.mail.smtputf8)

    def _data(self, argument: bytes) -> Event | None:
        if argument:
            raise Refusal(replies.BAD_ARGUMENT)
        if self._body is not None:
            raise Refusal(replies.IN_CHUNKS)
        if self.mail is None:
            raise Refusal(replies.NEED_MAIL)
        if not self.recipients:
            raise Refusal(replies.NO_RECIPIENTS)
        return Data()

    def _bdat(self, argument: bytes) -> Event | None:
        # an unreadable count leaves no way to tell octets from commands
        try:
            self._left, self._last = parse_bdat(argument)
        except Refusal as refusal:
            self._last_reply(refusal.reply)
            return None
        self._mode = _BDAT
        self._discard = None
        if self.mail is None or not self.recipients:
            self._discard = replies.NEED_MAIL if self.mail is None else replies.NO_RECIPIENTS
            return None
        if self._body is None:
            return Data(chunking=True)
        return None

    def _rset(self, argument: bytes) -> Event | None:
        if argument:
            raise Refusal(replies.BAD_ARGUMENT)
        self._idle_command()
        if self.closing:
            return None
        self._forget()
        self._say(replies.OK)
        return Reset()

    def _noop(self, argument: bytes) -> Event | None:
        return self._free_of_effect(replies.OK)

    def _help(self, argument: bytes) -> Event | None:
        return self._free_of_effect(replies.HELP)

    def _vrfy(self, argument: bytes) -> Event | None:
        if not argument:
            raise Refusal(replies.BAD_ARGUMENT)
        return self._free_of_effect(replies.CANNOT_VERIFY)

    def _free_of_effect(self, reply: Reply) -> Event | None:
        self._idle_command()
        if not self.closing:
            self._say(reply)
        return None

    def _quit(self, argument: bytes) -> Event | None:
        if argument:
            raise Refusal(replies.BAD_ARGUMENT)
        self._last_reply(replies.BYE)
        return Quit()

    def _starttls(self, argument: bytes) -> Event | None:
        if not self.offer.starttls:
            raise Refusal(replies.NOT_IMPLEMENTED)
        if argument:
            raise Refusal(replies.BAD_ARGUMENT)
        if self.tls:
            raise Refusal(replies.TLS_ALREADY)
        if self._buffer:
            # whoever sits on the clear-text line put these there (RFC 3207 section 4; CVE-2011-0411)
            raise Refusal(replies.TLS_INJECTION)
        return StartTls()

    def _unimplemented(self, argument: bytes) -> Event | None:
        raise Refusal(replies.NOT_IMPLEMENTED)

    def _idle_command(self) -> None:
        self._free += 1
        if self._free > FREE_COMMANDS and self.error_limit:
            self.errors += 1
            if self.errors >= self.error_limit:
                self._say(replies.TOO_MANY_ERRORS)

    # authentication

    def _auth(self, argument: bytes) -> Event | None:
        if not self.offer.auth:
            raise Refusal(replies.NOT_IMPLEMENTED)
        if not self.extended:
            raise Refusal(replies.HELLO_FIRST)
        if self.user:
            raise Refusal(replies.SIGNED_IN_ALREADY)
        if self.mail is not None:
            raise Refusal(replies.NESTED_MAIL)
        if self.offer.auth != "clear" and not self.tls:
            raise Refusal(replies.NEED_TLS)
        mechanism, _, initial = argument.partition(b" ")
        if not mechanism:
            raise Refusal(replies.BAD_ARGUMENT)
        exchange = Exchange(mechanism)
        return self._auth_step(exchange, exchange.begin(initial.strip()))

    def _auth_line(self, line: bytes) -> Event | None:
        exchange = self._exchange
        if exchange is None:
            raise Refusal(replies.BAD_CREDENTIALS)
        return self._auth_step(exchange, exchange.line(line))

    def _auth_step(self, exchange: Exchange, result: Reply | Credentials) -> Event | None:
        if isinstance(result, Credentials):
            self._exchange = None
            self._mode = _COMMAND
            return result
        self._exchange = exchange
        self._mode = _AUTH
        self._say(result)
        return None

    # bodies

    def _begin_body(self, reply: Reply) -> None:
        if reply.code == 354:
            self._body = Incoming(self.offer.size, chunking=self._mode == _BDAT)
            if self._mode != _BDAT:
                self._mode = _DATA
                self._say(reply)
        elif self._mode == _BDAT and reply.code != 421:
            # the octets are on their way and must be read past (RFC 3030 section 2)
            self._discard = reply
        else:
            self._say(reply)

    def _read_data(self) -> Event | None:
        body = self._body
        assert body is not None
        data, self._buffer = self._buffer, b""
        data, rest = body.data(data)
        if rest is None:
            return Chunk(data) if data else None
        self._buffer = rest
        self._mode = _COMMAND
        return self._after(data, body.end())

    def _read_chunk(self) -> Event | None:
        if len(self._buffer) <= self._left:
            data, self._buffer = self._buffer, b""
        else:
            data, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(data)
        body = self._body
        data = body.chunk(data) if body is not None and self._discard is None else b""
        if self._left:
            return Chunk(data) if data else None
        return self._after(data, self._chunk_done())

    def _after(self, data: bytes, event: Event | None) -> Event | None:
        if not data:
            return event
        self._queued = event
        return Chunk(data)

    def _chunk_done(self) -> Event | None:
        self._mode = _COMMAND
        body = self._body
        reply, self._discard = self._discard, None
        if reply is None and body is not None:
            if self._last:
                return body.end()
            if not body.oversize:
                self._say(replies.OK)
                return None
            reply = replies.TOO_BIG
        self._forget()
        self._say(reply or replies.NEED_MAIL)
        return Reset()


_ASKING = frozenset((Mail, Rcpt, Data, End, Credentials, StartTls))
_COMMANDS: dict[bytes, Callable[[ServerEngine, bytes], Event | None]] = {
    b"EHLO": ServerEngine._ehlo,
    b"HELO": ServerEngine._helo,
    b"MAIL": ServerEngine._mail,
    b"RCPT": ServerEngine._rcpt,
    b"DATA": ServerEngine._data,
    b"BDAT": ServerEngine._bdat,
    b"RSET": ServerEngine._rset,
    b"NOOP": ServerEngine._noop,
    b"VRFY": ServerEngine._vrfy,
    b"HELP": ServerEngine._help,
    b"QUIT": ServerEngine._quit,
    b"STARTTLS": ServerEngine._starttls,
    b"AUTH": ServerEngine._auth,
    b"EXPN": ServerEngine._unimplemented,
    b"TURN": ServerEngine._unimplemented,
    b"ETRN": ServerEngine._unimplemented,
}
