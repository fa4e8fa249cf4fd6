"""CONDSTORE (RFC 7162 section 3.1): mod-sequences told, asked for, and as a condition of STORE."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House

MAIL = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"


def opened(path: Path, messages: int = 3, select: str = "SELECT INBOX") -> tuple[House, Client]:
    house = House(path)
    house.deliver(*[MAIL] * messages)
    client = house.sign_in()
    client.ok(select)
    return house, client


def second(house: House) -> Client:
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def modseqs(said: bytes) -> list[int]:
    return [int(n) for n in re.findall(rb"MODSEQ \((\d+)\)", said)]


def highest(said: bytes) -> int:
    found = re.findall(rb"HIGHESTMODSEQ (\d+)", said)
    assert found, said
    return int(found[-1])


def test_select_and_examine_tell_the_highest_mod_sequence(tmp_path: Path) -> None:
    """Section 3.1.2.1: whether or not the client has shown that it knows CONDSTORE."""
    _, client = opened(tmp_path)
    for command in ("SELECT INBOX", "EXAMINE INBOX"):
        said = client.ok(command)
        assert re.search(rb"^\* OK \[HIGHESTMODSEQ [1-9]\d*\]", said, re.MULTILINE)
    assert highest(said) == max(modseqs(client.ok("FETCH 1:* MODSEQ")))


def test_a_folder_to_which_nothing_happened_has_a_positive_one_below_all_that_follow(tmp_path: Path) -> None:
    """Section 7: mod-sequence-value is positive."""
    house = House(tmp_path)
    client = house.sign_in()
    before = highest(client.ok("SELECT INBOX"))
    assert before >= 1
    house.deliver(MAIL)
    client.ok("NOOP")
    assert modseqs(client.ok(f"FETCH 1 FLAGS (CHANGEDSINCE {before})")) == [highest(client.ok("SELECT INBOX"))]


@pytest.mark.parametrize(
    "command",
    [
        "FETCH 1 (MODSEQ)",
        "FETCH 1 FLAGS (CHANGEDSINCE 1)",
        "UID FETCH 1 (FLAGS) (CHANGEDSINCE 1)",
        "SEARCH MODSEQ 1",
        "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (x)",
        "STATUS Trash (HIGHESTMODSEQ)",
        "ENABLE CONDSTORE",
    ],
)
def test_the_first_enabling_command_tells_the_highest_mod_sequence(tmp_path: Path, command: str) -> None:
    """Section 3.1: and from then on FETCH responses have mod-sequences."""
    house, client = opened(tmp_path)
    other = second(house)
    other.ok("STORE 2 +FLAGS (\\Seen)")
    assert b"MODSEQ" not in client.ok("NOOP")
    assert b"* OK [HIGHESTMODSEQ " in client.ok(command)
    assert b"* OK [HIGHESTMODSEQ " not in client.ok(command)
    other.ok("STORE 2 +FLAGS (\\Flagged)")
    assert re.search(rb"\* 2 FETCH \(UID 2 FLAGS \([^)]*\) MODSEQ \(\d+\)\)", client.ok("NOOP"))


def test_the_select_parameter(tmp_path: Path) -> None:
    """Section 3.1.8."""
    house, client = opened(tmp_path, select="SELECT INBOX (CONDSTORE)")
    second(house).ok("STORE 2 +FLAGS (\\Seen)")
    assert len(modseqs(client.ok("NOOP"))) == 1
    client.bad("SELECT INBOX (CONDSTORE CONDSTORE)")
    client.bad("SELECT INBOX (SOMETHING)")
    assert client.ok("FETCH 1 UID"), "a command that is no command closes nothing"


def test_enable_tells_what_it_enabled(tmp_path: Path) -> None:
    """RFC 5161 section 3.1."""
    client = House(tmp_path).sign_in()
    assert client.ok("ENABLE X-NONE") == b"* ENABLED\r\n"
    assert client.ok("ENABLE condstore X-NONE") == b"* ENABLED CONDSTORE\r\n"


def test_a_store_tells_uid_and_mod_sequence(tmp_path: Path) -> None:
    """Section 3.2.4 (and 3.1): in every FETCH response that is not the answer to a FETCH."""
    _, client = opened(tmp_path, select="SELECT INBOX (CONDSTORE)")
    said = client.ok("STORE 1 +FLAGS (\\Seen)")
    assert re.search(rb"^\* 1 FETCH \(UID 1 FLAGS \(\\Seen \\Recent\) MODSEQ \(\d+\)\)\r$", said, re.MULTILINE)
    said = client.ok("STORE 1 +FLAGS.SILENT (\\Answered)")
    assert re.search(rb"^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)\r$", said, re.MULTILINE)
    said = client.ok("FETCH 2 BODY[TEXT]")
    assert re.search(rb"UID 2 FLAGS \(\\Seen \\Recent\) MODSEQ \(\d+\)\)\r$", said, re.MULTILINE)
    assert b"MODSEQ" not in client.ok("FETCH 2 BODY[TEXT]")
    assert b"MODSEQ" not in client.ok("FETCH 2 FLAGS")


def test_each_change_has_a_higher_mod_sequence_and_no_change_has_none(tmp_path: Path) -> None:
    """Sections 3 and 3.1.11."""
    _, client = opened(tmp_path, select="SELECT INBOX (CONDSTORE)")
    seen = [modseqs(client.ok("FETCH 1 MODSEQ"))[0]]
    for flags in ("+FLAGS (\\Seen)", "-FLAGS (\\Seen)", "FLAGS (a b)", "+FLAGS (c)"):
        seen += modseqs(client.ok(f"STORE 1 {flags}"))
    assert seen == sorted(set(seen)) and len(seen) == 5
    assert modseqs(client.ok("STORE 1 +FLAGS (c)")) == [seen[-1]]
    assert modseqs(client.ok("STORE 1 -FLAGS.SILENT (z)")) == [seen[-1]]


def test_changed_since(tmp_path: Path) -> None:
    """Section 3.1.4.1: only what has a higher mod-sequence, and with it."""
    _, client = opened(tmp_path, 5)
    before = highest(client.ok("SELECT INBOX"))
    assert client.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {before})").count(b"FETCH") == 0
    client.ok("STORE 2,4:5 +FLAGS.SILENT (\\Seen)")
    said = client.ok(f"FETCH 1:4 (FLAGS) (CHANGEDSINCE {before})")
    assert re.findall(rb"\* (\d) FETCH \(FLAGS \(\\Seen\) MODSEQ \(\d+\)\)", said) == [b"2", b"4"]
    said = client.ok(f"UID FETCH 1:* (ENVELOPE) (CHANGEDSINCE {before})")
    assert re.findall(rb"\* (\d) FETCH \(UID \d ENVELOPE ", said) == [b"2", b"4", b"5"]
    assert len(modseqs(said)) == 3
    assert len(modseqs(client.ok("FETCH 1:* MODSEQ (CHANGEDSINCE 0)"))) == 5


@pytest.mark.parametrize(
    "rest",
    [
        "(CHANGEDSINCE)",
        "(CHANGEDSINCE x)",
        "(CHANGEDSINCE 9223372036854775808)",
        "(CHANGEDSINCE 1 CHANGEDSINCE 2)",
        "(OTHER)",
        "CHANGEDSINCE 1",
    ],
)
def test_wrong_modifiers_are_refused(tmp_path: Path, rest: str) -> None:
    _, client = opened(tmp_path)
    client.bad(f"FETCH 1 FLAGS {rest}")


def test_a_conditional_store(tmp_path: Path) -> None:
    """Section 3.1.3, examples 3, 5 and 8: done for what has not changed, the others are named."""
    house, client = opened(tmp_path, 4)
    known = highest(client.ok("SELECT INBOX (CONDSTORE)"))
    second(house).ok("STORE 2,4 +FLAGS (\\Flagged)")
    said, end = client.do(f"STORE 1:4 (UNCHANGEDSINCE {known}) +FLAGS.SILENT (\\Deleted)")
    assert end.startswith(b"OK [MODIFIED 2,4]")
    lines = said.split(b"\r\n")
    assert [line for line in lines if re.match(rb"\* [13] FETCH \(UID [13] MODSEQ \(\d+\)\)$", line)] == lines[:2]
    # the others' state comes along, so that the client need not ask
    assert re.search(rb"^\* 2 FETCH \(UID 2 FLAGS \(\\Flagged[^)]*\) MODSEQ", said, re.MULTILINE)
    assert b"\\Deleted" not in client.ok("FETCH 2,4 FLAGS")
    assert client.ok("FETCH 1,3 FLAGS").count(b"\\Deleted") == 2


def test_a_conditional_uid_store_names_uids(tmp_path: Path) -> None:
    """Section 3.1.3."""
    house, client = opened(tmp_path, 4)
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    known = highest(client.ok("SELECT INBOX"))
    second(house).ok("UID STORE 3 +FLAGS (\\Flagged)")
    said, end = client.do(f"UID STORE 1:9 (UNCHANGEDSINCE {known}) +FLAGS (x)")
    assert end.startswith(b"OK [MODIFIED 3]")
    assert re.findall(rb"UID (\d) FLAGS \(x", said) == [b"2", b"4"]


def test_a_conditional_store_that_is_fulfilled_says_so(tmp_path: Path) -> None:
    """Section 3.1.3: the FETCH response comes even when it is silent."""
    _, client = opened(tmp_path)
    known = highest(client.ok("SELECT INBOX"))
    said, end = client.do(f"STORE 1 (UNCHANGEDSINCE {known}) FLAGS.SILENT (\\Seen)")
    assert end.startswith(b"OK Stored")
    assert modseqs(said) == [known + 1]


def test_zero_fails_for_every_message(tmp_path: Path) -> None:
    """Section 3.1.3: flags always exist."""
    _, client = opened(tmp_path)
    assert client.do("STORE 1:3 (UNCHANGEDSINCE 0) +FLAGS (x)")[1].startswith(b"OK [MODIFIED 1:3]")


def test_a_change_between_the_look_and_the_store_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 3.1.3: the test and the change are one step."""
    house, client = opened(tmp_path)
    known = highest(client.ok("SELECT INBOX"))
    real = house.mailboxes.set_flags_unchanged

    def raced(*arguments: object) -> object:
        house.mailboxes.set_flags(ADDRESS, "INBOX", [2], "+", ["$taken"])
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(house.mailboxes, "set_flags_unchanged", raced)
    said, end = client.do(f"STORE 1:2 (UNCHANGEDSINCE {known}) +FLAGS ($mine)")
    assert end.startswith(b"OK [MODIFIED 2]")
    assert b"* 2 FETCH (UID 2 FLAGS ($taken) MODSEQ" in said
    assert b"* 1 FETCH (UID 1 FLAGS ($mine) MODSEQ" in said


