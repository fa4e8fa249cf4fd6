"""Base subjects (RFC 5256 section 2.1)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.subject import base_subject


@pytest.mark.parametrize(
    ("subject", "base", "answer"),
    [
        ("hello", "hello", False),
        ("", "", False),
        # step 1: blanks
        ("  a \t  b  ", "a b", False),
        # step 2: subj-trailer
        ("hello (fwd)", "hello", True),
        ("hello (FWD) (fwd)  ", "hello", True),
        ("(fwd)", "", True),
        ("hello (fwd) x", "hello (fwd) x", False),
        # step 3: subj-leader
        ("Re: hello", "hello", True),
        ("re:hello", "hello", True),
        ("RE : hello", "hello", True),
        ("Fw: FWD: Re: hello", "hello", True),
        ("Re[5]: hello", "hello", True),
        ("[list] Re: hello", "hello", True),
        ("[list] [x] re [y]: hello", "hello", True),
        ("AW: hello", "AW: hello", False),
        ("Reply: hello", "Reply: hello", False),
        # step 4: subj-blob, when a base is left
        ("[list] hello", "hello", False),
        ("[a][b] c", "c", False),
        ("[list]", "[list]", False),
        ("[a] [b]", "[b]", False),
        ("[a [b] c", "[a [b] c", False),
        # step 5: again
        ("Re: [list] Fwd: [x] hello", "hello", True),
        ("Re: [list]", "[list]", True),
        # step 6: subj-fwd
        ("[fwd: hello]", "hello", True),
        ("[Fwd: Re: [list] hello (fwd)]", "hello", True),
        ("[fwd: [fwd: hello]]", "hello", True),
        ("[fwd: hello", "[fwd: hello", False),
    ],
)
def test_it_is_what_the_rules_leave(subject: str, base: str, answer: bool) -> None:
    assert base_subject(subject) == (base, answer)


@given(st.text(st.sampled_from("re:[]fwd() x"), max_size=40))
def test_a_base_is_its_own_base(subject: str) -> None:
    base, _ = base_subject(subject)
    assert base_subject(base)[0] == base


@pytest.mark.parametrize("piece", ["[a]", "re:", "[fwd:", "(fwd)", "[", " ", "re[x] "])
def test_no_subject_takes_long(piece: str) -> None:
    begun = time.perf_counter()
    base_subject(piece * 20_000)
    base_subject(piece * 20_000 + "]" * 20_000)
    assert time.perf_counter() - begun < 0.5
