"""The picture in force is always the newest one, however the readings of it overtake each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from stratamail.app.catalog import Catalog
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Domain, HostPort, Mailbox


class Slow:
    """A pool whose jobs end when the test says so."""

    def __init__(self) -> None:
        self.jobs: list[Deferred[Any]] = []

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.jobs.append(Deferred())
        return self.jobs[-1]


def picture(*states: str) -> Directory:
    boxes = [Mailbox(i, 1, 1, f"u{i}@a.example", state=state) for i, state in enumerate(states, 1)]
    return Directory([Domain(1, 1, "a.example", (HostPort("h"),))], boxes)


class ReloadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.pool = Slow()
        self.catalog = Catalog(None, None, self.pool)  # type: ignore[arg-type]

    def reload(self) -> Deferred[set[int]]:
        return Deferred.fromCoroutine(self.catalog.reload())

    def test_an_older_reading_does_not_replace_a_newer_one(self) -> None:
        first, second = self.reload(), self.reload()
        newer = picture("enabled", "enabled")
        self.pool.jobs[1].callback(newer)
        self.assertEqual(self.successResultOf(second), set())
        self.pool.jobs[0].callback(picture("enabled"))
        self.assertEqual(self.successResultOf(first), set())
        self.assertIs(self.catalog.directory, newer)

    def test_who_was_disabled_or_removed_is_told(self) -> None:
        for now, expected in (
            (picture("enabled", "enabled", "enabled"), set()),
            (picture("enabled", "disabled"), {2, 3}),
        ):
            done = self.reload()
            self.pool.jobs[-1].callback(now)
            self.assertEqual(self.successResultOf(done), expected)
