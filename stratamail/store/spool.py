"""The one copy of every message: ``spool/<shard>/<id>``, our trace lines and then the message as it came.

A body that is being received stays in memory up to :data:`SMALL` octets and is then committed with its row (the
journal). A larger one is written to ``ID.part`` in the ``disk`` pool while it comes in, gets its own name at its end,
and is synced with its folder before the commit. Files are written once, mode 0440.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable

from attrs import frozen
from twisted.internet.defer import Deferred

from stratamail.mail.reply import DiskFull, Unavailable
from stratamail.store.durable import SharedFolderSync, make_folder, sync_descriptor, sync_folder
from stratamail.store.layout import Layout
from stratamail.store.pool import Pool
from stratamail.store.reserve import Reserve

SMALL = 64 * 1024
# so much is gathered before a hop to the disk pool
_SLICE = 256 * 1024
# so much may wait for the disk before the sender is paused
_HIGH = 1024 * 1024
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
# 50 bits of time in units of 128 µs reach the year 6500, and neighbours within 134 s share a folder
_UNIT_BITS = 7


@frozen
class Sealed:
    """A received body. ``size`` and ``sha256`` (hex) are over the body alone; ``body`` None: it is in the spool."""

    size: int
    sha256: str
    body: bytes | None


class Spool:
    """Draws ids and takes bodies. All methods are the reactor's."""

    def __init__(self, layout: Layout, disk: Pool, reserve: Reserve) -> None:
        self.layout = layout
        self._disk = disk
        self.reserve = reserve
        self._folders = SharedFolderSync()
        self._known: set[str] = set()
        self._making = threading.Lock()
        # the last thirty bits of an id: a count from a random start, so that two in one unit of time differ
        self._count = secrets.randbits(30)
        self._unit = -1
        self._prefix = ""

    def new_id(self, now_us: int) -> str:
        """A name for a message, unique for ever: ten characters of time, six of a count."""
        unit = (now_us >> _UNIT_BITS) & 0x3FFFFFFFFFFFF
        if unit != self._unit:
            self._unit = unit
            self._prefix = "".join([_PAIRS[(unit >> shift) & 1023] for shift in (40, 30, 20, 10, 0)])
        self._count = count = (self._count + 1) & 0x3FFFFFFF
        return f"{self._prefix}{_PAIRS[count >> 20]}{_PAIRS[(count >> 10) & 1023]}{_PAIRS[count & 1023]}"

    def new_body(self, id: str, trace: bytes = b"", in_file: bool = False) -> Body:
        """A body about to be received. ``trace`` goes before it in the file; ``in_file``: a small one too."""
        return Body(self, self._disk, id, trace, in_file)

    def make_shard(self, id: str) -> str:
        """The folder of ``id``, made when it is new (any thread)."""
        shard = self.layout.shard(id)
        if shard not in self._known:
            with self._making:
                make_folder(shard)
                # whoever made it: another thread may not have come to its sync yet, an earlier run never
                sync_folder(self.layout.spool)
                if len(self._known) > 1000:
                    self._known = set()
                self._known.add(shard)
        return shard

    def sync_shard(self, shard: str) -> None:
        self._folders.sync(shard)


