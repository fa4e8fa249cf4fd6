"""Mailboxes on a temporary STATE, with spool files made at will."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import Arrival, Change
from stratamail.store.mailboxes import Mailboxes

ADDRESS = "ann@example.com"
START = 1_795_000_000_000_000


class Boxes:
    """``reopen`` plays a restart; ``heard`` is what the listener was told."""

    def __init__(self, state: Path) -> None:
        self.layout = Layout(str(state))
        self.heard: list[tuple[str, str, Change]] = []
        self.seqs: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._uidvalidity = itertools.count(5000)
        self.mailboxes = self._open(False)

    def _open(self, unclean: bool) -> Mailboxes:
        mailboxes = Mailboxes(self.layout, lambda: next(self._uidvalidity), unclean, self._seq_of)
        mailboxes.listener = lambda *told: self.heard.append(told)
        return mailboxes

    def _seq_of(self, ids: object) -> dict[str, int]:
        return {id: seq for id, seq in self.seqs.items() if id in ids}  # type: ignore[operator]

    def reopen(self, unclean: bool = False) -> Mailboxes:
        self.mailboxes.close()
        self.mailboxes = self._open(unclean)
        return self.mailboxes

    @property
    def root(self) -> str:
        return self.layout.mailbox(ADDRESS)

    def arrival(self, body: bytes = b"Subject: x\r\n\r\nbody\r\n", flags: frozenset[str] = frozenset()) -> Arrival:
        """A message in the spool."""
        seq = next(self._numbers)
        id = f"0abcde{seq:010d}"
        self.seqs[id] = seq
        path = self.layout.message(id)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_bytes(body)
        return Arrival(id, seq, path, len(body), START + seq, flags)

    def deliver(self, count: int = 1) -> list[Arrival]:
        arrivals = [self.arrival(b"Subject: %d\r\n\r\nbody\r\n" % i) for i in range(count)]
        self.mailboxes.deliver(ADDRESS, arrivals)
        return arrivals

    def uids(self, folder: str = "INBOX") -> list[int]:
        return list(self.mailboxes.load(ADDRESS, folder).columns.uids)

    def files(self, folder: str = "") -> set[str]:
        """Message files below a folder's directory."""
        found = set()
        for sub in ("new", "cur"):
            found |= {f"{sub}/{name}" for name in os.listdir(os.path.join(self.root, folder, sub))}
        return found
