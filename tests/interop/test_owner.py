"""Run by root, with a STATE that belongs to another user: CLI and server become that user, and leave root no file."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import PASSWORD, Refused, Server

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

OWNER = pwd.getpwnam("nobody")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def owners(state: Path) -> set[int]:
    return {path.lstat().st_uid for path in (state, *state.rglob("*"))}


def story(server: Server) -> None:
    """Everything that writes below STATE, while the server runs and while it does not."""
    server.command("domain", "add", "acme.example", "--primary", "127.0.0.1:9", "--tls", "none")
    server.start()
    assert server.process is not None
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert f"Uid:\t{OWNER.pw_uid}\t{OWNER.pw_uid}\t{OWNER.pw_uid}\t{OWNER.pw_uid}\n" in status
    server.command("mailbox", "add", "ann@acme.example", "--password-stdin", stdin=PASSWORD + "\n")
    # root's own files are read before the user changes
    listing = server.base / "list.csv"
    listing.write_text("address\nben@acme.example\n")
    listing.chmod(0o600)
    server.config.chmod(0o600)
    server.command("mailbox", "import", "acme.example", str(listing))
    assert b"250" in server.deliver(b"Subject: one\r\n\r\ntext\r\n", ["ann@acme.example"])
    assert len(server.shown("ann@acme.example")) == 1
    assert owners(server.state) == {OWNER.pw_uid}
    server.stop()
    server.command("queue", "hold", "acme.example")
    assert owners(server.state) == {OWNER.pw_uid}


def test_the_owner_of_state(server: Server) -> None:
    server.command("init")
    subprocess.run(["chown", "-R", f"{OWNER.pw_uid}:{OWNER.pw_gid}", server.state], check=True)
    server.command("init")
    story(server)


def test_a_state_of_roots_is_handed_to_the_user_that_is_named(server: Server) -> None:
    server.command("init")
    assert owners(server.state) == {0}
    server.write_config({"server": {"user": OWNER.pw_name}})
    with pytest.raises(Refused) as refused:
        server.command("status")
    assert "init" in refused.value.reason
    server.command("init")
    story(server)


def test_a_state_of_another_user_is_refused_with_the_reason(server: Server) -> None:
    server.command("init")
    subprocess.run(["chown", "-R", f"{OWNER.pw_uid}:{OWNER.pw_gid}", server.state], check=True)
    server.write_config({"server": {"user": "daemon"}})
    for words in (["init"], ["status"]):
        with pytest.raises(Refused) as refused:
            server.command(*words)
        assert refused.value.status == 1
        assert "chown" in refused.value.reason
    with pytest.raises(AssertionError, match="STATE and all in it must belong"):
        server.start()
    server.process = None
