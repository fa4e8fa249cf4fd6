"""The replay at start: what was committed and not yet filed for good is filed again, before any door opens.

It goes by the mark *unfiled*, never by today's catalog, and trusts no file of that time. Writes what ``store.placing``
and ``store.sweep`` write, and queue.sqlite through the committer.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from sqlalchemy.engine import Connection, Engine
from twisted.logger import Logger

from stratamail.store import database
from stratamail.store.committer import Committer
from stratamail.store.filing import Filing
from stratamail.store.layout import Layout
from stratamail.store.model import Message
from stratamail.store.pool import Pool
from stratamail.store.queue import alerts, messages
from stratamail.store.sweep import sweep

PAGE = 500


@frozen
class Replayed:
    """``messages`` were unfiled; the files of ``lost`` had no row."""

    messages: int
    lost: tuple[str, ...]


async def replay(
    layout: Layout,
    engine: Engine,
    committer: Committer,
    filing: Filing,
    files: Pool,
    seconds: Callable[[], float],
    unclean: bool = True,
) -> Replayed:
    """Sweep the spool, then file every unfiled message in order of seq and make it durable.

    The committer and the pools run; nothing commits messages yet. What cannot be filed for its mailbox waits in
    ``filing``. Raises ``OSError`` when the spool cannot be read or written: then no door may open.
    """
    log = Logger()
    lost = await files.run(sweep, layout, engine, unclean)
    if lost:
        log.error("{count} spool files without a row were moved to {folder}", count=len(lost), folder=layout.lost)
        await committer.write(lambda conn: _tell(conn, lost, int(seconds() * 1_000_000)))
    total, after = 0, 0
    while True:
        page = await files.run(_page, engine, after)
        if not page:
            break
        total += len(page)
        after = page[-1].seq
        filing.placed(await files.run(filing.placing.place, page, True))
    await filing.settled()
    if total:
        log.info("{total} messages were filed again", total=total)
    return Replayed(total, tuple(lost))


def _page(engine: Engine, after: int) -> list[Message]:
    with database.reading(engine) as conn:
        return messages.unfiled(conn, after, PAGE)


def _tell(conn: Connection, lost: list[str], now: int) -> None:
    text = f"{len(lost)} complete files without a record were moved to spool/lost: {', '.join(lost[:10])}"
    alerts.add(conn, now, "", "spool-lost", f"spool-lost/{lost[0]}/{len(lost)}", text)
