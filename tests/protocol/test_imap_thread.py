"""THREAD (RFC 5256 section 3) with ORDEREDSUBJECT, REFERENCES and REFS (draft-ietf-morg-inthread)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House


def mail(id: int, minute: int, subject: str = "x", to: str = "", field: str = "References") -> bytes:
    head = f"Message-ID: <{id}@x>\r\nDate: Tue, 24 Nov 2020 10:{minute:02d}:00 +0000\r\nSubject: {subject}\r\n"
    return (head + (f"{field}: {to}\r\n" if to else "") + "\r\nbody\r\n").encode()


def opened(path: Path, *mails: bytes) -> Client:
    house = House(path)
    house.deliver(*mails)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


def threads(client: Client, command: str) -> str:
    said = client.ok(command)
    lines = re.findall(rb"^\* THREAD ?([()\d ]*)\r\n", said, re.MULTILINE)
    assert len(lines) == 1, said
    return str(lines[0].decode())


def test_it_is_offered(tmp_path: Path) -> None:
    offered = House(tmp_path).sign_in().ok("CAPABILITY").split()
    assert {b"THREAD=ORDEREDSUBJECT", b"THREAD=REFERENCES", b"THREAD=REFS"} <= set(offered)


def test_references(tmp_path: Path) -> None:
    """A thread of one, a chain, and a split."""
    client = opened(
        tmp_path,
        mail(1, 1, "a"), mail(2, 2, "Re: a", "<1@x>"), mail(3, 3, "Re: a", "<1@x> <2@x>"), mail(4, 4, "Re: a", "<1@x>"),
        mail(5, 0, "other"),
    )  # fmt: skip
    assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(5)(1 (2 3)(4))"


def test_in_reply_to(tmp_path: Path) -> None:
    """Section 3, step 1.A: its first message id, when there are no References."""
    client = opened(tmp_path, mail(1, 1, "a"), mail(2, 2, "b", "your mail <1@x> <9@x>", "In-Reply-To"))
    assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(1 2)"
    assert threads(client, "THREAD REFS UTF-8 ALL") == "(1 2)"


def test_what_is_missing_or_not_found_joins_its_answers(tmp_path: Path) -> None:
    """Step 3, and the search: threads are made of what it finds only."""
    client = opened(tmp_path, mail(1, 1, "a"), mail(2, 2, "b", "<1@x>"), mail(3, 3, "c", "<1@x>"))
    assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(1 (2)(3))"
    assert threads(client, "THREAD REFERENCES UTF-8 2:3") == "((2)(3))"
    assert threads(client, "THREAD REFERENCES UTF-8 3") == "(3)"
    assert threads(client, "THREAD REFERENCES UTF-8 SEEN") == ""


def test_one_subject_is_one_thread_but_for_refs(tmp_path: Path) -> None:
    """Step 5; compared without case (i;unicode-casemap)."""
    client = opened(tmp_path, mail(1, 1, "Gr=?utf-8?q?=C3=BC=C3=9Fe?="), mail(2, 2, "re: =?utf-8?q?GR=C3=9C=C3=9F?=E"))
    assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(1 2)"
    assert threads(client, "THREAD REFS UTF-8 ALL") == "(1)(2)"


def test_refs_puts_the_thread_with_the_latest_message_last(tmp_path: Path) -> None:
    client = opened(tmp_path, mail(1, 1, "a"), mail(2, 2, "b"), mail(3, 3, "Re: a", "<1@x>"))
    assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(1 3)(2)"
    assert threads(client, "THREAD REFS UTF-8 ALL") == "(2)(1 3)"


def test_ordered_subject(tmp_path: Path) -> None:
    """Section 3: the second message of a thread and all others are children of the first."""
    client = opened(
        tmp_path, mail(1, 9, "b"), mail(2, 3, "a"), mail(3, 5, "Re: b"), mail(4, 7, "Fwd: b"), mail(5, 4, "Re: a")
    )
    assert threads(client, "THREAD ORDEREDSUBJECT UTF-8 ALL") == "(2 5)(3 (4)(1))"


def test_uid_thread(tmp_path: Path) -> None:
    client = opened(tmp_path, mail(9, 0, "x"), mail(1, 1, "a"), mail(2, 2, "Re: a", "<1@x>"))
    client.ok("STORE 1 +FLAGS (\\Deleted)")
    client.ok("EXPUNGE")
    assert threads(client, "UID THREAD REFS UTF-8 ALL") == "(2 3)"
    assert threads(client, "THREAD REFS UTF-8 ALL") == "(1 2)"


def test_it_follows_what_comes_and_goes(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(mail(1, 1, "a"), mail(3, 3, "c", "<1@x> <2@x>"))
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert threads(client, "UID THREAD REFS UTF-8 ALL") == "(1 2)"
    house.deliver(mail(2, 2, "b", "<1@x>"))
    client.ok("NOOP")
    assert threads(client, "UID THREAD REFS UTF-8 ALL") == "(1 3 2)"
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    assert threads(client, "UID THREAD REFS UTF-8 ALL") == "(3 2)"
    assert threads(client, "THREAD REFS UTF-8 ALL") == "(2 1)"


@pytest.mark.parametrize("arguments", ["", "REFS", "REFS UTF-8", "JWZ UTF-8 ALL", "REFS UTF-8 FOO", "(REFS) UTF-8 ALL"])
def test_what_is_no_thread(tmp_path: Path, arguments: str) -> None:
    client = opened(tmp_path, mail(1, 1))
    client.bad(f"THREAD {arguments}")
    client.ok("NOOP")


def test_charsets(tmp_path: Path) -> None:
    client = opened(tmp_path, mail(1, 1, "=?utf-8?q?=C3=A4?="))
    assert threads(client, 'THREAD REFS UTF-8 SUBJECT "Ä"') == "(1)"
    assert client.no("THREAD REFS KLINGON ALL").startswith(b"NO [BADCHARSET (")


def test_an_empty_folder(tmp_path: Path) -> None:
    client = opened(tmp_path)
    for algorithm in ("ORDEREDSUBJECT", "REFERENCES", "REFS"):
        assert threads(client, f"THREAD {algorithm} UTF-8 ALL") == ""
