"""QRESYNC (RFC 7162 section 3.2): a client that was away learns what changed and what vanished, in one step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import ADDRESS, Client, House

MAIL = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"


def opened(path: Path, messages: int = 3) -> tuple[House, Client]:
    house = House(path)
    house.deliver(*[MAIL] * messages)
    client = house.sign_in()
    assert client.ok("ENABLE QRESYNC") == b"* ENABLED QRESYNC\r\n"
    client.ok("SELECT INBOX")
    return house, client


def plain(house: House) -> Client:
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def expunge(client: Client, uids: str) -> None:
    client.ok(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
    client.ok(f"UID EXPUNGE {uids}")


def highest(said: bytes) -> int:
    found = re.findall(rb"HIGHESTMODSEQ (\d+)", said)
    assert found, said
    return int(found[-1])


def known(client: Client) -> tuple[int, int]:
    """UIDVALIDITY and mod-sequence."""
    said = client.ok("SELECT INBOX")
    valid = re.search(rb"UIDVALIDITY (\d+)", said)
    assert valid is not None
    return int(valid[1]), highest(said)


def lines(said: bytes, word: bytes) -> list[bytes]:
    return [line for line in said.split(b"\r\n") if word in line]


def test_the_parameter_needs_enable(tmp_path: Path) -> None:
    """Section 3.2.3: BAD, for the VANISHED modifier too, and nothing is closed."""
    house = House(tmp_path)
    house.deliver(MAIL)
    client = house.sign_in()
    client.ok("ENABLE CONDSTORE")
    client.ok("SELECT INBOX")
    client.bad("SELECT INBOX (QRESYNC (1 1))")
    client.bad("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)")
    assert b"UID 1" in client.ok("FETCH 1 UID")


def test_enable_brings_condstore(tmp_path: Path) -> None:
    """Section 3.2.3."""
    house, client = opened(tmp_path)
    plain(house).ok("STORE 1 +FLAGS (x)")
    assert b" MODSEQ (" in client.ok("NOOP")


def test_vanished_takes_the_place_of_expunge(tmp_path: Path) -> None:
    """Section 3.2.10.2: for one's own expunges and those of others, in every mailbox."""
    house, client = opened(tmp_path, 6)
    other = plain(house)
    client.ok("STORE 1,2,5 +FLAGS.SILENT (\\Deleted)")
    said, end = client.do("EXPUNGE")
    assert said.startswith(b"* VANISHED 1:2,5\r\n") and b"EXPUNGE" not in said
    assert lines(other.ok("NOOP"), b"EXPUNGE") == [b"* 5 EXPUNGE", b"* 2 EXPUNGE", b"* 1 EXPUNGE"]
    expunge(other, "4")
    assert client.ok("NOOP") == b"* VANISHED 4\r\n"
    client.ok("MOVE 1 Trash")
    client.ok("SELECT Trash")
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert client.ok("EXPUNGE") == b"* VANISHED 1\r\n"


@pytest.mark.parametrize("command", ["EXPUNGE", "UID EXPUNGE 1:2", "CLOSE", "MOVE 1:2 Trash"])
def test_what_expunges_tells_the_highest_mod_sequence(tmp_path: Path, command: str) -> None:
    """Sections 3.2.7, 3.2.8, 3.2.9; RFC 6851 section 4.4: in the tagged OK, when something was expunged."""
    house, client = opened(tmp_path)
    if not command.startswith("MOVE"):
        assert b"HIGHESTMODSEQ" not in client.do(command)[1]
        client.ok("SELECT INBOX")
        client.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    said, end = client.do(command)
    assert end.startswith(b"OK [HIGHESTMODSEQ ")
    assert (b"VANISHED" in said) == (command != "CLOSE")
    assert highest(end) == highest(house.sign_in().ok("SELECT INBOX"))


def test_without_enable_they_do_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(MAIL)
    client = plain(house)
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    said, end = client.do("EXPUNGE")
    assert said == b"* 1 EXPUNGE\r\n" and end == b"OK Expunged\r\n"


def test_a_close_promises_no_more_than_the_client_was_told(tmp_path: Path) -> None:
    """Section 3.2.8: a change by somebody else that it has not heard of is asked for the next time."""
    house, client = opened(tmp_path, 4)
    valid, _ = known(client)
    other = plain(house)
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    other.ok("STORE 3 +FLAGS (\\Seen)")
    _, end = client.do("CLOSE")
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {highest(end)}))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 1"]
    assert re.search(rb"^\* 2 FETCH \(UID 3 FLAGS \(\\Seen", said, re.MULTILINE)


