"""Shared mailboxes: one mailbox, read by several people under ``Shared/NAME`` (RFC 2342, RFC 3501 section 5.1.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stratamail.tenancy.model import Mailbox
from tests.protocol.imap_harness import ADDRESS, Client, House

DESK = "desk@example.org"
BOB = "bob@example.org"
MAIL = b"From: x@example.net\r\nSubject: hello\r\n\r\nbody\r\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.passwords[BOB, "secret"] = Mailbox(2, 1, 1, BOB)
    house.shared = {ADDRESS: {"desk": DESK}, BOB: {"desk": DESK}}
    return house


def uid_of(code: bytes) -> bytes:
    found = re.search(rb"(?:APPEND|COPY)UID (\d+ [\d,: ]+)\]", code)
    assert found is not None, code
    return found.group(1)


def append(client: Client, name: str, data: bytes = MAIL, flags: str = "") -> bytes:
    tagged = client.do(f"APPEND {name} {flags}".rstrip().encode() + b" {%d+}\r\n%b" % (len(data), data))[1]
    assert tagged.startswith(b"OK"), tagged
    return uid_of(tagged)


def test_the_namespace_is_told(house: House) -> None:
    """RFC 2342 section 5: personal, other users', shared."""
    assert house.sign_in().ok("NAMESPACE") == b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n'


def test_all_readers_see_it_in_their_lists(house: House) -> None:
    for user in (ADDRESS, BOB):
        client = house.sign_in(user)
        assert b'* LIST (\\HasChildren) "/" Shared/desk\r\n' in client.ok('LIST "" *')
        assert b'"/" Shared\r\n' in client.ok('LIST "" %')
        assert client.ok('LIST "Shared/" %') == b'* LIST (\\HasChildren) "/" Shared/desk\r\n'
        # its Sent, Drafts … are no special folders of the person
        assert b"\\Sent" not in client.ok('LIST "" Shared/*')
        assert client.ok('LIST (SPECIAL-USE) "" Shared/*') == b""


def test_who_reads_nothing_has_an_empty_namespace(house: House) -> None:
    house.shared = {}
    client = house.sign_in()
    assert client.ok('LIST "Shared/" *') == b""
    assert b"[NONEXISTENT]" in client.no("SELECT Shared/desk")
    assert b"[NONEXISTENT]" in client.no("STATUS Shared/desk (MESSAGES)")
    assert b"[TRYCREATE]" in client.no(b"APPEND Shared/desk {4+}\r\nabcd")


def test_it_is_subscribed_to_once(house: House) -> None:
    client = house.sign_in()
    assert b'"/" Shared/desk\r\n' in client.ok('LSUB "" *')
    client.ok("UNSUBSCRIBE Shared/desk")
    assert b"Shared/desk" not in client.ok('LIST (SUBSCRIBED) "" *')
    # it is the person's own choice, and stays so
    assert b"Shared/desk" not in house.sign_in().ok('LSUB "" *')
    assert b"Shared/desk" in house.sign_in(BOB).ok('LSUB "" *')
    client.ok("SUBSCRIBE Shared/desk/Sent")
    assert client.ok('LIST (SUBSCRIBED) "" Shared/*') == b'* LIST (\\Subscribed) "/" Shared/desk/Sent\r\n'


def test_one_copy_with_one_set_of_flags_and_uids(house: House) -> None:
    house.deliver(MAIL, MAIL, to=DESK)
    anna, bob = house.sign_in(), house.sign_in(BOB)
    first = anna.ok("SELECT Shared/desk")
    assert b"* 2 EXISTS" in first
    second = bob.ok("SELECT Shared/desk")
    for word in (rb"UIDVALIDITY \d+", rb"UIDNEXT \d+", rb"MAILBOXID \(F[0-9a-f]+\)"):
        assert re.search(word, first).group() == re.search(word, second).group()  # type: ignore[union-attr]
    anna.ok("UID STORE 1 +FLAGS (\\Seen \\Flagged $label)")
    assert b"* 1 FETCH" in bob.ok("NOOP")
    assert b"FLAGS (\\Seen \\Flagged $label" in bob.ok("FETCH 1 FLAGS")
    bob.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert b"* 2 EXPUNGE" in bob.ok("EXPUNGE")
    assert b"* 2 EXPUNGE" in anna.ok("NOOP")
    assert anna.ok("UID SEARCH ALL") == b"* SEARCH 1\r\n"


