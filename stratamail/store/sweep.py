"""Cleaning the spool at start, before any door opens: nothing half received stays, nothing complete is deleted.

Removes ``.part`` and ``.new`` files below ``spool/``; moves complete files without a row to ``spool/lost/``.
"""

from __future__ import annotations

import os
import re

from sqlalchemy.engine import Engine

from stratamail.store import database, durable
from stratamail.store.layout import Layout
from stratamail.store.queue import messages

_SHARD = re.compile(r"[0-9a-v]{6}")
_ID = re.compile(r"[0-9a-v]{16}")
# after a clean stop only the folders written last can hold anything of interest
_RECENT = 16


def sweep(layout: Layout, engine: Engine, unclean: bool) -> list[str]:
    """Blocks. The ids whose files went to ``spool/lost``."""
    durable.make_folder(layout.spool)
    shards = sorted(name for name in os.listdir(layout.spool) if _SHARD.fullmatch(name))
    lost: list[str] = []
    for shard in shards if unclean else shards[-_RECENT:]:
        folder = os.path.join(layout.spool, shard)
        names = os.listdir(folder)
        for name in names:
            if name.endswith((".part", ".new")):
                os.unlink(os.path.join(folder, name))
        ids = {name for name in names if _ID.fullmatch(name)}
        if ids:
            with database.reading(engine) as conn:
                known = messages.ids_between(conn, min(ids), max(ids))
            for id_ in sorted(ids - known):
                durable.make_folder(layout.lost)
                os.rename(os.path.join(folder, id_), os.path.join(layout.lost, id_))
                lost.append(id_)
        if not names:
            # an empty folder of another day; the spool makes folders as it needs them
            os.rmdir(folder)
    if lost:
        durable.sync_folder(layout.lost)
    return lost