def test_resynchronisation(tmp_path: Path) -> None:
    """Section 3.2.5.1: what is gone, then what has changed, with UID, flags and mod-sequence; what is new, too."""
    house, client = opened(tmp_path, 6)
    valid, modseq = known(client)
    client.ok("UNSELECT")
    other = plain(house)
    expunge(other, "2,4")
    other.ok("UID STORE 5 +FLAGS (\\Seen $x)")
    house.deliver(MAIL)
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq}))")
    told = [line for line in said.split(b"\r\n") if b"VANISHED" in line or b" FETCH " in line]
    assert told[0] == b"* VANISHED (EARLIER) 2,4"
    assert [re.sub(rb"\d+\)\)$", b"n))", line) for line in told[1:]] == [
        b"* 3 FETCH (UID 5 FLAGS (\\Seen $x) MODSEQ (n))",
        b"* 5 FETCH (UID 7 FLAGS (\\Recent) MODSEQ (n))",
    ]
    assert said.index(b"HIGHESTMODSEQ") < said.index(b"VANISHED") < said.index(b" FETCH ")
    again = client.ok(f"SELECT INBOX (QRESYNC ({valid} {highest(said)}))")
    assert b"VANISHED" not in again and b" FETCH " not in again


def test_known_uids_narrow_it(tmp_path: Path) -> None:
    """Section 3.2.5."""
    house, client = opened(tmp_path, 6)
    valid, modseq = known(client)
    other = plain(house)
    expunge(other, "1,3,5")
    other.ok("UID STORE 2,6 +FLAGS (\\Seen)")
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq} 1:4))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 1,3"]
    assert len(lines(said, b" FETCH (UID 2 ")) == len(lines(said, b" FETCH ")) == 1


def test_another_uidvalidity_makes_it_a_plain_select(tmp_path: Path) -> None:
    """Section 3.2.5."""
    house, client = opened(tmp_path)
    valid, modseq = known(client)
    expunge(plain(house), "1")
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid + 1} {modseq}))")
    assert b"VANISHED" not in said and b" FETCH " not in said and b"UIDVALIDITY" in said


def forget(house: House) -> None:
    """The folder remembers none of its expunges."""

    def gone(address: str, name: str, since: int) -> tuple[list[int], bool]:
        return [], False

    house.mailboxes.vanished = gone  # type: ignore[method-assign]


def test_expunges_that_are_not_remembered_are_told_all(tmp_path: Path) -> None:
    """Section 3.2.6: below the oldest that is remembered, every UID that is not there is gone."""
    house, client = opened(tmp_path, 9)
    expunge(plain(house), "1,4:6")
    client.ok("NOOP")
    valid, modseq = known(client)
    modseq -= 1
    forget(house)
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq}))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 1,4:6"]
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq} 2:5,20:4294967295))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 4:5"]


def test_a_sample_narrows_what_is_not_remembered(tmp_path: Path) -> None:
    """Section 3.2.5.2: up to the last pair that is right, the client knows."""
    house, client = opened(tmp_path, 9)
    expunge(plain(house), "1,4,8")
    client.ok("NOOP")
    valid, modseq = known(client)
    modseq -= 1
    forget(house)
    # the third message has UID 5, as the client says; the sixth is not 8
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq} 1:9 (1,3,6 2,5,8)))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 8"]
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq} (3 5)))")
    assert lines(said, b"VANISHED") == [b"* VANISHED (EARLIER) 8"]


@pytest.mark.parametrize(
    "parameter",
    [
        "QRESYNC",
        "QRESYNC ()",
        "QRESYNC (0 1)",
        "QRESYNC (1 0)",
        "QRESYNC (1)",
        "QRESYNC (1 1 1:*)",
        "QRESYNC (1 1 1:2 (1:2 5))",
        "QRESYNC (1 1 1:2 (2,1 5,6))",
        "QRESYNC (1 1 1:2 (1:2))",
        "QRESYNC (1 1 $)",
        "QRESYNC (1 1) QRESYNC (1 1)",
        "QRESYNC (1 99999999999999999999)",
    ],
)
def test_wrong_parameters_are_refused(tmp_path: Path, parameter: str) -> None:
    _, client = opened(tmp_path)
    client.bad(f"SELECT INBOX ({parameter})")
    assert client.ok("FETCH 1 UID")


def test_both_parameters_in_any_order(tmp_path: Path) -> None:
    _, client = opened(tmp_path)
    valid, modseq = known(client)
    client.ok(f"SELECT INBOX (CONDSTORE QRESYNC ({valid} {modseq}))")
    client.ok(f"EXAMINE INBOX (QRESYNC ({valid} {modseq} 1:3) CONDSTORE)")


def test_an_empty_folder_that_never_had_mail(tmp_path: Path) -> None:
    """Section 3.2.5: no list of UIDs is an empty one then."""
    house = House(tmp_path)
    client = house.sign_in()
    client.ok("ENABLE QRESYNC")
    valid, modseq = known(client)
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} {modseq}))")
    assert b"VANISHED" not in said


