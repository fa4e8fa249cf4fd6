"""kill -9 before every durable step of the store: nothing acknowledged is lost, nothing is there twice or torn."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("first", "stride", "state"), [(1, 2, "warm"), (2, 2, "warm"), (1, 7, "cold")])
def test_killed_at_every_step(tmp_path: Path, first: int, stride: int, state: str) -> None:
    words = [sys.executable, "-m", "tests.crash.steps", str(tmp_path), str(first), str(stride), state]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    lives = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-5000:]
    assert [life["step"] for life in lives if not life["good"]] == [], done.stderr[-5000:]
    assert len(lives) > 8
    assert not lives[-1]["died"]
    assert lives[-1]["acknowledged"] == 5
    assert any(0 < life["acknowledged"] < 5 for life in lives)
