"""``domain setup``: what to enter at the primary and in the filter's console."""

from __future__ import annotations

from tests.unit.cli.conftest import Cli

TENANT = "acme-example.mail.protection.outlook.com:25"


def test_what_a_domain_needs(bare: Cli) -> None:
    bare.ok("init")
    bare.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526", "--filter", "defender", "--profile", "m365")
    text = " ".join(bare.ok("domain", "setup", "acme.example").split())
    assert "inbound connector" in text
    assert "never the public MX" in text
    assert "by experience" in text
    assert "40.92.0.0/15" in text
    assert "mx.strata.example" in text
    found = bare.json("domain", "setup", "acme.example")
    assert (found["profile"], found["filter"], found["by_experience"]) == ("m365", "defender", True)
    assert found["filter_dated"] == "2026-11-24"
    assert len(found["primary_steps"]) > 2
    bare.refused("domain", "setup", "nobody.example")


def test_a_primary_whose_name_tells_its_kind(bare: Cli) -> None:
    bare.ok("init")
    shown = bare.json("domain", "add", "acme.example", "--primary", TENANT)
    assert shown["profile"] == "m365"
    assert bare.json("domain", "set", "acme.example", "--profile", "generic")["profile"] == "generic"
    assert bare.json("domain", "set", "acme.example", "--profile", "auto")["profile"] == "m365"
    assert bare.json("domain", "setup", "acme.example")["filter"] == "none"


def test_the_doctor_warns_of_old_addresses(bare: Cli) -> None:
    bare.ok("init")
    bare.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526", "--filter", "mimecast")
    file = bare.config.parent / "state" / "filters.toml"
    file.write_text("[mimecast]\ndated = 2020-01-01\nnames = ['m.example']\n")
    found = [one for one in bare.json("doctor", "acme.example") if one["check"] == "filter"]
    assert [(one["level"], "*.m.example" in one["text"]) for one in found] == [("warning", True)]
