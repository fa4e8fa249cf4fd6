"""What our own users submit, before it is as any other mail: the header is completed and its authors are checked.

The header is held until it is whole (at most 1 MB); the rest streams through. Writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from stratamail.capture import policy
from stratamail.capture.policy import Verdict
from stratamail.mail.headers import header_end
from stratamail.mail.received import date_time
from stratamail.mail.submitted import authors, complete

MAX_HEADER = 1000 * 1000


class Completer:
    """Between the door and the spool's ``write``. ``mine`` says whether the user may write as an address."""

    def __init__(
        self,
        write: Callable[[bytes], Deferred[None] | None],
        id: str,
        seconds: int,
        hostname: str,
        mine: Callable[[str], bool],
    ) -> None:
        self._write = write
        self._id = id
        self._seconds = seconds
        self._hostname = hostname
        self._mine = mine
        self._head: bytes | None = b""
        self._verdict = policy.TAKEN

    def write(self, data: bytes) -> Deferred[None] | None:
        if self._head is None:
            return self._write(data) if self._verdict.accepted else None
        # a header's end may lie across two pieces
        seam = max(0, len(self._head) - 3)
        self._head += data
        if self._head.find(b"\n\r\n", seam) >= 0 or self._head.find(b"\n\n", seam) >= 0 or self._head[:2] == b"\r\n":
            return self._headed()
        if len(self._head) > MAX_HEADER:
            self._verdict = policy.HEADER_TOO_BIG
            self._head = None
        return None

    def finish(self) -> Verdict:
        """The body is over: what becomes of it. A message that is all header is completed here."""
        if self._head is not None:
            self._headed()
        return self._verdict

    def _headed(self) -> Deferred[None] | None:
        head, self._head = self._head or b"", None
        end = header_end(head)
        block, rest = head[:end], head[end:]
        names = authors(block)
        if names is None or not all(self._mine(name) for name in names):
            self._verdict = policy.FROM_NOT_YOURS
            return None
        block = complete(block, date_time(self._seconds), f"{self._id}@{self._hostname}")
        return self._write(block + rest)
