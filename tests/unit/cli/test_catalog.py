"""Accounts, admins, domains, mailboxes and addresses by the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratamail.access import passwords
from stratamail.store import database
from stratamail.store.catalog.audit import Audit
from stratamail.store.catalog.mailboxes import password_hash
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.queue.schema import messages, unclaimed
from tests.unit.cli.conftest import PASSWORD, Cli


def stored(cli: Cli, mailbox: int) -> str:
    engine = database.open_catalog(cli.layout, "")
    with database.reading(engine) as conn:
        found = password_hash(conn, mailbox)
    engine.dispose()
    assert found
    return found


def test_accounts_and_admins(bare: Cli) -> None:
    bare.ok("init")
    assert bare.json("account", "add", "R", "--kind", "reseller") == {
        "name": "R",
        "kind": "reseller",
        "parent": "operator",
    }
    bare.ok("account", "add", "C", "--kind", "customer", "--parent", "R")
    assert [one["name"] for one in bare.json("account", "list")] == ["operator", "R", "C"]
    assert bare.json("account", "set", "C", "--parent", "operator")["parent"] == "operator"
    assert bare.json("account", "show", "C")["kind"] == "customer"
    assert "no account" in bare.refused("account", "show", "X")
    assert bare.json("admin", "list") == []
    bare.ok("admin", "add", "Root@Example.net", "--account", "C", "--password-stdin", stdin=PASSWORD)
    assert bare.json("admin", "list") == [{"email": "root@example.net", "account": "C"}]
    assert bare.json("admin", "set", "root@example.net", "--account", "R")["account"] == "R"
    assert bare.json("admin", "show", "ROOT@example.net")["account"] == "R"
    assert "1 admins" in bare.refused("account", "remove", "R")
    bare.ok("admin", "remove", "root@example.net")
    bare.ok("account", "remove", "C")
    bare.ok("account", "remove", "R")
    assert "--password-stdin" in bare.misused("admin", "add", "x@y.example")


def test_domain_with_every_option(bare: Cli) -> None:
    bare.ok("init")
    bare.ok("account", "add", "C", "--kind", "customer")
    options = [
        "--account",
        "C",
        "--mode",
        "relay-only",
        "--tls",
        "verify",
        "--unknown",
        "reject",
        "--profile",
        "m365",
        "--filter",
        "proofpoint",
    ]
    trust = ["--trust", "192.0.2.0/24", "--trust", "2001:db8::/32"]
    primaries = ["--primary", "127.0.0.1:2526", "--primary", "[::1]:2527"]
    bare.ok("domain", "add", "Bücher.example", *primaries, *options, *trust)
    expected = {
        "domain": "xn--bcher-kva.example",
        "account": "C",
        "primary": ["127.0.0.1:2526", "[::1]:2527"],
        "mode": "relay-only",
        "tls": "verify",
        "trust": ["192.0.2.0/24", "2001:db8::/32"],
        "unknown": "reject",
        "profile": "m365",
        "filter": "proofpoint",
        "return_after": 259200,
        "alias_of": None,
    }
    assert bare.json("domain", "show", "BÜCHER.example") == expected
    assert bare.json("domain", "list") == [expected]
    changed = bare.json("domain", "set", "bücher.example", "--tls", "profile", "--trust", "any", "--mode", "both")
    assert (changed["tls"], changed["trust"], changed["mode"], changed["unknown"]) == (None, [], "both", "reject")


@pytest.mark.parametrize(
    "words",
    [
        ["domain", "add", "a.example"],
        ["domain", "add", "a.example", "--primary", "h:x"],
        ["domain", "add", "a.example", "--primary", "127.0.0.1:26", "--mode", "none"],
        ["domain", "add", "a.example", "--primary", "127.0.0.1:26", "--trust", "10.0.0.1/8"],
        ["domain", "add", "a.example", "--primary", "127.0.0.1:26", "--profile", "nobody"],
        ["mailbox", "add", "x@acme.example"],
        ["address", "add", "x@acme.example"],
        ["address", "add", "x@acme.example", "--alias-of", "anna@acme.example", "--group", "b@acme.example"],
        ["queue", "retry"],
        ["nonsense"],
    ],
)
def test_wrong_usage_is_2(cli: Cli, words: list[str]) -> None:
    assert cli.misused(*words)


def test_a_primary_that_is_ourselves_is_refused(cli: Cli) -> None:
    assert "itself" in cli.refused("domain", "add", "b.example", "--primary", "127.0.0.1:2525")
    assert "itself" in cli.refused("domain", "set", "acme.example", "--primary", "127.0.0.1:2525")
    # any door of ours
    assert "itself" in cli.refused("domain", "add", "b.example", "--primary", "127.0.0.1:143")
    # the same machine at another port is nobody but the primary
    cli.ok("domain", "add", "b.example", "--primary", "127.0.0.1:2600")


def test_a_name_that_is_not_found_is_a_warning(cli: Cli) -> None:
    result = cli.run("domain", "add", "b.example", "--primary", "nowhere.invalid:25")
    assert result.exit_code == 0
    assert "warning: nowhere.invalid" in result.stderr


@pytest.mark.parametrize(
    ("typed", "password"),
    [("correct horse\n", "correct horse"), ("ends with cr\r\n", "ends with cr"), ("  blank  \n", "  blank  ")],
)
def test_the_password_is_the_line_without_its_end(cli: Cli, typed: str, password: str) -> None:
    cli.ok("mailbox", "set", "anna@acme.example", "--password-stdin", stdin=typed)
    assert passwords.verify(stored(cli, 1), password)


def test_a_short_password_is_refused_and_nothing_is_added(cli: Cli) -> None:
    assert "8 characters" in cli.refused("mailbox", "add", "new@acme.example", "--password-stdin", stdin="short\n")
    assert "no mailbox" in cli.refused("mailbox", "show", "new@acme.example")


def test_mailboxes(cli: Cli) -> None:
    cli.ok("address", "add", "info@acme.example", "--alias-of", "anna@acme.example")
    expected = {
        "address": "anna@acme.example",
        "kind": "mailbox",
        "name": "",
        "state": "enabled",
        "aliases": ["info@acme.example"],
        "messages": 0,
        "searchable": 0,
        "alternate": "",
        "mobile": "",
    }
    assert cli.json("mailbox", "show", "INFO@acme.example") == expected
    assert cli.json("mailbox", "list", "acme.example")[0] == expected
    changed = cli.json("mailbox", "set", "anna@acme.example", "--name", "Anna", "--mobile", "+4915112345678")
    assert (changed["name"], changed["mobile"]) == ("Anna", "+4915112345678")
    assert cli.json("mailbox", "disable", "anna@acme.example")["state"] == "disabled"
    assert cli.json("mailbox", "enable", "anna@acme.example")["state"] == "enabled"
    cli.ok("mailbox", "remove", "anna@acme.example")
    assert cli.json("address", "list") == []
    assert [one["address"] for one in cli.json("mailbox", "list")] == ["bob@acme.example"]
    assert "already" in cli.refused("mailbox", "add", "bob@acme.example", "--password-stdin", stdin=PASSWORD)


def test_addresses(cli: Cli) -> None:
    cli.ok("address", "add", "all@acme.example", "--group", "anna@acme.example", "--group", "x@else.example")
    cli.ok("address", "add", "desk@acme.example", "--shared", "anna@acme.example", "--send-as", "bob@acme.example")
    assert cli.json("address", "list", "acme.example") == [
        {
            "address": "all@acme.example",
            "kind": "group",
            "members": ["anna@acme.example", "x@else.example"],
            "send_as": [],
        },
        {
            "address": "desk@acme.example",
            "kind": "shared",
            "members": ["anna@acme.example"],
            "send_as": ["bob@acme.example"],
        },
    ]
    changed = cli.json("address", "set", "ALL@acme.example", "--group", "bob@acme.example")
    assert changed["members"] == ["bob@acme.example"]
    desk = cli.json("mailbox", "show", "desk@acme.example")
    assert (desk["kind"], desk["state"], desk["messages"]) == ("shared", "enabled", 0)
    assert [one["kind"] for one in cli.json("mailbox", "list")] == ["mailbox", "mailbox", "shared"]
    assert "themselves" in cli.refused("mailbox", "set", "desk@acme.example", "--password-stdin", stdin=PASSWORD)
    os.makedirs(cli.layout.mailbox("desk@acme.example") + "/cur")
    assert "address remove" in cli.refused("mailbox", "remove", "desk@acme.example")
    cli.ok("address", "remove", "desk@acme.example")
    assert not os.path.exists(cli.layout.mailbox("desk@acme.example"))
    assert [one["kind"] for one in cli.json("mailbox", "list")] == ["mailbox", "mailbox"]
    cli.ok("address", "remove", "all@acme.example")
    assert "no listed address" in cli.refused("address", "show", "all@acme.example")


def test_alias_domain(cli: Cli) -> None:
    added = cli.json("domain", "add", "acme.test", "--alias-of", "acme.example")
    assert added["alias_of"] == "acme.example"
    assert cli.json("mailbox", "show", "anna@acme.test")["address"] == "anna@acme.example"
    assert cli.json("status", "acme.test")["primary"] == "127.0.0.1:2526"
    assert "alias domain" in cli.refused("domain", "remove", "acme.example")
    cli.ok("domain", "add", "other.example", "--primary", "127.0.0.1:2526")
    cli.ok("domain", "add", "third.example", "--alias-of", "other.example")
    assert "alias domains of its own" in cli.refused("domain", "set", "other.example", "--alias-of", "acme.example")
    cli.ok("account", "add", "Acme", "--kind", "customer")
    cli.ok("domain", "set", "acme.example", "--account", "Acme")
    assert cli.json("domain", "show", "acme.test")["account"] == "Acme"


def test_an_address_in_quotes_can_be_listed(cli: Cli, tmp_path: Path) -> None:
    cli.ok("mailbox", "add", '"Eva Maria"@ACME.example', "--password-stdin", stdin=PASSWORD)
    cli.ok("mailbox", "disable", '"eva maria"@acme.example')
    cli.ok("mailbox", "set", '"eva maria"@acme.example', "--name", "Eva")
    cli.ok("address", "add", '"anna@home"@acme.example', "--alias-of", '"eva maria"@acme.example')
    cli.ok("address", "set", '"anna@home"@acme.example', "--alias-of", "anna@acme.example")
    cli.ok("address", "add", "bob%home@acme.example", "--alias-of", "bob@acme.example")
    listing = tmp_path / "list.csv"
    listing.write_text('address,aliases\n"""Eva Maria""@acme.example",\nanna@acme.example,eva%x@acme.example\n')
    assert cli.json("mailbox", "import", "acme.example", str(listing))["added"] == ["eva%x@acme.example"]
    for typo in ("eva maria@acme.example", "@acme.example", "eva", "eva@", "a@b@acme.example"):
        cli.refused("mailbox", "add", typo, "--password-stdin", stdin=PASSWORD)
        cli.refused("mailbox", "show", typo.replace("eva maria", "eva mario"))


