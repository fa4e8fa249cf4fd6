"""Header fields by offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail import headers


def test_fields_keep_folds_and_offsets() -> None:
    block = b"From x\r\nSubject: a\r\n b\r\nTO : x@y\r\n\r\n"
    found = headers.fields(block)
    assert [field.name for field in found] == [b"", b"subject", b"to"]
    assert block[found[1].start : found[1].end] == b"Subject: a\r\n b\r\n"
    assert headers.first(block, "subject") == b"a b"
    assert headers.first(block, b"To") == b"x@y"
    assert headers.first(block, "cc") is None


def test_fields_stop_at_the_empty_line() -> None:
    assert headers.count(b"A: 1\n\nA: 2\n", "a") == 1


def test_header_end_in_all_line_endings() -> None:
    assert headers.header_end(b"A: 1\r\n\r\nbody") == 8
    assert headers.header_end(b"A: 1\n\nbody") == 6
    assert headers.header_end(b"\r\nbody") == 2
    assert headers.header_end(b"\nbody") == 1
    assert headers.header_end(b"A: 1\r\n") == 6
    assert headers.header_end(b"") == 0


def test_every_gives_all_values_in_order() -> None:
    assert headers.every(b"R: 1\r\nX: 0\r\nr: 2\r\n", "R") == [b"1", b"2"]


def test_a_very_long_line_is_one_field() -> None:
    block = b"X: " + b"a" * 200_000 + b"\r\nY: 1\r\n"
    assert [field.name for field in headers.fields(block)] == [b"x", b"y"]


@given(st.lists(st.sampled_from([b"\r\n", b"\n", b" ", b"A", b":", b"\t", b"\x00", b"\xff", b"\r"]), max_size=40))
def test_fields_cover_the_block_without_gaps(pieces: list[bytes]) -> None:
    block = b"".join(pieces)
    end = 0
    for field in headers.fields(block):
        assert field.start == end
        assert field.end > field.start
        end = field.end
    assert end <= headers.header_end(block)


@given(
    st.lists(
        st.sampled_from(
            [
                b"a",
                b"A: 1",
                b"a :",
                b"\ta: no",
                b"b: x",
                b":",
                b" ",
                b"\r\n",
                b"\n",
                b"\n ",
                b"\r",
                b"a:\n b",
                b"",
                b"a\x00:",
            ]
        ),
        max_size=12,
    ).map(b"".join),
    st.sampled_from([b"a", b"A", b"b", b"", b"a ", b"no", b"a:", b"a\x00"]),
)
def test_the_fields_of_one_name_are_those_of_the_reader(block: bytes, name: bytes) -> None:
    expected = [headers.value(block, each) for each in headers.fields(block) if each.name == name.lower()]
    assert headers.every(block, name) == expected
