"""Reading a stored message: trace lines and body, from wherever it is at this moment. Writes nothing."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import BinaryIO

from sqlalchemy.engine import Engine

from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.model import Message
from stratamail.store.queue import messages


class MissingBody(Exception):
    """The body of a filed message is gone or damaged: its delivery is held with this reason, others go on."""


class Bodies:
    """``recent`` gives the content of a message committed a moment ago (the committer's ``contents.get``).
    Without it (the server may not run, a spool file may be torn by a power cut) the journal is asked before the
    spool."""

    def __init__(self, layout: Layout, engine: Engine, recent: Callable[[int], bytes | None] | None = None) -> None:
        self._layout = layout
        self._engine = engine
        self._recent = recent

    def open(self, message: Message) -> BinaryIO:
        """The whole file (``trace_size`` octets of trace, then ``size`` octets as they came), at its beginning; the
        caller closes it. Blocks (disk pool). Raises :class:`MissingBody`, or ``OSError`` when the disk fails."""
        content = self._journalled(message) if self._recent is None else self._recent(message.seq)
        if content is not None:
            return io.BytesIO(content)
        # a body leaves the journal only when its file is durable, so that one of the two is always there
        file, length = self._spooled(message)
        if file is not None:
            return file
        content = self._journalled(message)
        if content is not None:
            return io.BytesIO(content)
        if length is None:
            raise MissingBody(f"the stored message {message.id} is missing from the spool")
        raise MissingBody(f"the stored message {message.id} is damaged ({length} octets in the spool)")

    def read(self, message: Message) -> bytes:
        """The whole file at once; see :meth:`open`."""
        with self.open(message) as file:
            return file.read()

    def _spooled(self, message: Message) -> tuple[BinaryIO | None, int | None]:
        """The spool's file, if it has the right length, and its length (None: there is none)."""
        try:
            file = open(self._layout.message(message.id), "rb")  # noqa: SIM115 - the caller closes it
        except FileNotFoundError:
            return None, None
        length = os.fstat(file.fileno()).st_size
        if length == message.trace_size + message.size:
            return file, length
        file.close()
        return None, length

    def _journalled(self, message: Message) -> bytes | None:
        with database.reading(self._engine) as conn:
            return messages.content(conn, message.seq)