def test_a_removed_mailbox_s_mail_is_set_aside_not_deleted_not_inherited(cli: Cli) -> None:
    root = cli.layout.mailbox("anna@acme.example")
    os.makedirs(f"{root}/cur")
    cli.ok("mailbox", "remove", "anna@acme.example")
    assert not os.path.exists(root)
    assert os.path.isdir(f"{cli.layout.mail}/acme.example/.removed-1-anna/cur")
    # also what a crash between the commit and the renaming left behind
    os.makedirs(f"{root}/cur")
    cli.ok("mailbox", "add", "anna@acme.example", "--password-stdin", stdin=PASSWORD)
    assert not os.path.exists(root)


def test_a_removed_domain_leaves_no_unclaimed_mail_to_the_next_owner(cli: Cli) -> None:
    for conn in cli.queue():
        conn.execute(unclaimed.insert().values(key="new@acme.example", seq=1))
        conn.execute(unclaimed.insert().values(key="new@sub.acme.example", seq=1))
    cli.ok("domain", "remove", "acme.example")
    for conn in cli.queue():
        assert [row.key for row in conn.execute(unclaimed.select())] == ["new@sub.acme.example"]
        assert conn.execute(messages.select()).first() is None
    assert cli.json("domain", "list") == []
    assert cli.json("mailbox", "list") == []


