"""What every test gets: a folder of its own that goes away with the run, for trial's test classes too."""

from __future__ import annotations

import itertools
import unittest
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def trial_scratch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """``self.mktemp()`` of a trial class would leave its folders in the checkout."""
    cls = request.cls
    if cls is None or not issubclass(cls, unittest.TestCase) or not hasattr(cls, "mktemp"):
        return
    folder: Path = request.getfixturevalue("tmp_path")
    number = itertools.count(1)
    monkeypatch.setattr(cls, "mktemp", lambda self: str(folder / f"scratch{next(number)}"))
