"""A program of the terminal, driven as a person would: keys in, and what stands on the screen."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pyte

ROWS, COLUMNS = 40, 100


class Screen:
    """Ends the program, however the test ends. ``home`` is the program's own folder; words are in English."""

    def __init__(self, program: str, words: Sequence[str], home: Path) -> None:
        env = {"TERM": "xterm", "HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        self._child = pexpect.spawn(program, list(words), env=env, dimensions=(ROWS, COLUMNS))
        self._child.delaybeforesend = None
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *error: object) -> None:
        self._child.close(force=True)

    def press(self, keys: str) -> Screen:
        self._child.send(keys)
        return self

    def shows(self, *words: str, seconds: float = 15.0) -> int:
        """Waits until one of ``words`` (regular expressions, a line each) stands on the screen: which of them."""
        deadline = time.monotonic() + seconds
        while True:
            for number, word in enumerate(words):
                if any(re.search(word, line) for line in self._screen.display):
                    return number
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"none of {words} on the screen:\n" + "\n".join(self._screen.display))

    def ends(self, seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, "\n".join(self._screen.display)

    def _read(self) -> bool:
        """Takes in what has been drawn within a tenth of a second; false once the program has ended."""
        try:
            self._stream.feed(self._child.read_nonblocking(65_536, timeout=0.1))
        except pexpect.TIMEOUT:
            pass
        except pexpect.EOF:
            return False
        return True
