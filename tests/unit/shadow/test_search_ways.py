"""A search finds the same whichever way it goes: by reading messages, by the headers in memory, by the full-text index
that is complete, half filled, or holds only the beginnings of texts. Over some four hundred awkward messages."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from stratamail.imap.search import And, Body, HasFlag, Header, Key, Not, Or, Sent, Text
from stratamail.mail.collation import casemap
from stratamail.mail.dates import parse_date
from stratamail.mail.fieldvalue import to_text
from stratamail.mail.headers import every, header_end
from stratamail.mail.structure import scan
from stratamail.shadow import text
from stratamail.shadow.filling import Work
from tests.support import awkward
from tests.support.sizes import sized
from tests.unit.shadow.rig import Rig, now
from tests.unit.store.boxes import ADDRESS

FIELDS = ("subject", "from", "to", "cc", "bcc", "message-id", "content-type", "received", "x-none")


def words(chosen: random.Random, messages: list[bytes]) -> list[str]:
    """Pieces of what stands in the messages, of all lengths, and some of other case."""
    found = ["", "a", "at", "the", "\t", "\r\n", "é", "\x01", '"', "%", "_", "*", "\ufffd", "nowhere to be found"]
    while len(found) < sized(40, 400):
        data = chosen.choice(messages)
        parts = [text.header_text(data[: header_end(data)]), *text.body_texts(data, scan(data))]
        part = chosen.choice(parts)
        if part:
            start = chosen.randrange(len(part))
            word = part[start : start + chosen.choice((1, 2, 3, 4, 5, 8, 13, 40, 200))].replace("\0", "")
            found.append(chosen.choice((word, word.upper(), word.lower())))
    return found


def clean(word: str) -> bool:
    """Whether the index can hold it."""
    return bool(casemap(word)) and not {"\x01", "\ufffd"} & set(word)


def programs(chosen: random.Random, messages: list[bytes]) -> list[Key]:
    days = [sent for data in messages for raw in every(data, "date") if (sent := parse_date(to_text(raw)))]
    leaves: list[Key] = []
    for word in words(chosen, messages):
        if word.encode("utf-8", "replace").decode("utf-8") != word:
            continue
        leaves += [Body(word), Text(word), Header(chosen.choice(FIELDS), word)]
    for when in ("before", "on", "since"):
        day = chosen.choice(days).day
        leaves.append(Sent(when, type(text.sent_day(b"Date: 1 Jan 2020\n")).fromordinal(day)))  # type: ignore[union-attr]
    trees: list[Key] = [
        And((Not(chosen.choice(leaves)), Or(chosen.choice(leaves), And((HasFlag("\\Seen"), chosen.choice(leaves))))))
        for _ in range(sized(10, 200))
    ]
    return [*leaves, *trees]


def test_all_ways_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = random.Random(11)
    rig = Rig(tmp_path)
    messages = list(awkward.messages().values())
    rig.mailboxes.deliver(ADDRESS, [rig.arrival(data) for data in messages])
    rig.mailboxes.set_flags(ADDRESS, "INBOX", list(range(1, len(messages), 3)), "+", ["\\Seen"])
    keys = programs(chosen, messages)
    view = rig.select()

    def answers() -> list[list[int]]:
        return [now(view.search(key)) for key in keys]

    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", sys.maxsize)
    read = answers()
    assert sum(map(bool, read)) > len(keys) // 2
    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", 0)
    monkeypatch.setattr("stratamail.shadow.filling.LONGEST", 100)
    for way, steps in (("headers in memory", 0), ("half indexed", 4), ("cut", 1000)):
        work = Work(rig.root, rig.layout.message)
        while steps and work.step(float("inf")):
            steps -= 1
        work.close()
        for key, found, expected in zip(keys, answers(), read, strict=True):
            assert found == expected, (way, key)


def test_whole_texts_need_no_message_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path)
    messages = list(awkward.messages().values())
    rig.mailboxes.deliver(ADDRESS, [rig.arrival(data) for data in messages])
    work = Work(rig.root, rig.layout.message)
    while work.step(float("inf")):
        pass
    work.close()
    view = rig.select()
    chosen = random.Random(12)
    keys = [key for word in words(chosen, messages) if clean(word) for key in (Body(word), Text(word))]
    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", sys.maxsize)
    read = [now(view.search(key)) for key in keys]
    monkeypatch.setattr("stratamail.shadow.search._READ_RATHER", 0)
    monkeypatch.setattr(view, "contents", lambda uids: pytest.fail("a message was read"))
    for key, expected in zip(keys, read, strict=True):
        assert now(view.search(key)) == expected, key
