"""No command, however odd, is a fault of ours: never SERVERBUG, never silence."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.imap_harness import House
from tests.support.sizes import sized
from tests.unit.mail.test_structure import MIXED

SETS = ["1", "1:*", "*", "2,9:3", "*:1", "4294967295", "0", "1:*,1"]
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
    pick(["", "UID"], ["SEARCH", "SEARCH RETURN (MIN COUNT)"], KEYS),
    pick(["UID"], ["EXPUNGE"], SETS),
    st.sampled_from(["EXPUNGE", "CLOSE", "UNSELECT", "CHECK", "NOOP", "NAMESPACE", "CAPABILITY", "ENABLE X"]),
    pick(["APPEND"], NAMES, FLAGS, ["{3+}\r\nabc", "{0+}\r\n", "{5+}\r\nA: b\n junk"]),
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
