"""What the kernel tells of changes in directories (inotify), a whole buffer at a time. Linux only; touches no file."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
OVERFLOW, IS_DIRECTORY = 0x4000, 0x40000000
_ONLY_DIRECTORIES = 0x1000000
_EVENT = struct.Struct("iIII")
_BUFFER = 1 << 16
_log = Logger()


class Readers(Protocol):
    """The part of a reactor that waits for descriptors."""

    def addReader(self, reader: Any) -> None: ...

    def removeReader(self, reader: Any) -> None: ...


@implementer(IReadDescriptor)
class Notices:
    """``told(watch, mask, name)`` hears of each event, with watch -1 and :data:`OVERFLOW` when some were lost. OSError
    when the system has no inotify or no more of it."""

    def __init__(self, reactor: Readers, told: Callable[[int, int, str], None]) -> None:
        self._reactor = reactor
        self._told = told
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError("no inotify here")
        self._fd = self._checked(self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        reactor.addReader(self)

    def add(self, path: str) -> int:
        """Watch a directory; a number for it. OSError when it is missing or the system's limit is reached."""
        mask = CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE | _ONLY_DIRECTORIES
        return self._checked(self._libc.inotify_add_watch(self._fd, os.fsencode(path), mask))

    def remove(self, watch: int) -> None:
        """Idempotent: the kernel drops the watch of a removed directory itself."""
        self._libc.inotify_rm_watch(self._fd, watch)

    def close(self) -> None:
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1

    @staticmethod
    def _checked(result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    # IReadDescriptor

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return
        at, end = 0, len(data)
        while at < end:
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            name = data[at - length : at].rstrip(b"\0")
            try:
                self._told(watch, mask, os.fsdecode(name))
            except Exception:
                _log.failure("a notice of the kernel could not be taken")

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def logPrefix(self) -> str:
        return "notices"
