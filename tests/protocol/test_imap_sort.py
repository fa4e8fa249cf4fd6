"""SORT (RFC 5256), SORT=DISPLAY (RFC 5957) and ESORT (RFC 5267 section 3)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stratamail.mail.digest import Digest
from stratamail.shadow.box import IDLE
from tests.protocol.imap_harness import ADDRESS, Client, House


def mail(subject: str = "x", date: str = "Tue, 24 Nov 2020 10:00:00 +0000", body: int = 0, **fields: str) -> bytes:
    head = [f"Subject: {subject}", f"Date: {date}", *(f"{name.title()}: {value}" for name, value in fields.items())]
    return ("\r\n".join(head) + "\r\n\r\n" + "x" * body + "\r\n").encode()


def opened(path: Path, *mails: bytes) -> Client:
    house = House(path)
    house.deliver(*mails)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def order(client: Client, command: str) -> list[int]:
    said = client.ok(command)
    lines = re.findall(rb"^\* SORT((?: \d+)*)\r\n", said, re.MULTILINE)
    assert len(lines) == 1, said
    return [int(n) for n in lines[0].split()]


def test_it_is_offered(tmp_path: Path) -> None:
    offered = House(tmp_path).sign_in().ok("CAPABILITY").split()
    assert {b"SORT", b"SORT=DISPLAY", b"ESORT"} <= set(offered)


def test_by_date_in_one_zone(tmp_path: Path) -> None:
    """Section 2.2: the Date field's moment in UTC."""
    client = opened(
        tmp_path,
        mail(date="Tue, 24 Nov 2020 10:00:00 +0000"),
        mail(date="Tue, 24 Nov 2020 10:30:00 +0200"),
        mail(date="Tue, 24 Nov 2020 07:00:00 -0500"),
    )
    assert order(client, "SORT (DATE) UTF-8 ALL") == [2, 1, 3]
    assert order(client, "SORT (REVERSE DATE) UTF-8 ALL") == [3, 1, 2]


def test_no_date_is_when_it_came(tmp_path: Path) -> None:
    """Section 2.2: INTERNALDATE stands in (the clock of the house says 14 November 2023)."""
    client = opened(
        tmp_path,
        mail(date="Wed, 15 Nov 2023 23:00:00 +0000"), mail(date="garbage"), b"Subject: none\r\n\r\n",
        mail(date="Mon, 13 Nov 2023 10:00:00 +0000"),
    )  # fmt: skip
    assert order(client, "SORT (DATE) UTF-8 ALL") == [4, 2, 3, 1]


def test_a_time_that_is_none_is_midnight(tmp_path: Path) -> None:
    """Section 2.2."""
    client = opened(
        tmp_path, mail(date="Tue, 24 Nov 2020 00:00:01 +0000"), mail(date="Tue, 24 Nov 2020 99:00:00 +0000")
    )
    assert order(client, "SORT (DATE) UTF-8 ALL") == [2, 1]


def test_by_arrival_and_size(tmp_path: Path) -> None:
    """Section 3: ARRIVAL is INTERNALDATE, SIZE in octets."""
    house = House(tmp_path)
    client = house.sign_in()
    for date, size in ((20, 300), (10, 100), (30, 200)):
        data = mail(body=size)
        client.send(b'a APPEND INBOX "%d-Jan-2020 00:00:00 +0000" {%d+}\r\n%b\r\n' % (date, len(data), data))
    client.ok("SELECT INBOX")
    assert order(client, "SORT (ARRIVAL) UTF-8 ALL") == [2, 1, 3]
    assert order(client, "SORT (SIZE) UTF-8 ALL") == [2, 3, 1]
    assert order(client, "UID SORT (REVERSE SIZE) UTF-8 1:2") == [1, 2]


def test_by_base_subject(tmp_path: Path) -> None:
    """Section 2.1, compared by i;unicode-casemap (section 5 of RFC 5255)."""
    client = opened(
        tmp_path, mail("Re: c"), mail("[list] B"), mail("=?utf-8?q?=C3=A4?="), mail("Fwd: a (fwd)"), mail("")
    )
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("field", ["FROM", "TO", "CC"])
def test_by_the_mailbox_of_the_first_address(tmp_path: Path, field: str) -> None:
    """Section 3: addr-mailbox, which is neither name nor host."""
    values = ("Anna <z@a.example>", "Zoe <B@x.example>, a@x.example", "", "c@b.example", "=?utf-8?q?=C3=84?= <y@x>")
    client = opened(tmp_path, *[mail(**{field.lower(): value}) for value in values])
    assert order(client, f"SORT ({field}) UTF-8 ALL") == [3, 2, 4, 5, 1]


