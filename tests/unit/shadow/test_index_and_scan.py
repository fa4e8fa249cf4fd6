"""The full-text index finds in every awkward message what reading the message finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratamail.imap.search import Body, Key, Text
from stratamail.mail.headers import header_end
from stratamail.shadow.by_columns import Source
from stratamail.shadow.by_content import Candidate, compiled
from stratamail.shadow.filling import document
from stratamail.store.fulltext import Fulltext
from tests.support.awkward import LINE_ENDS, messages

WORDS = (
    "x", "in", "é", "one", "d1", "ä", "plan", "grüße", "GRÜSSE", "Subject:", "Subject: d1", "Content-Type", "innermost",
    "utf-8", "two three", "two\tthree", "a b", "a pic", "Final-Recipient", "first half", "soft", "just", "日本", "😀",
    "OpenPGP digital", "nowhere-to-be-found", "boundary", "begin 644", '"hello"', "\\", "%", "*", "w" * 1000,
)  # fmt: skip


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fulltext, list[bytes]]:
    bodies = [*messages().values(), *LINE_ENDS.values()]
    made = Fulltext(str(Path(tmp_path_factory.mktemp("index"), "search.sqlite")), write=True)
    made.add([document(str(number), data) for number, data in enumerate(bodies)], 1, 1, len(bodies))
    return made, bodies


@pytest.mark.parametrize("word", WORDS)
def test_both_find_the_same(index: tuple[Fulltext, list[bytes]], word: str) -> None:
    made, bodies = index
    numbers = made.numbers(map(str, range(len(bodies))))
    unread: Source = None  # type: ignore[assignment]  # these keys ask for no columns
    keys: tuple[tuple[Key, str], ...] = ((Body(word), "body"), (Text(word), "text"))
    for key, where in keys:
        match = compiled(unread, key, range(len(bodies)), {})
        scanned = {
            number for number, data in enumerate(bodies) if match(Candidate(number, data[: header_end(data)], data))
        }
        found = made.find(word, where)  # type: ignore[arg-type]
        assert {number for number in range(len(bodies)) if numbers[str(number)] in found} == scanned, where