def test_a_conditional_store_on_what_is_gone_fails(tmp_path: Path) -> None:
    """Section 3.1.3, example 11: NO, and which."""
    house, client = opened(tmp_path)
    known = highest(client.ok("SELECT INBOX"))
    other = second(house)
    other.ok("STORE 2 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    _, end = client.do(f"STORE 1:2 (UNCHANGEDSINCE {known + 9}) +FLAGS (x)")
    assert end.startswith(b"NO [MODIFIED 2]")
    assert b"EXPUNGE" in client.ok("NOOP")
    assert client.do(f"UID STORE 2 (UNCHANGEDSINCE {known + 9}) +FLAGS (x)")[1].startswith(b"OK Stored")


@pytest.mark.parametrize("modifier", ["(UNCHANGEDSINCE)", "(UNCHANGEDSINCE 1 UNCHANGEDSINCE 2)", "(OTHER 1)"])
def test_wrong_conditions_are_refused(tmp_path: Path, modifier: str) -> None:
    _, client = opened(tmp_path)
    client.bad(f"STORE 1 {modifier} +FLAGS (x)")


def test_search_by_mod_sequence(tmp_path: Path) -> None:
    """Sections 3.1.5 and 3.1.6: as high or higher; the highest of what was found stands behind."""
    _, client = opened(tmp_path, 4)
    changed = modseqs(client.ok("STORE 3 +FLAGS (\\Seen)") + client.ok("FETCH 3 MODSEQ"))[-1]
    assert f"* SEARCH 3 (MODSEQ {changed})\r\n".encode("ascii") in client.ok(f"SEARCH MODSEQ {changed}")
    assert client.ok(f"SEARCH MODSEQ {changed + 1}") == b"* SEARCH\r\n"
    assert client.ok(f"UID SEARCH NOT MODSEQ {changed}").startswith(b"* SEARCH 1 2 4 (MODSEQ ")
    assert client.ok(f"SEARCH OR MODSEQ {changed} 1").startswith(f"* SEARCH 1 3 (MODSEQ {changed})".encode("ascii"))
    assert client.ok("SEARCH MODSEQ 0").startswith(b"* SEARCH 1 2 3 4 (MODSEQ ")
    assert b"(MODSEQ" not in client.ok("SEARCH ALL")


def test_search_may_name_an_entry(tmp_path: Path) -> None:
    """Section 3.1.5: there is one mod-sequence for all of a message's metadata."""
    _, client = opened(tmp_path)
    assert b"* SEARCH 1 2 3 (MODSEQ " in client.ok(r'SEARCH MODSEQ "/flags/\\draft" all 1')
    assert b"* SEARCH 1 2 3 (MODSEQ " in client.ok(r'SEARCH MODSEQ "/flags/$x" priv 1')
    client.bad('SEARCH MODSEQ "/other/x" all 1')
    client.bad('SEARCH MODSEQ "/flags/x" some 1')
    client.bad("SEARCH MODSEQ x")


def test_extended_search_tells_the_highest_of_what_it_tells(tmp_path: Path) -> None:
    """RFC 4731 section 3.2."""
    _, client = opened(tmp_path, 3)
    for number in (3, 1, 2):
        client.ok(f"STORE {number} +FLAGS (\\Seen)")
    one, two, three = modseqs(client.ok("FETCH 1:3 MODSEQ"))
    assert three < one < two
    for returns, modseq in (
        ("MIN", one), ("MAX", three), ("MIN MAX", one), ("ALL", two), ("COUNT", two), ("MIN COUNT", two), ("", two),
    ):  # fmt: skip
        said = client.ok(f"SEARCH RETURN ({returns}) MODSEQ 1")
        assert said.endswith(f" MODSEQ {modseq}\r\n".encode("ascii")), (returns, said)
    assert b"MODSEQ" not in client.ok(f"SEARCH RETURN (COUNT) MODSEQ {two + 1}")
    assert b"MODSEQ" not in client.ok("SEARCH RETURN (ALL) ALL")


def test_status(tmp_path: Path) -> None:
    """Section 3.1.7: the same value that SELECT tells."""
    house, client = opened(tmp_path)
    for name in ("INBOX", "Trash"):
        said = client.ok(f"STATUS {name} (HIGHESTMODSEQ)")
        assert highest(said) == highest(house.sign_in().ok(f"SELECT {name}")) >= 1
    client.ok("COPY 1 Trash")
    again = highest(client.ok("STATUS Trash (HIGHESTMODSEQ)"))
    assert again > highest(said)


def test_mod_sequences_survive_a_restart(tmp_path: Path) -> None:
    _, client = opened(tmp_path)
    client.ok("STORE 2 +FLAGS (\\Seen)")
    before = modseqs(client.ok("FETCH 1:* MODSEQ"))
    again = House(tmp_path).sign_in()
    assert highest(again.ok("SELECT INBOX")) >= max(before)
    assert modseqs(again.ok("FETCH 1:* MODSEQ")) == before
