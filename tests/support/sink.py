"""A primary that keeps every byte, and that can be stopped, started and told to misbehave.

A few threads on blocking sockets, no code shared with the server under test. ``Sink.script`` is asked at every
step of a session and may answer with another reply, :data:`DROP` (close at once), a number (seconds to wait before
the usual reply) or None (as usual).
Steps: ``connect ehlo helo starttls mail rcpt data bdat dot rset noop quit other``.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence

from attrs import define, field, frozen

from tests.support.ports import free_port

DROP = object()
Answer = object  # bytes | float | DROP | None
Script = Callable[["Session", str, bytes], Answer]


@frozen
class Taken:
    """One message as it came: ``data`` un-stuffed, with the CRLF of its last line. ``how`` is "DATA" or "BDAT"."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    how: str
    session: int
    mail: bytes
    rcpts: tuple[bytes, ...]
    when: float
    tls: bool


@define(eq=False)
class Session:
    """What a script may look at: the session's number and the transaction in hand."""

    number: int
    sock: socket.socket
    tls: bool = False
    greeted: bool = False
    mail: bytes = b""
    rcpts: list[bytes] = field(factory=list)
    body: bytes = b""
    how: str = "DATA"
    buffer: bytearray = field(factory=bytearray)

    def line(self) -> bytes | None:
        """The next line without CRLF, None at the end."""
        while True:
            at = self.buffer.find(b"\r\n")
            if at >= 0:
                line = bytes(self.buffer[:at])
                del self.buffer[: at + 2]
                return line
            if not self._more():
                return None

    def exactly(self, count: int) -> bytes | None:
        while len(self.buffer) < count:
            if not self._more():
                return None
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def until_dot(self) -> bytes | None:
        """The stuffed body up to CRLF.CRLF and nothing else (RFC 5321 4.1.1.4), un-stuffed."""
        seen = 0
        while True:
            if self.buffer.startswith(b".\r\n"):
                del self.buffer[:3]
                return b""
            at = self.buffer.find(b"\r\n.\r\n", max(0, seen - 5))
            if at >= 0:
                raw = bytes(self.buffer[: at + 2])
                del self.buffer[: at + 5]
                raw = raw[1:] if raw.startswith(b".") else raw
                return raw.replace(b"\r\n.", b"\r\n")
            seen = len(self.buffer)
            if not self._more():
                return None

    def _more(self) -> bool:
        chunk = self.sock.recv(262_144)
        self.buffer += chunk
        return bool(chunk)


_PATH = re.compile(rb"<([^>]*)>")


