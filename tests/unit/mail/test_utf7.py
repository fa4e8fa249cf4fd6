"""Modified UTF-7."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.utf7 import decode, encode


def test_the_rfc_examples() -> None:
    assert encode("~peter/mail/台北/日本語") == b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    assert decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-") == "~peter/mail/台北/日本語"
    assert encode("a&b") == b"a&-b"


@pytest.mark.parametrize("raw", [b"&", b"&Jj", b"&U,BTFw-&ZeVnLIqe-", b"&AGE-", b"\xc3\xa9", b"&2D0-", b"a\0b", b"&A-"])
def test_wrong_writings_are_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"UTF-7|NUL"):
        decode(raw)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_round_trip(name: str) -> None:
    assert decode(encode(name)) == name
