"""A dozen messages of the shapes that real mail has, two of them with a valid DKIM signature."""

from __future__ import annotations

import base64
import random

from attrs import frozen
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from stratamail.mail import dkim

DOMAIN = "harbour.example"
ADA, BEN = f"ada@{DOMAIN}", f"ben@{DOMAIN}"
SIGNER, SELECTOR = "supplier.example", "demo"


@frozen
class Sample:
    """A message before it is sent; ``data`` is what the sender's server transmits, unstuffed."""

    title: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    signed: bool = False


@frozen
class Key:
    """A DKIM key: ``private`` PEM, ``record`` the text of its TXT record as in a zone file."""

    private: bytes
    record: str

    @property
    def name(self) -> str:
        return f"{SELECTOR}._domainkey.{SIGNER}"


def make_key() -> Key:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    text = f"v=DKIM1; k=rsa; p={public}"
    # a character string of a TXT record holds 255 octets (RFC 1035 section 3.3)
    record = " ".join(f'"{text[i : i + 250]}"' for i in range(0, len(text), 250))
    return Key(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()), record)


def samples(key: Key, date: str) -> list[Sample]:
    """The dozen, in the order in which they are sent. ``date`` is the Date field's value."""
    made: list[Sample] = []

    def add(title: str, to: tuple[str, ...], fields: str, body: bytes, sender: str = "post@client.example") -> None:
        number = len(made) + 1
        head = (
            f"From: {title} <{sender}>\r\nTo: {', '.join(to)}\r\nSubject: {title}\r\nDate: {date}\r\n"
            f"Message-ID: <demo-{number}@{sender.partition('@')[2]}>\r\n{fields}\r\n"
        )
        data = head.encode() + body
        signed = sender.endswith("@" + SIGNER)
        if signed:
            data = dkim.sign(data, domain=SIGNER, selector=SELECTOR, key=key.private) + data
        made.append(Sample(title, sender, to, data, signed))

    plain = "Content-Type: text/plain; charset=utf-8\r\n"
    add("Plain text", (ADA,), plain, b"Good morning Ada,\r\n\r\nthe ship leaves at noon.\r\n")
    add("Signed order", (ADA,), f"MIME-Version: 1.0\r\n{plain}", b"Forty crates, please.\r\n", f"orders@{SIGNER}")
    add("Text and HTML", (BEN,), _alternative_type(), _alternative())
    add("Invoice with PDF", (ADA, BEN), _mixed_type(), _attachment("invoice.pdf", "application/pdf", 45_000))
    add("Eight bits", (BEN,), f"MIME-Version: 1.0\r\n{plain}Content-Transfer-Encoding: 8bit\r\n", _eight_bit())
    add("Lone dots", (ADA,), plain, b".\r\n..\r\n.hidden\r\n. \r\nFrom here on: dots.\r\n...\r\n")
    add("Long lines", (BEN,), plain, b"x" * 990 + b"\r\n" + b"y" * 4000 + b"\r\n")
    add(
        "Folded header",
        (ADA,),
        "X-Folded: one\r\n\ttwo\r\n   three\r\nx-ODD-case:no space\r\n",
        b"Folds stay folds.\r\n",
    )
    add("Signed report", (ADA, BEN), _mixed_type(), _attachment("report.csv", "text/csv", 9_000), f"news@{SIGNER}")
    add("Photographs", (BEN,), _mixed_type(), _attachment("harbour.jpg", "image/jpeg", 300_000))
    add("No ending line", (ADA,), plain, b"Trailing spaces  \r\n\t\r\nand blank lines\r\n\r\n\r\n")
    add("Nested forward", (ADA,), _mixed_type(), _forward(), "boss@client.example")
    return made


def _alternative_type() -> str:
    return 'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=_alt"\r\n'


def _mixed_type() -> str:
    return "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=demo-boundary\r\n"


def _alternative() -> bytes:
    return (
        b"--=_alt\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nHello Ben.\r\n"
        b"--=_alt\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<p>Hello <b>Ben</b>.</p>\r\n--=_alt--\r\n"
    )


def _attachment(name: str, kind: str, size: int) -> bytes:
    # the same bytes in every run
    content = base64.encodebytes(random.Random(name).randbytes(size)).replace(b"\n", b"\r\n")
    return (
        b"This is a multi-part message.\r\n--demo-boundary\r\nContent-Type: text/plain\r\n\r\nSee attached.\r\n"
        b"--demo-boundary\r\n"
        + f'Content-Type: {kind}; name="{name}"\r\n'.encode()
        + f'Content-Disposition: attachment; filename="{name}"\r\n'.encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n"
        + content
        + b"\r\n--demo-boundary--\r\n"
    )


def _eight_bit() -> bytes:
    return "Grüße aus Malmö, 日本語, и так далее.\r\n".encode() + b"and bytes that are no UTF-8: \xff\xfe\x80\r\n"


def _forward() -> bytes:
    inner = b"From: a@client.example\r\nSubject: inner\r\n" + _alternative_type().encode() + b"\r\n" + _alternative()
    return b"--demo-boundary\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--demo-boundary--\r\n"
