"""Messages that should not be: each is served over IMAP without error, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.protocol.imap_harness import House

DEEP = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(500))
MESSAGES = {
    "no header": b"just text\r\n",
    "empty header": b"\r\nbody\r\n",
    "one octet": b"x",
    "no body": b"Subject: x\r\n",
    "NULs": b"Sub\0ject: \0\r\nFrom: \0@\0\r\n\r\n\0\0\r\n",
    "8-bit everywhere": bytes(range(256)) * 20,
    "bare CR and LF": b"A: b\rC: d\nE: f\n\rbody\r\r\nx\n",
    "long header line": b"X: "
    + b"a" * 200_000
    + b"\r\nTo: "
    + b"<" * 100_000
    + b"\r\nFrom: "
    + b"(" * 100_000
    + b"\r\n\r\n",
    "many addresses": b"To: " + b"a@b, " * 40_000 + b"\r\n\r\n",
    "deep": DEEP + b"\r\nx\r\n",
    "10,000 parts, 500 deep": DEEP + b"".join(b"--b%d\r\n\r\npart\r\n" % (n % 90) for n in range(10_000)),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 500 + b"x",
    "broken types": b"Content-Type: text/plain;\r\nContent-Disposition: ;;\r\nContent-Language: ,\r\n\r\nx",
    "boundary of nothing": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx\r\n----\r\n',
    "quotes": b'Subject: a"b\\c\r\nFrom: "a\\"b" <"x\\"y"@z>\r\nContent-Type: a/b; n="\\\\"\r\n\r\nx',
    "thousand parameters": b"Content-Type: text/plain" + b"; a=b" * 1000 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_it_is_served(tmp_path: Path, name: str) -> None:
    data = MESSAGES[name]
    house = House(tmp_path)
    house.deliver(data)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1 BODY.PEEK[]") == b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(data), data)
    got = client.ok("FETCH 1 (RFC822.SIZE ENVELOPE BODY BODYSTRUCTURE)")
    assert got.startswith(b"* 1 FETCH (RFC822.SIZE %d ENVELOPE (" % len(data))
    assert balanced(got)
    header, text = client.ok("FETCH 1 BODY.PEEK[HEADER]"), client.ok("FETCH 1 BODY.PEEK[TEXT]")
    assert literal(header) + literal(text) == data
    client.ok("FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1.1.1] BODY.PEEK[HEADER.FIELDS (FROM X)])")
    client.ok("UID SEARCH OR SUBJECT a TEXT part")


def literal(response: bytes) -> bytes:
    size, _, rest = response.partition(b"{")[2].partition(b"}\r\n")
    return rest[: int(size)]


def balanced(response: bytes) -> bool:
    """Whether the parentheses outside strings and literals match."""
    depth, pos = 0, 0
    while pos < len(response):
        char = response[pos : pos + 1]
        if char == b"{":
            end = response.index(b"}\r\n", pos)
            pos = end + 3 + int(response[pos + 1 : end])
            continue
        if char == b'"':
            pos += 1
            while response[pos : pos + 1] != b'"':
                pos += 2 if response[pos : pos + 1] == b"\\" else 1
        depth += (char == b"(") - (char == b")")
        if depth < 0:
            return False
        pos += 1
    return depth == 0
