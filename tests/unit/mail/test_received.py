"""Received fields: ours, hops, and our own ids in those of others."""

from __future__ import annotations

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.received import date_time, hops, own_ids, protocol, received

ID = "0123456789abcdef"


def ours(envelope: Envelope, helo: str = "mail.example", peer: str = "192.0.2.1", tls: str = "") -> bytes:
    return received("mx.example", ID, 1_700_000_000, envelope, helo=helo, peer=peer, tls=tls)


def test_one_recipient_is_named() -> None:
    assert ours(Envelope("", (Recipient("a@b.example"),))) == (
        b"Received: from mail.example ([192.0.2.1])\r\n"
        b"\tby mx.example (StrataMail) with ESMTP id 0123456789abcdef\r\n"
        b"\tfor <a@b.example>;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


def test_several_are_not() -> None:
    assert b"for" not in ours(Envelope("", (Recipient("a@b.example"), Recipient("c@b.example"))))


def test_a_hostile_name_stays_in_its_place() -> None:
    line = ours(Envelope("", ()), helo="x)\r\nEvil: (y;<z>\u00e9", peer="2001:db8::1")
    assert line.startswith(b"Received: from x???Evil:??y??z?? ([IPv6:2001:db8::1])\r\n\tby ")
    assert line.count(b"\r\n") == 3


def test_lines_are_short_enough() -> None:
    envelope = Envelope("", (Recipient("l" * 256 + "@" + "d" * 255),))
    assert max(len(line) for line in ours(envelope, helo="h" * 255, tls="T" * 60).split(b"\r\n")) <= 998


def test_protocol_words() -> None:
    assert protocol(False, False, False, False) == "SMTP"
    assert protocol(True, True, True, False) == "ESMTPSA"
    assert protocol(True, False, True, True) == "UTF8SMTPA"


def test_hops() -> None:
    assert hops(b"Subject: x\r\n\r\n") == 0
    assert hops(b"Received: a\r\nreceived : b\r\nReceived-SPF: c\r\nX: \r\n received: d\r\nRECEIVED:e\r\n") == 3


def test_own_ids_survive_refolding() -> None:
    line = ours(Envelope("", (Recipient("a@b.example"),)))
    refolded = b"Received: from x by mx.example\r\n    (StrataMail)\r\n\twith  ESMTPS id fedcba98765432g0; date\r\n"
    assert own_ids(refolded + line + b"Received: by x (Other) with ESMTP id 0000000000000000\r\n") == [
        "fedcba98765432g0",
        ID,
    ]


def test_dates() -> None:
    assert date_time(0) == "Thu, 1 Jan 1970 00:00:00 +0000"
