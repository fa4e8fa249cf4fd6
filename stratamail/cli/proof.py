"""``stratamail proof``: one page about one message, from the records and the octets that are kept. Writes nothing."""

from __future__ import annotations

import hashlib
import os

import click

from stratamail.cli import show
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.relay.proofpage import page
from stratamail.store.bodies import Bodies, MissingBody
from stratamail.store.catalog.scope import Refused
from stratamail.store.model import Message
from stratamail.store.queue import deliveries, proofs
from stratamail.store.queue.deliveries import rfc3339

_PIECE = 256 * 1024


def stored(session: Session, message: Message) -> str:
    """How the kept octets compare with those that were captured."""
    digest = hashlib.sha256()
    try:
        with Bodies(session.layout, session.queue).open(message) as file:
            file.read(message.trace_size)
            while piece := file.read(_PIECE):
                digest.update(piece)
    except MissingBody:
        return proofs.DIFFERS if os.path.exists(session.layout.message(message.id)) else proofs.GONE
    return proofs.INTACT if digest.hexdigest() == message.sha256 else proofs.DIFFERS


def _find(session: Session, target: str) -> proofs.Proof:
    """A delivery by its number, or a message with all of its deliveries. Raises ``Refused``."""
    with session.look_queue() as conn:
        if target.isascii() and target.isdigit() and len(target) < 16:
            one = deliveries.get(None, conn, int(target))
            found = None if one is None else proofs.of_message(None, conn, one.message.id, one.id)
        else:
            found = proofs.of_message(None, conn, target)
    if found is None:
        raise Refused(f"there is no message or delivery {target}")
    return found


@click.command("proof")
@click.argument("target", metavar="ID")
@click.option("--html", is_flag=True, help="A page to print or to send on, on standard output.")
@as_json
@pass_session
def proof(session: Session, target: str, html: bool, as_json: bool) -> None:
    """Prove what became of a message (all of its recipients) or of one delivery: from where and by which TLS it came,
    when, its SHA-256 then and when it was given back, and the primary's own words."""
    if html and as_json:
        raise click.UsageError("--html or --json, not both")
    found = _find(session, target)
    row = proofs.as_json(found, stored(session, found.message))
    if html:
        made = rfc3339(session.now)
        assert made is not None
        click.echo(page(row, session.settings.server.hostname, made), nl=False)
    elif as_json:
        show.document(row)
    else:
        handed = [proofs.handed_json(one, found.message.sha256) for one in found.handed]
        dkim = found.dkim or "not judged yet"
        show.one({name: value for name, value in row.items() if name != "deliveries"} | {"dkim": dkim}, False)
        for one in handed:
            click.echo("")
            show.one(one, False)
