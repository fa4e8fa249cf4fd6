"""The kinds of filter: how each fails over, what its console wants, and addresses that a file may replace."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network

import pytest

from stratamail.profiles.filters import FILTERS, Unreadable, with_file


# a word of: how it fails over, how it tests us, its console
@pytest.mark.parametrize(
    ("name", "failover", "tests", "console", "asks"),
    [
        ("spamweeder", "any temporary failure", "null sender, RCPT, QUIT", "route 2", True),
        ("proofpoint", "reachable at all times", "connection test", "fail-over site", False),
        ("mimecast", "4 days", "Test connection", "alternate route", False),
        ("barracuda", "in order", "LDAP or SMTP", "a space", True),
        ("defender", "in turn", "real message", "two MX preferences", False),
        ("generic", "24 hours", "", "next route", True),
        ("none", "MX preference", "", "second preference", False),
    ],
)
def test_each_kind(name: str, failover: str, tests: str, console: str, asks: bool) -> None:
    one = FILTERS[name]
    assert failover in one.failover
    assert tests in one.tests
    assert console in one.setup
    assert one.asks is asks


def test_all_kinds_are_there() -> None:
    kinds = {"none", "generic", "spamweeder", "proofpoint", "mimecast", "barracuda", "defender"}
    assert kinds == set(FILTERS)
    assert [one.name for one in FILTERS.values() if one.by_experience] == ["defender"]


def test_addresses_have_a_date_and_grow_old() -> None:
    for one in FILTERS.values():
        assert (one.dated is not None) == bool(one.networks or one.names)
    one = FILTERS["mimecast"]
    assert not one.old(date(2026, 12, 24))
    assert one.old(date(2027, 12, 24))
    assert not FILTERS["barracuda"].old(date(2027, 12, 24))


def test_a_file_replaces_addresses() -> None:
    found = with_file('[mimecast]\ndated = 2027-03-01\nnetworks = ["192.0.2.0/24"]\nnames = ["*.Mimecast.example"]\n')
    one = found["mimecast"]
    assert one.networks == (ip_network("192.0.2.0/24"),)
    assert one.names == ("mimecast.example",)
    assert one.dated == date(2027, 3, 1)
    assert one.setup == FILTERS["mimecast"].setup
    assert found["proofpoint"] is FILTERS["proofpoint"]
    assert with_file("") == FILTERS


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[mimecast", "TOML"),
        ("[nobody]\ndated = 2027-03-01", "no kind of filter"),
        ("mimecast = 1", "no kind of filter"),
        ("[mimecast]\nnetworks = []", "dated"),
        ('[mimecast]\ndated = "yesterday"', "dated"),
        ("[mimecast]\ndated = 2027-03-01T00:00:00Z", "dated"),
        ("[mimecast]\ndated = 2027-03-01\nnetworks = ['10.0.0.1/8']", "host bits"),
        ("[mimecast]\ndated = 2027-03-01\nnetworks = 1", "lists"),
        ("[mimecast]\ndated = 2027-03-01\nsetup = ''", "not known"),
    ],
)
def test_a_file_with_a_mistake_says_which(text: str, word: str) -> None:
    with pytest.raises(Unreadable, match=word):
        with_file(text)
