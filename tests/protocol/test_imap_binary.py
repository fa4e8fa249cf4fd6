"""BINARY (RFC 3516): parts without their transfer encoding, NUL and all."""

from __future__ import annotations

import base64
import quopri
import re
from collections import Counter
from pathlib import Path

import pytest

from stratamail.mail.transfer import decoder
from tests.protocol.imap_harness import Client, House

OCTETS = bytes(range(256)) * 40
MAIL = (
    b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe =\r\nall\r\n"
    b"--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(OCTETS).replace(b"\n", b"\r\n")
    + b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
    b"--c\r\nContent-Transfer-Encoding: BASE64\r\n\r\nQUJD\r\n--c--\r\n"
    b"--b\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n"
    b"--b\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\r\n--b--\r\n"
)
LINES = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=41=00z" * 200_000
PLAIN = b"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    house = House(tmp_path)
    house.deliver(MAIL, PLAIN)
    found = house.sign_in()
    found.ok("SELECT INBOX")
    return found


def test_the_capability(client: Client) -> None:
    """Section 4.1."""
    assert b" BINARY" in client.ok("CAPABILITY")


def test_a_part_is_decoded(client: Client) -> None:
    """Section 4.2, BINARY.PEEK; section 4.3: without NUL it is a plain literal."""
    assert client.ok("FETCH 1 BINARY.PEEK[1]") == b"* 1 FETCH (BINARY[1] {9}\r\nGr\xfc\xdfe all)\r\n"
    assert b"\\Seen" not in client.ok("FETCH 1 FLAGS")


def test_nul_comes_in_a_literal8(client: Client) -> None:
    """Section 4.3 and the grammar of literal8."""
    assert client.ok("UID FETCH 1 BINARY.PEEK[2]") == b"* 1 FETCH (UID 1 BINARY[2] ~{10240}\r\n" + OCTETS + b")\r\n"
    assert client.ok("FETCH 1 BINARY.PEEK[5]") == b"* 1 FETCH (BINARY[5] ~{3}\r\na\0b)\r\n"


def test_binary_marks_as_seen(client: Client) -> None:
    """Section 4.2: BINARY implicitly sets \\Seen, BINARY.PEEK and BINARY.SIZE do not."""
    client.ok("FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])")
    assert b"\\Seen" not in client.ok("FETCH 1 FLAGS")
    assert b"FLAGS (\\Seen" in client.ok("FETCH 1 BINARY[1]")


def test_the_size_is_of_what_binary_gives(client: Client) -> None:
    """Section 4.2, BINARY.SIZE."""
    got = client.ok("FETCH 1 (BINARY.SIZE[1] BINARY.SIZE[2] BINARY.SIZE[3] BINARY.SIZE[3.1] BINARY.SIZE[])")
    numbers = re.findall(rb"BINARY\.SIZE\[([0-9.]*)\] (\d+)", got)
    sizes = {part: int(size) for part, size in numbers}
    assert sizes[b"1"] == 9
    assert sizes[b"2"] == len(OCTETS)
    assert sizes[b"3.1"] == 3
    assert sizes[b""] == len(MAIL)
    for part, size in sizes.items():
        whole = client.ok(b"FETCH 1 BINARY.PEEK[" + part + b"]")
        assert b"{%d}" % size in whole


def test_partial_counts_decoded_octets(client: Client) -> None:
    """Section 4.3: the offset is one in the decoded data."""
    assert client.ok("FETCH 1 BINARY.PEEK[1]<3.3>") == b"* 1 FETCH (BINARY[1]<3> {3}\r\n\xdfe )\r\n"
    assert client.ok("FETCH 1 BINARY.PEEK[2]<1.5>") == b"* 1 FETCH (BINARY[2]<1> {5}\r\n\1\2\3\4\5)\r\n"
    assert client.ok("FETCH 1 BINARY.PEEK[2]<0.2>") == b"* 1 FETCH (BINARY[2]<0> ~{2}\r\n\0\1)\r\n"
    assert client.ok("FETCH 1 BINARY.PEEK[1]<100.3>") == b"* 1 FETCH (BINARY[1]<100> {0}\r\n)\r\n"


def test_nested_parts_and_containers(client: Client) -> None:
    """A container has no encoding of its own (RFC 2045 section 6.4); a leaf below it has."""
    assert client.ok("FETCH 1 BINARY.PEEK[3.1]") == b"* 1 FETCH (BINARY[3.1] {3}\r\nABC)\r\n"
    raw = client.ok("FETCH 1 BODY.PEEK[3]").replace(b"BODY[3]", b"BINARY[3]")
    assert client.ok("FETCH 1 BINARY.PEEK[3]") == raw
    whole = client.ok("FETCH 1 BINARY.PEEK[]")
    assert whole.startswith(b"* 1 FETCH (BINARY[] ~{%d}\r\n" % len(MAIL))


