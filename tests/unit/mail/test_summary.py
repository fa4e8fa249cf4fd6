"""Address lists and envelope fields, sound and broken."""

from __future__ import annotations

import math
import time

from hypothesis import given
from hypothesis import strategies as st

from stratamail.mail.summary import Mailbox, addresses, summarise


def one(raw: bytes) -> tuple[bytes | None, bytes | None, bytes | None]:
    (mailbox,) = addresses(raw)
    return mailbox.name, mailbox.local, mailbox.host


def test_common_forms() -> None:
    assert one(b"joe@x.org") == (None, b"joe", b"x.org")
    assert one(b"Joe Q. Public <joe@x.org>") == (b"Joe Q. Public", b"joe", b"x.org")
    assert one(b'"Public, Joe" <joe@x.org>') == (b"Public, Joe", b"joe", b"x.org")
    assert one(b"joe@x.org (Joe (the) First)") == (b"Joe (the) First", b"joe", b"x.org")
    assert one(b"joe@x . org") == (None, b"joe", b"x.org")
    assert one(b"joe@x.org jane@y.org") == (None, b"joe", b"x.org")
    assert one(b"=?utf-8?q?J=C3=B6?= <j@x>") == (b"=?utf-8?q?J=C3=B6?=", b"j", b"x")
    assert one(b'"a b"@x') == (None, b"a b", b"x")
    assert one(b"<j@[192.0.2.1]>") == (None, b"j", b"[192.0.2.1]")
    assert one(b"J\xf6rg <j@x>") == (b"J\xf6rg", b"j", b"x")


def test_route_and_list() -> None:
    assert addresses(b"<@a,@b:u@h>") == [Mailbox(None, b"@a,@b", b"u", b"h")]
    assert [m.local for m in addresses(b"a@x, , b@y,c@z")] == [b"a", b"b", b"c"]


def test_comments_are_names_behind_an_address_only() -> None:
    assert one(b"(first) joe@x.org") == (None, b"joe", b"x.org")
    assert one(b"joe@x.org (a\\)b)") == (b"a)b", b"joe", b"x.org")
    assert one(b"joe@x.org (open") == (b"open", b"joe", b"x.org")


def test_what_lacks_a_half_has_it_empty() -> None:
    assert one(b"joe") == (None, b"joe", b"")
    assert one(b"@x.org") == one(b"<@x.org>") == (None, b"", b"x.org")
    assert one(b"Joe Public of x") == (b"Joe Public of x", b"", b"")
    assert one(b"Joe Public joe@x.org") == (b"Joe Public", b"joe", b"x.org")


def test_no_host_is_made_of_two() -> None:
    assert one(b"a@b@c.org") == one(b"<a@b@c.org>") == (None, b"a", b"b")
    assert one(b"<mailto:joe@x.org>") == (None, b"mailto:joe", b"x.org")


def test_words_behind_an_address_are_no_address() -> None:
    assert [m.local for m in addresses(b"A <a@x> and more, b@y")] == [b"a", b"b"]


def test_groups() -> None:
    assert addresses(b"Team: a@x, b@y;") == [
        Mailbox(None, None, b"Team", None), Mailbox(None, None, b"a", b"x"), Mailbox(None, None, b"b", b"y"),
        Mailbox(None, None, None, None),
    ]  # fmt: skip
    assert len(addresses(b"undisclosed-recipients:;")) == 2
    assert len(addresses(b"Open: a@x")) == 3
    assert [m.local for m in addresses(b"Out: in: a@x; b@y;")] == [b"Out", b"a", None, b"b"]


def test_sender_and_reply_to_fall_back_to_from() -> None:
    summary = summarise(b"From: a@x\r\nReply-To: \r\nTo: b@y\r\nTO: c@z\r\nSubject: s\r\n t\r\n")
    assert summary.sender == summary.from_ == summary.reply_to
    assert [m.local for m in summary.to] == [b"b", b"c"]
    assert summary.subject == b"s t"
    assert (summary.date, summary.cc) == (None, ())


def test_long_garbage_takes_linear_time() -> None:
    for piece in (b"(", b"<", b'"', b"[", b"a@", b"\\", b"a:", b"<@", b"=?", b"<@:"):
        addresses(piece * (200_000 // len(piece)))
    assert len(addresses(b"a@b," * 50_000)) <= 10_001


@given(st.binary(max_size=60) | st.text(alphabet='ab@<>,:;"()[]\\ ', max_size=60).map(str.encode))
def test_any_bytes_are_read(raw: bytes) -> None:
    for mailbox in addresses(raw):
        assert mailbox.local is None or isinstance(mailbox.local, bytes)
        assert not (mailbox.host is not None and mailbox.local is None)


def test_a_long_value_of_delimiters_takes_no_time_worth_telling() -> None:
    for piece in (b"a ", b"[", b"<@", b"<@,", b"<@:", b'"a" ', b"@", b"<a@", b"(", b"a:;"):
        took = []
        for count in (20_000, 80_000):
            best = math.inf
            for _ in range(3):
                started = time.process_time()
                addresses(piece * count)
                best = min(best, time.process_time() - started)
            took.append(best)
        # four times the octets: about four times as long, sixteen times if it were quadratic
        assert took[1] < 10 * took[0] + 0.05, piece
