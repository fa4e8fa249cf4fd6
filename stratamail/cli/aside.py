"""What becomes of a removed mailbox's mail on disk: nothing is deleted, but nobody who gets the address later sees it.

Renames ``mail/<domain>/<user>`` to ``mail/<domain>/.removed-<id>-<user>``, a name that no address has (a leading dot in
an address is escaped).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from stratamail.cli.session import Session
from stratamail.store import database
from stratamail.store.catalog.mailboxes import exists
from stratamail.store.layout import Layout
from stratamail.tenancy.model import Mailbox


def set_aside(session: Session, boxes: Iterable[Mailbox]) -> None:
    """After the server has let go of mailboxes that were removed. Whoever made one of the same address in the meantime
    has cleared its place, and what lies there is the new one's."""
    # nobody makes one while we look
    with database.writing(session.catalog) as conn:
        for mailbox in boxes:
            if not exists(conn, mailbox.address):
                _rename(session.layout.mailbox(mailbox.address), str(mailbox.id))


def clear_place(layout: Layout, address: str) -> str | None:
    """Before a mailbox comes into being: what a former one of that address left behind is not the new one's."""
    return _rename(layout.mailbox(address), f"old{time.time_ns()}")


def _rename(path: str, mark: str) -> str | None:
    folder, user = os.path.split(path)
    new = os.path.join(folder, f".removed-{mark}-{user}")
    try:
        os.rename(path, new)
    except FileNotFoundError:
        return None
    return new
