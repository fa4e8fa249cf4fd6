"""No client makes the server keep or build more than its limits: literals, sets, programs, patterns, unread answers."""

from __future__ import annotations

import time
from pathlib import Path

from tests.protocol.imap_harness import House

SMALL = b"Subject: x\r\n\r\nbody\r\n"


def test_a_literal_before_sign_in_is_refused_unread(tmp_path: Path) -> None:
    client = House(tmp_path).connect()
    assert client.send(b"a LOGIN {100000000}\r\n").startswith(b"a NO [TOOBIG]")
    client.send(b"b LOGIN {60000+}\r\n")
    for _ in range(6):
        client.send(b"x" * 10_000)
        assert client.protocol.engine.buffered == 0
    client.send(b"\r\n")
    client.ok("NOOP")


def test_a_literal_that_no_message_can_have_ends_the_session(tmp_path: Path) -> None:
    client = House(tmp_path).sign_in()
    assert client.send(b"a APPEND INBOX {99999999999999999999}\r\n").startswith(b"a NO [TOOBIG]")
    assert client.send(b"b APPEND INBOX {99999999999999999999+}\r\n").startswith(b"* BYE")
    assert client.wire.disconnecting


def test_huge_sets_and_programs_cost_nothing(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(SMALL)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    started = time.process_time()
    client.ok("UID FETCH 1:4294967295 FLAGS")
    client.ok("UID FETCH " + ",".join(["1:4294967295"] * 20_000) + " FLAGS")
    assert b"[LIMIT]" in client.no("SEARCH " + "NOT " * 50_000 + "ALL")
    client.ok('LIST "" "' + "*%" * 400 + 'x"')
    assert time.process_time() - started < 2


def test_an_answer_that_nobody_reads_is_not_built(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.deliver(*[b"Subject: x\r\n\r\n" + b"y" * 50_000] * 200)
    client = house.sign_in()
    client.ok("SELECT INBOX")
    client.protocol.pauseProducing()
    client.protocol.dataReceived(b"a FETCH 1:* BODY.PEEK[]\r\n")
    for _ in range(100):
        house.clock.advance(0)
    assert len(client.wire.value()) < 2_000_000
    house.clock.advance(301)
    assert client.wire.aborted


def test_unknown_system_flags_and_names_are_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    client = house.sign_in()
    client.no('CREATE "a//b"')
    client.do('CREATE "../../etc"')
    client.no(b'CREATE "a\xffb"')
    client.no("APPEND INBOX (\\Odd) {3+}\r\nabc")
    house_files = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert house_files <= {"mail", "spool"}
