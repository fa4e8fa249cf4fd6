"""``stratamail replay``: a primary that lost what it had accepted is given it again.

Writes new deliveries in transactions of a page each, so that the server's committer never waits for a long one.
"""

from __future__ import annotations

import click

from stratamail.cli import show, wake
from stratamail.cli.options import TimeType, as_json, pass_session
from stratamail.cli.queue import PAGE, chosen
from stratamail.cli.session import Session
from stratamail.mail.address import key
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import Mailboxes
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.queue import events, replays
from stratamail.tenancy.directory import ALIAS

_WHY = {
    replays.COMING: "owed or held already",
    replays.BEFORE: "replayed before (--again for once more)",
    replays.GONE: "no longer kept",
}


def _keys(session: Session, user: str) -> tuple[str, ...]:
    """The addresses of a mailbox, by one of them; an address without a mailbox is itself only."""
    wanted = key(user)
    with session.look() as conn:
        boxes = {box.address: box for box in Mailboxes(conn).all(OPERATOR)}
        aliases = {one.address: one.members[0] for one in Addresses(conn).all(OPERATOR) if one.kind == ALIAS}
    owner = aliases.get(wanted, wanted)
    if owner not in boxes:
        return (wanted,)
    return (owner, *(alias for alias, of in aliases.items() if of == owner))


@click.command("replay")
@click.argument("targets", metavar="[DOMAIN|ID]...", nargs=-1)
@click.option("--user", metavar="ADDRESS", help="Of this mailbox, its aliases included.")
@click.option("--event", "event_id", metavar="ID", type=int, help="Of this outage (`events` lists them).")
@click.option(
    "--since", metavar="TIME", type=TimeType(), help="Arrived at this time or later, such as 2026-03-31T08:15Z."
)
@click.option("--until", metavar="TIME", type=TimeType(), help="Arrived before this time.")
@click.option("--again", is_flag=True, help="What was replayed before, too.")
@click.option("--dry-run", is_flag=True, help="Only say what would be given again.")
@as_json
@pass_session
def replay(
    session: Session,
    targets: tuple[str, ...],
    user: str | None,
    event_id: int | None,
    since: int | None,
    until: int | None,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give the primary again what it has accepted before, of the messages that are still kept.

    Name domains, messages or deliveries, a user, or an outage; all that is given must hold. What is owed or held
    anyway is passed over, and so is what was replayed before.
    """
    if not targets and user is None and event_id is None:
        raise click.UsageError("name what you mean: DOMAIN or ID ..., --user or --event")
    names, ids = chosen(session, targets)
    with session.look_queue() as conn:
        event = None if event_id is None else events.get(None, conn, event_id)
        if event_id is not None and event is None:
            raise Refused(f"there is no outage {event_id}")
        keys = () if user is None else _keys(session, user)
        wanted = replays.Wanted(keys, tuple(names), tuple(ids), event, since, until)
        found = list(replays.find(None, conn, wanted, again=again))
    fit = [one.id for one in found if not one.passed_over]
    _require_domains(session, {one.lane for one in found if not one.passed_over})
    made: list[int] = []
    if not dry_run:
        for start in range(0, len(fit), PAGE):
            with session.change_queue() as conn:
                made += replays.replay(conn, fit[start : start + PAGE], again=again)
        session.poke(wake.QUEUE)
    passed = {why: sum(1 for one in found if one.passed_over == why) for why in _WHY}
    if as_json:
        show.document({"found": len(found), "fit": len(fit), "passed_over": passed, "deliveries": made})
        return
    click.echo(f"{len(fit)} would be given again" if dry_run else f"{len(made)} are owed once more")
    for why, number in passed.items():
        if number:
            click.echo(f"{number} passed over: {_WHY[why]}")


def _require_domains(session: Session, lanes: set[str]) -> None:
    with session.look() as conn:
        known = {domain.name for domain in Domains(conn).all(OPERATOR)}
    if gone := sorted(lanes - known):
        raise Refused(f"{gone[0]} has no primary here any more: there is nobody to give it to")