def test_every_change_is_audited_without_passwords(cli: Cli) -> None:
    cli.ok("mailbox", "set", "anna@acme.example", "--password-stdin", stdin="another secret\n")
    engine = database.open_catalog(cli.layout, "")
    with database.reading(engine) as conn:
        entries = Audit(conn).all(OPERATOR)
    engine.dispose()
    assert [entry.action for entry in entries] == ["mailbox.set", "mailbox.add", "mailbox.add", "domain.add"]
    assert all(entry.actor.startswith("cli:") for entry in entries)
    assert not any("secret" in entry.detail or "argon2" in entry.detail for entry in entries)


def test_when_held_mail_goes_back_is_a_domains_setting(cli: Cli) -> None:
    assert cli.json("domain", "show", "acme.example")["return_after"] == 3 * 86_400
    assert cli.json("domain", "set", "acme.example", "--return-after", "5d")["return_after"] == 5 * 86_400
    assert cli.json("domain", "set", "acme.example", "--return-after", "never")["return_after"] == 0
    assert cli.json("domain", "set", "acme.example", "--mode", "both")["return_after"] == 0
    assert "no duration" in cli.misused("domain", "set", "acme.example", "--return-after", "soon")


@pytest.mark.parametrize("kind", ["mailbox", "shared"])
def test_a_mailbox_that_somebody_makes_while_the_former_one_is_removed_keeps_its_mail(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Two people at two keyboards: between the catalog's change and the folder's."""
    words = ["mailbox", "add", "desk@acme.example", "--password-stdin"]
    if kind == "shared":
        words = ["address", "add", "desk@acme.example", "--shared", "anna@acme.example"]
    cli.ok(*words, stdin=PASSWORD)
    path = Path(cli.layout.mailbox("desk@acme.example"))
    (path / "cur").mkdir(parents=True)

    def meanwhile(*_: object) -> bool:
        monkeypatch.undo()
        cli.ok(*words, stdin=PASSWORD)
        (path / "new").mkdir(parents=True)
        return False

    monkeypatch.setattr("stratamail.cli.wake.poke", meanwhile)
    cli.ok("address" if kind == "shared" else "mailbox", "remove", "desk@acme.example")
    assert [one.name for one in path.iterdir()] == ["new"]
    aside = [one for one in path.parent.iterdir() if one.name.startswith(".removed-")]
    assert [(one / "cur").is_dir() for one in aside] == [True]
