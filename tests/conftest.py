"""What every test gets: a folder of its own that goes away with the run, for trial's test classes too."""

from __future__ import annotations

import itertools
import os
import unittest
from collections.abc import Generator
from pathlib import Path
from typing import Any

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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Continuous integration has everything that the tests need: a test that is skipped there has failed."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
