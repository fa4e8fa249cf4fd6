"""Judges the DKIM signatures of what was captured: after its 250, which never waits for it.

A message that bears a signature is committed unjudged; its keys are asked of the DNS and the verdict is written down
soon after. What a stop or a sick DNS left open is taken up again at the start and every hour, for a day. Every hour,
too, the good signatures of what still waits for its primary are looked at: one whose time is over, or whose key was
withdrawn, will not verify there any more, and a person is told. Writes ``messages.dkim`` and ``alerts`` through the
committer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, BinaryIO, Protocol

from sqlalchemy.engine import Connection
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from stratamail.capture import lapses
from stratamail.mail.dkim import Verifying
from stratamail.mail.headers import header_end
from stratamail.net.resolver import NotResolved, Resolver
from stratamail.store.bodies import MissingBody
from stratamail.store.model import Message
from stratamail.store.pool import Pool
from stratamail.store.queue import verdicts

Access = Callable[[Callable[[Connection], Any]], Awaitable[Any]]
# a burst of messages becomes one look; what failed is looked at again; seconds
LULL = 0.2
REGULARLY = 3600.0
# how long an answer of the DNS is hoped for, µs
_HOPE = 86_400_000_000
_AT_ONCE = 8
_PIECE = 256 * 1024
# names that may time out before the rest of a message's are not asked
_TIMEOUTS = 2


class Bodies(Protocol):
    def open(self, message: Message) -> BinaryIO:
        """The file of a message, at its beginning. Raises ``store.bodies.MissingBody``."""


class Verifier:
    """``read`` and ``write`` run a function with a connection (a reader; the committer). All methods are the
    reactor's."""

    log = Logger()

    def __init__(
        self, reactor: Any, read: Access, write: Access, bodies: Bodies, disk: Pool, cpu: Pool, resolver: Resolver
    ) -> None:
        self._reactor = reactor
        self._read = read
        self._write = write
        self._bodies = bodies
        self._disk = disk
        self._cpu = cpu
        self._resolver = resolver
        self._stopping = True
        self._later: IDelayedCall | None = None
        self._regular: IDelayedCall | None = None
        self._work: Deferred[None] | None = None
        self._again = False
        self._open: Deferred[Any] | None = None

    def start(self) -> None:
        """Take up what was left open."""
        self._stopping = False
        self._regularly()

    def stop(self) -> Deferred[None]:
        """Nothing is lost: what is not judged yet stays marked. Fires when nothing runs any more."""
        self._stopping = True
        for call in (self._later, self._regular):
            if call is not None and call.active():
                call.cancel()
        if self._open is not None:
            self._open.cancel()
        done: Deferred[None] = Deferred()
        if self._work is None:
            return succeed(None)
        self._work.addBoth(lambda _: done.callback(None))
        return done

    def wake(self) -> None:
        """A message with a signature was committed. Cheap."""
        if not self._stopping and (self._later is None or not self._later.active()):
            self._later = self._reactor.callLater(LULL, self._look, False)

    def _regularly(self) -> None:
        self._regular = self._reactor.callLater(REGULARLY, self._regularly)
        self._look(True)

    def _look(self, everything: bool) -> None:
        if self._work is not None:
            self._again = True
            return
        self._work = Deferred.fromCoroutine(self._run(everything))
        self._work.addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._work = None
        again, self._again = self._again, False
        if again:
            self.wake()

    async def _run(self, everything: bool) -> None:
        try:
            await self._judge_all(everything)
            if everything and not self._stopping:
                await lapses.check(self._reactor.seconds(), self._read, self._write, self._resolver)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("DKIM signatures could not be judged, again later")

    async def _judge_all(self, everything: bool) -> None:
        """``everything``: also what the DNS had no answer for."""
        now = int(self._reactor.seconds() * 1_000_000)
        since = now - _HOPE if everything else now + _HOPE
        after = 0
        while not self._stopping:
            page: list[Message] = await self._read(partial(verdicts.unjudged, after=after, since=since))
            if not page:
                return
            after = page[-1].seq
            for start in range(0, len(page), _AT_ONCE):
                if self._stopping:
                    return
                await self._judge_some(page[start : start + _AT_ONCE])

    async def _judge_some(self, some: Sequence[Message]) -> None:
        self._open = DeferredList([Deferred.fromCoroutine(self._judge(one)) for one in some], consumeErrors=True)
        try:
            results: list[tuple[bool, Any]] = await self._open
        finally:
            self._open = None
        found = {}
        for message, (success, value) in zip(some, results, strict=True):
            if success:
                found[message.seq] = value
            elif not self._stopping:
                self.log.failure("the signature of {id} could not be judged, again later", value, id=message.id)
        if found:
            await self._write(lambda conn: verdicts.store(conn, found))

    async def _judge(self, message: Message) -> str:
        """The words of ``store.queue.verdicts``."""
        try:
            file = await self._disk.run(self._bodies.open, message)
        except MissingBody:
            return verdicts.UNKNOWN
        try:
            head = await self._disk.run(file.read, message.trace_size + _PIECE)
            head = head[message.trace_size :]
            end = header_end(head)
            if end == len(head) and len(head) == _PIECE:
                # a header that long is no letter's
                return verdicts.UNKNOWN
            verifying: Verifying = await self._cpu.run(Verifying, head[:end])
            piece = head[end:]
            while piece and verifying.names:
                await self._cpu.run(verifying.feed, piece)
                piece = await self._disk.run(file.read, _PIECE)
        finally:
            file.close()
        records = await self._records(verifying.names)
        return verdicts.words(await self._cpu.run(verifying.verdicts, lambda name: _answer(records[name])))

    async def _records(self, names: Sequence[str]) -> dict[str, bytes | NotResolved | None]:
        found: dict[str, bytes | NotResolved | None] = {}
        failure: NotResolved | None = None
        failures = 0
        for name in names:
            if failure is not None and failures >= _TIMEOUTS:
                found[name] = failure
                continue
            try:
                found[name] = lapses.record(await self._resolver.texts(name))
            except NotResolved as error:
                found[name] = None if error.permanent else error
                if not error.permanent:
                    failure, failures = error, failures + 1
        return found


def _answer(found: bytes | NotResolved | None) -> bytes | None:
    if isinstance(found, NotResolved):
        raise found
    return found