class Body:
    """One message being received, in the reactor's thread: ``write`` …, then ``seal`` or ``abandon``.

    ``size`` counts octets so far. After a failure writes are swallowed and ``seal`` raises it: its place is the dot.
    """

    def __init__(self, spool: Spool, disk: Pool, id: str, trace: bytes, in_file: bool) -> None:
        self.id = id
        self.size = 0
        self.failure: Exception | None = None
        self._spool = spool
        self._disk = disk
        self._trace = trace
        self._chunks: list[bytes] = []
        self._gathered = 0
        self._spilled = in_file
        self._writer: _Writer | None = None
        self._running = False
        self._paused: Deferred[None] | None = None
        self._idle: Deferred[None] | None = None
        self._closed = False
        self._sealed: Sealed | None = None
        self._reserved = 0

    @property
    def small(self) -> bool:
        """True while the body is in memory only: then ``seal_small`` may be used."""
        return not self._spilled

    def write(self, data: bytes) -> Deferred[None] | None:
        """Take more. None: go on. A Deferred: stop reading from the peer until it fires (it never fails)."""
        self.size += len(data)
        if self.failure is not None:
            return None
        self._chunks.append(data)
        self._gathered += len(data)
        if not self._spilled:
            if self._gathered <= SMALL:
                return None
            self._spilled = True
            self._count(self._gathered)
        else:
            self._count(len(data))
        if not self._spool.reserve.allows():
            self.failure = DiskFull()
            self._drop_chunks()
            return None
        if self._gathered >= _SLICE and not self._running:
            self._flush()
        if self._gathered >= _HIGH:
            if self._paused is None:
                self._paused = Deferred()
            return self._paused
        return None

    def leave_room(self, octets: int) -> None:
        """The trace will be longer by ``octets``, and is not known yet; only before the first :meth:`write`."""
        if self.size:
            raise ValueError("the body has begun")
        self._trace += b" " * octets

    def set_trace(self, trace: bytes) -> None:
        """The whole trace, as long as it was given and room was left for; before :meth:`seal`."""
        if len(trace) != len(self._trace):
            raise ValueError(f"a trace of {len(trace)} octets in a room of {len(self._trace)}")
        self._trace = trace

    def seal_small(self) -> Sealed:
        """The whole body, at once; only while :attr:`small`."""
        if self.failure is not None:
            raise self.failure
        self._closed = True
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks = []
        return Sealed(self.size, hashlib.sha256(body).hexdigest(), body)

    async def seal(self) -> Sealed:
        """The end of the body. A large one is complete, named and synced on return; asked again it says the same.
        Raises ``mail.reply.Failure``."""
        if self._sealed is not None:
            return self._sealed
        if not self._spilled and self.failure is None:
            return self.seal_small()
        while self._running:
            await self._when_idle()
        if self.failure is not None:
            failure = self.failure
            await self._discard()
            raise failure
        chunks, self._chunks, self._gathered = self._chunks, [], 0
        # an abandon that comes meanwhile leaves the removal to us
        self._running = True
        try:
            digest = await self._disk.run(self._finish, chunks)
        except OSError as error:
            self.failure = _spoken(error)
            await self._discard()
            raise self.failure
        finally:
            self._running = False
        if self._closed:
            await self._discard()
            raise self.failure or Unavailable(reason="abandoned")
        self._closed = True
        self._uncount()
        self._sealed = Sealed(self.size, digest, None)
        return self._sealed

    def withdraw(self) -> None:
        """As :meth:`abandon`, and a sealed file goes too: only while no row names it. Idempotent."""
        if self._sealed is None:
            self.abandon()
            return
        self._sealed = None
        self._disk.run(self._remove_files).addErrback(lambda _: None)

    def abandon(self) -> None:
        """The peer went away or was refused: leave nothing behind. Idempotent."""
        if self._closed:
            return
        self.failure = self.failure or Unavailable(reason="abandoned")
        self._drop_chunks()
        self._closed = True
        self._uncount()
        if not self._running:
            self._remove_soon()

    def _count(self, more: int) -> None:
        """Octets in flight count against the disk reserve until they are on the disk for good, or gone."""
        self._reserved += more
        self._spool.reserve.in_flight += more

    def _uncount(self) -> None:
        self._spool.reserve.in_flight -= self._reserved
        self._reserved = 0

    # -- the disk side

    def _flush(self) -> None:
        chunks, self._chunks, self._gathered = self._chunks, [], 0
        self._running = True
        self._disk.run(self._append, chunks).addCallbacks(self._flushed, self._flush_failed)

    def _append(self, chunks: list[bytes]) -> None:
        if self._writer is None:
            self._spool.make_shard(self.id)
            self._writer = _Writer(self._spool.layout.part(self.id), self._trace)
        self._writer.write(chunks)

    def _finish(self, chunks: list[bytes]) -> str:
        self._append(chunks)
        writer, self._writer = self._writer, None
        assert writer is not None
        layout = self._spool.layout
        writer.set_trace(self._trace)
        return writer.finish(layout.message(self.id), lambda: self._spool.sync_shard(layout.shard(self.id)))

    def _flushed(self, _: object) -> None:
        self._running = False
        if self._closed:
            self._remove_soon()
        elif self._gathered >= _SLICE:
            self._flush()
        self._wake()

    def _flush_failed(self, failure: object) -> None:
        error = getattr(failure, "value", None)
        self.failure = _spoken(error) if isinstance(error, OSError) else Unavailable()
        self._running = False
        self._drop_chunks()
        if self._closed:
            self._remove_soon()
        self._wake()

    def _wake(self) -> None:
        if self._paused is not None and self._gathered < _HIGH:
            paused, self._paused = self._paused, None
            paused.callback(None)
        if self._idle is not None and not self._running:
            idle, self._idle = self._idle, None
            idle.callback(None)

    def _when_idle(self) -> Deferred[None]:
        if self._idle is None:
            self._idle = Deferred()
        return self._idle

    def _drop_chunks(self) -> None:
        self._chunks, self._gathered = [], 0
        if self._paused is not None:
            paused, self._paused = self._paused, None
            paused.callback(None)

    async def _discard(self) -> None:
        self._closed = True
        self._uncount()
        if self._spilled:
            await self._disk.run(self._remove_files)

    def _remove_soon(self) -> None:
        if self._writer is not None:
            # a file left behind is a .part, deleted at the next start: nothing to do about a failure here
            self._disk.run(self._remove_files).addErrback(lambda _: None)

    def _remove_files(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        layout = self._spool.layout
        for path in (layout.part(self.id), layout.message(self.id)):
            try:
                os.unlink(path)
            except OSError:
                pass


class _Writer:
    """The file ``ID.part`` of one body, written by one job of the disk pool at a time."""

    def __init__(self, part: str, trace: bytes) -> None:
        self._part = part
        self._trace = trace
        self._digest = hashlib.sha256()
        # a part file of this id can only be our own, from before a failure
        self._fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o440)
        try:
            _write_all(self._fd, trace)
        except BaseException:
            self.close()
            raise

    def write(self, chunks: Iterable[bytes]) -> None:
        data = b"".join(chunks)
        self._digest.update(data)
        _write_all(self._fd, data)

    def set_trace(self, trace: bytes) -> None:
        """Write another trace of the same length over the one that stands there."""
        if trace == self._trace:
            return
        done = 0
        while done < len(trace):
            done += os.pwrite(self._fd, trace[done:], done)

    def finish(self, name: str, sync_folder: Callable[[], None]) -> str:
        """Name, then sync file and folder; the SHA-256 of the body in hex."""
        try:
            os.rename(self._part, name)
            sync_descriptor(self._fd)
        finally:
            self.close()
        sync_folder()
        return self._digest.hexdigest()

    def close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _spoken(error: OSError) -> Exception:
    """What the peer hears of an error of the disk: never a permanent refusal."""
    return DiskFull() if error.errno in (errno.ENOSPC, errno.EDQUOT) else Unavailable(reason="spool-error")


def write_file(path: str, content: bytes) -> None:
    """A new file with ``content``, mode 0440; one that a crash left under this name is replaced."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o440)
    except FileExistsError:
        os.unlink(path)
        fd = os.open(path, flags, 0o440)
    try:
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)
