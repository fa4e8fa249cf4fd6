"""So many messages a minute to a mailbox, and from one sender to it."""

from __future__ import annotations

from attrs import evolve

from stratamail.profiles.primaries import profile
from stratamail.relay import pacing
from stratamail.relay.kinds import Kinds
from stratamail.relay.pacing import Pace
from stratamail.tenancy.model import Domain, HostPort

LIMITS = evolve(profile("generic"), per_mailbox=3, per_pair=2)


def test_per_mailbox_and_per_pair() -> None:
    pace = Pace()
    assert [pace.free_at("ann", "a@x", LIMITS, now) for now in (0.0, 1.0, 2.0)] == [0, 0, 60.0]
    # another sender may, until the mailbox has had its share
    assert pace.free_at("ann", "b@x", LIMITS, 2.0) == 0
    assert pace.free_at("ann", "c@x", LIMITS, 3.0) == 60.0
    assert pace.free_at("bob", "a@x", LIMITS, 3.0) == 0
    assert pace.free_at("ann", "A@X", LIMITS, 60.0) == 0
    assert pace.free_at("ann", "a@x", LIMITS, 60.5) == 61.0


def test_no_limit_keeps_nothing() -> None:
    pace = Pace()
    assert not any(pace.free_at("ann", "a@x", profile("generic"), 0.0) for _ in range(1000))
    assert pace._times == {}


def test_what_says_nothing_any_more_is_forgotten() -> None:
    pace = Pace()
    for number in range(pacing._MANY):
        pace.free_at(f"k{number}", "a@x", LIMITS, 0.0)
    pace.free_at("ann", "a@x", LIMITS, 100.0)
    assert len(pace._times) == 2


def test_a_banner_tells_the_kind_unless_a_person_did() -> None:
    kinds = Kinds()
    where = HostPort("192.0.2.1", 2525)
    domain = Domain(1, 1, "acme.test", (HostPort("192.0.2.9"), where))
    assert kinds.profile(domain).name == "generic"
    kinds.greeted(where, "mail.acme.test Kerio Connect 10.0.4 ESMTP ready")
    assert kinds.profile(domain).name == "kerio"
    assert kinds.profile(evolve(domain, profile="plesk")).name == "plesk"
