"""Sign-in: who comes in, who waits, and what is never asked twice."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from stratamail.access import passwords
from stratamail.access.signin import SignIn
from stratamail.access.throttle import FORGET, FREE, LONGEST, Throttle
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Address, Domain, HostPort, Mailbox

GOOD = "correct horse"
HASH = passwords.make_hash(GOOD)


class Threadless:
    """A pool that works at once and counts."""

    def __init__(self) -> None:
        self.jobs = 0

    def run(self, function: Any, *args: Any) -> Deferred[Any]:
        self.jobs += 1
        return succeed(function(*args))


class Rig:
    def __init__(self) -> None:
        self.clock = Clock()
        self.pool = Threadless()
        self.hashes: dict[int, str | None] = {1: HASH, 2: HASH, 3: None}
        self.directory = self.make("enabled")
        self.signin = SignIn(lambda: self.directory, self.stored, self.pool, self.clock)  # type: ignore[arg-type]

    def make(self, state: str) -> Directory:
        return Directory(
            [Domain(1, 1, "a.example", (HostPort("h"),))],
            [
                Mailbox(1, 1, 1, "anna@a.example", state=state),
                Mailbox(2, 1, 1, "off@a.example", state="disabled"),
                Mailbox(3, 1, 1, "new@a.example"),
            ],
            [Address(1, 1, 1, "info@a.example", "alias", ("anna@a.example",))],
        )

    async def stored(self, mailbox: int) -> str | None:
        return self.hashes[mailbox]

    def start(self, user: str, password: str, peer: str = "192.0.2.1") -> list[Mailbox | None]:
        results: list[Mailbox | None] = []
        coroutine: Coroutine[Deferred[Any], Any, Mailbox | None] = self.signin.check(user, password, peer)
        Deferred.fromCoroutine(coroutine).addCallback(results.append)
        return results

    def check(self, user: str, password: str, peer: str = "192.0.2.1") -> Mailbox | None:
        (found,) = self.start(user, password, peer)
        return found


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("user", ["anna@a.example", "ANNA@A.Example", "info@a.example"])
def test_address_or_alias_in_any_case(rig: Rig, user: str) -> None:
    found = rig.check(user, GOOD)
    assert found is not None
    assert found.id == 1


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("anna@a.example", "wrong horse"),
        ("anna@a.example", ""),
        ("anna@a.example", "x" * 5000),
        ("anna@a.example", "bad \udcff surrogate"),
        ("off@a.example", GOOD),
        ("new@a.example", GOOD),
        ("nobody@a.example", GOOD),
        ("", GOOD),
    ],
)
def test_refused(rig: Rig, user: str, password: str) -> None:
    assert rig.check(user, password) is None


def test_an_unknown_user_costs_a_verification_too(rig: Rig) -> None:
    rig.check("nobody@a.example", GOOD)
    assert rig.pool.jobs == 1


def test_a_verified_password_is_not_verified_again_until_it_changes(rig: Rig) -> None:
    for _ in range(3):
        assert rig.check("anna@a.example", GOOD) is not None
    assert rig.pool.jobs == 1
    rig.hashes[1] = passwords.make_hash("another horse")
    assert rig.check("anna@a.example", GOOD) is None
    assert rig.check("anna@a.example", "another horse") is not None


def test_the_cache_is_for_that_password_only(rig: Rig) -> None:
    assert rig.check("anna@a.example", GOOD) is not None
    assert rig.check("anna@a.example", "wrong horse") is None


def test_failures_delay_that_pair_only_and_a_right_password_comes_in(rig: Rig) -> None:
    for _ in range(FREE):
        assert rig.check("anna@a.example", "wrong horse") is None
    waiting = rig.start("ANNA@a.example", GOOD)
    assert waiting == []
    assert rig.check("anna@a.example", GOOD, "192.0.2.2") is not None
    rig.clock.advance(LONGEST)
    assert waiting[0] is not None
    assert rig.check("anna@a.example", GOOD) is not None


def test_disabled_while_the_password_was_checked(rig: Rig) -> None:
    for _ in range(FREE):
        rig.check("anna@a.example", "wrong horse")
    waiting = rig.start("anna@a.example", GOOD)
    rig.directory = rig.make("disabled")
    rig.clock.advance(LONGEST)
    assert waiting == [None]


def test_throttle_grows_to_a_bound_and_forgets() -> None:
    throttle = Throttle()
    delays = []
    for _ in range(20):
        delays.append(throttle.delay("u", "p", 0.0))
        throttle.failed("u", "p", 0.0)
    assert delays[:FREE] == [0.0] * FREE
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST
    assert throttle.delay("u", "p", FORGET + 1) == 0.0
    throttle.failed("u", "p", FORGET + 1)
    assert throttle.delay("u", "p", FORGET + 1) == 0.0


def test_throttle_is_bounded() -> None:
    throttle = Throttle()
    for i in range(30_000):
        throttle.failed(str(i), "p", 0.0)
    assert len(throttle._pairs) <= 20_000


@pytest.mark.parametrize(
    ("password", "good"), [("seven77", False), ("eight888", True), ("ääääääää", True), ("a\0bcdefgh", False)]
)
def test_only_the_length_is_asked(password: str, good: bool) -> None:
    assert (passwords.problem(password) == "") is good


def test_a_broken_hash_matches_nothing() -> None:
    assert not passwords.verify("not a hash", GOOD)
    assert not passwords.verify("", GOOD)
    assert passwords.verify(HASH, GOOD)