@pytest.mark.parametrize("field", ["FROM", "TO"])
def test_by_what_is_displayed(tmp_path: Path, field: str) -> None:
    """RFC 5957 section 3: a group's name, else the decoded display name, else the address; "" for none."""
    values = ("=?utf-8?q?=C3=84nne?= <z@x>", "b@x.example", '"C, D" <a@x>', "aaa: q@x;", "", "b <zz@x>")
    client = opened(tmp_path, *[mail(**{field.lower(): value}) for value in values])
    assert order(client, f"SORT (DISPLAY{field}) UTF-8 ALL") == [5, 4, 1, 6, 2, 3]


def test_more_criteria_and_reverse_of_one_only(tmp_path: Path) -> None:
    """Section 3: REVERSE is of the next criterion, never of the sequence numbers that decide at last."""
    dates = [f"Tue, 24 Nov 2020 10:0{n}:00 +0000" for n in (1, 3, 2, 3)]
    client = opened(tmp_path, *[mail(s, d) for s, d in zip(("a", "a", "b", "a"), dates, strict=True)])
    assert order(client, "SORT (SUBJECT DATE) UTF-8 ALL") == [1, 2, 4, 3]
    assert order(client, "SORT (REVERSE SUBJECT DATE) UTF-8 ALL") == [3, 1, 2, 4]
    assert order(client, "SORT (SUBJECT REVERSE DATE) UTF-8 ALL") == [2, 4, 1, 3]
    assert order(client, "SORT (REVERSE SUBJECT) UTF-8 ALL") == [3, 1, 2, 4]
    assert order(client, "SORT (SUBJECT SUBJECT REVERSE SUBJECT) UTF-8 ALL") == [1, 2, 4, 3]


def test_only_what_is_found(tmp_path: Path) -> None:
    client = opened(tmp_path, *[mail(chr(ord("z") - n)) for n in range(20)])
    client.ok("STORE 3,5,9 +FLAGS (\\Seen)")
    assert order(client, "SORT (SUBJECT) UTF-8 SEEN") == [9, 5, 3]
    assert order(client, "SORT (SUBJECT) UTF-8 SEEN 1:4") == [3]
    assert order(client, "SORT (SUBJECT) UTF-8 KEYWORD none") == []
    assert order(client, "SORT (SUBJECT) UTF-8 UNSEEN") == [n for n in range(20, 0, -1) if n not in (3, 5, 9)]


def test_uid_sort_tells_uids(tmp_path: Path) -> None:
    """Section 3: also in a folder where these differ from numbers."""
    client = opened(tmp_path, mail("c"), mail("b"), mail("a"))
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    assert order(client, "UID SORT (SUBJECT) UTF-8 ALL") == [3, 2]
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]
    assert order(client, "UID SORT (SIZE) UTF-8 UID 2") == [2]