def test_uid_fetch_tells_what_vanished(tmp_path: Path) -> None:
    """Section 3.2.6: before any FETCH response, of the set only."""
    house, client = opened(tmp_path, 6)
    _, modseq = known(client)
    other = plain(house)
    expunge(other, "2,3,5")
    other.ok("UID STORE 6 +FLAGS (\\Seen)")
    client.ok("NOOP")
    said = client.ok(f"UID FETCH 3:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
    told = said.split(b"\r\n")
    assert told[0] == b"* VANISHED (EARLIER) 3,5"
    assert re.fullmatch(rb"\* 3 FETCH \(UID 6 FLAGS \(\\Seen\) MODSEQ \(\d+\)\)", told[1])
    assert len(told) == 3
    client.bad(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
    client.bad("UID FETCH 1:* (FLAGS) (VANISHED)")


def test_what_the_client_still_counts_is_not_told_as_earlier(tmp_path: Path) -> None:
    """Section 3.2.10: EARLIER shifts no numbers; what goes while the folder is open is told by the other form."""
    house, client = opened(tmp_path, 4)
    _, modseq = known(client)
    expunge(plain(house), "2")
    said = client.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
    assert lines(said, b"VANISHED") == [b"* VANISHED 2"]


@pytest.mark.parametrize("command", ["FETCH 4 (UID MODSEQ)", "STORE 4 +FLAGS.SILENT (x)", "SEARCH MODSEQ 1"])
def test_while_an_expunge_waits_no_higher_mod_sequence_is_believed(tmp_path: Path, command: str) -> None:
    """Section 6: a client that stops here must hear of the expunge when it comes back."""
    house, client = opened(tmp_path, 4)
    valid, before = known(client)
    expunge(plain(house), "2")
    said = client.ok(command)
    assert b"VANISHED" not in said
    # the flag \Deleted came before the expunge, and was told
    assert before <= highest(said) <= before + 1
    told = highest(said)
    assert f"* OK [HIGHESTMODSEQ {told}]".encode("ascii") in client.ok("FETCH 1 UID")
    there = house.sign_in()
    there.ok("ENABLE QRESYNC")
    assert b"* VANISHED (EARLIER) 2" in there.ok(f"SELECT INBOX (QRESYNC ({valid} {told}))")
    caught_up = client.ok("NOOP")
    assert b"* VANISHED 2\r\n" in caught_up
    assert highest(caught_up) == highest(house.sign_in().ok("SELECT INBOX"))
    assert b"HIGHESTMODSEQ" not in client.ok("NOOP")


def test_new_mail_waits_behind_an_expunge_and_is_not_passed_over(tmp_path: Path) -> None:
    house, client = opened(tmp_path, 2)
    valid, before = known(client)
    house.deliver(MAIL)
    expunge(plain(house), "1")
    said = client.ok("STORE 2 +FLAGS (x)")
    assert b"EXISTS" not in said and highest(said) == before
    assert valid


def test_closed_stands_between_two_folders(tmp_path: Path) -> None:
    """Section 3.2.11: whether or not anything was enabled, and not after CLOSE or UNSELECT."""
    client = House(tmp_path).sign_in()
    assert b"CLOSED" not in client.ok("SELECT INBOX")
    assert client.ok("SELECT Trash").startswith(b"* OK [CLOSED] ")
    assert client.do("SELECT Nowhere")[0].startswith(b"* OK [CLOSED] ")
    assert b"CLOSED" not in client.ok("EXAMINE Trash")
    client.ok("UNSELECT")
    assert b"CLOSED" not in client.ok("SELECT INBOX")


def test_idle_pushes_vanished(tmp_path: Path) -> None:
    """Section 3.2.10.2: IDLE is a command in progress."""
    house, client = opened(tmp_path)
    other = plain(house)
    assert client.send(b"i IDLE\r\n") == b"+ idling\r\n"
    expunge(other, "2")
    said = client.read()
    assert lines(said, b"VANISHED") == [b"* VANISHED 2"] and lines(said, b"FETCH")[0].startswith(b"* 2 FETCH (UID 2 ")
    assert client.send(b"DONE\r\n") == b"i OK Idle completed\r\n"
    expunge(other, "3")
    assert client.read() == b"", "nothing is told while no command runs"


def test_many_are_told_in_few_bytes(tmp_path: Path) -> None:
    house, client = opened(tmp_path, 2500)
    uids = list(range(1, 2501))
    house.mailboxes.set_flags(ADDRESS, "INBOX", uids[::2], "+", ["\\Deleted"])
    house.mailboxes.expunge(ADDRESS, "INBOX")
    client.ok("NOOP")
    valid, _ = known(client)
    said = client.ok(f"SELECT INBOX (QRESYNC ({valid} 1))")
    gone = lines(said, b"VANISHED")
    assert len(gone) == 1 and gone[0].count(b",") == 1249
    assert len(lines(said, b" FETCH ")) == 1250
