"""``stratamail mailbox restore``: asks the server to bring back what was deleted. Writes one row of the queue."""

from __future__ import annotations

import click

from stratamail.cli import show, wake
from stratamail.cli.options import TimeType, as_json, pass_session
from stratamail.cli.session import Session
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.queue import restores


@click.command("restore")
@click.argument("address", metavar="USER@DOMAIN")
@click.option("--since", metavar="TIME", type=TimeType(), default=0, help="What arrived at this time or later.")
@click.option("--until", metavar="TIME", type=TimeType(), help="What arrived before this time.")
@as_json
@pass_session
def restore(session: Session, address: str, since: int, until: int | None, as_json: bool) -> None:
    """Bring back what was deleted from a mailbox, of the messages that are still kept: mail into the inbox, what was
    put into a folder into that folder. What is still there, the trash included, is left where it is."""
    with session.look() as conn:
        box = Mailboxes(conn).get(OPERATOR, address)
    with session.change_queue() as conn:
        number = restores.ask(conn, box.id, since, session.now if until is None else until)
    running = session.poke(wake.RESTORE)
    with session.look_queue() as conn:
        found = restores.get(conn, number)
    done = found is not None and found.done is not None
    if running and not done:
        raise Refused(
            f"{box.address} could not be restored yet: the server's log says why; it is tried at its next start"
        )
    if not running:
        click.echo("the server does not run: it restores when it starts", err=True)
    show.one({"address": box.address, "restored": found.restored if found else 0, "done": done}, as_json)