def test_a_message_of_one_part(client: Client) -> None:
    assert client.ok("FETCH 2 BINARY.PEEK[1]") == b"* 2 FETCH (BINARY[1] {3}\r\nABC)\r\n"
    assert PLAIN in client.ok("FETCH 2 BINARY.PEEK[]")


def test_no_such_part(client: Client) -> None:
    """RFC 3501 section 7.4.2: NIL for a part that is not there."""
    assert client.ok("FETCH 2 (BINARY.PEEK[7] BINARY.SIZE[7])") == b"* 2 FETCH (BINARY[7] NIL BINARY.SIZE[7] 0)\r\n"


def test_an_encoding_that_nobody_knows(client: Client) -> None:
    """Section 4.3: "it MUST fail the request and issue a NO response that contains the UNKNOWN-CTE"."""
    for item in ("BINARY.PEEK[4]", "BINARY.SIZE[4]"):
        untagged, tagged = client.do(f"FETCH 1:2 {item}")
        assert tagged.startswith(b"NO [UNKNOWN-CTE]")
        assert b"* 1 FETCH" not in untagged
    assert client.ok("FETCH 1 BODY.PEEK[4]") == b"* 1 FETCH (BODY[4] {3}\r\nodd)\r\n"


@pytest.mark.parametrize(
    "item", ["BINARY", "BINARY[HEADER]", "BINARY[1.MIME]", "BINARY.SIZE[1]<0.5>", "BINARY[1]<0.0>", "BINARY.PEEK[0]"]
)
def test_what_is_not_in_the_grammar(client: Client, item: str) -> None:
    """Section 7: section-binary holds numbers only; no range of a size."""
    client.bad(f"FETCH 1 {item}")


def test_a_large_part_is_decoded_in_pieces(tmp_path: Path) -> None:
    house = House(tmp_path)
    octets = OCTETS * 400
    house.deliver(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(octets)
        + b"\r\n--b\r\nContent-Transfer-Encoding: odd\r\n\r\nx\r\n--b--\r\n",
        LINES,
    )
    client = house.sign_in()
    client.ok("SELECT INBOX")
    assert client.ok("FETCH 1 BINARY.SIZE[1]") == b"* 1 FETCH (BINARY.SIZE[1] %d)\r\n" % len(octets)
    assert client.ok("FETCH 1 BINARY.PEEK[1]") == b"* 1 FETCH (BINARY[1] ~{%d}\r\n%b)\r\n" % (len(octets), octets)
    start = 1_000_003
    piece = octets[start : start + 70_000]
    got = client.ok(f"FETCH 1 BINARY.PEEK[1]<{start}.70000>")
    assert got == b"* 1 FETCH (BINARY[1]<%d> ~{70000}\r\n%b)\r\n" % (start, piece)
    assert client.do("FETCH 1 BINARY.PEEK[2]")[1].startswith(b"NO [UNKNOWN-CTE]")
    assert client.ok("FETCH 1 BINARY.PEEK[3]") == b"* 1 FETCH (BINARY[3] NIL)\r\n"
    assert client.ok("FETCH 2 BINARY[1]").count(b"A\0z" * 200_000) == 1


def test_slices_of_a_large_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 4.3; the next slice goes on where the last one ended, any other is as good."""
    house = House(tmp_path)
    octets = OCTETS * 100
    parts = [
        b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(octets),
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quopri.encodestring(octets, quotetabs=True),
    ]
    house.deliver(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + b"\r\n--b\r\n".join(parts) + b"\r\n--b--\r\n"
    )
    client = house.sign_in()
    client.ok("SELECT INBOX")
    opened = Counter[bytes]()
    monkeypatch.setattr("stratamail.servers.imap_large.decoder", lambda name: opened.update([name]) or decoder(name))

    def taken(part: int, start: int) -> bytes:
        got = client.ok(f"FETCH 1 BINARY.PEEK[{part}]<{start}.60000>")
        _, _, rest = got.partition(b"}\r\n")
        return rest.removesuffix(b")\r\n")

    for part in (1, 2):
        opened.clear()
        assert b"".join(taken(part, start) for start in range(0, len(octets) + 60_000, 60_000)) == octets
        # each slice looks whether the encoding is known; only the first one begins to decode
        assert sum(opened.values()) <= len(octets) // 60_000 + 4
        for start in (900_000, 1, 100_000, 99_999, 700_000, len(octets) - 1, len(octets)):
            assert taken(part, start) == octets[start : start + 60_000], start
    client.ok("SELECT Archive")


def test_what_was_appended_with_nul_comes_back(client: Client) -> None:
    """Section 4.4: no loss of data."""
    data = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\1\0\r\n\0"
    client.ok(b"APPEND INBOX ~{%d+}\r\n%b" % (len(data), data))
    assert client.ok("FETCH 3 BINARY.PEEK[1]") == b"* 3 FETCH (BINARY[1] ~{6}\r\n\0\1\0\r\n\0)\r\n"
