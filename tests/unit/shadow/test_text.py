"""What a search reads of a message."""

from __future__ import annotations

from stratamail.mail.structure import scan
from stratamail.shadow.text import body_texts, header_text, header_values, part_headers

MAIL = """Subject: outer
Content-Type: multipart/mixed; boundary=b

preamble
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable
Content-Description: =?utf-8?q?caf=C3=A9?=

gr=FC=DFe
--b
Content-Type: message/rfc822
Content-Disposition: attachment; filename=f.eml

Subject: inner

inside
--b
Content-Type: message/delivery-status

Action: failed
--b
Content-Type: image/png
Content-Transfer-Encoding: base64

aW1hZ2U=
--b--
epilogue
""".replace("\n", "\r\n").encode()


def test_texts_are_text_parts_reports_and_headers_of_messages_inside() -> None:
    assert list(body_texts(MAIL, scan(MAIL))) == ["grüße", "subject: inner", "inside", "Action: failed"]


def test_headers_of_parts_are_those_that_no_message_inside_has() -> None:
    assert [text.split("\n")[-1] for text in part_headers(MAIL, scan(MAIL))] == [
        "content-description: café", "content-disposition: attachment; filename=f.eml",
        "content-type: message/delivery-status", "content-transfer-encoding: base64",
    ]  # fmt: skip


def test_a_message_without_parts_has_no_headers_of_parts() -> None:
    data = b"Subject: x\r\n\r\nbody"
    assert list(part_headers(data, scan(data))) == []
    assert list(body_texts(data, scan(data))) == ["body"]


def test_a_tab_where_a_header_was_folded_is_a_blank() -> None:
    block = b"Subject: one\r\n\ttwo\r\n"
    assert header_text(block) == "subject: one two"
    assert header_values(block, "subject") == ["one two"]
