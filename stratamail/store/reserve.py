"""The disk reserve: below it new mail is answered 452, so that what was accepted can still be filed and given back.

Writes STATE/ballast (64 MB, not sparse), which is given up when a commit or the start finds no space at all, and made
again when there is room.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from stratamail.mail.reply import DiskFull
from stratamail.store.layout import Layout

BALLAST = 64 * 1000 * 1000
# how old a figure of free space may be, seconds
_FRESH = 0.25
_PIECE = 1000 * 1000


class Reserve:
    """Free space of STATE against ``reserve`` octets. ``in_flight`` is what bodies being received will still need;
    ``on_low`` is called when the reserve is reached, once each time; ``released``: the ballast was given up."""

    def __init__(self, layout: Layout, reserve: int, seconds: Callable[[], float]) -> None:
        self._layout = layout
        self.reserve = reserve
        self.in_flight = 0
        self.on_low: Callable[[], None] = _nobody
        self.released = False
        self._low = False
        self._seconds = seconds
        self._free = 0
        self._read_at: float | None = None

    @property
    def free(self) -> int:
        """Octets that STATE's file system has for us, at most a quarter of a second old."""
        now = self._seconds()
        if self._read_at is None or not 0 <= now - self._read_at < _FRESH:
            self._read_at = now
            self._free = free_space(self._layout.state)
            was, self._low = self._low, self._free < self.reserve
            if self._low and not was:
                self.on_low()
        return self._free

    def allows(self, more: int = 0) -> bool:
        """Whether ``more`` octets can be taken beside those in flight."""
        return self.free - self.in_flight - more >= self.reserve

    def check(self, more: int = 0) -> None:
        """Raise :class:`DiskFull` (452 4.3.1) when ``more`` octets would touch the reserve: at MAIL with its SIZE."""
        if not self.allows(more):
            raise DiskFull()

    def make_ballast(self) -> bool:
        """Make the ballast when it is missing and there is room for it above the reserve. Blocks (disk pool)."""
        path = self._layout.ballast
        if os.path.exists(path) or free_space(self._layout.state) < self.reserve + 2 * BALLAST:
            return False
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            try:
                os.posix_fallocate(fd, 0, BALLAST)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                    raise
                piece = os.urandom(_PIECE)
                for _ in range(BALLAST // _PIECE):
                    os.write(fd, piece)
        except OSError:
            os.unlink(path + ".new")
            raise
        finally:
            os.close(fd)
        os.rename(path + ".new", path)
        self.released = False
        return True

    def release_ballast(self) -> bool:
        """Give the ballast up; True when there was one. Any thread."""
        self._read_at = None
        try:
            os.unlink(self._layout.ballast)
        except OSError:
            return False
        self.released = True
        return True


def _nobody() -> None:
    """Nobody is told."""


def free_space(path: str) -> int:
    """Octets free for unprivileged users on the file system of ``path``; 0 when it cannot be told."""
    try:
        figures = os.statvfs(path)
    except OSError:
        return 0
    return figures.f_bavail * figures.f_frsize
