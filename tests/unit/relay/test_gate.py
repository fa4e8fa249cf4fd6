"""How many lanes go to one host, whose turn it is, and the pause of a provider."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from stratamail.profiles.codes import CONNECTIONS, PROVIDER
from stratamail.profiles.primaries import profile
from stratamail.relay.gate import LONGEST, SMART, STEP, TURN, WIDE, Gate, Place, Visit, place
from stratamail.relay.routes import Route
from stratamail.tenancy.model import HostPort

HOST = Place("mail.acme.test:25", 2)
GOOGLE = Place("google", 0, True)


def visits(gate: Gate, where: Place, number: int) -> list[tuple[Visit, Deferred[None]]]:
    found = [Visit(gate, where) for _ in range(number)]
    return [(one, one.enter()) for one in found]


def test_where_a_route_leads() -> None:
    hosts = (HostPort("192.0.2.1", 2525), HostPort("192.0.2.2"))
    assert place(Route(hosts, "may", profile("exchange"))) == Place("192.0.2.1:2525", 5)
    assert place(Route(hosts, "may", profile("google"))) == GOOGLE
    assert place(Route(hosts, "may", profile("generic"), smart=True)).limit == SMART
    assert place(Route((), "may", profile("generic"))).limit == 4


def test_so_many_at_a_time_in_turn() -> None:
    gate = Gate(Clock().seconds)
    lanes = visits(gate, HOST, 4)
    assert [bool(turn.called) for _, turn in lanes] == [True, True, False, False]
    lanes[0][0].leave()
    assert [bool(turn.called) for _, turn in lanes] == [True, True, True, False]
    for visit, _ in lanes[1:]:
        visit.leave()
    assert gate._doors == {}


def test_one_that_waits_may_go_away() -> None:
    gate = Gate(Clock().seconds)
    lanes = visits(gate, HOST, 4)
    lanes[2][1].addErrback(lambda failure: failure.trap(CancelledError) and None)
    lanes[2][1].cancel()
    lanes[0][0].leave()
    assert lanes[3][1].called


def test_whom_a_person_waits_for_goes_first() -> None:
    gate = Gate(Clock().seconds)
    lanes = visits(gate, HOST, 4)
    urgent = Visit(gate, HOST).enter(True)
    lanes[0][0].leave()
    assert urgent.called
    assert not lanes[2][1].called


def test_a_long_queue_gives_way_to_who_waits() -> None:
    gate = Gate(Clock().seconds)
    (first, _), _ = visits(gate, HOST, 2)
    for _ in range(TURN):
        first.sent(True)
    assert not first.over
    visits(gate, HOST, 1)
    assert first.over


def test_too_many_connections_means_half_and_then_one_more_after_the_other() -> None:
    gate = Gate(Clock().seconds)
    where = Place("mail.acme.test:25", 4)
    lanes = visits(gate, where, 6)
    lanes[0][0].told(CONNECTIONS, 0)
    for visit, _ in lanes[:3]:
        visit.leave()
    # one is inside, and two may be
    assert [bool(turn.called) for _, turn in lanes] == [True, True, True, True, True, False]
    for _ in range(STEP * 2):
        lanes[3][0].sent(True)
    assert lanes[5][1].called


def test_a_provider_is_left_alone_by_all_and_then_tried_by_one() -> None:
    clock = Clock()
    gate = Gate(clock.seconds)
    (acme, _), (other, _) = visits(gate, GOOGLE, 2)
    acme.told(PROVIDER, 600)
    assert (acme.paused, other.paused) == (600, 600)
    clock.advance(10)
    # it was on its way: no second pause
    other.told(PROVIDER, 600)
    assert other.paused == 590
    acme.leave()
    other.leave()
    clock.advance(590)
    assert other.paused == 0
    lanes = visits(gate, GOOGLE, 3)
    assert [bool(turn.called) for _, turn in lanes] == [True, False, False]
    for _ in range(STEP):
        lanes[0][0].sent(True)
    assert [bool(turn.called) for _, turn in lanes] == [True, True, False]


def test_pauses_of_a_provider_grow_until_it_takes_mail_well_again() -> None:
    clock = Clock()
    gate = Gate(clock.seconds)
    found = []
    for _ in range(5):
        found.append(gate.pause(GOOGLE, 600))
        clock.advance(found[-1])
    assert found == [600, 1200, 2400, LONGEST, LONGEST]
    for _ in range(sum(STEP * one for one in range(1, WIDE + 1))):
        gate.accepted(GOOGLE)
    assert gate.pause(GOOGLE, 600) == 600


def test_a_throttle_elsewhere_pauses_no_provider() -> None:
    gate = Gate(Clock().seconds)
    ((visit, _),) = visits(gate, HOST, 1)
    visit.told(PROVIDER, 600)
    assert visit.paused == 0
