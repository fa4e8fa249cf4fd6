"""``stratamail domain dkim``: records to publish, and keys that take turns."""

from __future__ import annotations

from tests.support.dns import Dns
from tests.unit.cli.conftest import Cli


def test_made_when_first_asked_for(cli: Cli) -> None:
    found = cli.json("domain", "dkim", "acme.example")
    assert [(one["algorithm"], one["state"], one["type"]) for one in found] == [
        ("rsa", "active", "TXT"),
        ("ed25519", "active", "TXT"),
    ]
    assert all(one["name"] == f"{one['selector']}._domainkey.acme.example" for one in found)
    assert cli.json("domain", "dkim", "ACME.example") == found


def test_a_zone_file_can_take_them(cli: Cli) -> None:
    found = cli.json("domain", "dkim", "acme.example")
    lines = [line for line in cli.ok("domain", "dkim", "acme.example").splitlines() if not line.startswith(";")]
    for line, one in zip(lines, found, strict=True):
        name, _, rest = line.partition(". IN TXT ")
        strings = rest.strip('"').split('" "')
        assert (name, "".join(strings)) == (one["name"], one["value"])
        assert all(len(string) <= 255 for string in strings)


def test_they_take_turns(cli: Cli) -> None:
    assert "no next keys" in cli.refused("domain", "dkim", "acme.example", "--activate")
    first = cli.json("domain", "dkim", "acme.example")
    both = cli.json("domain", "dkim", "acme.example", "--rotate")
    assert both[:2] == first and [one["state"] for one in both[2:]] == ["next", "next"]
    assert "--activate" in cli.refused("domain", "dkim", "acme.example", "--rotate")
    after = cli.json("domain", "dkim", "acme.example", "--activate")
    assert [one["state"] for one in after] == ["retired", "retired", "active", "active"]
    assert after[2]["selector"] == both[2]["selector"]


def test_published_before_anything_is_signed(cli: Cli) -> None:
    made = cli.json("domain", "dkim", "acme.example", "--rotate")
    assert [one["state"] for one in made] == ["next", "next"]
    assert cli.json("domain", "dkim", "acme.example") == made
    after = cli.json("domain", "dkim", "acme.example", "--activate")
    assert [(one["name"], one["state"]) for one in after] == [(one["name"], "active") for one in made]


def test_whoever_has_the_domain_next_gets_other_keys(cli: Cli) -> None:
    first = cli.json("domain", "dkim", "acme.example")
    cli.ok("domain", "remove", "acme.example")
    assert cli.refused("domain", "dkim", "acme.example")
    cli.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526")
    assert cli.json("domain", "dkim", "acme.example")[0]["value"] != first[0]["value"]


def test_a_broken_file_is_said(cli: Cli) -> None:
    cli.ok("domain", "dkim", "acme.example")
    with open(f"{cli.layout.keys}/dkim/acme.example.json", "w") as file:
        file.write("{")
    assert "cannot be read" in cli.refused("domain", "dkim", "acme.example")


def test_doctor_looks_for_the_records(cli: Cli) -> None:
    names = Dns()
    try:
        with open(cli.config, "a") as file:
            file.write(f'[relay]\nresolver = "{names.address}"\n')
        assert not [one for one in cli.json("doctor", "acme.example") if one["check"] == "dkim"]
        found = cli.json("domain", "dkim", "acme.example")
        told = [one for one in cli.json("doctor", "acme.example") if one["check"] == "dkim"]
    finally:
        names.stop()
    assert [one["subject"] for one in told] == [one["name"] for one in found]
    assert all(one["level"] == "warning" and one["cure"] for one in told)
