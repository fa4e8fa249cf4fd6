"""The story of ``stratamail demo``, told as scripts and terminals-less machines see it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.interop


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stratamail", "demo", *words], capture_output=True, text=True, timeout=240, check=False
    )


def test_every_promise_is_kept() -> None:
    done = run("--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, told
    assert told["ok"]
    assert all(told["promises"].values())
    assert len(told["messages"]) == 12
    assert all(message["bytes_intact"] for message in told["messages"])
    assert [message["dkim"] for message in told["messages"]].count("intact") == 2


def test_plain_lines_without_a_terminal() -> None:
    done = run()
    assert done.returncode == 0, done.stdout
    assert "\x1b" not in done.stdout
    assert done.stdout.endswith("Every promise was kept.\n")
