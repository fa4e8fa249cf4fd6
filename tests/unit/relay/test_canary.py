"""The canary rule, by itself."""

from __future__ import annotations

from stratamail.relay.canary import Canary
from stratamail.store.model import Delivery, Message


def head(id: int, recipient: str = "", unknown: int = 0) -> Delivery:
    message = Message(id, f"m{id}", 0, "inbound", "s@far.test", 1, "", 0, "", False, "", "")
    who = recipient or f"user{id}@acme.test"
    return Delivery(
        id, message, who, who, "acme.test", "primary", "acme.test", "", "", "queued", 0, 0, "", False, 0, unknown
    )


def listed(address: str) -> bool:
    return address.startswith("user")


def test_the_oldest_listed_goes_first() -> None:
    heads = [head(1, "stranger@acme.test"), head(2), head(3)]
    chosen = Canary().choose(heads, listed)
    assert chosen is not None
    assert chosen.id == 2


def test_without_a_listed_one_the_oldest_of_any() -> None:
    chosen = Canary().choose([head(1, "x@acme.test"), head(2, "y@acme.test")], listed)
    assert chosen is not None
    assert chosen.id == 1


def test_three_in_a_row_pause_and_the_next_round_begins_with_others() -> None:
    canary, heads = Canary(), [head(i) for i in range(1, 6)]
    order = []
    for i in range(3):
        chosen = canary.choose(heads, listed)
        assert chosen is not None
        order.append(chosen.id)
        assert canary.refused(chosen.id) is (i == 2)
    canary.resume()
    for expected in (4, 5):
        chosen = canary.choose(heads, listed)
        assert chosen is not None
        assert chosen.id == expected
        canary.refused(chosen.id)
    assert order == [1, 2, 3]
    assert canary.choose(heads, listed) is None
    canary.new_round()
    chosen = canary.choose(heads, listed)
    assert chosen is not None
    assert chosen.id == 1


def test_strangers_come_after_the_listed_ones_who_are_asked_again_after_each_pause() -> None:
    canary, heads = Canary(), [head(1), *(head(i, f"stranger{i}@acme.test") for i in range(2, 7))]
    bursts = []
    for _ in range(3):
        burst = []
        while True:
            chosen = canary.choose(heads, listed)
            if chosen is None:
                break
            burst.append(chosen.id)
            if canary.refused(chosen.id):
                break
        bursts.append(burst)
        canary.resume()
    assert bursts == [[1, 2, 3], [1, 4, 5], [1, 6]]
    assert canary.choose(heads, listed) is None


def test_one_that_was_turned_away_at_mail_gives_way() -> None:
    canary = Canary()
    assert not canary.turned_away(1)
    chosen = canary.choose([head(1), head(2)], listed)
    assert chosen is not None
    assert chosen.id == 2
    assert canary.turned_away(1)


def test_three_rounds_of_all_exhaust() -> None:
    canary, heads = Canary(), [head(1), head(2)]
    for _ in range(3):
        assert canary.exhausted(heads) == []
        canary.refused(1)
        canary.refused(2)
        canary.new_round()
    assert canary.exhausted(heads) == [1, 2]
    assert canary.exhausted([*heads, head(3)]) == []
    canary.forget([1, 2])
    assert canary.exhausted(heads) == []
    assert canary.exhausted([]) == []


def test_one_that_was_cut_off_gives_way() -> None:
    chosen = Canary().choose([head(1, unknown=1), head(2)], listed)
    assert chosen is not None
    assert chosen.id == 2


def test_proof_lapses() -> None:
    canary = Canary()
    canary.accepted()
    assert canary.proven
    canary.lapse()
    assert not canary.proven
