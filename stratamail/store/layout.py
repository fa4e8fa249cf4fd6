"""Where things lie below STATE (the design's section "On disk"). Computes paths only; touches no disk.

Names below ``spool/`` are ids, never addresses. ``<domain>`` and ``<user>`` below ``mail/`` are lower case; a leading
dot and every byte outside ``a-z0-9._+=-`` is %XX.
"""

from __future__ import annotations

import os

_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._+=-")


def escape(name: str) -> str:
    """``name`` as one safe path component."""
    raw = name.lower().encode("utf-8", "surrogateescape")
    out = []
    for i, byte in enumerate(raw):
        safe = byte in _SAFE and not (i == 0 and byte == 0x2E)
        out.append(chr(byte) if safe else f"%{byte:02X}")
    return "".join(out)


class Layout:
    """Paths of one STATE directory."""

    def __init__(self, state: str) -> None:
        self.state = os.path.abspath(state)
        self.catalog = os.path.join(self.state, "catalog.sqlite")
        self.queue = os.path.join(self.state, "queue.sqlite")
        self.spool = os.path.join(self.state, "spool")
        self.lost = os.path.join(self.spool, "lost")
        self.mail = os.path.join(self.state, "mail")
        self.keys = os.path.join(self.state, "keys")
        self.ballast = os.path.join(self.state, "ballast")
        self.wake = os.path.join(self.state, "wake.sock")
        self.running = os.path.join(self.state, "running")

    def shard(self, id: str) -> str:
        """Ids start with their time, so that neighbours in time share a folder and a batch syncs few of them."""
        return os.path.join(self.spool, id[:6])

    def message(self, id: str) -> str:
        return os.path.join(self.shard(id), id)

    def part(self, id: str) -> str:
        """A body that is still being received."""
        return self.message(id) + ".part"

    def mailbox(self, address: str) -> str:
        """Maildir root of a mailbox address in key form."""
        local, _, domain = address.rpartition("@")
        return os.path.join(self.mail, escape(domain), escape(local))
