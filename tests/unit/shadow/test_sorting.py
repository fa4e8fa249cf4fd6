"""Orders of messages: from the headers in memory, kept while messages come and go."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.digest import digest
from stratamail.shadow import sorting
from stratamail.shadow.sorting import Criteria, sort, whole
from stratamail.shadow.summaries import Summaries

Mail = tuple[str, str, int]
mails = st.lists(st.tuples(st.sampled_from("abcB"), st.sampled_from("xyzé"), st.integers(0, 3)), max_size=40)
names = st.lists(
    st.tuples(st.sampled_from(["SUBJECT", "DISPLAYFROM", "SIZE", "DATE", "ARRIVAL"]), st.booleans()),
    min_size=1, max_size=3, unique_by=lambda criterion: criterion[0],
).map(tuple)  # fmt: skip


def header(mail: Mail) -> bytes:
    subject, person, _ = mail
    return f"Subject: Re: {subject}\r\nFrom: {person} <a@x>\r\n".encode()


def grow(made: Summaries, some: list[Mail], first: int) -> None:
    made.extend([(first + n, mail[2] * 10**6, mail[2], digest(header(mail)).to_bytes()) for n, mail in enumerate(some)])


def expected(all_: dict[int, Mail], criteria: Criteria) -> list[int]:
    out = sorted(all_)
    for name, reverse in reversed(criteria):

        def key(uid: int, name: str = name) -> object:
            mail = all_[uid]
            made = digest(header(mail))
            texts = {"SUBJECT": made.text("base").encode(), "DISPLAYFROM": made.text("from-display").encode()}
            return texts.get(name, mail[2])

        out.sort(key=key, reverse=reverse)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("at_once", [2, 8_192])
@given(mails, mails, st.sets(st.integers(1, 80)), names)
def test_orders_follow(at_once: int, early: list[Mail], late: list[Mail], gone: set[int], criteria: Criteria) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "AT_ONCE", at_once)
        made = Summaries()
        grow(made, early, 1)
        all_ = dict(enumerate(early, 1))
        assert list(whole(made, criteria)) == expected(all_, criteria)
        grow(made, late, len(early) + 1)
        all_.update(enumerate(late, len(early) + 1))
        assert list(whole(made, criteria)) == expected(all_, criteria)
        left = made.without([uid - 1 for uid in sorted(gone) if uid in all_])
        remaining = {uid: mail for uid, mail in all_.items() if uid not in gone}
        assert list(whole(left, criteria)) == expected(remaining, criteria)


@given(mails, st.sets(st.integers(0, 39)), names)
def test_some_of_them(all_: list[Mail], found: set[int], criteria: Criteria) -> None:
    made = Summaries()
    grow(made, all_, 1)
    uids = array("I", range(1, len(all_) + 1))
    indexes = sorted(i for i in found if i < len(all_))
    chosen = {i + 1: all_[i] for i in indexes}
    assert list(sort(made, criteria, uids, indexes)) == expected(chosen, criteria)
    assert list(sort(made, criteria, uids, range(len(all_)))) == expected(dict(enumerate(all_, 1)), criteria)


def test_what_is_not_known_comes_last() -> None:
    made = Summaries()
    grow(made, [("b", "x", 1), ("a", "x", 1)], 5)
    criteria = (("SUBJECT", False),)
    assert list(sort(made, criteria, array("I", [2, 5, 6, 9]), range(4))) == [6, 5, 2, 9]
    many = array("I", [2, 5, 6, *range(7, 60)])
    assert list(sort(made, criteria, many, [0, 1, 2])) == [6, 5, 2]


def test_few_orders_are_kept() -> None:
    made = Summaries()
    grow(made, [("b", "x", 1), ("a", "x", 1)], 1)
    for name in ("SUBJECT", "DATE", "SIZE", "FROM", "TO", "CC"):
        whole(made, ((name, False),))
    assert len(made.orders) == sorting.ORDERS_KEPT
    assert (("CC", False),) in made.orders


def test_kept_orders_are_never_changed_in_place() -> None:
    made = Summaries()
    grow(made, [("b", "x", 1)], 1)
    before = whole(made, (("SUBJECT", False),))
    grow(made, [("a", "x", 1)], 2)
    assert list(whole(made, (("SUBJECT", False),))) == [2, 1]
    assert list(before) == [1]
