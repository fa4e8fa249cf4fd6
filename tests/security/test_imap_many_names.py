"""A client that makes folders or subscriptions without end is stopped, and nobody else is (RFC 5530 LIMIT)."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratamail.store import foldertree
from tests.protocol.imap_harness import House


def test_folders_and_subscriptions_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foldertree, "MOST", 10)
    client = House(tmp_path).sign_in()  # six folders, five of them subscribed to
    client.ok("CREATE a/b/c")
    assert b"[LIMIT]" in client.no("CREATE d/e")
    client.ok("CREATE d")
    assert b"[LIMIT]" in client.no("CREATE e")
    for number in range(10 - client.ok('LSUB "" *').count(b"\r\n")):
        client.ok(f"SUBSCRIBE n{number}")
    assert b"[LIMIT]" in client.no("SUBSCRIBE more")
    client.ok("UNSUBSCRIBE n0")
    client.ok("SUBSCRIBE more")
    client.ok("DELETE d")
    client.ok("CREATE e")
