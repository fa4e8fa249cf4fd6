"""STATE/wake.sock: the command line says what it has committed and waits until the server has taken note.

One JSON line in, ``{"topics": ["catalog" | "queue" | "outage" | "retry" | "restore", ...], "flush": DOMAIN}`` (flush
may be absent; "retry": no lane that owes something stays paused; "restore": what was asked for is done); one out,
``{"ok": true}`` or ``{"ok": false, "error": TEXT}``. The socket is mode 0600: its owner and root.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

Note = Callable[[frozenset[str], str], Awaitable[None]]
# a path of a UNIX socket has at most 107 bytes
_LONGEST = 107
TOPICS = frozenset({"catalog", "queue", "outage", "retry", "restore"})


class WakeProtocol(LineOnlyReceiver):
    """Lines of one peer, one after the other; answers keep their order."""

    delimiter = b"\n"
    MAX_LENGTH = 64 * 1024
    log = Logger()

    def __init__(self, note: Note) -> None:
        self._note = note
        self._last: Deferred[None] | None = None

    def lineReceived(self, line: bytes) -> None:
        before, self._last = self._last, None
        current = Deferred.fromCoroutine(self._take(line, before))
        current.addErrback(self._failed)
        self._last = current

    async def _take(self, line: bytes, before: Deferred[None] | None) -> None:
        if before is not None:
            await before
        try:
            topics, flush = read(line)
        except ValueError as error:
            self._answer({"ok": False, "error": str(error)})
            return
        await self._note(topics, flush)
        self._answer({"ok": True})

    def _failed(self, failure: Failure) -> None:
        self.log.failure("a change could not be put in force", failure)
        self._answer({"ok": False, "error": failure.getErrorMessage() or repr(failure.value)})

    def _answer(self, value: dict[str, Any]) -> None:
        assert self.transport is not None
        self.transport.write(json.dumps(value).encode() + b"\n")


def read(line: bytes) -> tuple[frozenset[str], str]:
    """Topics and the domain to flush ("" for none) of one line. Raises ``ValueError``."""
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("an object is expected")
    topics = value.get("topics", [])
    flush = value.get("flush") or ""
    if not isinstance(topics, list) or not isinstance(flush, str):
        raise ValueError("topics is a list of words, flush a domain")
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown:
        raise ValueError(f"unknown topic {unknown[0]!r}")
    return frozenset(topics), flush


def listen(reactor: Any, path: str, note: Note) -> IListeningPort:
    """Listen at ``path``. Who calls holds the mark of the running server: a socket that is there is a dead one's."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    if len(os.fsencode(path)) > _LONGEST:
        # by way of the open folder, which stays open as long as the process
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        path = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    port: IListeningPort = reactor.listenUNIX(path, WakeFactory(note), mode=0o600)
    return port


class WakeFactory(Factory):
    noisy = False

    def __init__(self, note: Note) -> None:
        self._note = note

    def buildProtocol(self, addr: object) -> WakeProtocol:
        return WakeProtocol(self._note)
