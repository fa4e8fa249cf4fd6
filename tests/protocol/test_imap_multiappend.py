"""MULTIAPPEND (RFC 3502): several messages in one APPEND, all of them or none; LITERAL+ (RFC 7888), APPENDLIMIT
(RFC 7889)."""

from __future__ import annotations

from pathlib import Path

from stratamail.config.settings import Limits
from stratamail.mail.reply import Unavailable
from stratamail.servers.imap_append import MOST
from tests.protocol.imap_harness import House

ONE = b"Subject: one\r\n\r\n1\r\n"
TWO = b"Subject: two\r\n\r\n22\r\n"


def now(data: bytes) -> bytes:
    return b"{%d+}\r\n%b" % (len(data), data)


def spooled(house: House) -> list[str]:
    return [path.name for path in Path(house.layout.spool).rglob("*") if path.is_file()]


def test_two_messages_and_the_set_of_their_uids(tmp_path: Path) -> None:
    """Section 6.3.11; RFC 4315 section 3: APPENDUID holds a set, in the order of the messages."""
    client = House(tmp_path).sign_in()
    command = b'APPEND Sent (\\Seen) "07-Feb-1994 21:52:25 -0800" ' + now(ONE) + b" (\\Draft $Mine) " + now(TWO)
    untagged, tagged = client.do(command + b" " + now(b"x"))
    assert untagged == b""
    assert tagged.startswith(b"OK [APPENDUID ")
    assert tagged.split(b"]")[0].endswith(b" 1:3")
    client.ok("SELECT Sent")
    rows = client.ok("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])")
    assert b"FLAGS (\\Seen \\Recent)" in rows
    assert b"08-Feb-1994 05:52:25" in rows or b" 8-Feb-1994 05:52:25" in rows
    assert b"\\Draft" in rows
    assert b"$Mine" in rows
    assert ONE in rows
    assert TWO in rows


def test_synchronizing_literals_are_each_asked_for(tmp_path: Path) -> None:
    """RFC 3501 section 4.3: the server asks for each literal."""
    client = House(tmp_path).sign_in()
    assert client.send(b"a APPEND INBOX {3}\r\n") == b"+ OK\r\n"
    assert client.send(b"abc (\\Seen) {4}\r\n") == b"+ OK\r\n"
    assert client.send(b"abcd\r\n").startswith(b"a OK [APPENDUID ")
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1:* RFC822.SIZE").count(b"FETCH") == 2


def test_a_message_that_is_refused_takes_all_others_with_it(tmp_path: Path) -> None:
    """ "If the APPEND is unsuccessful for any reason, the mailbox MUST be restored to its state before"."""
    house = House(tmp_path, limits=Limits(message_size=100))
    client = house.sign_in()
    for bad in (now(b"x" * 101), b"(\\Odd) " + now(b"abc"), b'"yesterday" ' + now(b"abc"), b"junk", now(b"")):
        _, tagged = client.do(b"APPEND Sent " + now(ONE) + b" " + bad)
        assert tagged.startswith((b"NO", b"BAD")), bad
    assert client.ok("STATUS Sent (MESSAGES UIDNEXT)") == b"* STATUS Sent (MESSAGES 0 UIDNEXT 1)\r\n"
    assert spooled(house) == []
    assert house.committed == []
    assert client.ok("NOOP") == b""


def test_a_waiting_message_that_is_refused_is_not_sent(tmp_path: Path) -> None:
    house = House(tmp_path, limits=Limits(message_size=100))
    client = house.sign_in()
    assert client.send(b"a APPEND INBOX {3+}\r\nabc {101}\r\n").startswith(b"a NO [TOOBIG]")
    assert client.ok("NOOP") == b""


def test_a_message_of_no_octets_takes_the_command_back(tmp_path: Path) -> None:
    """ "A client can abort a MULTIAPPEND by sending a message of zero octets"."""
    house = House(tmp_path)
    client = house.sign_in()
    client.send(b"a APPEND INBOX {3}\r\n")
    client.send(b"abc {3}\r\n")
    assert client.send(b"def {0}\r\n").startswith(b"a NO ")
    assert client.ok("STATUS INBOX (MESSAGES)") == b"* STATUS INBOX (MESSAGES 0)\r\n"
    assert spooled(house) == []


def test_what_is_over_the_limit_in_count_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.send(b"a APPEND INBOX")
    for _ in range(MOST):
        assert client.send(b" " + now(b"x")) == b""
    assert client.send(b" " + now(b"x") + b"\r\n").startswith(b"a NO [LIMIT]")
    assert spooled(house) == []
    assert client.ok("STATUS INBOX (MESSAGES)") == b"* STATUS INBOX (MESSAGES 0)\r\n"


def test_a_failing_commit_leaves_none(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    house.failure = Unavailable(reason="test")
    client.no(b"APPEND INBOX " + now(ONE) + b" " + now(TWO))
    house.failure = None
    assert client.ok("STATUS INBOX (MESSAGES)") == b"* STATUS INBOX (MESSAGES 0)\r\n"


def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.send(b"a APPEND INBOX " + now(ONE) + b" {100+}\r\nhalf of")
    client.lose()
    client.read()
    assert spooled(house) == []
    assert house.committed == []


def test_an_unknown_mailbox_is_told_before_anything_comes(tmp_path: Path) -> None:
    """RFC 3501 section 6.3.11: TRYCREATE."""
    client = House(tmp_path).sign_in()
    assert client.send(b"a APPEND Nowhere {3}\r\n").startswith(b"a NO [TRYCREATE]")
    assert client.no(b"APPEND Nowhere " + now(ONE) + b" " + now(TWO)).startswith(b"NO [TRYCREATE]")


def test_the_sessions_that_look_are_told(tmp_path: Path) -> None:
    """RFC 3501 section 7.3.1: EXISTS, also for the session that appends to its own mailbox."""
    house = House(tmp_path)
    client, other = house.sign_in(), house.sign_in()
    client.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    assert b"* 2 EXISTS" in client.ok(b"APPEND INBOX " + now(ONE) + b" " + now(TWO))
    assert b"* 2 EXISTS" in other.ok("NOOP")


def test_the_limit_is_told_and_kept(tmp_path: Path) -> None:
    """RFC 7889 sections 2 and 4: the capability and the status item; a larger message is refused with TOOBIG."""
    client = House(tmp_path, limits=Limits(message_size=1000)).sign_in()
    assert b"APPENDLIMIT=1000" in client.ok("CAPABILITY")
    assert b"APPENDLIMIT 1000" in client.ok("STATUS INBOX (APPENDLIMIT)")
    assert client.send(b"a APPEND INBOX {1001}\r\n").startswith(b"a NO [TOOBIG]")
    assert client.no(b"APPEND INBOX " + now(b"x" * 1001)).startswith(b"NO [TOOBIG]")
    client.ok(b"APPEND INBOX " + now(b"x" * 1000))


def test_a_literal8_may_hold_nul(tmp_path: Path) -> None:
    """RFC 3516 section 4.4, and RFC 7888 for the plus."""
    client = House(tmp_path).sign_in()
    data = b"Content-Transfer-Encoding: binary\r\n\r\na\0b"
    assert client.send(b"a APPEND INBOX ~{%d}\r\n" % len(data)) == b"+ OK\r\n"
    assert client.send(data + b" ~{%d+}\r\n%b\r\n" % (len(data), data)).startswith(b"a OK")
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1:* BODY.PEEK[]").count(data) == 2
