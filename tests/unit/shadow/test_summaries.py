"""A folder's headers in memory: finding, growing, shrinking."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.collation import casemap
from stratamail.mail.digest import KEPT, digest
from stratamail.shadow import texts as texts_module
from stratamail.shadow.summaries import Summaries
from stratamail.shadow.texts import Texts

some_texts = st.lists(st.text("ab\u00e9\U0001f600", max_size=6).map(lambda text: text.encode()), max_size=30)


@pytest.mark.parametrize("window", [1, 3, 8, 1 << 20])
@given(some_texts, st.text("ab\u00e9", min_size=1, max_size=3))
def test_texts_find_what_holds_the_needle(window: int, all_: list[bytes], needle: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "WINDOW", window)
        column = Texts()
        column.extend(all_[:10])
        column.extend(all_[10:])
        raw = needle.encode()
        assert column.find(raw) == [i for i, text in enumerate(all_) if raw in text]
        assert column.all() == all_
        assert [column[i] for i in range(len(column))] == all_


@given(some_texts, st.sets(st.integers(0, 29)))
def test_texts_without_some(all_: list[bytes], gone: set[int]) -> None:
    column = Texts()
    column.extend(all_)
    kept = bytearray(i not in gone for i in range(len(all_)))
    assert column.only(kept).all() == [text for i, text in enumerate(all_) if i not in gone]


def test_a_needle_with_nul_is_nowhere() -> None:
    column = Texts()
    column.extend([b"a", b"b"])
    assert column.find(b"a\0b") == []


def summaries(*headers: bytes, first: int = 1) -> Summaries:
    made = Summaries()
    made.extend([(first + n, n * 10**6, n, digest(header).to_bytes()) for n, header in enumerate(headers)])
    return made


def uids(*all_: int) -> array[int]:
    return array("I", all_)


MAIL = (
    b"Subject: Gr=?utf-8?q?=C3=BC=C3=9Fe?= one\r\nFrom: Anna <a@x>\r\n",
    b"Subject: one\r\nSubject: two\r\nCc:\r\nReferences: <1@x> <2@x>\r\n",
    b"From: bob@y\r\nMessage-ID: <3@x>\r\n",
)


def test_find_goes_by_a_views_uids() -> None:
    made = summaries(*MAIL)
    assert made.find("subject", "ONE", uids(1, 2, 3)) == [0, 1]
    assert made.find("subject", "grüSS", uids(1, 2, 3)) == []
    assert made.find("subject", "GRÜß", uids(1, 2, 3)) == [0]
    # one that the view does not show any more, and one that is not known
    assert made.find("subject", "one", uids(2, 3, 9)) == [0]
    assert made.find("subject", "two", uids(2, 3, 9)) == [0]
    assert made.find("from", "anna <a", uids(1)) == [0]


def test_an_empty_needle_is_in_every_such_field() -> None:
    """RFC 3501 section 6.4.4: also in an empty one."""
    made = summaries(*MAIL)
    assert made.find("subject", "", uids(1, 2, 3)) == [0, 1]
    assert made.find("cc", "", uids(1, 2, 3)) == [1]
    assert made.find("bcc", "", uids(1, 2, 3)) == []


def test_two_values_are_not_one() -> None:
    made = summaries(*MAIL)
    assert made.find("subject", "onetwo", uids(1, 2, 3)) == []


def test_what_is_not_certain() -> None:
    made = summaries(*MAIL, b"To: " + b"x" * (KEPT + 1) + b"\r\n")
    assert made.unsure("to", uids(1, 2, 3, 4)) == [3]
    assert made.unsure("to", uids(2, 4, 7)) == [1, 2]
    assert made.unsure("subject", uids(1, 2, 3, 4)) == []
    assert made.without([0, 1]).unsure("to", uids(3, 4)) == [1]


def test_bytes_that_are_no_digest_count_as_nothing() -> None:
    made = Summaries()
    made.extend([(4, 5_000_000, 1, b"old")])
    assert list(made.uids) == [4]
    assert list(made.sents) == [5]
    assert made.find("subject", "", uids(4)) == []


def test_a_copy_without_some() -> None:
    made = summaries(*MAIL)
    left = made.without([0])
    assert list(left.uids) == [2, 3]
    assert left.find("from", "bob", uids(2, 3)) == [1]
    assert len(left.referred(0)) == 2
    assert len(left.referred(1)) == 0
    assert list(left.ids) == list(made.ids[1:])
    left.extend([(9, 0, 0, digest(MAIL[1]).to_bytes())])
    assert left.find("subject", "two", uids(2, 3, 9)) == [0, 2]
    assert left.referred(2) == left.referred(0)


@given(st.lists(st.sampled_from(MAIL), max_size=8), st.sampled_from(["one", "ANNA", "x", "é", ""]), st.data())
def test_find_is_a_search_of_each(headers: list[bytes], needle: str, data: st.DataObject) -> None:
    made = summaries(*headers)
    shown = sorted(data.draw(st.sets(st.integers(1, 9))))
    for field in ("subject", "from"):
        expected = []
        for i, uid in enumerate(shown):
            if uid <= len(headers):
                has = field.encode() in headers[uid - 1].lower()
                text = digest(headers[uid - 1]).text(field)
                if has and casemap(needle) in text:
                    expected.append(i)
        assert made.find(field, needle, array("I", shown)) == expected
