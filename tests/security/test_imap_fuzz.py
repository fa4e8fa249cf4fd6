"""No command, however odd, is a fault of ours: never SERVERBUG, never silence."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.imap_harness import House
from tests.support.sizes import sized
from tests.unit.mail.test_structure import MIXED

SETS = ["1", "1:*", "*", "$", "2,9:3", "*:1", "4294967295", "0", "1:*,1"]
NAMES = [
    "INBOX",
    "inbox",
    "Sent",
    "nope",
    '""',
    '"a/b"',
    "a/b/",
    "/",
    "&AOk-",
    "&",
    '"a\\"b"',
    "..",
    "a.b",
    "x" * 300,
    "INBOX/x",
    '"*"',
]
FLAGS = ["\\Seen", "(\\Deleted $A)", "()", "(\\Recent)", "(a b c)", "(" + " ".join(f"k{n}" for n in range(80)) + ")"]
ITEMS = [
    "FLAGS",
    "(UID BODY[])",
    "BODY[1]<0.5>",
    "(BODY[2.2.MIME] BODY.PEEK[9])",
    "FULL",
    "(ENVELOPE BODYSTRUCTURE)",
    "BODY[2.HEADER]",
    "RFC822",
    "(BINARY[1] BINARY.SIZE[2.1])",
    "BINARY.PEEK[]<3.5>",
    "(PREVIEW (LAZY) PREVIEW SAVEDATE EMAILID THREADID)",
    "BODY.PEEK[HEADER.FIELDS (DATE SUBJECT)]",
    "(FLAGS) (CHANGEDSINCE 1)",
    "(UID) (CHANGEDSINCE 1 VANISHED)",
    "MODSEQ",
]
KEYS = [
    "ALL",
    "1:*",
    "UID *",
    "NOT SEEN",
    "OR FROM a TEXT b",
    'HEADER x ""',
    "SINCE 1-Jan-2000",
    "SENTBEFORE 1-Jan-2030",
    "KEYWORD $A",
    "LARGER 1",
    "NEW",
    "(OLD)",
    "$",
    "NOT UID $",
    "YOUNGER 10",
    "OLDER 1",
    "MODSEQ 1",
    "SAVEDSINCE 1-Jan-2000",
    "EMAILID Mx",
    "THREADID T",
    "SAVEDATESUPPORTED",
    'CHARSET UTF-8 SUBJECT "\u00e9"',
    "BODY body OR TO x SUBJECT y",
]


def pick(*lists: list[str]) -> st.SearchStrategy[str]:
    return st.tuples(*map(st.sampled_from, lists)).map(" ".join)


COMMANDS = st.one_of(
    pick(["SELECT", "EXAMINE", "CREATE", "DELETE", "SUBSCRIBE", "UNSUBSCRIBE"], NAMES),
    pick(["RENAME"], NAMES, NAMES),
    pick(["STATUS"], NAMES, ["(MESSAGES UNSEEN)", "(UIDNEXT RECENT UIDVALIDITY)"]),
    pick(["LIST", "LSUB"], ['""', '"a/"', "INBOX"], ['"*"', "%", '""', "INBOX", '"a/%/*"']),
    pick(["LIST (SUBSCRIBED RECURSIVEMATCH)"], ['""'], ["*", "%"], ["RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES))"]),
    pick(["", "UID"], ["FETCH"], SETS, ITEMS),
    pick(["", "UID"], ["STORE"], SETS, ["FLAGS", "+FLAGS", "-FLAGS.SILENT"], FLAGS),
    pick(["", "UID"], ["COPY", "MOVE"], SETS, NAMES),
    pick(
        ["", "UID"], ["SEARCH", "SEARCH RETURN (MIN COUNT)", "SEARCH RETURN (SAVE)", "SEARCH RETURN (ALL SAVE)"], KEYS
    ),
    pick(
        ["", "UID"], ["SORT"], ["(DATE)", "(REVERSE SUBJECT ARRIVAL)", "RETURN (COUNT) (DISPLAYFROM)"], ["UTF-8"], KEYS
    ),
    pick(["", "UID"], ["THREAD"], ["REFERENCES", "ORDEREDSUBJECT", "REFS"], ["US-ASCII"], KEYS),
    pick(["", "UID"], ["STORE"], SETS, ["(UNCHANGEDSINCE 1)", "(UNCHANGEDSINCE 99999999)"], ["FLAGS (\\Seen)"]),
    pick(["SELECT INBOX"], ["(CONDSTORE)", "(QRESYNC (1 1))", "(QRESYNC (1 1 1:3 (1 1)))"]),
    pick(["CREATE"], NAMES, ["(USE (\\Sent))", "(USE ())"]),
    pick(["STATUS"], NAMES, ["(SIZE MAILBOXID HIGHESTMODSEQ APPENDLIMIT)"]),
    pick(["GETQUOTAROOT"], NAMES),
    pick(["ENABLE"], ["CONDSTORE", "QRESYNC", "CONDSTORE QRESYNC X"]),
    st.sampled_from(['GETQUOTA ""', 'SETQUOTA "" (STORAGE 1)', 'ID ("a" "b")', 'LIST (SPECIAL-USE) "" "*"']),
    pick(["UID"], ["EXPUNGE"], SETS),
    st.sampled_from(["EXPUNGE", "CLOSE", "UNSELECT", "CHECK", "NOOP", "NAMESPACE", "CAPABILITY", "ENABLE X"]),
    pick(["APPEND"], NAMES, FLAGS, ["{3+}\r\nabc", "{0+}\r\n", "{5+}\r\nA: b\n junk", "~{2+}\r\n\0x (a) {1+}\r\nx"]),
).map(str.lstrip)


@settings(max_examples=sized(60, 600), deadline=None)
@given(st.lists(COMMANDS, max_size=25))
def test_every_command_gets_its_answer(commands: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.deliver(MIXED, b"x", b"Subject: y\r\n\r\nz")
        client = house.sign_in()
        client.ok("SELECT INBOX")
        for command in commands:
            untagged, tagged = client.do(command)
            assert tagged.startswith((b"OK", b"NO", b"BAD")), (command, untagged, tagged)
            assert b"SERVERBUG" not in tagged, command
        other = house.sign_in()
        other.ok("SELECT INBOX")


@settings(max_examples=sized(30, 300), deadline=None)
@given(st.lists(COMMANDS, max_size=15))
def test_no_command_does_anything_before_sign_in(commands: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.deliver(b"x")
        client = house.connect()
        for command in commands:
            if client.wire.disconnecting:
                break
            untagged, tagged = client.do(command)
            known = command.startswith(("CAPABILITY", "NOOP", "ID"))
            assert tagged.startswith(b"OK") == known or b"BYE" in tagged, (command, untagged, tagged)
        assert house.committed == []


@settings(max_examples=sized(30, 300), deadline=None)
@given(st.lists(COMMANDS, max_size=15))
def test_commands_without_a_selected_mailbox(commands: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        client = house.sign_in()
        for command in commands:
            untagged, tagged = client.do(command)
            assert tagged.startswith((b"OK", b"NO", b"BAD")), (command, untagged, tagged)
            assert b"SERVERBUG" not in tagged, command