def test_idling_readers_are_told_at_once(house: House) -> None:
    anna, bob = house.sign_in(), house.sign_in(BOB)
    for client in (anna, bob):
        client.ok("SELECT Shared/desk")
    anna.send(b"i IDLE\r\n")
    house.deliver(MAIL, to=DESK)
    assert b"* 1 EXISTS" in anna.read()
    bob.ok("NOOP")
    bob.ok("STORE 1 +FLAGS (\\Answered)")
    assert b"\\Answered" in anna.read()
    assert anna.send(b"DONE\r\n").endswith(b"i OK Idle completed\r\n")


def test_folders_below_it(house: House) -> None:
    anna, bob = house.sign_in(), house.sign_in(BOB)
    anna.ok('CREATE "Shared/desk/Kunden &APw-ber 9000/2024"')
    assert b'"/" "Shared/desk/Kunden &APw-ber 9000/2024"' in bob.ok('LIST "" Shared/desk/K*')
    bob.ok('RENAME "Shared/desk/Kunden &APw-ber 9000" Shared/desk/old')
    assert b'"/" Shared/desk/old/2024\r\n' in anna.ok('LIST "" Shared/desk/o*')
    for client in (anna, bob):
        client.ok("SUBSCRIBE Shared/desk/old/2024")
    bob.ok("RENAME Shared/desk/old Shared/desk/older")
    assert b'"/" Shared/desk/older/2024\r\n' in bob.ok('LIST (SUBSCRIBED) "" Shared/*')
    assert b"\\NonExistent" not in bob.ok('LIST (SUBSCRIBED) "" Shared/*')
    assert b'(\\NonExistent \\Subscribed) "/" Shared/desk/old/2024' in anna.ok('LIST (SUBSCRIBED) "" Shared/*')
    bob.ok("RENAME Shared/desk/older Shared/desk/old")
    bob.ok("SELECT Shared/desk/old/2024")
    bob.ok("DELETE Shared/desk/old/2024")
    assert b"old/2024" not in anna.ok('LIST "" Shared/*')
    assert b"[ALREADYEXISTS]" in anna.no("CREATE Shared/desk")


def test_a_folder_deleted_by_one_ends_the_session_of_another(house: House) -> None:
    anna, bob = house.sign_in(), house.sign_in(BOB)
    anna.ok("CREATE Shared/desk/x")
    bob.ok("SELECT Shared/desk/x")
    anna.ok("DELETE Shared/desk/x")
    assert b"* BYE" in bob.send(b"a NOOP\r\n")


def test_the_shared_mailbox_itself_stays(house: House) -> None:
    client = house.sign_in()
    assert b"[CANNOT]" in client.no("DELETE Shared/desk")
    assert b"[CANNOT]" in client.no("RENAME Shared/desk x")
    assert b"[CANNOT]" in client.no("RENAME Shared/desk Shared/desk/x")
    assert b"[CANNOT]" in client.no("RENAME Shared/desk/Sent Shared/desk2")
    assert b"[CANNOT]" in client.no("RENAME Sent Shared/desk/x")
    assert b"[CANNOT]" in client.no("RENAME Shared/desk/Sent Own")
    assert b"[CANNOT]" in client.no("CREATE Shared/other")
    assert b"[CANNOT]" in client.no("CREATE Shared")
    assert b"[USEATTR]" in client.no("CREATE Shared/desk/x (USE (\\Archive))")


def test_its_inbox_has_one_name(house: House) -> None:
    client = house.sign_in()
    assert b"INBOX" not in client.ok('LIST "" Shared/*')
    for command in ("SELECT Shared/desk/INBOX", "STATUS Shared/desk/inbox (MESSAGES)", "DELETE Shared/desk/Inbox"):
        assert b"[NONEXISTENT]" in client.no(command)
    assert b"[CANNOT]" in client.no("CREATE Shared/desk/inbox")


def test_a_folder_of_ones_own_that_was_called_so_before_stays_reachable(house: House) -> None:
    house.mailboxes.create(ADDRESS, "Shared/old")
    client = house.sign_in()
    assert b'"/" Shared/old\r\n' in client.ok('LIST "" Shared/o*')
    append(client, "Shared/old")
    assert b"MESSAGES 1" in client.ok("STATUS Shared/old (MESSAGES)")
    client.ok("RENAME Shared/old mine")
    assert b"MESSAGES 1" in client.ok("STATUS mine (MESSAGES)")


