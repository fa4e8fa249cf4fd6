"""Sessions that change one folder at the same time, and folders that are not what a session opened."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House

MAIL = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"


def opened(path: Path, messages: int = 3) -> tuple[House, Client]:
    house = House(path)
    house.deliver(*[MAIL] * messages)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return house, client


def append(client: Client, box: str) -> None:
    client.ok(b"APPEND %b {%d+}\r\n%b" % (box.encode("ascii"), len(MAIL), MAIL))


def test_numbers_of_pipelined_commands_hold_while_another_session_expunges(tmp_path: Path) -> None:
    house, client = opened(tmp_path, 5)
    other = house.sign_in()
    other.ok("SELECT INBOX")
    other.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    client.ok("NOOP")
    other.ok("EXPUNGE")
    said = client.send(
        b"a FETCH 3 UID\r\nb STORE 4 +FLAGS (\\Flagged)\r\nc SEARCH 2:5\r\n"
        b"d NOOP\r\ne FETCH 2 UID\r\nf FETCH 1:* UID\r\n"
    )
    lines = said.split(b"\r\n")
    assert lines[0] == b"* 3 FETCH (UID 3)"
    assert b"* 4 FETCH (FLAGS (\\Flagged \\Recent))" in lines
    assert b"* SEARCH 2 3 4 5" in lines
    assert lines.index(b"* 2 EXPUNGE") > lines.index(b"c OK Search completed")
    told = lines[lines.index(b"d OK Completed") + 1 :]
    assert told[0] == b"* 2 FETCH (UID 3)"
    assert told[2:6] == [b"* %d FETCH (UID %d)" % pair for pair in ((1, 1), (2, 3), (3, 4), (4, 5))]


@pytest.mark.parametrize("silent", [".SILENT", ""])
def test_a_flag_that_another_session_set_during_a_store_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    house, client = opened(tmp_path)
    real = house.mailboxes.set_flags

    def raced(address: str, name: str, uids: Iterable[int], mode: str, flags: Iterable[str]) -> Any:
        real(address, name, [2], "+", ["\\Flagged"])
        return real(address, name, uids, mode, flags)

    monkeypatch.setattr(house.mailboxes, "set_flags", raced)
    said = client.ok(rf"STORE 1:2 +FLAGS{silent} (\Seen)")
    assert b"* 2 FETCH (UID 2 FLAGS (\\Flagged \\Seen \\Recent))" in said or b"\\Seen \\Flagged" in said
    assert b"* 1 FETCH (UID 1" not in said
    assert client.ok("NOOP") == b""


@pytest.mark.parametrize("command", [r"STORE 1 +FLAGS (\Deleted)", "MOVE 1 Trash", "UID EXPUNGE 1", "EXPUNGE", "CLOSE"])
def test_a_new_folder_of_the_old_name_is_safe_from_a_session_of_the_old_one(tmp_path: Path, command: str) -> None:
    house, client = opened(tmp_path)
    other = house.sign_in()
    other.ok("CREATE x")
    append(other, "x")
    client.ok("SELECT x")
    client.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    other.ok("DELETE x")
    other.ok("CREATE x")
    append(other, "x")
    other.ok("SELECT x")
    if command != r"STORE 1 +FLAGS (\Deleted)":
        other.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    said = client.send(b"a " + command.encode("ascii") + b"\r\n")
    assert b"* BYE" in said or command == "CLOSE"
    flags = b"()" if command.startswith("STORE") else b"(\\Deleted)"
    assert other.ok("FETCH 1:* FLAGS").replace(b" \\Recent", b"").replace(b"\\Recent", b"") == (
        b"* 1 FETCH (FLAGS " + flags + b")\r\n"
    )


def test_an_index_that_is_rebuilt_under_a_session_gives_its_numbers_to_nobody(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    house.mailboxes._indexes.remove(ADDRESS)
    assert b"* BYE" not in client.no(r"STORE 1 +FLAGS (\Deleted)")
    fresh = house.sign_in()
    fresh.ok("SELECT INBOX")
    assert b"Deleted" not in fresh.ok("FETCH 1:* FLAGS")


def test_no_more_keywords_are_promised_than_can_be_kept(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    said = client.ok("STORE 1 +FLAGS (" + " ".join(f"k{i}" for i in range(54)) + ")")
    permanent = next(line for line in said.split(b"\r\n") if b"PERMANENTFLAGS" in line)
    assert b"k53" in permanent and b"\\*" not in permanent
    assert client.no("STORE 2 +FLAGS (one-more)").startswith(b"NO [LIMIT]")
    client.ok("STORE 2 +FLAGS (K7)")
    client.ok("STORE 1 -FLAGS.SILENT (k8)")
    other = house.sign_in()
    assert b"\\*)" in other.ok("SELECT INBOX")
    said = client.ok("STORE 2 +FLAGS (one-more)")
    assert b"one-more" in said and b"k8" not in said.partition(b"FETCH")[0]
    assert b"one-more" in other.ok("NOOP")
    assert client.no("STORE 1 +FLAGS (" + "x" * 101 + ")").startswith(b"NO [LIMIT]")


def test_rename_of_inbox_tells_its_sessions(tmp_path: Path) -> None:
    house, client = opened(tmp_path)
    other = house.sign_in()
    said = other.ok("RENAME INBOX kept")
    assert said == b""
    assert client.ok("NOOP") == b"* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n"
    assert b"* 3 EXISTS" in client.ok("SELECT kept")


@pytest.mark.parametrize("command", ["FETCH 1 FLAGS", "UID FETCH 1:* (FLAGS)", "FETCH 1 (FLAGS BODY[])"])
def test_a_keyword_of_another_session_is_announced_before_a_message_has_it(tmp_path: Path, command: str) -> None:
    """RFC 3501 section 7.2.6: FLAGS tells which flags there can be."""
    house, client = opened(tmp_path)
    other = house.sign_in()
    other.ok("SELECT INBOX")
    other.ok("STORE 1 +FLAGS.SILENT ($New)")
    said = client.ok(command)
    assert said.startswith(b"* FLAGS (") and b"$New" in said.partition(b"\r\n")[0]
    assert b"$New" in said[said.index(b"* 1 FETCH (") :]
