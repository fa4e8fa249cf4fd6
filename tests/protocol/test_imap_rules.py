"""Rules of RFC 3501 that no extension's tests come by: names, literals wherever a string may stand, EXAMINE, the
numbers that outlive a folder, sections of messages that have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import Client, House

MAIL = b"Subject: x\r\nFrom: a@example.org\r\n\r\nbody\r\n"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    house = House(tmp_path)
    house.deliver(*[MAIL] * 3)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    return client


@pytest.mark.parametrize("name", ["&", "&AEk-NBOX", "a&AOk", "", "/", "/x", "x//y"])
def test_names_that_cannot_be(client: Client, name: str) -> None:
    """Section 5.1.3: what is printable ASCII is never in base64, and a shift is ended."""
    assert client.no(f'CREATE "{name}"').startswith(b"NO [CANNOT]")


def test_inbox_in_any_case(client: Client) -> None:
    """Section 5.1; its children are as they are written."""
    client.ok("CREATE iNbOx/Kid")
    assert client.no("CREATE inbox").startswith(b"NO [ALREADYEXISTS]")
    assert b'"/" INBOX/Kid\r\n' in client.ok('LIST "" inbox/%')
    assert client.ok('LIST "" INBOX/kid') == b""
    client.no("DELETE iNBOX")
    client.no("RENAME INBOX inbox")


def test_a_folder_does_not_become_its_own_child(client: Client) -> None:
    """Section 6.3.5; a refusal leaves all as it was."""
    client.ok("CREATE a/")
    client.ok("SELECT a")
    client.no("RENAME a a/b")
    client.ok("CHECK")
    assert b'"/" a\r\n' in client.ok('LIST "" a*')


def test_numbers_outlive_a_folder(client: Client) -> None:
    """Section 2.3.1.1: no UID twice under one UIDVALIDITY."""
    client.ok("CREATE v")
    client.ok("COPY 1:2 v")
    client.ok("SELECT v")
    client.ok(r"STORE 1:2 +FLAGS.SILENT (\Deleted)")
    client.ok("CLOSE")
    before = client.ok("STATUS v (UIDNEXT)"), client.ok("STATUS v (UIDVALIDITY)")
    assert b"UIDNEXT 3" in before[0]
    client.ok("DELETE v")
    client.ok("CREATE v")
    after = client.ok("STATUS v (UIDVALIDITY)")
    assert int(after.split()[-1].strip(b")")) > int(before[1].split()[-1].strip(b")"))


@pytest.mark.parametrize(
    "command",
    [
        r"STORE 1 +FLAGS (\Seen)", "STORE 1 FLAGS.SILENT ()", "UID STORE 99 +FLAGS (x)", "EXPUNGE", "UID EXPUNGE 1:*",
        "MOVE 1 Trash", "UID MOVE 1 Trash", "UID MOVE 99 Trash", "MOVE 1 nowhere",
    ],
)  # fmt: skip
def test_examine_changes_nothing(client: Client, command: str) -> None:
    """Section 6.3.2."""
    client.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    assert b"[PERMANENTFLAGS ()]" in client.ok("EXAMINE INBOX")
    before = client.ok("FETCH 1:* (UID FLAGS)")
    assert client.no(command).startswith(b"NO [READ-ONLY]")
    client.ok("FETCH 1 BODY[]")
    client.ok("COPY 1 Trash")
    assert client.ok("FETCH 1:* (UID FLAGS)") == before
    client.ok("CLOSE")
    assert b"MESSAGES 3" in client.ok("STATUS INBOX (MESSAGES)")


def test_literals_wherever_a_string_may_stand(client: Client) -> None:
    """Section 4.3."""
    assert b"INBOX" in client.ok('LIST {0+}\r\n ({1+}\r\n% "x")')
    assert client.ok("SEARCH SUBJECT {1+}\r\nx") == client.ok("SEARCH HEADER {7+}\r\nSubject {1+}\r\nx")
    assert b"MESSAGES 3" in client.ok("STATUS {5+}\r\niNbOx (MESSAGES)")
    said = client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\nSubject)]")
    assert b"BODY[HEADER.FIELDS (Subject)] {14}\r\n" in said
    client.ok("SELECT {5+}\r\nINBOX")
    other = client.house.connect()
    other.ok("LOGIN {16+}\r\nanna@example.org {6+}\r\nsecret")


@pytest.mark.parametrize(
    "command",
    ["SELECT ~{5+}\r\nINBOX", "SEARCH SUBJECT ~{1+}\r\nx", "SEARCH {7+}\r\nSUBJECT x", "STORE 1 {5+}\r\nFLAGS ()"],
)
def test_literals_where_none_may_stand(client: Client, command: str) -> None:
    """RFC 3516 section 4.4: a literal8 in APPEND only; words of the protocol are atoms. The octets are taken along."""
    client.bad(command)
    client.ok("NOOP")


def test_logout_is_no_end_of_idle(client: Client) -> None:
    """RFC 2177 section 3: DONE is."""
    assert client.send(b"i IDLE\r\n") == b"+ idling\r\n"
    assert client.send(b"o LOGOUT\r\n").startswith(b"i BAD")
    assert client.send(b"p LOGOUT\r\n").startswith(b"* BYE")


@pytest.mark.parametrize(
    ("section", "found"),
    [
        ("[1]", b"body\r\n"),
        ("[1.MIME]", b"Subject: x\r\nFrom: a@example.org\r\n\r\n"),
        ("[1.HEADER]", None),
        ("[1.TEXT]", None),
        ("[2]", None),
        ("[]<1000.10>", b""),
        ("[TEXT]<2.99>", b"dy\r\n"),
        ("[HEADER.FIELDS (NOPE)]", b"\r\n"),
    ],
)
def test_sections_of_a_message_of_one_part(client: Client, section: str, found: bytes | None) -> None:
    """Section 6.4.5."""
    said = client.ok(f"FETCH 1 BODY.PEEK{section}")
    ending = b" NIL)\r\n" if found is None else b" {%d}\r\n%b)\r\n" % (len(found), found)
    assert said.endswith(ending)


@pytest.mark.parametrize("section", ["[0]", "[1.]", "[MIME]", "[]<0.0>", "[]<5>", "[HEADER.FIELDS ()]", "[1.NOPE]"])
def test_sections_that_are_none(client: Client, section: str) -> None:
    """Section 9."""
    client.bad(f"FETCH 1 BODY.PEEK{section}")
