"""An SMTP reply as a value, and the error that carries its own (RFC 5321 section 4.2, RFC 3463).

Rooms below the protocol (policy, store) raise :class:`Failure`; one function of the door speaks it. An exception
that is not a ``Failure`` is a fault of ours and is spoken as :data:`LOCAL_ERROR`: temporary, never a bounce.
Nothing here touches the disk.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Reply:
    """One SMTP reply. ``code`` 200..599; ``status`` the enhanced code ("5.1.1") or ""; ``text`` may hold newlines."""

    code: int
    status: str
    text: str

    @property
    def positive(self) -> bool:
        return self.code < 400

    @property
    def permanent(self) -> bool:
        return self.code >= 500

    def render(self) -> bytes:
        """The bytes on the wire, CRLF ended, the enhanced code on every line (RFC 2034 section 4)."""
        prefix = f"{self.status} " if self.status else ""
        if "\n" not in self.text:
            return f"{self.code} {prefix}{self.text}\r\n".encode("utf-8", "replace")
        *lines, last = self.text.split("\n")
        out = [f"{self.code}-{prefix}{line}\r\n" for line in lines]
        out.append(f"{self.code} {prefix}{last}\r\n")
        return "".join(out).encode("utf-8", "replace")


LOCAL_ERROR = Reply(451, "4.3.0", "Local error, please try again later")
DISK_FULL = Reply(452, "4.3.1", "Insufficient system storage, please try again later")


class Failure(Exception):
    """A refusal that a peer may hear. ``reason`` is a short stable code for logs and counters ("relay-denied")."""

    def __init__(self, reply: Reply, reason: str) -> None:
        super().__init__(f"{reason}: {reply.code} {reply.status} {reply.text}")
        self.reply = reply
        self.reason = reason


class DiskFull(Failure):
    def __init__(self, reply: Reply = DISK_FULL) -> None:
        super().__init__(reply, "disk-full")


class Unavailable(Failure):
    """The store could not make it durable; nothing was kept."""

    def __init__(self, reply: Reply = LOCAL_ERROR, reason: str = "store-unavailable") -> None:
        super().__init__(reply, reason)