def test_a_folder_of_ones_own_behind_a_shared_one_is_not_listed(house: House) -> None:
    """What LIST names can be opened; a rename of what is above it brings it back."""
    house.mailboxes.create(ADDRESS, "Shared/desk/mine")
    client = house.sign_in()
    assert b"mine" not in client.ok('LIST "" Shared/*')
    assert b"[NONEXISTENT]" in client.no("SELECT Shared/desk/mine")
    client.ok("SUBSCRIBE Shared/desk/mine")
    assert b'(\\NonExistent \\Subscribed) "/" Shared/desk/mine' in client.ok('LIST (SUBSCRIBED) "" Shared/*')
    client.ok("RENAME Shared Before")
    assert b"* 0 EXISTS" in client.ok("SELECT Before/desk/mine")
    assert b"* 0 EXISTS" in client.ok("SELECT Shared/desk")


@pytest.mark.parametrize("name", ["Sent", "Shared/desk/Sent"])
def test_a_folder_that_is_open_stays_so_when_it_is_not_taken_away(house: House, name: str) -> None:
    client = house.sign_in()
    client.ok(f"SELECT {name}")
    for command in (
        f"RENAME {name} {name.replace('Sent', 'Drafts')}",
        f"RENAME {name} Shared/nobody/x",
        f"RENAME {name} {name}/below",
        f"DELETE {name}/nothing",
    ):
        client.no(command)
        client.ok("CHECK")
        client.ok("UID SEARCH ALL")
    client.ok(f"RENAME {name} {name}2")
    client.bad("CHECK")
    client.ok(f"SELECT {name}2")
    client.ok(f"DELETE {name}2")
    client.bad("CHECK")


def test_append_belongs_to_the_shared_mailbox(house: House) -> None:
    client = house.sign_in()
    client.ok("SELECT Shared/desk")
    code = append(client, "Shared/desk", flags="(\\Seen $word)")
    assert house.committed[-1].source.user == DESK
    assert house.committed[-1].folder == "INBOX"
    assert code.endswith(b" 1")
    assert b"$word" in client.ok("UID FETCH 1 FLAGS")
    append(client, "Shared/desk/Sent")
    assert house.committed[-1].folder == "Sent"
    assert b"[TRYCREATE]" in client.no(b"APPEND Shared/desk/nope {4+}\r\nabcd")


@pytest.mark.parametrize("uid", ["", "UID "])
def test_copy_between_own_and_shared(house: House, uid: str) -> None:
    """RFC 4315 section 3: COPYUID tells the UIDs there; flags and dates come along (RFC 3501 section 6.4.7)."""
    client = house.sign_in()
    for number in range(3):
        append(client, "INBOX", MAIL + b"%d" % number, flags="(\\Flagged kw)" if number else "")
    client.ok("SELECT INBOX")
    date = re.search(rb'INTERNALDATE "[^"]+"', client.ok("FETCH 2 INTERNALDATE"))
    tagged = client.do(f"{uid}COPY 2:3 Shared/desk")[1]
    target = client.ok("STATUS Shared/desk (UIDVALIDITY)")
    validity = re.search(rb"UIDVALIDITY (\d+)", target)
    assert validity is not None
    assert uid_of(tagged) == validity.group(1) + b" 2:3 1:2"
    bob = house.sign_in(BOB)
    bob.ok("SELECT Shared/desk")
    copied = bob.ok("FETCH 1:2 (FLAGS INTERNALDATE BODY.PEEK[])")
    assert copied.count(b"FLAGS (\\Flagged kw") == 2
    assert date is not None
    assert date.group() in copied
    assert MAIL + b"1" in copied
    # and back
    assert uid_of(bob.do(f"{uid}COPY 1 INBOX")[1]).endswith(b" 1 1")
    assert b"MESSAGES 1" in bob.ok("STATUS INBOX (MESSAGES)")
    assert b"MESSAGES 3" in client.ok("STATUS INBOX (MESSAGES)")


@pytest.mark.parametrize("uid", ["", "UID "])
def test_move_between_own_and_shared(house: House, uid: str) -> None:
    """RFC 6851 section 4.3: COPYUID, then the EXPUNGE responses, then OK."""
    house.deliver(MAIL, MAIL, MAIL)
    client = house.sign_in()
    other = house.sign_in()
    other.ok("SELECT INBOX")
    client.ok("SELECT INBOX")
    told, tagged = client.do(f"{uid}MOVE 1,3 Shared/desk/Archive")
    assert tagged.startswith(b"OK")
    assert uid_of(told).endswith(b" 1,3 1:2")
    assert told.index(b"COPYUID") < told.index(b"* 3 EXPUNGE") < told.index(b"* 1 EXPUNGE")
    assert client.ok("UID SEARCH ALL") == b"* SEARCH 2\r\n"
    gone = other.ok("NOOP")
    assert b"* 3 EXPUNGE" in gone
    assert b"* 1 EXPUNGE" in gone
    bob = house.sign_in(BOB)
    bob.ok("SELECT Shared/desk/Archive")
    assert bob.ok("UID SEARCH ALL") == b"* SEARCH 1 2\r\n"
    bob.ok(f"{uid}MOVE 1 Shared/desk")
    bob.ok(f"{uid}MOVE {2 if uid else 1} INBOX")
    assert b"MESSAGES 1" in bob.ok("STATUS INBOX (MESSAGES)")
    assert b"MESSAGES 1" in client.ok("STATUS Shared/desk (MESSAGES)")
    assert b"MESSAGES 0" in client.ok("STATUS Shared/desk/Archive (MESSAGES)")


