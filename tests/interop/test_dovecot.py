"""ENVELOPE, BODY and BODYSTRUCTURE of awkward messages: the same as Dovecot's, but for what either may choose.

Left out is what the two read differently on purpose: addresses without a host (Dovecot writes MISSING_DOMAIN), repeated
fields (the last instead of the first), multiparts without parts (an empty part instead of the text that is there),
types that are no types, encoded messages, continued parameters (joined), the line end before an outer boundary.
"""

# ruff: noqa: E501  (a message a line)
from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.protocol.imap_harness import House
from tests.support import dovecot

pytestmark = pytest.mark.interop

PLAIN = b"From: A <a@x.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n"
MIME = b"From: a@x.org\nMIME-Version: 1.0\n"
MESSAGES = {
    "group": b'From: A <a@x.org>\nTo: Friends: b@x.org, "C D" <c@x.org>;, e@x.org\nCc: undisclosed-recipients:;\n\nx\n',
    "groupopen": b"From: A <a@x.org>\nTo: Friends: b@x.org\n\nx\n",
    "route": b"From: <@r1,@r2:a@x.org>\nTo: N <@r:a@x.org>\n\nx\n",
    "quotedlocal": b'From: "a b"@x.org\nTo: "a@b"@x.org, a.b.c@[127.0.0.1]\n\nx\n',
    "8bit": "From: Zoë <z@x.org>\nSubject: grüße\nTo: é@x.org\n\nx\n".encode(),
    "latin1": "From: Zoë <z@x.org>\nSubject: grüße\n\nx\n".encode("latin-1"),
    "encword": b"From: =?utf-8?q?Z=C3=B6?= <z@x.org>\nSubject: =?utf-8?b?w6k=?=\n =?utf-8?b?w6k=?=\n\nx\n",
    "nohdr": b"\nhello\n",
    "nosubj": b"From: a@x.org\nSubject:\nTo:\nMessage-ID:\n\nx\n",
    "senderempty": b"From: a@x.org\nSender: \nReply-To: \n\nx\n",
    "sender2": b"From: a@x.org\nSender: s@x.org\nReply-To: r@x.org, t@x.org\nIn-Reply-To: <1@x>\n <2@x>\nMessage-ID: <3@x>\n\nx\n",
    "dots": b"From: A. B. C <a@x.org>\nTo: a.@x.org, .b@x.org, a..c@x.org\n\nx\n",
    "plain": PLAIN + b"\nx\n",
    "alt": MIME
    + b"Content-Type: multipart/alternative; boundary=b\n\npre\n--b\nContent-Type: text/plain; charset=utf-8\n\nt1\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPGI+\n--b--\nepi\n",
    "nested": MIME
    + b'Content-Type: multipart/mixed; boundary="a b"\n\n--a b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\np\n--c\nContent-Type: text/html\n\nh\n--c--\n--a b\nContent-Type: image/png; name="x;y.png"\nContent-Disposition: attachment; filename*=utf-8\'\'%c3%a9.png; size=3\nContent-ID: <i@x>\nContent-Description: a pic\nContent-MD5: abc\nContent-Language: en, de\nContent-Location: http://x\nContent-Transfer-Encoding: base64\n\nAAAA\n--a b--\n',
    "rfc822top": MIME + b"Content-Type: message/rfc822\n\nSubject: in\n\nbody\n",
    "digest": MIME
    + b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: d1\n\nb1\n--b\n\nSubject: d2\n\nb2\n--b--\n",
    "digestct": MIME + b"Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: text/plain\n\nplain\n--b--\n",
    "unclosed": MIME + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n",
    "emptypart": MIME + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n\n--b--\n",
    "innerunclosed": MIME
    + b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--a\n\ny\n--a--\n",
    "sameb": MIME
    + b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n\n--a--\n",
    "prefixb": MIME
    + b"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a\n\ny\n--a--\n",
    "ctsemi": MIME + b"Content-Type: text/plain;\n\nx\n",
    "ctparams": MIME + b'Content-Type: text/plain; charset=utf-8; format=flowed; x="a\\"b"; y=\n\nx\n',
    "ctcomment": MIME
    + b"Content-Type: text/plain (hi); charset=utf-8 (c)\nContent-Disposition: inline (x); filename=a b.txt\n\nx\n",
    "ctcase": MIME + b"CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8\nContent-Transfer-Encoding: Quoted-Printable\n\nx\n",
    "cte": MIME + b"Content-Type: text/plain\nContent-Transfer-Encoding: 8bit (c)\n\nx\n",
    "delstat": MIME
    + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nbounce\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; y\n--b\nContent-Type: text/rfc822-headers\n\nSubject: z\n\n--b--\n",
    "boundtrail": MIME + b"Content-Type: multipart/mixed; boundary=b\n\n--b  \n\nx\n--b--  \n",
    "noeol": PLAIN + b"Content-Type: text/plain\n\nno end",
    "headonly": PLAIN,
    "badheader": b"From a@x.org Mon Jan\nthis is no header\nSubject: x\n\nb\n",
    "lang": MIME + b"Content-Type: text/plain\nContent-Language: en\nContent-Disposition: attachment\n\nx\n",
    "mparams": MIME
    + b"Content-Type: multipart/mixed; boundary=b; x=y\nContent-Disposition: inline\nContent-Language: fr\n\n--b\n\nx\n--b--\n",
}


def unquoted(said: bytes) -> bytes:
    """Literals as quoted strings: which of the two is used is the server's choice."""
    while (found := re.search(rb"\{(\d+)\}\r\n", said)) is not None:
        stop = found.end() + int(found[1])
        said = said[: found.start()] + b'"' + said[found.end() : stop] + b'"' + said[stop:]
    return said


def alike(said: bytes) -> bytes:
    """Case, a default that only one of them writes, a single language as a list of one, the order of parameters."""
    said = unquoted(said).lower().replace(b'("charset" "us-ascii")', b"nil")
    for language in (b"en", b"fr"):
        said = said.replace(b'("%b")' % language, b'"%b"' % language)
    return said.replace(
        b'"size" "3" "filename*" "utf-8\'\'%c3%a9.png"', b'"filename*" "utf-8\'\'%c3%a9.png" "size" "3"'
    )


def test_it_says_of_a_message_what_dovecot_says(tmp_path: Path) -> None:
    dovecot.required()
    bodies = {name: data.replace(b"\n", b"\r\n") for name, data in MESSAGES.items()}
    house = House(tmp_path)
    house.deliver(*bodies.values())
    ours = house.sign_in()
    ours.ok("SELECT INBOX")
    different = []
    with dovecot.Dovecot() as peer:
        theirs = peer.client()
        for data in bodies.values():
            theirs.append("INBOX", "", "", data)  # type: ignore[arg-type]
        theirs.noop()
        for number, name in enumerate(bodies, 1):
            for item in ("ENVELOPE", "BODYSTRUCTURE", "BODY"):
                _, rows = theirs.fetch(str(number), item)
                pieces = [b"".join((*row[:1], b"\r\n", *row[1:])) if isinstance(row, tuple) else row for row in rows]
                expected = b"".join(piece for piece in pieces if piece is not None)
                found = (
                    ours.ok(f"FETCH {number} {item}")
                    .removeprefix(b"* ")
                    .removesuffix(b"\r\n")
                    .replace(b"FETCH ", b"", 1)
                )
                if alike(found) != alike(expected):
                    different.append((name, item, found, expected))
        theirs.logout()
    assert different == []
    assert len(MESSAGES) >= 30
