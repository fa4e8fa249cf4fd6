"""The only place that calls fsync. A function here returns when the bytes survive a power cut, or raises ``OSError``.

A failed sync is never repeated on the same file (the kernel may have dropped the dirty pages and would then report
success): the caller writes the file anew.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# below so many files one by one is cheaper than asking for the whole file system
_ONE_BY_ONE = 4

_libc = ctypes.CDLL(None, use_errno=True)
_syncfs = getattr(_libc, "syncfs", None)


def sync_descriptor(fd: int) -> None:
    os.fsync(fd)


def sync_file(path: str) -> None:
    """Make the content and the metadata of the file ``path`` durable (not its name: see :func:`sync_folder`)."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_files(paths: Iterable[str]) -> None:
    """The same for those of ``paths`` that are there."""
    for path in paths:
        try:
            sync_file(path)
        except FileNotFoundError:
            continue


def sync_folder(path: str) -> None:
    """Make the names in the folder ``path`` durable."""
    fd = os.open(path, _DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: str) -> None:
    """Everything written so far on the file system of ``path``: data, names and metadata (syncfs(2), which reports
    write-back errors since Linux 5.8)."""
    if _syncfs is None:
        raise OSError(38, "syncfs is not available")
    fd = os.open(path, _DIRECTORY)
    try:
        if _syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)
    finally:
        os.close(fd)


def sync_many(root: str, files: Iterable[str], folders: Iterable[str]) -> None:
    """Make many new files and the folders that name them durable at once. All lie on the file system of ``root``.

    One syncfs costs one journal commit of the file system, where a thousand fsyncs cost a thousand.
    """
    files, folders = list(files), list(folders)
    if _syncfs is not None and len(files) + len(folders) > _ONE_BY_ONE:
        sync_filesystem(root)
        return
    for path in files:
        sync_file(path)
    for path in folders:
        sync_folder(path)


def make_folder(path: str, mode: int = 0o750) -> None:
    """Create ``path`` and what leads to it; every new name is durable on return. Existing folders are left alone."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent and parent != path:
        make_folder(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return
    sync_folder(parent)


class SharedFolderSync:
    """Folder syncs shared by threads: who asks while one is running takes part in the next one with all who wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}
        self._running: dict[str, _Round] = {}

    def sync(self, path: str) -> None:
        """Return when a sync of ``path`` that began after this call has succeeded; raise its ``OSError`` otherwise."""
        with self._lock:
            waiting = self._rounds.get(path)
            if waiting is not None:
                leader, mine = False, waiting
            else:
                leader, mine = True, _Round()
                self._rounds[path] = mine
            before = self._running.get(path)
        if not leader:
            mine.done.wait()
        else:
            if before is not None:
                before.done.wait()
            with self._lock:
                del self._rounds[path]
                self._running[path] = mine
            try:
                sync_folder(path)
            except OSError as error:
                mine.error = error
            finally:
                with self._lock:
                    if self._running.get(path) is mine:
                        del self._running[path]
                mine.done.set()
        if mine.error is not None:
            raise OSError(mine.error.errno, os.strerror(mine.error.errno or 5), path)


class _Round:
    """One shared sync: ``done`` is set when it has ended, ``error`` then tells how."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.error: OSError | None = None
