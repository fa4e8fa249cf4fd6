"""The mark of a server at work: STATE/running, locked while the server runs and removed when it has stopped cleanly.

Found without a lock at start it tells that the last run ended without a clean stop, so that mailboxes are compared with
their folders before they are served. Writes STATE/running (the process id, for people).
"""

from __future__ import annotations

import fcntl
import os


class AlreadyRunning(Exception):
    """Another server holds this STATE."""


class Running:
    """Lock and mark of one STATE directory. ``unclean`` is set by ``take``."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._handle = -1
        self.unclean = False

    def take(self) -> None:
        """Raises ``AlreadyRunning``, or ``OSError`` when STATE cannot be written."""
        while True:
            found = os.path.exists(self._path)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                owner = os.read(handle, 20).decode("ascii", "replace").strip()
                os.close(handle)
                raise AlreadyRunning(f"{self._path} is held by another server (process {owner or '?'})") from error
            if self._is(handle):
                break
            # the other server removed its mark between our open and our lock
            os.close(handle)
        self.unclean = found
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._handle = handle

    def _is(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """The stop was clean: everything is on disk."""
        if self._handle >= 0:
            os.unlink(self._path)
            self.abandon()

    def give_back(self) -> None:
        """Nothing was done under the mark: leave it as it was found."""
        if self.unclean:
            self.abandon()
        else:
            self.release()

    def abandon(self) -> None:
        """Let go of the lock and leave the mark: the next start must look."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
