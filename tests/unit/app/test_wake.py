"""The wake socket: answers come after the work, in order; nonsense is answered, not obeyed."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from stratamail.app.wake import WakeFactory


class WakeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.noted: list[tuple[frozenset[str], str]] = []
        self.working: list[Deferred[None]] = []
        self.protocol = WakeFactory(self.note).buildProtocol(object())
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    async def note(self, topics: frozenset[str], flush: str) -> None:
        self.noted.append((topics, flush))
        done: Deferred[None] = Deferred()
        self.working.append(done)
        await done

    def say(self, value: Any) -> None:
        self.protocol.dataReceived(json.dumps(value).encode() + b"\n")

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.transport.value().splitlines()]

    def test_answered_when_it_is_in_force(self) -> None:
        self.say({"topics": ["catalog"]})
        assert self.noted == [(frozenset({"catalog"}), "")]
        assert self.answers() == []
        self.working[0].callback(None)
        assert self.answers() == [{"ok": True}]

    def test_flush_names_a_domain(self) -> None:
        self.say({"topics": ["queue"], "flush": "a.example"})
        assert self.noted == [(frozenset({"queue"}), "a.example")]

    def test_one_after_the_other(self) -> None:
        self.say({"topics": ["catalog"]})
        self.say({"topics": ["queue"]})
        assert len(self.noted) == 1
        self.working[0].callback(None)
        assert len(self.noted) == 2
        self.working[1].callback(None)
        assert self.answers() == [{"ok": True}, {"ok": True}]

    def test_a_failure_is_told_and_the_next_is_done(self) -> None:
        self.say({"topics": ["catalog"]})
        self.say({"topics": ["queue"]})
        self.working[0].errback(RuntimeError("the catalog is gone"))
        assert self.answers() == [{"ok": False, "error": "the catalog is gone"}]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        self.working[1].callback(None)
        assert self.answers()[1] == {"ok": True}

    def test_nonsense(self) -> None:
        for line in (b"hello\n", b"[1]\n", b'{"topics": 3}\n', b'{"topics": ["weather"]}\n', b'{"flush": 1}\n'):
            self.protocol.dataReceived(line)
        assert [answer["ok"] for answer in self.answers()] == [False] * 5
        assert self.noted == []
