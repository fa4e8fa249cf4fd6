"""Threads that wait hold nothing of what they did."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from stratamail.store.pool import Pool


class Large:
    pass


class Inline:
    def callFromThread(self, callable: Any, *args: Any) -> None:
        callable(*args)


def test_what_a_job_was_given_is_let_go_when_it_is_done() -> None:
    pool = Pool("test", 1, Inline())  # type: ignore[arg-type]
    pool.start()
    given = Large()
    gone = threading.Event()
    weakref.finalize(given, gone.set)
    pool.run(lambda large: None, given)
    del given
    assert gone.wait(10)
    pool.stop()
