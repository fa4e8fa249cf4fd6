"""A raw line-based client for SMTP and IMAP: says exactly the bytes it is given, and reads replies whole."""

from __future__ import annotations

import re
import socket
import ssl
from types import TracebackType

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")


class Closed(ConnectionError):
    """The peer closed; ``rest`` is what it had said."""

    def __init__(self, rest: bytes) -> None:
        super().__init__(f"closed by the peer after {rest!r}")
        self.rest = rest


class Talk:
    """Context manager around one connection. Every read ends after ``timeout`` seconds with ``TimeoutError``."""

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = 20.0, source: str = "") -> None:
        self.sock: socket.socket = socket.create_connection(
            (host, port), timeout=timeout, source_address=(source, 0) if source else None
        )
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Closed(self._buffer) from None

    def line(self) -> bytes:
        """One line with its end. Raises :class:`Closed`."""
        while b"\n" not in self._buffer:
            try:
                chunk = self.sock.recv(262_144)
            except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
                chunk = b""
            if not chunk:
                raise Closed(self._buffer)
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line + b"\n"

    def closed(self) -> bytes:
        """Reads until the peer closes; what it said before."""
        said = b""
        while True:
            try:
                said += self.line()
            except Closed as end:
                return said + end.rest

    def start_tls(self) -> None:
        """After the server's go-ahead; any certificate will do."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")

    # SMTP
    def reply(self) -> bytes:
        """One whole reply, all its lines."""
        said = b""
        while True:
            line = self.line()
            said += line
            if line[3:4] != b"-":
                return said

    def ask(self, command: bytes) -> bytes:
        self.send(command + b"\r\n")
        return self.reply()

    def expect(self, command: bytes, code: bytes) -> bytes:
        said = self.ask(command)
        assert said.splitlines()[-1].startswith(code), (command[:200], said)
        return said

    def greet(self) -> bytes:
        """Banner and EHLO; the EHLO reply."""
        assert self.reply().startswith(b"220 ")
        return self.expect(b"EHLO client.example", b"250")

    def deliver(self, sender: str, recipients: list[str], data: bytes, mail: bytes = b"") -> bytes:
        """One message whose ``data`` ends in CRLF; the reply to the dot. Stuffing is done here."""
        self.expect(b"MAIL FROM:<%s>%s" % (sender.encode(), mail), b"250")
        for recipient in recipients:
            self.expect(b"RCPT TO:<%s>" % recipient.encode(), b"250")
        self.expect(b"DATA", b"354")
        self.send(stuffed(data))
        return self.reply()

    # IMAP
    def tagged(self, command: bytes, tag: bytes = b"t1") -> list[bytes]:
        """Sends one command; the untagged items (literals inside) and last the tagged line."""
        self.send(tag + b" " + command + b"\r\n")
        return self.until_tag(tag)

    def until_tag(self, tag: bytes) -> list[bytes]:
        out = []
        while True:
            item = self.item()
            out.append(item)
            if item.startswith(tag + b" "):
                return out

    def item(self) -> bytes:
        """One response of IMAP with the literals it holds."""
        item = self.line()
        while (found := _LITERAL.search(item)) is not None:
            item += self._exactly(int(found[1])) + self.line()
        return item

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            chunk = self.sock.recv(262_144)
            if not chunk:
                raise Closed(self._buffer)
            self._buffer += chunk
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data


def stuffed(data: bytes) -> bytes:
    """``data`` as DATA sends it, dot and all."""
    if data.startswith(b"."):
        data = b"." + data
    return data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
