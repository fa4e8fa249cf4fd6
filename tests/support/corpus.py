"""Messages of the shapes that mail has in life, and of the shapes it should not have.

``sample(number)`` gives well-formed ones (lines ≤ 998 octets, no bare CR or LF: they pass Postfix unchanged), in turn
of every shape, about every third DKIM-signed; ``hostile()`` those that only a byte-exact peer passes on.
All bytes are made from the number, so that a failure can be repeated.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from attrs import frozen
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stratamail.mail import dkim

SIGNER = "news.example"
SELECTOR = "s1"


@frozen
class Sample:
    """``data`` ends in CRLF; ``message_id`` without angle brackets."""

    name: str
    message_id: str
    data: bytes
    signed: bool = False


@lru_cache(maxsize=1)
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


@lru_cache(maxsize=1)
def signing_key() -> bytes:
    """The PEM private key that signs samples, made anew in each run (small, since only speed matters here)."""
    return _key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


@lru_cache(maxsize=1)
def public_record() -> bytes:
    der = _key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def key_record(name: str) -> bytes | None:
    """The TXT record of the samples' signer."""
    return public_record() if name == f"{SELECTOR}._domainkey.{SIGNER}" else None


def _head(number: int, subject: bytes, *more: bytes) -> bytes:
    date = format_datetime(datetime(2026, 11, 24, 9, tzinfo=UTC) + timedelta(seconds=number))
    lines = [
        b'From: "Anna Berg" <anna@news.example>',
        b"To: Ben <ben@acme.example>",
        b"Subject: " + subject,
        b"Date: " + date.encode(),
        f"Message-ID: <{message_id(number)}>".encode(),
        b"MIME-Version: 1.0",
        *more,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def message_id(number: int) -> str:
    return f"sample.{number}@{SIGNER}"


def _plain(number: int, chance: random.Random) -> bytes:
    words = b" ".join(chance.choice(_WORDS) for _ in range(60))
    body = b"\r\n".join(words[i : i + 70] for i in range(0, len(words), 70))
    return _head(number, b"Plain %d" % number, b"Content-Type: text/plain; charset=us-ascii") + body + b"\r\n"


_WORDS = (b"invoice", b"meeting", b"Tuesday", b"contract", b"From", b"figures", b"please", b"urgent", b"lunch")


def _dots(number: int, chance: random.Random) -> bytes:
    """Everything that dot-stuffing can get wrong, and lines that an mbox would quote."""
    body = b".\r\n..\r\n...dots\r\n.leading\r\nFrom here on\r\n>From quoted\r\n \r\n. \r\n"
    return _head(number, b"Dots %d" % number) + body + b"." * chance.randrange(1, 50) + b"\r\n\r\n\r\n"


def _eight_bit(number: int, chance: random.Random) -> bytes:
    text = "Grüße aus Köln, naïve café – 你好 ".encode() * chance.randrange(1, 12)
    return (
        _head(
            number,
            b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= %d" % number,
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Transfer-Encoding: 8bit",
        )
        + text
        + b"\r\n"
    )


def _latin(number: int, chance: random.Random) -> bytes:
    """8-bit octets that are no UTF-8, no NUL, CR or LF among them."""
    body = bytes(chance.choice(range(0x80, 0x100)) for _ in range(300))
    return _head(number, b"Latin %d" % number, b"Content-Type: text/plain; charset=iso-8859-1") + body + b"\r\n"


def _alternative(number: int, chance: random.Random) -> bytes:
    edge = b"=_alt_%d" % number
    html = b"<html><body>" + b"<p>Hello <b>there</b></p>\r\n" * chance.randrange(1, 40) + b"</body></html>"
    return (
        _head(number, b"Both %d" % number, b'Content-Type: multipart/alternative;\r\n\tboundary="%s"' % edge)
        + b"This is a message in two forms.\r\n\r\n"
        + b"--%s\r\nContent-Type: text/plain\r\n\r\nHello there\r\n" % edge
        + b"--%s\r\nContent-Type: text/html; charset=utf-8\r\n\r\n%s\r\n--%s--\r\nepilogue\r\n" % (edge, html, edge)
    )


def _attachment(number: int, chance: random.Random) -> bytes:
    edge = b"----=_Part_%d" % number
    blob = base64.encodebytes(chance.randbytes(chance.choice((900, 9_000, 90_000)))).replace(b"\n", b"\r\n")
    return (
        _head(number, b"With file %d" % number, b'Content-Type: multipart/mixed; boundary="%s"' % edge)
        + b"--%s\r\n\r\nSee the file.\r\n" % edge
        + b"--%s\r\nContent-Type: application/pdf; name*=utf-8''r%%C3%%A9sum%%C3%%A9.pdf\r\n" % edge
        + b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment\r\n\r\n"
        + blob
        + b"--%s--\r\n" % edge
    )


def _forwarded(number: int, chance: random.Random) -> bytes:
    edge = b"fwd%d" % number
    return (
        _head(number, b"Fwd: %d" % number, b"Content-Type: multipart/mixed; boundary=%s" % edge)
        + b"--%s\r\nContent-Type: message/rfc822\r\n\r\n" % edge
        + _plain(number + 100_000, chance)
        + b"--%s--\r\n" % edge
    )


def _folded(number: int, chance: random.Random) -> bytes:
    """Folds, tabs, odd spaces and a long field, which a relay must not touch."""
    refs = b"\r\n\t".join(b"<%d.%d@ref.example>" % (number, i) for i in range(chance.randrange(2, 40)))
    return (
        _head(
            number,
            b"a  subject\twith   spaces\r\n\t and folds %d  " % number,
            b"References: " + refs,
            b"X-Empty:",
            b"x-lower:no space",
            b"X-Long: " + b"y" * 900,
        )
        + b"body\r\n"
    )


def _long_lines(number: int, chance: random.Random) -> bytes:
    return _head(number, b"Long lines %d" % number) + (b"z" * 998 + b"\r\n") * chance.randrange(1, 6)


def _empty(number: int, chance: random.Random) -> bytes:
    return _head(number, b"Empty %d" % number)


def _trailing(number: int, chance: random.Random) -> bytes:
    return _head(number, b"Blank end %d" % number) + b"text \t \r\n" + b"\r\n" * chance.randrange(1, 9) + b" \r\n"


SHAPES: tuple[Callable[[int, random.Random], bytes], ...] = (
    _plain,
    _dots,
    _eight_bit,
    _latin,
    _alternative,
    _attachment,
    _forwarded,
    _folded,
    _long_lines,
    _empty,
    _trailing,
)


@lru_cache(maxsize=4096)
def sample(number: int) -> Sample:
    """The same bytes for the same number within a run (a signature holds the run's key and the time)."""
    shape = SHAPES[number % len(SHAPES)]
    data = shape(number, random.Random(number))
    signed = number % 3 == 0
    if signed:
        data = dkim.sign(data, domain=SIGNER, selector=SELECTOR, key=signing_key()) + data
    return Sample(shape.__name__.strip("_"), message_id(number), data, signed)


def _nested(depth: int, parts: int) -> bytes:
    """``parts`` MIME parts, the multiparts nested ``depth`` deep."""
    out = [_head(900_001, b"Nested", b'Content-Type: multipart/mixed; boundary="b0"')]
    for level in range(1, depth):
        out.append(b'--b%d\r\nContent-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % (level - 1, level))
    last = depth - 1
    out.extend([b"--b%d\r\nContent-Type: text/plain\r\n\r\npart\r\n" % last] * (parts - depth))
    out.extend(b"--b%d--\r\n" % level for level in range(last, -1, -1))
    return b"".join(out)


def hostile() -> list[tuple[str, bytes]]:
    """``(name, data)``; every one ends in CRLF, and must be stored, shown and given back exactly."""
    return [
        ("no headers", b"\r\njust a body\r\n"),
        ("no blank line", b"Subject: only a header\r\n"),
        ("no colon in the first line", b"this is no header\r\nSubject: x\r\n\r\nbody\r\n"),
        ("one empty line", b"\r\n"),
        ("NULs", b"Subject: N\0UL\r\nFrom: \0@\0.example\r\n\r\nbo\0dy\0\0\r\n"),
        ("a header line of 200 kB", b"Subject: long\r\nX-Long: " + b"h" * 200_000 + b"\r\n\r\nbody\r\n"),
        ("a body line of 3 MB", b"Subject: long body\r\n\r\n" + b"l" * 3_000_000 + b"\r\n"),
        ("10,000 parts nested 500 deep", _nested(500, 10_000)),
        ("every octet", b"Subject: bin\r\n\r\n" + bytes(b for b in range(256) if b not in b"\r\n") * 9 + b"\r\n"),
        ("a boundary that never comes", b'Content-Type: multipart/mixed; boundary="x"\r\n\r\nno part\r\n'),
        ("a broken content type", b'Content-Type: text/;;; ="\r\nContent-Type: ;\r\n\r\nb\r\n'),
        (
            "raw UTF-8 and bad addresses",
            'From: Jürgen <<>>, @@, "x\r\nTo: (((\r\nSubject: ü\r\n\r\n'.encode() + b"\xff\r\n",
        ),
        ("encoded words that lie", b"Subject: =?utf-9?b?!!!?= =?utf-8?q?=ZZ?= =?\r\nDate: yesterday\r\n\r\nx\r\n"),
    ]
