"""init, check-config, and what is said when something is not as it should be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import sqlalchemy as sa

from stratamail.store import database
from tests.unit.cli.conftest import Cli


def test_init_makes_state_and_certificate_and_may_be_run_again(bare: Cli) -> None:
    made = bare.json("init")
    assert made["created"] is True
    assert os.path.basename(made["certificate"]) == "mx.strata.example.pem"
    for path in (bare.layout.queue, bare.layout.catalog, bare.layout.spool, bare.layout.mail, bare.layout.keys):
        assert os.path.exists(path)
    assert stat.S_IMODE(os.stat(bare.layout.keys).st_mode) == 0o700
    secret = os.path.join(bare.layout.keys, "secret")
    assert stat.S_IMODE(os.stat(secret).st_mode) == 0o600
    before = Path(secret).read_bytes()
    bare.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526")
    again = bare.json("init")
    assert again == {"state": bare.layout.state, "created": False, "certificate": None}
    assert Path(secret).read_bytes() == before
    assert len(bare.json("domain", "list")) == 1


def test_without_init_the_cure_is_named(bare: Cli) -> None:
    assert "init" in bare.refused("domain", "list")


def test_check_config(bare: Cli) -> None:
    assert "good" in bare.ok("check-config")
    assert bare.json("check-config") == {"ok": True, "problems": []}
    with bare.config.open("a") as file:
        file.write("recipient = 5\n")
    said = bare.refused("check-config")
    assert 'unknown key "recipient" in [limits]; did you mean "recipients"?' in said
    assert f"{bare.config}:10:" in said
    assert "recipients" in bare.refused("domain", "list")


def test_a_missing_config(bare: Cli) -> None:
    bare.config.unlink()
    assert "cannot be read" in bare.refused("status")


def test_a_user_that_is_not_there(bare: Cli) -> None:
    bare.config.write_text(bare.config.read_text().replace("[listen]", 'user = "nobody-of-that-name"\n[listen]'))
    assert "nobody-of-that-name" in bare.refused("init")


def test_a_database_newer_than_the_code_is_refused(cli: Cli) -> None:
    engine = database.open_catalog(cli.layout, "")
    with database.writing(engine) as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "newer" in cli.refused("domain", "list")


def test_a_database_that_is_none(cli: Cli) -> None:
    with open(cli.layout.catalog, "wb") as file:
        file.write(b"junk" * 5000)
    assert "database" in cli.refused("domain", "list")


def test_empty_listings_are_empty_arrays(bare: Cli) -> None:
    bare.ok("init")
    for words in (
        ["domain", "list"],
        ["admin", "list"],
        ["mailbox", "list"],
        ["address", "list"],
        ["queue", "list"],
        ["status"],
        ["events"],
    ):
        assert bare.json(*words) == []
        assert bare.ok(*words).strip()
