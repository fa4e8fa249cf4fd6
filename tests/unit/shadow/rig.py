"""A shadow without threads: pools that do their work at once, or when the test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from stratamail.shadow.box import Box
from stratamail.shadow.shadow import Shadow
from stratamail.shadow.updates import Exists, Expunged, Flags
from stratamail.shadow.view import View
from stratamail.store.model import Message, NewMessage
from tests.unit.store.boxes import ADDRESS, START, Boxes

T = TypeVar("T")


class InlinePool:
    """Runs jobs at once; while ``held`` it keeps them for :meth:`release`."""

    def __init__(self) -> None:
        self.held = False
        self._jobs: deque[Callable[[], None]] = deque()

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        if not self.held:
            try:
                return succeed(function(*args))
            except Exception:
                return fail()
        done: Deferred[Any] = Deferred()

        def job() -> None:
            try:
                value = function(*args)
            except Exception:
                done.errback()
            else:
                done.callback(value)

        self._jobs.append(job)
        return done

    def release(self) -> None:
        self.held = False
        while self._jobs:
            self._jobs.popleft()()


class InlineReactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.advance(START / 1_000_000)

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:
        callable(*args)


class FakeBody:
    """What ``spool.Body`` is to an append."""

    def __init__(self, path: str, id: str) -> None:
        self.id, self.path = id, path
        self.data = b""
        self.abandoned = False

    def write(self, data: bytes) -> None:
        self.data += data

    async def seal(self) -> Any:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        Path(self.path).write_bytes(self.data)
        return type("Sealed", (), {"size": len(self.data), "sha256": "0" * 64, "body": None})

    def abandon(self) -> None:
        self.abandoned = True

    withdraw = abandon


class FakeSpool:
    class reserve:
        open = True

        @classmethod
        def allows(cls) -> bool:
            return cls.open

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self.bodies: list[FakeBody] = []

    def new_id(self, now_us: int) -> str:
        return f"0zz{len(self.bodies):013d}".replace("z", "v")

    def new_body(self, id: str, trace: bytes = b"", in_file: bool = False) -> FakeBody:
        assert in_file
        self.bodies.append(FakeBody(self._boxes.layout.message(id), id))
        return self.bodies[-1]


class Rig(Boxes):
    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.thread, self.disk = InlinePool(), InlinePool()
        self.spool = FakeSpool(self)
        self.committed: list[NewMessage] = []
        self.appended: list[int] = []
        self.shadow = Shadow(
            self.mailboxes,
            self.thread,  # type: ignore[arg-type]
            self.disk,  # type: ignore[arg-type]
            InlineReactor(),
            self.spool,  # type: ignore[arg-type]
            self.commit,
            self.appended.extend,
        )

    def commit(self, new: NewMessage) -> Deferred[Message]:
        self.committed.append(new)
        seq = 1000 + len(self.committed)
        message = Message(seq, new.id, new.arrived, new.kind, "", new.size, new.sha256, 0, "", False, "", "")
        return succeed(message)

    def box(self) -> Box:
        return now(self.shadow.open(ADDRESS))

    def select(self, name: str = "INBOX", read_only: bool = False) -> View:
        return now(self.box().select(name, read_only, lambda: None))


def now(work: Coroutine[Any, Any, T]) -> T:
    """The result of what finishes without waiting."""
    results: list[Any] = []
    Deferred.fromCoroutine(work).addBoth(results.append)
    assert results, "it waits"
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]  # type: ignore[no-any-return]


class Client:
    """What a mail client believes of the folder, from what it is told alone."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.uids: list[int | None] = list(view.uids)
        self.flags: dict[int, tuple[str, ...]] = {}

    def hear(self, expunges: bool = True) -> None:
        for update in self.view.updates(expunges):
            if isinstance(update, Expunged):
                assert expunges
                del self.uids[update.number - 1]
            elif isinstance(update, Exists):
                assert update.exists > len(self.uids)
                self.uids += [None] * (update.exists - len(self.uids))
            else:
                assert isinstance(update, Flags)
                assert self.uids[update.number - 1] in (None, update.uid)
                self.flags[update.uid] = update.flags
        # a client fetches what it does not know
        self.uids = [self.view.uids[i] if uid is None else uid for i, uid in enumerate(self.uids)]
