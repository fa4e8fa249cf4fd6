"""Threads (RFC 5256 section 3, draft-ietf-morg-inthread)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.threads import ALGORITHMS, Forest, Letters, ordered_subject, references, refs


@frozen
class Letter:
    id: int = 0
    to: Sequence[int] = ()
    sent: int = 0
    subject: bytes = b""
    answer: bool = False


def letters(*all_: Letter) -> Letters:
    return Letters(
        [one.id for one in all_], lambda i: all_[i].to, [one.sent for one in all_], [one.subject for one in all_],
        [one.answer for one in all_],
    )  # fmt: skip


def shown(how: Callable[[Letters], Forest], *all_: Letter) -> str:
    return "".join(how(letters(*all_)).render(lambda i: i + 1))


def test_references_make_chains_and_branches() -> None:
    said = shown(references, Letter(1), Letter(2, [1], 1), Letter(3, [1, 2], 2), Letter(4, [1], 3), Letter(5, (), 4))
    assert said == "(1 (2 3)(4))(5)"


def test_the_order_of_arrival_does_not_matter() -> None:
    assert shown(references, Letter(3, [1, 2], 2), Letter(2, [1], 1), Letter(1)) == "(3 2 1)"


def test_a_missing_message_joins_its_answers() -> None:
    """Step 3: a dummy with several children stays at the top, one with a single child does not."""
    assert shown(references, Letter(2, [1], 1), Letter(3, [1], 2)) == "((1)(2))"
    assert shown(references, Letter(2, [1], 1)) == "(1)"
    assert shown(references, Letter(2, [1]), Letter(4, [1, 2, 3], 1), Letter(5, [1, 2, 3], 2)) == "(1 (2)(3))"


def test_a_first_link_stays_but_a_messages_own_last_reference_wins() -> None:
    """Step 1.A and 1.B."""
    said = shown(references, Letter(9, [1, 2], 9), Letter(2, [3], 2), Letter(1, (), 1), Letter(3, (), 3))
    assert said == "(3)(4 2 1)"


def test_a_message_without_references_has_no_parent() -> None:
    """Step 1.B: what others say of it does not count."""
    assert shown(references, Letter(9, [1, 2], 9), Letter(2, (), 2), Letter(1, (), 1)) == "(3)(2 1)"


def test_of_two_with_one_id_the_first_has_it() -> None:
    assert shown(references, Letter(1, (), 1), Letter(1, (), 2), Letter(2, [1], 3)) == "(1 3)(2)"


def test_loops_are_not_made() -> None:
    assert shown(references, Letter(1, [2], 1), Letter(2, [1], 2)) == "(2 1)"
    assert shown(references, Letter(1, [1], 1)) == "(1)"
    assert shown(references, Letter(1, [3], 1), Letter(2, [1], 2), Letter(3, [2], 3)) == "(3 1 2)"


def test_roots_and_siblings_are_sorted_by_date_then_by_number() -> None:
    """Steps 4 and 6."""
    said = shown(
        references, Letter(1, (), 50), Letter(2, (), 10), Letter(3, [1], 70), Letter(4, [1], 60), Letter(5, (), 10)
    )
    assert said == "(2)(5)(1 (4)(3))"


def test_threads_of_one_subject_are_joined() -> None:
    """Step 5.C, all four cases."""
    # the answer goes below the message
    assert shown(references, Letter(1, (), 1, b"A"), Letter(2, (), 2, b"A", True)) == "(1 2)"
    assert shown(references, Letter(1, (), 1, b"A", True), Letter(2, (), 2, b"A")) == "(2 1)"
    # both are none, or both are: a dummy above both
    assert shown(references, Letter(1, (), 1, b"A"), Letter(2, (), 2, b"A")) == "((1)(2))"
    assert shown(references, *[Letter(n, (), n, b"A", True) for n in (1, 2, 3)]) == "((1)(2)(3))"
    # a dummy takes a message
    split = Letter(2, [1], 1, b"A", True), Letter(3, [1], 2, b"A", True)
    assert shown(references, *split, Letter(4, (), 3, b"A")) == "((1)(2)(3))"
    # two dummies become one
    assert shown(references, *split, Letter(5, [4], 3, b"A"), Letter(6, [4], 4, b"A")) == "((1)(2)(3)(4))"
    # no subject, no join
    assert shown(references, Letter(1, (), 1), Letter(2, (), 2)) == "(1)(2)"


def test_refs_joins_no_subjects_and_puts_the_thread_with_the_latest_message_last() -> None:
    said = shown(
        refs, Letter(1, (), 1, b"A"), Letter(2, (), 5, b"A"), Letter(3, [1], 9, b"A", True), Letter(4, (), 7, b"A")
    )
    assert said == "(2)(4)(1 3)"
    assert shown(refs, Letter(2, [1], 8), Letter(3, [1], 3), Letter(4, (), 5)) == "(3)((2)(1))"


def test_ordered_subject_is_flat() -> None:
    said = shown(
        ordered_subject,
        Letter(1, (), 9, b"B"), Letter(2, (), 3, b"A"), Letter(3, (), 5, b"B"), Letter(4, (), 7, b"B"),
        Letter(5, (), 4),
    )  # fmt: skip
    assert said == "(2)(5)(3 (4)(1))"


@pytest.mark.parametrize("how", ALGORITHMS.values())
def test_nothing(how: Callable[[Letters], Forest]) -> None:
    assert shown(how) == ""


tangled = st.lists(
    st.builds(
        Letter, st.integers(0, 8), st.lists(st.integers(1, 10), max_size=4), st.integers(0, 5),
        st.sampled_from([b"", b"A", b"B"]), st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


@pytest.mark.parametrize("how", ALGORITHMS.values())
@given(tangled)
def test_each_message_is_told_once_and_dummies_have_children(
    how: Callable[[Letters], Forest], some: list[Letter]
) -> None:
    forest = how(letters(*some))
    told: list[int] = []
    waiting = [(root, True) for root in forest.roots]
    while waiting:
        node, top = waiting.pop()
        below = forest.children.get(node, [])
        if node < forest.size:
            told.append(node)
        else:
            assert top
            assert len(below) > 1
        waiting += [(child, False) for child in below]
    assert sorted(told) == list(range(len(some)))
    text = "".join(forest.render(lambda i: i + 1))
    assert text.count("(") == text.count(")")


@pytest.mark.parametrize(
    "some",
    [
        [Letter(n + 1, [n] if n else [], n) for n in range(20_000)],
        [Letter(n + 1, [n + 2], n) for n in range(20_000)],
        [Letter(n + 1, [(n * 7919) % 20_000, n], n, b"A", bool(n % 2)) for n in range(20_000)],
        [Letter(0, range(n % 50, n % 50 + 100), n) for n in range(5_000)],
        [Letter(n + 1, (), 0, b"A", True) for n in range(20_000)],
        [Letter(n + 1, [100_000 + n, 100_001 + n, n], n) for n in range(20_000)],
    ],
    ids=["chain", "backwards", "tangle", "long", "one subject", "missing"],
)
@pytest.mark.parametrize("how", ALGORITHMS.values())
def test_no_mail_takes_long(how: Callable[[Letters], Forest], some: list[Letter]) -> None:
    begun = time.perf_counter()
    shown(how, *some)
    assert time.perf_counter() - begun < 5
