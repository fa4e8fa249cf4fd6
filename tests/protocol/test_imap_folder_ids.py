"""What is told of a folder as a whole: its id (RFC 8474 MAILBOXID) and its size (RFC 8438 STATUS=SIZE)."""

from __future__ import annotations

import re
from pathlib import Path

from tests.protocol.imap_harness import Client, House


def id_of(answer: bytes) -> bytes:
    found = re.search(rb"MAILBOXID (\([A-Za-z0-9_-]{1,255}\))", answer)
    assert found is not None, answer
    return found.group(1)


def status_id(client: Client, name: str) -> bytes:
    return id_of(client.ok(f"STATUS {name} (MAILBOXID)"))


def test_create_select_status_and_list_tell_the_same_id(tmp_path: Path) -> None:
    """RFC 8474 sections 4.1 to 4.3; section 7 for its characters."""
    client = House(tmp_path).sign_in()
    made = id_of(client.do("CREATE x")[1])
    assert made == status_id(client, "x")
    assert made == id_of(client.ok("SELECT x"))
    assert made == id_of(client.ok("EXAMINE x"))
    assert made == id_of(client.ok('LIST "" x RETURN (STATUS (MAILBOXID))'))
    assert re.search(rb"\* OK \[MAILBOXID \(F[0-9a-f]+\)\] ", client.ok("SELECT x"))


def test_an_id_stays_with_a_rename(tmp_path: Path) -> None:
    """RFC 8474 section 4: MUST be the same while the UIDVALIDITY is."""
    client = House(tmp_path).sign_in()
    parent, child = id_of(client.do("CREATE x")[1]), id_of(client.do("CREATE x/y")[1])
    client.ok("RENAME x z")
    assert (status_id(client, "z"), status_id(client, "z/y")) == (parent, child)


def test_no_two_folders_have_one_id_and_none_has_it_again(tmp_path: Path) -> None:
    """RFC 8474 section 4: a mailbox that is made anew under the same name is another."""
    house = House(tmp_path)
    house.shared = {"anna@example.org": {"desk": "desk@example.org"}}
    client = house.sign_in()
    first = id_of(client.do("CREATE x")[1])
    client.ok("DELETE x")
    second = id_of(client.do("CREATE x")[1])
    listed = re.findall(rb"MAILBOXID (\(\S+\))\)", client.ok('LIST "" * RETURN (STATUS (MAILBOXID))'))
    assert len(listed) > 12
    assert len(listed) == len(set(listed))
    assert second in listed
    assert first not in listed


def test_rename_of_inbox_makes_another_folder(tmp_path: Path) -> None:
    """RFC 8474 section 4.1: INBOX keeps its id, what it was renamed to has its own."""
    house = House(tmp_path)
    house.deliver(b"x")
    client = house.sign_in()
    inbox = status_id(client, "INBOX")
    client.ok("RENAME INBOX old")
    assert status_id(client, "INBOX") == inbox != status_id(client, "old")


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    """RFC 8438 section 3: the sum of the RFC822.SIZE of its messages, open or not."""
    house = House(tmp_path)
    house.deliver(b"x" * 300, b"y" * 21)
    client = house.sign_in()
    assert b"STATUS=SIZE" in client.greeting or b"STATUS=SIZE" in client.ok("CAPABILITY")
    assert client.ok("STATUS INBOX (SIZE)") == b"* STATUS INBOX (SIZE 321)\r\n"
    client.ok("SELECT INBOX")
    assert client.ok("STATUS INBOX (MESSAGES SIZE)") == b"* STATUS INBOX (MESSAGES 2 SIZE 321)\r\n"
    client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    client.ok("EXPUNGE")
    assert client.ok('LIST "" INBOX RETURN (STATUS (SIZE))').endswith(b"* STATUS INBOX (SIZE 21)\r\n")
