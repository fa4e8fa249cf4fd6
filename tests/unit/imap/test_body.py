"""ENVELOPE, BODYSTRUCTURE and sections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.body import bodystructure, envelope, extract, item
from stratamail.imap.commands import Fetch, Section
from stratamail.imap.grammar.table import parse
from stratamail.imap.render import string
from stratamail.imap.tokens import Cursor
from stratamail.mail.headers import fields, header_end
from stratamail.mail.structure import scan
from stratamail.mail.summary import summarise
from tests.unit.mail.test_structure import MIXED


def section(text: bytes) -> Section:
    command = parse(Cursor([b"FETCH 1 BODY.PEEK[" + text], []))
    assert isinstance(command, Fetch)
    (found,) = command.items
    assert isinstance(found, Section)
    return found


def get(text: bytes, data: bytes = MIXED) -> bytes | None:
    return extract(data, scan(data), section(text))


def test_envelope() -> None:
    block = b'Date: d\r\nFrom: A <a@x>\r\nTo: g: b@y;\r\nSubject: say "hi"\r\nMessage-ID: <1@x>\r\n'
    assert envelope(summarise(block)) == (
        b'("d" "say \\"hi\\"" (("A" NIL "a" "x")) (("A" NIL "a" "x")) (("A" NIL "a" "x")) '
        b'((NIL NIL "g" NIL)(NIL NIL "b" "y")(NIL NIL NIL NIL)) NIL NIL NIL "<1@x>")'
    )


def test_a_nul_is_left_out_of_strings() -> None:
    assert string(b"a\0b") == b'"ab"'
    assert string(b"\xe9\0") == b"{1}\r\n\xe9"


def test_strings_that_need_a_literal() -> None:
    assert string(b"a\xff") == b"{2}\r\na\xff"
    assert string(b"a\r\nb") == b"{4}\r\na\r\nb"
    assert string(b'a"\\') == b'"a\\"\\\\"'
    assert string(b"x" * 1001).startswith(b"{1001}\r\n")


def test_bodystructure() -> None:
    assert bodystructure(MIXED, scan(MIXED)) == (
        b'(("text" "plain" ("charset" "utf-8") NIL NIL "7BIT" 7 1 NIL ("attachment" ("filename" "a;b.txt")) NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7BIT" 159 (NIL "inner" NIL NIL NIL NIL NIL NIL NIL NIL) '
        b'(("text" "plain" NIL NIL NIL "7BIT" 5 0 NIL NIL NIL NIL)'
        b'("text" "html" NIL NIL NIL "BASE64" 4 0 NIL NIL NIL NIL)'
        b' "alternative" ("boundary" "y") NIL NIL NIL) 11 NIL NIL NIL NIL)'
        b' "mixed" ("boundary" "x") NIL NIL NIL)'
    )


def test_body_is_without_extensions() -> None:
    data = b"Content-Type: text/plain\r\n\r\nhi\r\n"
    assert bodystructure(data, scan(data), extended=False) == b'("text" "plain" NIL NIL NIL "7BIT" 4 1)'


def test_sections() -> None:
    assert get(b"]") == MIXED
    assert get(b"]<3.5>") == MIXED[3:8]
    assert get(b"]<99999.5>") == b""
    assert get(b"HEADER]") == MIXED[: MIXED.index(b"preamble")]
    assert get(b"TEXT]") == MIXED[MIXED.index(b"preamble") :]
    assert get(b"1]") == b"hello\r\n"
    assert get(b"2.HEADER]") == b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=y\r\n\r\n"
    assert get(b"2.HEADER.FIELDS (SUBJECT)]") == b"Subject: inner\r\n\r\n"
    assert get(b"2.TEXT]<0.3>") == b"--y"
    assert get(b"2.2.MIME]") == b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    for missing in (b"3]", b"1.1]", b"1.HEADER]", b"2.3]", b"1.TEXT]"):
        assert get(missing) is None


def test_header_fields() -> None:
    data = b"A: 1\r\nb: 2\r\n 3\r\nA: 4\r\n\r\nbody"
    assert get(b"HEADER.FIELDS (a)]", data) == b"A: 1\r\nA: 4\r\n\r\n"
    assert get(b"HEADER.FIELDS.NOT (A)]", data) == b"b: 2\r\n 3\r\n\r\n"
    assert get(b"HEADER.FIELDS (x)]", data) == b"\r\n"
    assert get(b"HEADER.FIELDS (a)]", b"A: 1\r\nB: 2\r\n") == b"A: 1\r\n", "no empty line of its own (6.4.5)"
    assert get(b"HEADER.FIELDS.NOT (b)]", b"A: 1") == b"A: 1"


@given(
    st.lists(st.sampled_from([b"a", b"B", b"ab", b":", b" :", b"\t", b" ", b"\r\n", b"\n", b"x", b"\r"]), max_size=30),
    st.sampled_from([(b"A",), (b"b", b"ab"), (b"a:",), (b"a.",)]),
)
def test_chosen_fields_are_those_of_the_header_reader(pieces: list[bytes], names: tuple[bytes, ...]) -> None:
    data = b"".join(pieces) + b"\r\n\r\nA: body\r\n"
    data = data[: header_end(data)]
    text = tuple(name.decode() for name in names)
    found = extract(data, None, Section((), "HEADER.FIELDS", text))
    kept = [data[f.start : f.end] for f in fields(data) if f.name in {name.lower() for name in names}]
    assert found == b"".join(kept) + b"\r\n"


def test_names_that_no_field_can_have() -> None:
    data = b"a:: x\r\na : y\r\n\r\n"
    assert extract(data, None, Section((), "HEADER.FIELDS", ("a:", "", "a b", "é"))) == b"\r\n"
    assert extract(data, None, Section((), "HEADER.FIELDS", ("A",))) == data


def test_item() -> None:
    assert item(section(b"1]<2.9>"), b"abc") == b"BODY[1]<2> {3}\r\nabc"
    assert item(section(b"9]"), None) == b"BODY[9] NIL"
