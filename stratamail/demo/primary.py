"""A small mail server that keeps every byte in memory, and that really stops and starts: the company's primary.

Built on our own server engine; one thread a connection. Also plays the outside world behind the demo's smart host.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

from attrs import field, frozen, mutable

from stratamail.mail.reply import Reply
from stratamail.smtp.server import ServerEngine
from stratamail.smtp.server_events import Chunk, Data, End, Event, Mail, Offer, Quit, Rcpt, Reset

_OK = Reply(250, "2.0.0", "OK")
_GO = Reply(354, "", "Go ahead")


@frozen
class Taken:
    """One message as it came; ``when`` is the monotonic clock at its final reply."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes
    when: float


@mutable
class _Transaction:
    sender: str = ""
    recipients: list[str] = field(factory=list)
    chunks: list[bytes] = field(factory=list)


class Primary:
    """``start`` and ``stop`` may be called again and again; ``taken`` stays."""

    def __init__(self, hostname: str, port: int) -> None:
        self.port = port
        self.taken: list[Taken] = []
        self._offer = Offer(hostname, size=50_000_000, product="ESMTP")
        self._listener: socket.socket | None = None
        self._sessions: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """As when the power is pulled: nobody listens, and connections are reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # accept() in the other thread would go on sleeping after close() alone
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for one in self._sessions:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._sessions.add(peer)
            threading.Thread(target=self._session, args=(peer,), daemon=True).start()

    def _session(self, peer: socket.socket) -> None:
        engine = ServerEngine(self._offer)
        transaction = _Transaction()
        engine.greet()
        try:
            with peer:
                peer.sendall(engine.take())
                while not engine.closing and (data := peer.recv(65536)):
                    engine.receive(data)
                    while (event := engine.next_event()) is not None:
                        transaction = self._answer(engine, event, transaction)
                    peer.sendall(engine.take())
        except OSError:
            pass  # the peer went away, or we were stopped
        finally:
            with self._lock:
                self._sessions.discard(peer)

    def _answer(self, engine: ServerEngine, event: Event, transaction: _Transaction) -> _Transaction:
        match event:
            case Mail():
                engine.reply(_OK)
                return _Transaction(event.sender)
            case Rcpt():
                transaction.recipients.append(event.recipient.address)
                engine.reply(_OK)
            case Data():
                engine.reply(_GO)
            case Chunk():
                transaction.chunks.append(event.data)
            case End():
                # kept before the reply: what was answered 250 is here
                self.taken.append(
                    Taken(
                        transaction.sender,
                        tuple(transaction.recipients),
                        b"".join(transaction.chunks),
                        time.monotonic(),
                    )
                )
                engine.reply(_OK)
                return _Transaction()
            case Reset() | Quit():
                return _Transaction()
            case _:
                pass  # Hello is already answered; the rest is not offered
        return transaction
