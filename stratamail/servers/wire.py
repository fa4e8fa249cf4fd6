"""A connection's transport as the SMTP door uses it: short replies straight to the socket, TLS begun, an orderly end.

Writes nothing to disk.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, ISSLTransport
from twisted.internet.tcp import Server

from stratamail.capture.peers import parse_ip


class Wire:
    """Around one transport (any: zope's interfaces do not say all that TCP's and TLS's can both do)."""

    __slots__ = ("_direct", "secure", "transport")

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.secure = ISSLTransport.providedBy(transport)
        # replies may go straight to the socket: it is not TLS's, and nothing waits before them
        self._direct = isinstance(transport, Server)
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)

    @property
    def peer(self) -> str:
        """The IP address that connected; "" for a UNIX socket."""
        return getattr(self.transport.getPeer(), "host", "") or ""

    @property
    def on_loopback(self) -> bool:
        """Whether the connection came in by this machine's own interface."""
        ip = parse_ip(getattr(self.transport.getHost(), "host", "") or "")
        return ip is not None and ip.is_loopback

    def write(self, out: bytes) -> None:
        """A reply is short and the socket's buffer empty: one system call, where the reactor arms its poller, waits
        a turn and disarms it. What does not go at once, and all that comes after it, goes the reactor's way."""
        if not out:
            return
        if not self._direct:
            self.transport.write(out)
            return
        sent = self.transport.writeSomeData(out)
        if not isinstance(sent, int):
            self._direct = False
            self.transport.abortConnection()
        elif sent < len(out):
            self._direct = False
            self.transport.write(out[sent:])

    def start_tls(self, context: IOpenSSLServerConnectionCreator) -> None:
        """TLS from the next octet on; nothing to do when somebody wrapped the connection before."""
        if not self.secure:
            self._direct = False
            self.secure = True
            self.transport.startTLS(context)

    def feed_tls(self, data: bytes) -> None:
        """Octets that came before :meth:`start_tls` and belong behind it (after a balancer's header)."""
        self.transport.protocol.dataReceived(data)

    @property
    def tls_text(self) -> str:
        """Version and cipher, for our Received line."""
        # after startTLS the socket's transport speaks through a TLS protocol, which holds the connection's facts
        layer = self.transport.protocol if getattr(self.transport, "TLS", False) else self.transport
        handle = layer.getHandle() if hasattr(layer, "getHandle") else None
        if handle is None or not hasattr(handle, "get_protocol_version_name"):
            return "TLS"
        return f"{handle.get_protocol_version_name()} with cipher {handle.get_cipher_name() or 'unknown'}"

    def close(self) -> None:
        """What was written goes out first. Without TLS only our side closes, so that a peer that still sends can read
        why (a close with unread octets resets the connection and takes the reply with it): cut it off later."""
        self.transport.unregisterProducer()
        if not self.secure and hasattr(self.transport, "loseWriteConnection"):
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()
