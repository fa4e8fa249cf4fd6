"""The machine of a primary and its outage: its ways, and what always holds."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from stratamail.config.settings import Ratio
from stratamail.outage.step import (
    ACTIVE,
    DOWN,
    FLUSHING,
    NONE,
    RECOVERING,
    STATES,
    SUSPECT,
    UNKNOWN,
    UP,
    Effect,
    Event,
    Heard,
    Machine,
    Rules,
    Tick,
    step,
)

S = 1_000_000
RULES = Rules(Ratio(3, 4), Ratio(3, 3), 60 * S)


def run(machine: Machine, *events: tuple[int, Event]) -> tuple[Machine, list[Effect]]:
    effects: list[Effect] = []
    for at, event in events:
        machine, more = step(machine, event, at * S, RULES)
        effects += more
    return machine, effects


def heard(*alive: bool, start: int = 0, every: int = 30) -> list[tuple[int, Event]]:
    return [(start + i * every, Heard(one)) for i, one in enumerate(alive)]


def test_unknown_becomes_up_by_close() -> None:
    machine, effects = run(Machine(), *heard(True, True))
    assert (machine.state, effects) == (UNKNOWN, [])
    machine, effects = run(Machine(), *heard(True, True, True))
    assert (machine.state, effects) == (UP, [Effect.RECOVERED])


def test_three_of_four_open_an_outage() -> None:
    up, _ = run(Machine(), *heard(True, True, True))
    machine, effects = run(up, *heard(False, True, False, start=100))
    assert (machine.state, effects) == (SUSPECT, [])
    machine, effects = run(machine, (200, Heard(False)))
    assert (machine.state, machine.event, effects) == (DOWN, ACTIVE, [Effect.OPEN])


def test_a_single_failure_opens_nothing() -> None:
    up, _ = run(Machine(), *heard(True, True, True))
    machine, effects = run(up, *heard(False, True, True, True, start=100))
    assert machine.state == UP
    assert Effect.OPEN not in effects


def down(at: int = 0) -> Machine:
    return run(Machine(), *heard(False, False, False, start=at))[0]


def test_recovery_flushes_and_closes_when_drained_and_quiet() -> None:
    machine, effects = run(down(), *heard(True, start=100))
    assert machine.state == RECOVERING
    machine, effects = run(machine, *heard(True, True, start=130))
    assert (machine.state, machine.event) == (UP, FLUSHING)
    assert effects == [Effect.RECOVERED, Effect.FLUSH]
    machine, effects = run(machine, (170, Tick(True)))
    assert effects == []
    machine, effects = run(machine, (221, Tick(False)))
    assert effects == []
    machine, effects = run(machine, (222, Tick(True)))
    assert (machine.event, effects) == (NONE, [Effect.CLOSE])


def test_an_accepted_message_is_proof() -> None:
    machine, effects = run(down(), (100, Heard(True, proof=True)))
    assert (machine.state, machine.event) == (UP, FLUSHING)
    assert effects == [Effect.RECOVERED, Effect.FLUSH]


def test_failures_before_a_proof_do_not_count_after_it() -> None:
    machine, _ = run(down(), (100, Heard(True, proof=True)))
    machine, effects = run(machine, (110, Heard(False)))
    assert (machine.state, effects) == (SUSPECT, [])


def test_falling_again_while_flushing_is_the_same_outage() -> None:
    machine, _ = run(down(), (100, Heard(True, proof=True)))
    machine, effects = run(machine, *heard(False, False, False, start=110))
    assert (machine.event, effects) == (ACTIVE, [Effect.REACTIVATE])


def test_a_new_outage_soon_after_a_close_waits_until_the_state_has_stood() -> None:
    machine = Machine(closed=0)
    machine, effects = run(machine, *heard(False, False, False, every=1))
    assert (machine.state, machine.event, effects) == (DOWN, NONE, [])
    machine, effects = run(machine, (30, Tick(True)))
    assert effects == []
    machine, effects = run(machine, (63, Tick(True)))
    assert effects == [Effect.OPEN]


def test_a_declared_one_is_not_closed_by_a_healthy_primary() -> None:
    machine = Machine(event=ACTIVE, by_person=True)
    machine, effects = run(machine, *heard(True, True, True), (900, Tick(True)))
    assert machine.event == ACTIVE
    assert effects == [Effect.RECOVERED]
    ended = evolve(machine, event=FLUSHING, by_person=False)
    assert run(ended, (901, Tick(True)))[1] == [Effect.CLOSE]


def test_it_survives_being_stored() -> None:
    machine = down(5)
    assert Machine.loads(machine.state, machine.dumps()) == evolve(machine, event=NONE)
    assert Machine.loads("up", "nonsense") == Machine()


events = st.one_of(
    st.builds(Heard, st.booleans()), st.builds(Heard, st.just(True), st.booleans()), st.builds(Tick, st.booleans())
)


@given(st.lists(st.tuples(st.integers(0, 90), events), max_size=40))
def test_invariants(course: list[tuple[int, Event]]) -> None:
    machine, now, opened = Machine(), 0, 0
    for passed, event in course:
        now += passed * S
        before = machine
        machine, effects = step(machine, event, now, RULES)
        assert machine.state in STATES
        assert len(machine.results) <= 4
        assert len(effects) == len(set(effects))
        opened += Effect.OPEN in effects
        opened -= Effect.CLOSE in effects
        # one event at most, and the effects tell of every change of it
        assert opened == (machine.event != NONE)
        if Effect.CLOSE in effects:
            assert isinstance(event, Tick)
            assert event.drained
            assert machine.state == UP
            assert now - machine.since >= RULES.quiet
        if Effect.OPEN in effects:
            assert machine.state == DOWN
        if isinstance(event, Tick):
            assert (machine.state, machine.results) == (before.state, before.results)
        if before.state == UP and machine.state == DOWN:
            # only N of M blame anybody
            assert sum(not one for one in machine.results[-4:]) >= 3
        if machine.event == ACTIVE:
            assert machine.state != UP
        again, none = step(machine, Tick(False), now, RULES)
        assert (again, none) == (machine, ()), "a tick at the same moment changes nothing more"
