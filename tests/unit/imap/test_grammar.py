"""Arguments of the commands, right and wrong."""

from __future__ import annotations

from datetime import date

import pytest

from stratamail.imap import commands as ask
from stratamail.imap.grammar.table import parse
from stratamail.imap.search import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    Internal,
    Larger,
    Not,
    Numbers,
    Or,
    Sent,
    Text,
    Uids,
)  # fmt: skip
from stratamail.imap.sets import STAR, SequenceSet
from stratamail.imap.tokens import Cursor, ParseError


def read(text: bytes, *literals: bytes) -> ask.Command:
    return parse(Cursor(text.split(b"|") if literals else [text], list(literals)))


def program(text: bytes) -> object:
    command = read(b"SEARCH " + text)
    assert isinstance(command, ask.Search)
    return command.key


def test_fetch_items() -> None:
    command = read(b'FETCH 2:4 (FLAGS BODY[1.2.HEADER.FIELDS.NOT (a "B c")]<5.10> RFC822.TEXT BODYSTRUCTURE)')
    assert isinstance(command, ask.Fetch)
    section = command.items[1]
    assert isinstance(section, ask.Section)
    assert section == ask.Section(
        (1, 2), "HEADER.FIELDS.NOT", ("a", "B c"), False, (5, 10), 'BODY[1.2.HEADER.FIELDS.NOT (a "B c")]'
    )
    assert command.items[2] == ask.Section((), "TEXT", label="RFC822.TEXT")
    full = read(b"UID FETCH * FULL")
    assert isinstance(full, ask.Fetch)
    assert full.uid
    assert full.set == SequenceSet(((STAR, STAR),))
    assert full.items == ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY")
    twice = read(b"FETCH 1 (UID UID FLAGS UID)")
    assert isinstance(twice, ask.Fetch)
    assert twice.items == ("UID", "FLAGS")


def test_search_keys() -> None:
    assert program(b"ALL") == All()
    assert program(b"1:3,* UID 5 UNSEEN") == And((
        Numbers(SequenceSet(((1, 3), (STAR, STAR)))), Uids(SequenceSet(((5, 5),))), HasFlag("\\Seen", False),
    ))  # fmt: skip
    assert program(b"OR (FROM a SINCE 1-feb-2020) NOT LARGER 10") == Or(
        And((Header("from", "a"), Internal("since", date(2020, 2, 1)))), Not(Larger(10))
    )
    assert program(b'HEADER Message-ID "" SENTON "01-Jan-2021" KEYWORD $Fwd') == And((
        Header("message-id", ""), Sent("on", date(2021, 1, 1)), HasFlag("$Fwd"),
    ))  # fmt: skip
    assert program(b"NEW") == And((HasFlag("\\Recent"), HasFlag("\\Seen", False)))
    command = read(b"UID SEARCH RETURN () CHARSET utf-8 TEXT | BODY |", "é".encode(), b"x")
    assert isinstance(command, ask.Search)
    assert command.key == And((Text("é"), Body("x")))
    assert command.returns == frozenset(("ALL",))


def test_search_is_bounded_in_depth() -> None:
    for text in (b"NOT " * 100_000 + b"ALL", b"(" * 100_000, b"OR " * 100_000):
        with pytest.raises(ParseError) as caught:
            program(text)
        assert caught.value.code == "LIMIT"


def test_unknown_charset() -> None:
    with pytest.raises(ParseError) as caught:
        read(b"SEARCH CHARSET KLINGON-1 ALL")
    assert caught.value.code.startswith("BADCHARSET")


def test_folders() -> None:
    assert read(b"SELECT inbox") == ask.Select("INBOX")
    assert read(b'CREATE "&AOk-/x/"') == ask.Create("é/x")
    assert read(b'LIST (SUBSCRIBED) "" ("INBOX" %) RETURN (CHILDREN STATUS (MESSAGES UNSEEN))') == ask.List(
        "", ("INBOX", "%"), frozenset(("SUBSCRIBED",)), frozenset(("CHILDREN",)), ("MESSAGES", "UNSEEN"), True
    )
    assert read(b"STATUS Sent (MESSAGES UIDNEXT)") == ask.Status("Sent", ("MESSAGES", "UIDNEXT"))
    assert read(b"CREATE Sent (USE (\\Sent))") == ask.Create("Sent", "\\Sent")
    assert read(b'LSUB "" *') == ask.Lsub("", "*")


def test_store_flags() -> None:
    assert read(b"STORE 1 -FLAGS (\\sEEN Custom \\Recent)") == ask.Store(
        SequenceSet(((1, 1),)), "-", frozenset(("\\Seen", "Custom")), False, False
    )
    assert read(b"UID STORE 1 FLAGS.SILENT ()") == ask.Store(SequenceSet(((1, 1),)), "=", frozenset(), True, True)
    with pytest.raises(ParseError):
        read(b"STORE 1 FLAGS \\Odd")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"FROB",
        b"UID NOOP",
        b"UID",
        b"NOOP x",
        b"FETCH 0 FLAGS",
        b"FETCH 1 ()",
        b"FETCH 1 (FLAGS",
        b"FETCH 1 BODY[",
        b"FETCH 1 BODY[MIME]",
        b"FETCH 1 BODY[0]",
        b"FETCH 1 BODY[1.]",
        b"FETCH 1 BODY[]<0.0>",
        b"FETCH 1 BODY[HEADER.FIELDS ()]",
        b"FETCH 4294967296 FLAGS",
        b"FETCH 1:2:3 FLAGS",
        b"FETCH , FLAGS",
        b"LOGIN a",
        b"LOGIN a b c",
        b'LOGIN "a b',
        b"SELECT",
        b"SELECT \xff",
        b"SELECT &bad",
        b"STATUS x ()",
        b"STATUS x (FROB)",
        b"SEARCH",
        b"SEARCH FROB",
        b"SEARCH (ALL",
        b"SEARCH SINCE 32-Jan-2020",
        b"SEARCH SINCE x",
        b"SEARCH LARGER 99999999999",
        b'SEARCH TEXT "\xff"',
        b'LIST ""',
        b'LIST (FROB) "" *',
        b'LIST (RECURSIVEMATCH) "" *',
        b'LIST "" * RETURN (FROB)',
        b"ID (a)",
        b"ID x",
        b"ID (NIL x)",
        b"AUTHENTICATE",
        b"APPEND x",
        b"ENABLE",
        b"STORE 1 FROB (x)",
        b"CREATE x (FROB)",
        b"COPY 1",
        b"COPY x y",
    ],
)
def test_wrong_arguments_are_refused(text: bytes) -> None:
    with pytest.raises(ParseError):
        read(text)