class Sink:
    """``extensions`` are the EHLO lines after the greeting. Use as a context manager, or ``start`` and ``stop``."""

    def __init__(
        self,
        port: int | None = None,
        extensions: Sequence[str] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 200000000"),
        script: Script | None = None,
        tls: ssl.SSLContext | None = None,
        up: bool = True,
    ) -> None:
        self.port = port or free_port()
        self.extensions = list(extensions)
        self.script = script
        self.tls = tls
        self.messages: list[Taken] = []
        self.sessions = 0
        self.errors: list[BaseException] = []
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        if up:
            self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Sink:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        assert not self.errors, self.errors

    def start(self) -> None:
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Down as a crashed host is: nothing listens, open connections are reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for sock in list(self._open):
                _reset(sock)

    def of(self, recipient: str) -> list[Taken]:
        return [m for m in self.messages if recipient in m.recipients]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.sessions += 1
                session = Session(self.sessions, sock)
                self._open.add(sock)
            threading.Thread(target=self._serve, args=(session,), daemon=True).start()

    def _serve(self, session: Session) -> None:
        first = session.sock
        try:
            if self._say(session, "connect", b"", b"220 sink.example ESMTP\r\n"):
                while (line := session.line()) is not None:
                    if not self._command(session, line):
                        break
        except OSError:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            with self._lock:
                self._open.discard(first)
                self._open.discard(session.sock)
            session.sock.close()

    def _say(
        self,
        session: Session,
        step: str,
        line: bytes,
        usual: bytes,
        told: Callable[[bytes], None] | None = None,
    ) -> bool:
        """Asks the script, speaks, and tells ``told`` what was said. False: the session is over."""
        answer = self.script(session, step, line) if self.script is not None else None
        if answer is DROP:
            _reset(session.sock)
            return False
        if isinstance(answer, int | float):
            time.sleep(answer)
            answer = None
        reply = answer if isinstance(answer, bytes) else usual
        if step == "dot" and reply.startswith(b"2"):
            self._keep(session)
        if told is not None:
            told(reply)
        session.sock.sendall(reply)
        return True

    def _keep(self, session: Session) -> None:
        self.messages.append(
            Taken(
                sender=_path(session.mail),
                recipients=tuple(_path(line) for line in session.rcpts),
                data=session.body,
                how=session.how,
                session=session.number,
                mail=session.mail,
                rcpts=tuple(session.rcpts),
                when=time.time(),
                tls=session.tls,
            )
        )

    def _command(self, session: Session, line: bytes) -> bool:
        verb = line[:4].upper()
        if verb == b"EHLO":
            session.greeted = True
            offers = list(self.extensions)
            if self.tls is not None and not session.tls:
                offers.append("STARTTLS")
            lines = ["sink.example", *offers]
            marks = ["-"] * (len(lines) - 1) + [" "]
            usual = "".join(f"250{mark}{text}\r\n" for mark, text in zip(marks, lines, strict=True))
            return self._say(session, "ehlo", line, usual.encode())
        if verb == b"HELO":
            return self._say(session, "helo", line, b"250 sink.example\r\n")
        if verb == b"STAR" and self.tls is not None:
            return self._start_tls(session, line)
        if verb == b"MAIL":
            session.mail, session.rcpts, session.body = line, [], b""
            verdict: list[bytes] = []
            going = self._say(session, "mail", line, b"250 2.1.0 Ok\r\n", verdict.append)
            if verdict and not verdict[0].startswith(b"2"):
                session.mail = b""
            return going
        if verb == b"RCPT":
            return self._recipient(session, line)
        if verb == b"DATA":
            return self._data(session, line)
        if verb == b"BDAT":
            return self._chunk(session, line)
        if verb == b"RSET":
            session.mail, session.rcpts, session.body = b"", [], b""
            return self._say(session, "rset", line, b"250 2.0.0 Ok\r\n")
        if verb == b"NOOP":
            return self._say(session, "noop", line, b"250 2.0.0 Ok\r\n")
        if verb == b"QUIT":
            self._say(session, "quit", line, b"221 2.0.0 Bye\r\n")
            return False
        return self._say(session, "other", line, b"500 5.5.2 What?\r\n")

    def _start_tls(self, session: Session, line: bytes) -> bool:
        if not self._say(session, "starttls", line, b"220 2.0.0 Go\r\n"):
            return False
        if session.buffer:
            raise AssertionError("bytes behind STARTTLS")
        assert self.tls is not None
        with self._lock:
            self._open.discard(session.sock)
        session.sock = self.tls.wrap_socket(session.sock, server_side=True)
        with self._lock:
            self._open.add(session.sock)
        session.tls, session.greeted = True, False
        return True

    def _recipient(self, session: Session, line: bytes) -> bool:
        """A recipient is kept only when its reply is positive: an answer from the script is looked at first."""
        if not session.mail:
            return self._say(session, "other", line, b"503 5.5.1 MAIL first\r\n")
        verdict: list[bytes] = []
        going = self._say(session, "rcpt", line, b"250 2.1.5 Ok\r\n", verdict.append)
        if verdict and verdict[0].startswith(b"2"):
            session.rcpts.append(line)
        return going

    def _data(self, session: Session, line: bytes) -> bool:
        if not session.rcpts:
            return self._say(session, "data", line, b"503 5.5.1 No recipients\r\n")
        verdict: list[bytes] = []
        if not self._say(session, "data", line, b"354 Go\r\n", verdict.append):
            return False
        if not verdict[0].startswith(b"3"):
            return True
        body = session.until_dot()
        if body is None:
            return False
        session.body, session.how = body, "DATA"
        return self._say(session, "dot", b"", b"250 2.0.0 Kept\r\n")

    def _chunk(self, session: Session, line: bytes) -> bool:
        words = line.split()
        chunk = session.exactly(int(words[1]))
        if chunk is None:
            return False
        if not session.rcpts:
            return self._say(session, "bdat", line, b"503 5.5.1 No recipients\r\n")
        session.body, session.how = session.body + chunk, "BDAT"
        if words[-1].upper() == b"LAST":
            return self._say(session, "dot", line, b"250 2.0.0 Kept\r\n")
        return self._say(session, "bdat", line, b"250 2.0.0 More\r\n")


def _path(line: bytes) -> str:
    match = _PATH.search(line)
    return match[1].decode("utf-8", "surrogateescape") if match else ""


def _reset(sock: socket.socket) -> None:
    """Close so that the peer sees a reset, as from a machine that died; another thread may be reading from it."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