def test_it_follows_what_comes_and_goes(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(*[mail(subject) for subject in "mfz"])
    client, other = house.sign_in(), house.sign_in()
    client.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    assert order(client, "UID SORT (SUBJECT) UTF-8 ALL") == [2, 1, 3]
    assert order(client, "UID SORT (REVERSE SUBJECT) UTF-8 ALL") == [3, 1, 2]
    house.deliver(mail("g"), mail("a"), mail("m"))
    client.ok("NOOP")
    assert order(client, "UID SORT (SUBJECT) UTF-8 ALL") == [5, 2, 4, 1, 6, 3]
    assert order(client, "UID SORT (REVERSE SUBJECT) UTF-8 ALL") == [3, 1, 6, 4, 2, 5]
    other.ok("NOOP")
    other.ok("STORE 2,5 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    client.ok("NOOP")
    assert order(client, "UID SORT (SUBJECT) UTF-8 ALL") == [4, 1, 6, 3]
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [3, 1, 4, 2]
    assert order(client, "SORT (REVERSE SUBJECT) UTF-8 2:4") == [2, 4, 3]


def test_what_came_and_is_not_told_yet_is_right_when_it_is(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(mail("c"), mail("b"))
    client, other = house.sign_in(), house.sign_in()
    client.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    house.deliver(mail("a"))
    assert b"* SORT 2 1\r\n" in client.ok("SORT (SUBJECT) UTF-8 ALL")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [3, 2, 1]
    other.ok("NOOP")
    assert order(other, "SORT (SUBJECT) UTF-8 ALL") == [3, 2, 1]


def test_many_expunges(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(*[mail(f"{n:04}") for n in range(300, 0, -1)])
    client, other = house.sign_in(), house.sign_in()
    client.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    client.ok("SORT (SUBJECT) UTF-8 ALL")
    other.ok("STORE 1:200 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    house.deliver(mail("0000"))
    assert order(other, "UID SORT (SUBJECT) UTF-8 ALL") == list(range(300, 200, -1))
    other.ok("NOOP")
    assert order(other, "UID SORT (SUBJECT) UTF-8 ALL") == list(range(301, 200, -1))
    # the other still shows what is gone: a new answer has it at the end
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == list(range(300, 0, -1))
    assert order(client, "SORT (SUBJECT) UTF-8 1:299") == [*range(299, 200, -1), *range(1, 201)]
    client.ok("NOOP")
    assert order(client, "UID SORT (SUBJECT) UTF-8 ALL") == list(range(301, 200, -1))


def test_an_expunge_that_is_not_told_yet_shifts_no_number(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(mail("c"), mail("b"), mail("a"))
    client, other = house.sign_in(), house.sign_in()
    client.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [3, 2, 1]
    other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE")
    said = client.ok("SORT (SUBJECT) UTF-8 ALL")
    assert b"* SORT 3 2 1\r\n" in said
    assert b"EXPUNGE" not in said
    assert b"EXPUNGE" in client.ok("UID SORT (SUBJECT) UTF-8 ALL")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]


def test_what_was_read_is_kept(tmp_path: Path) -> None:
    """The digests are in the index: a new server reads no message for them."""
    opened(tmp_path, mail("b"), mail("a")).ok("SORT (SUBJECT) UTF-8 ALL")
    house = House(tmp_path)
    assert len(house.mailboxes.summaries(ADDRESS, "INBOX", [1, 2])) == 2
    for path in Path(tmp_path, "spool").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]


def test_digests_of_another_version_are_made_anew(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(mail("b"), mail("a"))
    house.mailboxes.keep_summaries(ADDRESS, "INBOX", [(1, b"\0old"), (2, b"")])
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]
    kept = house.mailboxes.summaries(ADDRESS, "INBOX", [1, 2])
    assert [Digest.from_bytes(kept[uid]).text("subject") for uid in (1, 2)] == ["B", "A"]


def test_copies_need_no_reading(tmp_path: Path) -> None:
    """A digest goes along with COPY and MOVE, and goes with its message."""
    house = House(tmp_path)
    house.deliver(mail("b"), mail("a"))
    client = house.sign_in()
    client.ok("SELECT INBOX")
    client.ok("SORT (SUBJECT) UTF-8 ALL")
    client.ok("COPY 1:2 Archive")
    client.ok("MOVE 1 Trash")
    assert len(house.mailboxes.summaries(ADDRESS, "Archive", [1, 2])) == 2
    assert len(house.mailboxes.summaries(ADDRESS, "Trash", [1])) == 1
    assert list(house.mailboxes.summaries(ADDRESS, "INBOX", [1, 2])) == [2]


def test_charsets(tmp_path: Path) -> None:
    """Section 3: the charset is required; US-ASCII and UTF-8 there must be."""
    client = opened(tmp_path, mail("=?utf-8?q?=C3=A4?="), mail("b"))
    assert order(client, "SORT (SUBJECT) US-ASCII ALL") == [1, 2]
    assert order(client, 'SORT (SUBJECT) "utf-8" SUBJECT "Ä"') == [1]
    assert client.no("SORT (SUBJECT) KLINGON ALL").startswith(b"NO [BADCHARSET (")


@pytest.mark.parametrize(
    "arguments",
    [
        "", "(DATE)", "(DATE) UTF-8", "DATE UTF-8 ALL", "() UTF-8 ALL", "(REVERSE) UTF-8 ALL",
        "(REVERSE REVERSE DATE) UTF-8 ALL", "(DATE REVERSE) UTF-8 ALL", "(COLOUR) UTF-8 ALL", "(DATE) UTF-8 FOO",
        "RETURN (FOO) (DATE) UTF-8 ALL", "RETURN MIN (DATE) UTF-8 ALL",
    ],
)  # fmt: skip
def test_what_is_no_sort(tmp_path: Path, arguments: str) -> None:
    client = opened(tmp_path, mail())
    client.bad(f"SORT {arguments}")
    client.ok("NOOP")


def test_a_folder_must_be_selected(tmp_path: Path) -> None:
    House(tmp_path).sign_in().bad("SORT (DATE) UTF-8 ALL")


def test_an_empty_folder(tmp_path: Path) -> None:
    client = opened(tmp_path)
    for criterion in ("DATE", "SIZE", "SUBJECT"):
        assert order(client, f"SORT ({criterion}) UTF-8 ALL") == []


def test_result_options(tmp_path: Path) -> None:
    """RFC 5267 section 3.1: lowest and highest are those of the order; ALL keeps the order."""
    client = opened(tmp_path, mail("c"), mail("a"), mail("b"), mail("d"))
    said = client.ok("SORT RETURN (MIN MAX COUNT ALL) (SUBJECT) UTF-8 ALL")
    assert re.search(rb'^\* ESEARCH \(TAG "\w+"\) MIN 2 MAX 4 ALL 2:3,1,4 COUNT 4\r\n', said)
    assert b"* SORT" not in said
    said = client.ok("UID SORT RETURN () (REVERSE SUBJECT) UTF-8 ALL")
    assert re.search(rb'^\* ESEARCH \(TAG "\w+"\) UID ALL 4,1,3,2\r\n', said)
    said = client.ok("SORT RETURN (MIN COUNT) (SUBJECT) UTF-8 SEEN")
    assert re.search(rb'^\* ESEARCH \(TAG "\w+"\) COUNT 0\r\n', said)


def test_saved_results(tmp_path: Path) -> None:
    """RFC 5182: SORT may save what it found and use what was saved."""
    client = opened(tmp_path, mail("c"), mail("a"), mail("b"))
    assert b"ESEARCH" not in client.ok("SORT RETURN (SAVE) (SUBJECT) UTF-8 2:3")
    assert order(client, "SORT (REVERSE SUBJECT) UTF-8 $") == [3, 2]
    client.ok("SORT RETURN (SAVE MIN) (SUBJECT) UTF-8 ALL")
    assert order(client, "SORT (SUBJECT) UTF-8 $") == [2]
    client.no("SORT (SUBJECT) KLINGON ALL")
    client.bad("SORT RETURN (SAVE) (NONSENSE) UTF-8 ALL")
    assert order(client, "SORT (SUBJECT) UTF-8 $") == [2]
    # section 2.1: what is refused with NO leaves nothing saved
    client.no("SORT RETURN (SAVE) (SUBJECT) KLINGON ALL")
    assert order(client, "SORT (SUBJECT) UTF-8 $") == []


def test_mod_sequences(tmp_path: Path) -> None:
    """RFC 7162 section 3.1.6: the highest of what is told."""
    client = opened(tmp_path, mail("c"), mail("a"), mail("b"))
    client.ok("STORE 2 +FLAGS (\\Seen)")
    modseqs = [int(n) for n in re.findall(rb"MODSEQ \((\d+)\)", client.ok("FETCH 1:3 (MODSEQ)"))]
    said = client.ok("SORT (SUBJECT) UTF-8 MODSEQ 1")
    assert b"* SORT 2 3 1 (MODSEQ %d)\r\n" % max(modseqs) in said
    said = client.ok("SORT RETURN (MAX) (SUBJECT) UTF-8 MODSEQ 1")
    assert b"MAX 1 MODSEQ %d\r\n" % modseqs[0] in said
    assert b"* SORT\r\n" in client.ok(f"SORT (SUBJECT) UTF-8 MODSEQ {max(modseqs) + 1}")


def test_memory_is_given_back_when_nobody_asks(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(mail("b"), mail("a"))
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]
    box = house.shadow.box(ADDRESS)
    heavy = box.weight
    house.clock.advance(IDLE - 1)
    assert order(client, "SORT (DATE) UTF-8 ALL") == [1, 2]
    house.clock.advance(2)
    assert box.weight == heavy
    house.clock.advance(IDLE)
    assert 0 < box.weight < heavy
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]
    client.ok("UNSELECT")
    house.clock.advance(2 * IDLE)
    assert box.weight == 0
    client.ok("SELECT INBOX")
    assert order(client, "SORT (SUBJECT) UTF-8 ALL") == [2, 1]
