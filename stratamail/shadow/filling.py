"""One mailbox's full-text index being filled, and what a message is found by.

Writes ``search.sqlite`` (:mod:`stratamail.store.fulltext`). Blocks: belongs to the thread of ``shadow.indexing``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from itertools import chain

from twisted.logger import Logger

from stratamail.mail.digest import digest
from stratamail.mail.headers import header_end
from stratamail.mail.structure import scan
from stratamail.shadow import text
from stratamail.store import maildir
from stratamail.store.fulltext import NAME, PARTED, Document, Fulltext, Unusable, fold, key_of, remove_file, usable
from stratamail.store.index_beside import FolderBeside, Found, IndexBeside

AT_ONCE = 50
LONGEST = 1 << 20
"""Characters of a message's header, and of its texts, that are indexed; a search reads the rest itself."""

Digests = list[tuple[int, bytes]]
"""By UID (``mail.digest``)."""

_log = Logger()


class Work:
    """One mailbox's index being filled. FileNotFoundError when the mailbox has none of messages."""

    def __init__(self, root: str, spooled: Callable[[str], str]) -> None:
        self.root = root
        self._spooled = spooled
        self._messages = IndexBeside(root)
        path = os.path.join(root, NAME)
        try:
            try:
                self._index = Fulltext(path, write=True)
            except Unusable:
                remove_file(path)
                self._index = Fulltext(path, write=True)
        except BaseException:
            self._messages.close()
            raise
        self._seen = self._index.seen()
        self._gone: list[int] | None = None
        self.digests: dict[tuple[str, int], Digests] = {}

    @property
    def current(self) -> bool:
        """Whether the mailbox's files are still these."""
        return self._messages.current and self._index.current

    def close(self) -> None:
        self._index.close()
        self._messages.close()

    def step(self, until: float, sweep: bool | None = None) -> bool:
        """Index some messages or, with ``sweep``, remove some that are in no folder any more (None: if there are more
        documents than messages); whether there is more to do. Raises ``Unusable`` when a file is broken."""
        with usable():
            return self._step(until, sweep)

    def _step(self, until: float, sweep: bool | None) -> bool:
        for folder in self._messages.folders():
            validity, uid = self._seen.get(folder.id, (0, 0))
            if validity != folder.uidvalidity:
                uid = 0
            if uid < folder.uidnext - 1:
                self._folder(folder, uid, until)
                return True
        return self._sweep(sweep)

    def _folder(self, folder: FolderBeside, uid: int, until: float) -> None:
        rows = self._messages.above(folder.id, uid, AT_ONCE)
        known = self._index.numbers({key_of(row.base) for row in rows})
        documents: dict[str, Document] = {}
        done = folder.uidnext - 1 if len(rows) < AT_ONCE else rows[-1].uid
        for row in rows:
            key = key_of(row.base)
            if key not in known and key not in documents:
                data = self._content(folder.name, row)
                if data is not None:
                    documents[key] = self._document(key, data)
                    made = digest(data[: header_end(data)]).to_bytes()
                    self.digests.setdefault((folder.name, folder.uidvalidity), []).append((row.uid, made))
            if time.monotonic() > until and row is not rows[-1]:
                done = row.uid
                break
        # what nobody held may be held again
        self._gone = None
        self._index.add(list(documents.values()), folder.id, folder.uidvalidity, done)
        self._seen[folder.id] = folder.uidvalidity, done

    def _document(self, key: str, data: bytes) -> Document:
        try:
            return document(key, data)
        except Exception:
            # one message must not stop the others: a search reads it
            _log.failure("message {key} cannot be indexed", key=key)
            return Document(key, "", "", whole=False)

    def _content(self, name: str, row: Found) -> bytes | None:
        """None when it is gone: then it is in no folder, or has another UID there."""
        below = os.path.join(self.root, maildir.directory(name))
        paths = [os.path.join(below, maildir.relative(row.base, row.flags))]
        id = maildir.message_id(row.base)
        if id:
            paths.insert(0, self._spooled(id))
        for path in paths:
            try:
                with open(path, "rb", buffering=0) as file:
                    return file.readall()
            except (FileNotFoundError, NotADirectoryError):
                continue
        found = maildir.find(below, row.base)
        if found is None:
            return None
        try:
            with open(os.path.join(below, found[1]), "rb", buffering=0) as file:
                return file.readall()
        except FileNotFoundError:
            return None

    def _sweep(self, wanted: bool | None) -> bool:
        index = self._index
        if self._gone is None:
            if wanted is None:
                wanted = index.count() > self._messages.total()
            if not wanted:
                return False
            held = {key_of(base) for base in self._messages.bases()}
            self._gone = [number for key, number in index.after(0).items() if key not in held]
        some, self._gone = self._gone[:AT_ONCE], self._gone[AT_ONCE:]
        index.remove(some)
        return bool(self._gone)


def document(key: str, data: bytes) -> Document:
    """A message as what it is found by."""
    root = scan(data)
    own = text.header_text(data[: header_end(data)])
    head, whole_head = _bounded(chain([own], text.part_headers(data, root)))
    body, whole_body = _bounded(text.body_texts(data, root))
    return Document(key, head, body, whole_head and whole_body)


def _bounded(parts: Iterable[str]) -> tuple[str, bool]:
    """The folded texts as one, and whether that is all."""
    out: list[str] = []
    room = LONGEST
    for part in parts:
        if room <= 0:
            return PARTED.join(out), False
        out.append(fold(part[:room]))
        if len(part) > room:
            return PARTED.join(out), False
        room -= len(part)
    return PARTED.join(out), True
