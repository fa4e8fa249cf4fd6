"""Names of files and folders in a Maildir++."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratamail.store import maildir

NAMES = st.lists(
    st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
).map("/".join)


@given(NAMES)
def test_a_folder_has_one_directory_and_comes_back_from_it(name: str) -> None:
    name = maildir.canonical(name)
    if name == "INBOX":
        assert maildir.directory(name) == ""
        return
    directory = maildir.directory(name)
    assert "/" not in directory
    assert maildir.folder(directory) == name


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("Sent", ".Sent"),
        ("a/b", ".a.b"),
        ("a.b", ".a&AC4-b"),
        ("Entwürfe", ".Entw&APw-rfe"),
        ("A&B", ".A&-B"),
        ("INBOX/x", ".INBOX.x"),
    ],
)
def test_how_folders_are_called_on_disk(name: str, directory: str) -> None:
    assert maildir.directory(name) == directory
    assert maildir.folder(directory) == name


@pytest.mark.parametrize("directory", ["cur", ".", "..", ".a..b", ".&", ".&zz", ".a&AC8-b"])
def test_what_is_no_folder(directory: str) -> None:
    assert maildir.folder(directory) is None


def test_inbox_in_any_case() -> None:
    assert maildir.canonical("inBox") == "INBOX"
    assert maildir.canonical("inbox/Sub") == "INBOX/Sub"
    assert maildir.canonical("inboxes") == "inboxes"


def test_a_name_tells_id_date_and_size() -> None:
    name = maildir.base("0abcde0000000001", 1_700_000_000_123_456, 77)
    assert name == "1700000000.0abcde0000000001.0,S=77"
    assert maildir.message_id(name) == "0abcde0000000001"
    assert maildir.date_of(name) == 1_700_000_000_000_000
    assert maildir.size_of(name) == 77


@given(st.integers(0, 63))
def test_flags_survive_the_name(flags: int) -> None:
    below = maildir.relative("1.x", flags)
    assert below.startswith("cur/1.x:2,")
    assert maildir.parse(below.removeprefix("cur/")) == ("1.x", flags)


def test_a_new_message_lies_in_new_until_it_has_a_flag() -> None:
    assert maildir.relative("1.x", maildir.IN_NEW) == "new/1.x"
    assert maildir.relative("1.x", maildir.IN_NEW | maildir.SEEN) == "cur/1.x:2,S"


def test_foreign_names_are_no_trouble() -> None:
    assert maildir.message_id("whatever") == ""
    assert maildir.date_of("whatever") is None
    assert maildir.size_of("whatever") is None
    assert maildir.date_of("1700000000.M1P2.host") == 1_700_000_000_000_000
    assert maildir.order("1700000000.M1P2.host") > maildir.order("1600000000.M1P2.host")


def test_put_replaces_in_one_step(tmp_path: Path) -> None:
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    maildir.put(str(source), str(target), str(tmp_path / "t"))
    assert target.read_bytes() == b"new"
    assert os.path.samefile(source, target)
    maildir.put(str(source), str(target), str(tmp_path / "t"))
    assert not (tmp_path / "t").exists()


@given(st.integers(1_500_000_000_000_000, 3_000_000_000_000_000))
def test_an_id_tells_its_time(micros: int) -> None:
    digits, unit = "", micros >> 7
    for _ in range(10):
        unit, digit = divmod(unit, 32)
        digits = "0123456789abcdefghijklmnopqrstuv"[digit] + digits
    assert micros - 128 < maildir.time_of(digits + "000000") <= micros
