"""LIST and LSUB: matching and attributes."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from stratamail.imap.commands import List
from stratamail.imap.listing import Entry, Line, matches, select, select_lsub

FOLDERS = (Entry("INBOX"), Entry("Sent", "\\Sent"), Entry("a/b/c"), Entry("x"), Entry("x/y"))


def names(lines: list[Line]) -> list[str]:
    return [line.name for line in lines]


def slow_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(slow_matches(pattern[1:], name[i:]) for i in range(len(name) + 1))
    if pattern[0] == "%":
        end = name.find("/") if "/" in name else len(name)
        return any(slow_matches(pattern[1:], name[i:]) for i in range(end + 1))
    return bool(name) and name[0] == pattern[0] and slow_matches(pattern[1:], name[1:])


@given(st.text("ab/*%", max_size=7), st.text("ab/", max_size=7))
def test_matching_is_that_of_the_definition(pattern: str, name: str) -> None:
    assert matches(pattern, name) == slow_matches(pattern, name)


def test_wildcards_cost_no_more_than_their_length() -> None:
    started = time.process_time()
    assert not matches("*a" * 400 + "b", "a" * 250)
    assert time.process_time() - started < 1


def test_plain_list() -> None:
    lines = select(List("", ("*",)), FOLDERS, frozenset())
    assert names(lines) == ["INBOX", "a/b/c", "Sent", "x", "x/y"]
    assert lines[2].attributes == ("\\HasNoChildren", "\\Sent")
    assert lines[3].attributes == ("\\HasChildren",)


def test_percent_shows_parents_that_do_not_exist() -> None:
    lines = select(List("", ("%",)), FOLDERS, frozenset())
    assert names(lines) == ["INBOX", "a", "Sent", "x"]
    assert lines[1].attributes == ("\\Noselect", "\\HasChildren")
    assert names(select(List("a/", ("%",)), FOLDERS, frozenset())) == ["a/b"]


def test_hierarchy_separator_and_inbox() -> None:
    assert select(List("", ("",)), FOLDERS, frozenset())[0].attributes == ("\\Noselect",)
    assert names(select(List("", ("inbox",)), FOLDERS, frozenset())) == ["INBOX"]


def test_extended_list() -> None:
    subscribed = frozenset(("Sent", "gone", "x/y"))
    command = List("", ("*",), frozenset(("SUBSCRIBED",)), extended=True)
    lines = select(command, FOLDERS, subscribed)
    assert [(line.name, line.attributes) for line in lines] == [
        ("gone", ("\\NonExistent", "\\Subscribed")), ("Sent", ("\\Subscribed", "\\Sent")), ("x/y", ("\\Subscribed",)),
    ]  # fmt: skip
    command = List("", ("*",), frozenset(("SPECIAL-USE",)), frozenset(("SUBSCRIBED",)), extended=True)
    assert [(line.name, line.attributes) for line in select(command, FOLDERS, subscribed)] == [
        ("Sent", ("\\Subscribed", "\\Sent"))
    ]
    command = List("", ("%",), frozenset(("SUBSCRIBED", "RECURSIVEMATCH")), extended=True)
    lines = select(command, FOLDERS, subscribed)
    assert names(lines) == ["gone", "Sent", "x"]
    assert lines[2].childinfo == ("SUBSCRIBED",)
    assert lines[2].render().endswith(b' x ("CHILDINFO" ("SUBSCRIBED"))\r\n')


def test_lsub() -> None:
    subscribed = frozenset(("x/y", "Sent"))
    assert names(select_lsub("", "*", subscribed)) == ["Sent", "x/y"]
    lines = select_lsub("", "%", subscribed)
    assert [(line.name, line.attributes) for line in lines] == [("Sent", ()), ("x", ("\\Noselect",))]


def test_inbox_and_what_is_below_it_in_any_case() -> None:
    for pattern in ("inbox", "InB%", "iNBOX", "*bOx", "i*"):
        assert matches(pattern, "INBOX")
    for pattern in ("inbox/Sub", "i%/S*", "%/Sub"):
        assert matches(pattern, "INBOX/Sub")
    for pattern, name in (("inbox/sub", "INBOX/Sub"), ("inboxes", "INBOXES"), ("a/inbox", "a/INBOX")):
        assert not matches(pattern, name)


def test_many_folders_and_patterns_are_matched_in_time() -> None:
    folders = [Entry(f"Projects/{number // 100}/Folder {number}") for number in range(2000)]
    patterns = tuple(f"a*b%d*{number}" for number in range(100))
    started = time.process_time()
    assert select(List("", patterns), folders, frozenset()) == []
    assert time.process_time() - started < 3
