"""An idling mail client that notes when each message showed up."""

from __future__ import annotations

import threading
import time

from tests.support.talk import Closed, Talk


class Watcher:
    """Idles on INBOX in a thread. ``seen[n]`` is ``time.time`` when message ``n`` (from 1) was announced."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.seen: dict[int, float] = {}
        self._talk = Talk(port, timeout=600)
        self._talk.line()
        last = self._talk.tagged(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))[-1]
        assert last.startswith(b"t1 OK"), last
        self._count = 0
        for item in self._talk.tagged(b"SELECT INBOX"):
            self._note(item)
        self.seen.clear()
        self._talk.send(b"t2 IDLE\r\n")
        assert self._talk.line().startswith(b"+")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _note(self, item: bytes) -> None:
        words = item.split()
        if len(words) == 3 and words[2].upper() == b"EXISTS":
            now = time.time()
            for number in range(self._count + 1, int(words[1]) + 1):
                self.seen[number] = now
            self._count = int(words[1])

    def _run(self) -> None:
        try:
            while not (item := self._talk.item()).startswith(b"t2 "):
                self._note(item)
        except (Closed, OSError):
            return

    @property
    def count(self) -> int:
        return self._count

    def stop(self) -> None:
        self._talk.send(b"DONE\r\n")
        self._thread.join(10)
        self._talk.sock.close()
