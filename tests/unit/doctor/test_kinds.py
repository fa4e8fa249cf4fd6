"""What the doctor says of a domain's kind of primary and filter."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network
from pathlib import Path

import pytest
from attrs import evolve

from stratamail.doctor import kinds
from stratamail.doctor.finding import FAILURE, OK, WARNING
from stratamail.profiles.filters import FILTERS
from stratamail.store.layout import Layout
from stratamail.tenancy.model import Domain, HostPort

TODAY = date(2026, 12, 1)
EXAMPLE = Path(__file__).parents[3] / "etc" / "filters.toml"
TENANT = Domain(
    1, 1, "a.example", (HostPort("a-example.mail.protection.outlook.com"),), profile="m365", filter="mimecast"
)
OWN = Domain(1, 1, "a.example", (HostPort("192.0.2.1"),))


@pytest.mark.parametrize(
    ("domain", "level", "word"),
    [
        (TENANT, OK, "by hand"),
        (evolve(TENANT, profile="auto"), OK, "Microsoft 365 (told by its name"),
        (evolve(TENANT, primaries=(HostPort("mx.a.example"),)), WARNING, "own host"),
        (evolve(TENANT, filter="defender"), WARNING, "fail together"),
        (evolve(TENANT, mode="relay-only"), WARNING, "does not support"),
        (OWN, OK, "Postfix"),
        (evolve(OWN, filter="defender", profile="exchange"), OK, "premises"),
    ],
)
def test_kind(domain: Domain, level: str, word: str) -> None:
    found = next(iter(kinds.check(domain, FILTERS, TODAY)))
    assert (found.check, found.level) == ("kind", level)
    assert word in found.text
    assert bool(found.cure) == (level != OK)


def test_who_must_not_be_asked() -> None:
    learning = evolve(OWN, unknown="learn")
    levels = [
        list(kinds.check(evolve(learning, profile=name), FILTERS, TODAY))[1].level for name in ("generic", "kerio")
    ]
    assert levels == [OK, WARNING]


def test_addresses_grow_old() -> None:
    domain = evolve(OWN, filter="spamweeder")
    fresh, old = (list(kinds.check(domain, FILTERS, day))[-1] for day in (TODAY, date(2027, 12, 1)))
    assert (fresh.level, old.level) == (OK, WARNING)
    assert "*.antispamcloud.com (looked up 2026-11-24)" in fresh.text
    assert "filters.toml" in old.cure
    assert list(kinds.check(OWN, FILTERS, date(2027, 12, 1)))[-1].level == OK


def test_a_file_in_the_state_replaces_them(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    assert kinds.known_filters(layout) == (FILTERS, [])
    file = tmp_path / "filters.toml"
    file.write_bytes(b'[spamweeder]\ndated = 2027-11-01\nnetworks = ["192.0.2.0/24"]\n')
    known, problems = kinds.known_filters(layout)
    assert problems == []
    assert known["spamweeder"].networks == (ip_network("192.0.2.0/24"),)
    for content in (b"[nobody]\n", b"\xff"):
        file.write_bytes(content)
        known, (problem,) = kinds.known_filters(layout)
        assert known is FILTERS
        assert (problem.level, bool(problem.cure)) == (FAILURE, True)


def test_the_shipped_example_says_what_we_came_with(tmp_path: Path) -> None:
    (tmp_path / "filters.toml").write_bytes(EXAMPLE.read_bytes())
    assert kinds.known_filters(Layout(str(tmp_path))) == (FILTERS, [])
