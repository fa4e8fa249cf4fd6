"""A store that is killed at its Nth durable step, and the life after it. Run as a program: see ``test_store_steps``.

``python -m tests.crash.steps FOLDER FIRST STRIDE WARM`` forks a life that dies before step FIRST, then one that
recovers and checks, then FIRST + STRIDE, until a life reaches its end. Prints one JSON line for each.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from typing import Any

from sqlalchemy import text
from twisted.internet.defer import Deferred, gatherResults

from stratamail.store import database, durable
from stratamail.store.queue import messages
from tests.unit.store.rig import TRACE, Rig, new_message

BOXES = {1: "user@example.test", 2: "other@example.test"}
BODIES = [b"small %d\r\n" % i * 50 for i in range(3)] + [b"large %d\r\n" % i * 20_000 for i in range(2)]
_write = os.write


class Steps:
    """Counts what reaches the disk, and kills the process before step ``last``."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0
        self.armed = False

    def step(self) -> None:
        if self.armed:
            self.count += 1
            if self.count == self.last:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        for name in ("rename", "link", "unlink", "fsync", "mkdir", "write"):
            setattr(os, name, self._before(getattr(os, name)))
        durable._syncfs = self._before(durable._syncfs)
        steps, connect = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, statement: str, *rest: Any) -> sqlite3.Cursor:
                if statement == "COMMIT" or statement.startswith("PRAGMA wal_checkpoint"):
                    steps.step()
                return super().execute(statement, *rest)

        sqlite3.connect = lambda *a, **k: connect(*a, factory=Connection, **k)  # type: ignore[assignment]

    def _before(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.step()
            return real(*args, **kwargs)

        return call


def run(work: Callable[[Any], Any]) -> None:
    """``work(reactor)`` to its end in a process that never returns."""
    from twisted.internet import reactor  # noqa: PLC0415  (one reactor for each forked life)

    code = [1]

    def ended(result: Any) -> None:
        if result is not None and hasattr(result, "printTraceback"):
            result.printTraceback()
        else:
            code[0] = 0
        reactor.stop()  # type: ignore[attr-defined]

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work(reactor)).addBoth(ended))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    os._exit(code[0])


async def life(reactor: Any, folder: str, acks: int, steps: Steps, warm: bool) -> None:
    """Accepts :data:`BODIES`; every id that was acknowledged is told on ``acks``."""
    rig = Rig(folder, reactor, BOXES)
    rig.start()
    if warm:
        await rig.committer.commit(new_message(b"first", mailboxes=(1, 2)))
        await rig.filing.settled()
    steps.armed = True

    async def one(number: int) -> None:
        body = BODIES[number]
        new = await rig.large(body, mailboxes=(1, 2)) if len(body) > 65536 else new_message(body, mailboxes=(1, 2))
        await rig.committer.commit(new)
        _write(acks, b"%d %s\n" % (number, new.id.encode()))

    await one(0)
    await gatherResults([Deferred.fromCoroutine(one(number)) for number in range(1, len(BODIES))])
    await rig.stop()


async def recovery(reactor: Any, folder: str, acks: dict[str, int], warm: bool) -> None:
    """Starts again and asserts every promise."""
    rig = Rig(folder, reactor, BOXES, unclean=True)
    rig.start()
    await rig.replay()
    await rig.committer.barrier()
    with database.reading(rig.engine) as conn:
        assert messages.unfiled(conn) == []
        assert conn.execute(text("SELECT count(*) FROM journal")).scalar() == 0
        known = {row.id: row.seq for row in conn.execute(text("SELECT id, seq FROM messages"))}
        owed = conn.execute(text("SELECT count(*) FROM deliveries WHERE state = 'queued'")).scalar()
    assert set(acks) <= set(known), "acknowledged and lost"
    assert owed == len(known)
    assert rig.leftovers() == []
    for address in BOXES.values():
        inbox = rig.inbox(address)
        contents = [content for _, content in inbox]
        uids = [uid for uid, _ in inbox]
        assert len(contents) == len(known) == len(set(contents)), "each message once"
        assert uids == sorted(set(uids))
        for id_, number in acks.items():
            assert TRACE + BODIES[number] in contents, f"{id_} is not what was accepted"
        allowed = {TRACE + body for body in [*BODIES, *([b"first"] if warm else [])]}
        assert set(contents) <= allowed, "a torn message"
    for id_ in known:
        assert os.stat(rig.layout.message(id_)).st_nlink == 3
    # whatever happened, mail is taken again, in order
    last = await rig.committer.commit(new_message(b"after", id="v" * 16, mailboxes=(1, 2)))
    assert last.seq > max(known.values(), default=0)
    await rig.filing.settled()
    assert rig.inbox(BOXES[1])[-1][1] == TRACE + b"after"
    await rig.stop()


def forked(work: Callable[[Any], Any]) -> int:
    """The wait status of a process that does ``work(reactor)``."""
    pid = os.fork()
    if pid == 0:
        try:
            run(work)
        except BaseException:
            traceback.print_exc()
        os._exit(2)
    return os.waitpid(pid, 0)[1]


def both_lives(state: str, last: int, warm: bool) -> dict[str, Any]:
    """One that is killed before step ``last``, and one that finds what it left."""
    os.mkdir(state)
    told = os.path.join(state, "acknowledged")
    acks = os.open(told, os.O_WRONLY | os.O_CREAT, 0o600)
    steps = Steps(last)

    def first(reactor: Any) -> Any:
        steps.install()
        return life(reactor, state, acks, steps, warm)

    status = forked(first)
    os.close(acks)
    with open(told, encoding="ascii") as file:
        known = {line.split()[1]: int(line.split()[0]) for line in file}
    died = os.WIFSIGNALED(status)
    recovered = forked(lambda reactor: recovery(reactor, state, known, warm)) == 0
    return {"step": last, "died": died, "acknowledged": len(known), "good": recovered and (died or status == 0)}


def main(folder: str, first: int, stride: int, warm: bool) -> None:
    last, died = first, True
    while died:
        outcome = both_lives(os.path.join(folder, str(last)), last, warm)
        print(json.dumps(outcome), flush=True)
        died, last = outcome["died"], last + stride


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "warm")
