"""The mark of a running server: one at a time, and an unclean end is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from stratamail.app.running import AlreadyRunning, Running


def test_a_clean_stop_leaves_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "running"
    one = Running(str(path))
    one.take()
    assert not one.unclean
    assert path.exists()
    one.release()
    assert not path.exists()
    two = Running(str(path))
    two.take()
    assert not two.unclean
    two.release()


def test_an_unclean_end_is_noticed(tmp_path: Path) -> None:
    path = str(tmp_path / "running")
    one = Running(path)
    one.take()
    one.abandon()
    two = Running(path)
    two.take()
    assert two.unclean
    two.release()


def test_a_second_server_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "running")
    one = Running(path)
    one.take()
    with pytest.raises(AlreadyRunning, match="process"):
        Running(path).take()
    one.release()
    three = Running(path)
    three.take()
    three.release()


def test_releasing_twice_is_harmless(tmp_path: Path) -> None:
    one = Running(str(tmp_path / "running"))
    one.take()
    one.release()
    one.release()
    one.abandon()
    assert not (tmp_path / "running").exists()