def test_many_are_moved(house: House) -> None:
    house.deliver(*[MAIL] * 600)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    told, tagged = client.do("MOVE 1:* Shared/desk")
    assert tagged.startswith(b"OK")
    assert uid_of(told).endswith(b" 1:600 1:600")
    assert told.count(b"EXPUNGE") == 600


def test_nothing_moves_out_of_a_read_only_folder(house: House) -> None:
    house.deliver(MAIL, to=DESK)
    client = house.sign_in()
    client.ok("EXAMINE Shared/desk")
    assert b"[READ-ONLY]" in client.no("MOVE 1 INBOX")
    client.ok("COPY 1 INBOX")
    assert b"MESSAGES 1" in client.ok("STATUS INBOX (MESSAGES)")


def test_a_target_that_is_not_there(house: House) -> None:
    house.deliver(MAIL)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    for command in (
        "COPY 1 Shared/desk/x",
        "MOVE 1 Shared/desk/x",
        "COPY 1 Shared/nobody",
        "UID COPY 99 Shared/desk/x",
    ):
        assert b"[TRYCREATE]" in client.no(command)
    client.ok("UID COPY 99 Shared/desk")
    assert b"EXISTS" not in client.ok("NOOP")


def test_access_that_is_withdrawn_ends_at_once(house: House) -> None:
    house.deliver(MAIL)
    house.deliver(MAIL, to=DESK)
    anna, bob = house.sign_in(), house.sign_in(BOB)
    idle = house.sign_in()
    elsewhere = house.sign_in()
    idle.ok("SELECT Shared/desk")
    idle.send(b"i IDLE\r\n")
    anna.ok("SELECT Shared/desk")
    bob.ok("SELECT Shared/desk")
    elsewhere.ok("SELECT INBOX")
    del house.shared[ADDRESS]
    house.factory.drop(set())
    assert b"* BYE" in anna.read()
    assert b"* BYE" in idle.read()
    assert anna.wire.disconnecting
    bob.ok("FETCH 1 FLAGS")
    assert b"[TRYCREATE]" in elsewhere.no("COPY 1 Shared/desk")
    assert b"[NONEXISTENT]" in elsewhere.no("SELECT Shared/desk")


def test_two_of_the_same_name_and_odd_names(house: House) -> None:
    long = "x" * 64
    house.shared = {
        ADDRESS: {"desk": DESK, "desk@example.net": "desk@example.net", "grüße": "g@example.org", long: "l@example.org"}
    }
    house.deliver(MAIL, to="desk@example.net")
    client = house.sign_in()
    listed = client.ok('LIST "" Shared/%')
    for name in (
        b"Shared/desk\r\n",
        b"Shared/desk@example.net\r\n",
        b"Shared/gr&APwA3w-e\r\n",
        long.encode() + b"\r\n",
    ):
        assert name in listed
    assert b"MESSAGES 1" in client.ok("STATUS Shared/desk@example.net (MESSAGES)")
    assert b"MESSAGES 0" in client.ok("STATUS Shared/desk (MESSAGES)")
    assert b"* 0 EXISTS" in client.ok("SELECT Shared/gr&APwA3w-e")
    deep = f"Shared/{long}/" + "y" * 230
    client.ok(f"CREATE {deep}")
    client.ok(f"SUBSCRIBE {deep}")
    assert deep.encode() in client.ok(f'LSUB "" Shared/{long}/*')


def test_status_of_all_in_one_list(house: House) -> None:
    """RFC 5819."""
    house.deliver(MAIL, to=DESK)
    client = house.sign_in()
    listed = client.ok('LIST "" "Shared/%" RETURN (STATUS (MESSAGES UNSEEN))')
    assert listed == b'* LIST () "/" Shared/desk\r\n* STATUS Shared/desk (MESSAGES 1 UNSEEN 1)\r\n'
