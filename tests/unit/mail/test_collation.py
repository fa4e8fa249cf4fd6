"""i;unicode-casemap (RFC 5051)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.collation import casemap


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("", ""),
        ("Hello, World! 1", "HELLO, WORLD! 1"),
        ("Gr\u00fc\u00dfe", "GRU\u0308\u00dfE"),  # SpecialCasing.txt is not asked: no SS
        ("\u01c6", "D\u017d".replace("\u017d", "Z\u030c")),  # titlecase \u01c5, decomposed, and its z titlecased again
        ("\ufb01", "FI"),  # a compatibility decomposition; then (a) again
        ("\u00e9 e\u0301", "E\u0301 E\u0301"),
        ("\u1e69", "S\u0323\u0307"),
        ("\u03c2\u03c3\u03a3", "\u03a3\u03a3\u03a3"),
        ("\u0131i\u0130", "III\u0307"),
        ("\uff21\uff41", "AA"),
        ("\ud55c\uae00", "\ud55c\uae00"),  # Hangul syllables have no entry in UnicodeData.txt
        ("\u0416\u0436\u0439", "\u0416\u0416\u0418\u0306"),
        ("\u4e2d\u6587", "\u4e2d\u6587"),
    ],
)
def test_steps_of_section_2(text: str, mapped: str) -> None:
    assert casemap(text) == mapped


@given(st.text())
def test_case_and_form_do_not_matter_and_mapping_twice_changes_nothing(text: str) -> None:
    mapped = casemap(text)
    assert casemap(mapped) == mapped
    assert casemap("".join(c.title() if len(c.title()) == 1 else c for c in text)) == mapped


@given(st.text(), st.text(), st.text())
def test_a_part_stays_a_part(before: str, text: str, after: str) -> None:
    assert casemap(before + text + after) == casemap(before) + casemap(text) + casemap(after)


def test_long_texts_are_mapped_in_pieces() -> None:
    text = "\u00e9x" * 50_000
    assert casemap(text) == "E\u0301X" * 50_000


def test_composed_and_decomposed_latin_are_one() -> None:
    for point in range(0xC0, 0x250):
        char = chr(point)
        assert casemap(unicodedata.normalize("NFD", char)) == casemap(char)
