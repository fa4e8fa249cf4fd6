"""The report to a sender: what other programs read in it."""

from __future__ import annotations

from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.dsn import Failed, build


def report(**more: object) -> bytes:
    values: dict[str, object] = {
        "id": "abc.1",
        "hostname": "mx.example.net",
        "sender": "ann@acme.test",
        "failed": [Failed("x@far.test", "550 5.1.1 no such\r\nuser", "rfc822;x@far.test")],
        "header": b"From: a\r\nSubject: =?utf-8?q?x?=\r\n\r\n",
        "now": 1_700_000_000.0,
        "arrived": 1_699_999_999.0,
        "envid": "e1",
    }
    return build(**{**values, **more})  # type: ignore[arg-type]


def test_parts() -> None:
    data = report()
    message = message_from_bytes(data, policy=policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message["To"] == "ann@acme.test"
    assert message["Auto-Submitted"] == "auto-replied"
    text, status, header = message.iter_parts()
    assert "x@far.test" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    fields = status.get_payload()
    assert fields[0]["Original-Envelope-Id"] == "e1"
    assert fields[1]["Status"] == "5.1.1"
    assert fields[1]["Action"] == "failed"
    assert fields[1]["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user"
    assert header.get_content_type() == "text/rfc822-headers"
    assert b"Subject: =?utf-8?q?x?=" in data
    assert message["Date"].startswith("Tue, 14 Nov 2023")


def test_utf8_addresses() -> None:
    data = report(failed=[Failed("é@far.test", "refused")])
    assert b"message/global-delivery-status" in data
    assert "utf-8; é@far.test".encode() in data
    assert b"Status: 5.0.0" in data


@given(st.binary(max_size=400), st.text(max_size=80))
def test_never_fails_and_has_clean_line_ends(header: bytes, reply: str) -> None:
    data = report(header=header, failed=[Failed("x@far.test", reply)])
    assert data.replace(b"\r\n", b"").count(b"\n") == 0
    assert data.replace(b"\r\n", b"").count(b"\r") == 0
    assert b"\0" not in data or "\0" in reply
    assert data.endswith(b"--\r\n")
