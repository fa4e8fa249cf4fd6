"""The words of a DKIM verdict: what they prove, and for whom."""

from __future__ import annotations

import pytest

from stratamail.mail.dkim import Outcome, Verdict
from stratamail.store.queue import verdicts
from stratamail.store.queue.verdicts import Good

PASS = Verdict("news.example", "s1", Outcome.PASS, expires=1_800_000_000)
OTHER = Verdict("far.example", "k", Outcome.PASS)
FAIL = Verdict("bad.example", "s", Outcome.FAIL)
TEMP = Verdict("slow.example", "s", Outcome.TEMPERROR)
UNREADABLE = Verdict("", "", Outcome.PERMERROR)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "none"),
        ([PASS, FAIL, OTHER, PASS], "pass news.example=s1@1800000000 far.example=k@0"),
        ([FAIL, UNREADABLE, FAIL], "fail bad.example"),
        ([UNREADABLE], "fail"),
        ([FAIL, TEMP], "temperror"),
        ([TEMP, PASS], "pass news.example=s1@1800000000"),
    ],
)
def test_words(found: list[Verdict], words: str) -> None:
    assert verdicts.words(found) == words


def test_what_was_good() -> None:
    assert verdicts.good("pass news.example=s1@1800000000 far.example=k@0") == [
        Good("news.example", "s1", 1_800_000_000),
        Good("far.example", "k", 0),
    ]
    for words in ("", "none", "fail a.example", "temperror", "unknown"):
        assert verdicts.good(words) == []


@pytest.mark.parametrize(
    ("sender", "proven"),
    [
        ("a@news.example", True),
        ("a@NEWS.Example", True),
        ("a@mail.news.example", True),
        ("a@othernews.example", False),
        ("a@example", False),
        ("a@far.example", False),
        ("news.example", False),
        ("", False),
    ],
)
def test_whom_it_proves(sender: str, proven: bool) -> None:
    assert verdicts.proven("pass news.example=s1@0", sender) is proven
    assert not verdicts.proven("fail news.example", sender)
