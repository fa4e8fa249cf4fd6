"""Bringing back what was deleted from a mailbox, from the spool: nothing that is there in any folder comes twice.

Writes links below ``mail/<domain>/<user>/`` and rows in its ``index.sqlite``. Belongs to the pool ``files``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence

from stratamail.store import maildir
from stratamail.store.index import Folder, Index, Row
from stratamail.store.mailbox_changes import MailboxChanges
from stratamail.store.mailbox_values import Added, Arrival

_EVER = -(1 << 62)


class MailboxRestoring(MailboxChanges):
    """What comes back has a new name and a new UID; the mark of its expunge stays, and with it every client's count."""

    def which(self, address: str, ids: Collection[str]) -> set[str]:
        """Those of the messages ``ids`` that are here, whatever folder they are in now."""
        if not ids or not os.path.isdir(self._files.root(address)):
            return set()
        return self._run(address, lambda index: _present(index, ids))

    def restore(self, address: str, arrivals: Sequence[Arrival], name: str = maildir.INBOX) -> tuple[int, list[str]]:
        """Link those of ``arrivals`` that are in no folder into ``name`` (INBOX when there is no such folder), in order
        of seq; how many there were, and the directories to be synced. Those without a file in the spool are passed
        over."""
        number = self._run(address, lambda index: self._restore(address, index, arrivals, maildir.canonical(name)))
        return number, self._files.to_sync(address)

    def _restore(self, address: str, index: Index, arrivals: Sequence[Arrival], into: str) -> int:
        self._look_at_tree(address, index)
        for folder in list(index.folders.values()):
            # another tool may have moved it, or removed it
            self._look_at(address, index, folder)
        here = _present(index, {one.id for one in arrivals})
        wanted = sorted((one for one in arrivals if one.id not in here), key=lambda one: one.seq)
        wanted = [one for one in wanted if os.path.exists(one.path)]
        if wanted:
            self._link_restored(address, index, index.folders.get(into) or index.folders[maildir.INBOX], wanted)
        return len(wanted)

    def _link_restored(self, address: str, index: Index, folder: Folder, wanted: Sequence[Arrival]) -> None:
        path = self._files.path(address, folder)
        index.reserve(folder, uids=len(wanted))
        rows = []
        with self._changing(address, index, folder), index.change():
            for uid, one in enumerate(wanted, folder.uidnext):
                flags = self._mask(index, folder, one.flags) if one.flags else maildir.IN_NEW
                base = maildir.base(one.id, one.date, one.size, f"{folder.uidvalidity:x}-{uid:x}")
                self._files.link(address, one.path, os.path.join(path, maildir.relative(base, flags)))
                rows.append(Row(uid, 0, flags, one.size, one.date, base))
            rows = self._insert(index, folder, rows)
        self.listener(address, folder.name, Added(tuple(rows), tuple(folder.keywords)))


def _present(index: Index, ids: Collection[str]) -> set[str]:
    return {id for base, _ in index.dated(_EVER) if (id := maildir.message_id(base)) in ids}
