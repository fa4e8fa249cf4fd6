"""The command line run in this process on a STATE of its own; no server runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Connection

from stratamail.cli.main import main
from stratamail.store import database
from stratamail.store.layout import Layout

PASSWORD = "correct horse\n"


class Cli:
    """``run`` gives the result, ``ok`` the output of what must succeed, ``json`` its document."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "stratamail.toml"
        self.layout = Layout(str(folder / "state"))
        self.config.write_text(
            f'[server]\nhostname = "mx.strata.example"\nstate = "{folder}/state"\n'
            '[listen]\nsmtp = ["tcp:2525:interface=127.0.0.1"]\n'
            f'[tls]\ncertificates = "{folder}/tls"\n[limits]\ndisk-reserve = "1MB"\n'
        )

    def run(self, *words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, ["--config", str(self.config), *words], input=stdin)

    def ok(self, *words: str, stdin: str = "") -> str:
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str, stdin: str = "") -> Any:
        return json.loads(self.ok(*words, "--json", stdin=stdin))

    def refused(self, *words: str, stdin: str = "") -> str:
        """What is said on standard error by a command that ends with 1."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 1, result.output
        assert result.stderr.strip()
        return result.stderr

    def misused(self, *words: str) -> str:
        result = self.run(*words)
        assert result.exit_code == 2, result.output
        return result.stderr

    def queue(self) -> Iterator[Connection]:
        engine = database.open_queue(self.layout)
        try:
            with database.writing(engine) as conn:
                yield conn
        finally:
            engine.dispose()


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """The command line sets its own; what else is tested in this process keeps the one it had."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture
def bare(tmp_path: Path) -> Cli:
    """Nothing is set up yet."""
    return Cli(tmp_path)


@pytest.fixture
def cli(bare: Cli) -> Cli:
    """A domain with two mailboxes."""
    bare.ok("init")
    bare.ok("domain", "add", "acme.example", "--primary", "127.0.0.1:2526")
    for user in ("anna", "bob"):
        bare.ok("mailbox", "add", f"{user}@acme.example", "--password-stdin", stdin=PASSWORD)
    return bare


@pytest.fixture
def queue(cli: Cli) -> Iterator[Connection]:
    yield from cli.queue()
