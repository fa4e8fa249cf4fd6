"""``stratamail queue``: what is owed and what is held.

Changes go in transactions of a page each, so that the server's committer never waits for a long one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

import click
from sqlalchemy import Connection

from stratamail.cli import show, wake
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.model import HELD, OWED
from stratamail.store.queue import deliveries, held
from stratamail.store.queue.deliveries import Change

PAGE = 200
# deliveries of a group that are named to people
FEW = 10
# the longest that a message can be on its way: the reply to the final dot is awaited for 10 minutes
PATIENCE = 11 * 60.0
COLUMNS = ("id", "domain", "recipient", "sender", "arrived", "state", "attempts", "next_attempt", "last_reply")
_MESSAGE = re.compile(r"[0-9a-v]{16}")

Act = Callable[[Connection, Sequence[int], bool], list[Change]]


def chosen(session: Session, targets: Sequence[str]) -> tuple[list[str], list[int]]:
    """Domains and delivery ids named by ``DOMAIN|ID ...``; the id of a message names all of its deliveries."""
    names: list[str] = []
    ids: list[int] = []
    for target in targets:
        if target.isascii() and target.isdigit():
            ids.append(int(target))
        elif "." not in target and _MESSAGE.fullmatch(target):
            with session.look_queue() as conn:
                found = deliveries.of_message(None, conn, target)
            if not found:
                raise Refused(f"there is no message {target}")
            ids += [delivery.id for delivery in found]
        else:
            with session.look() as conn:
                names.append(Domains(conn).get(OPERATOR, target).name)
    return names, ids


@click.group("queue")
def queue() -> None:
    """What is owed to the primaries and to the world, and what is held."""


@queue.command("list")
@click.argument("targets", metavar="[DOMAIN|ID]...", nargs=-1)
@click.option("--all", "finished", is_flag=True, help="The delivered and returned of the retention period too.")
@as_json
@pass_session
def list_queue(session: Session, targets: tuple[str, ...], finished: bool, as_json: bool) -> None:
    """List deliveries in order of arrival."""
    names, ids = chosen(session, targets)
    rows = []
    with session.look_queue() as conn:
        # a delivery that is named and one of a domain that is named are both wanted
        pages = [(names, ()), ((), ids)] if names and ids else [(names, ids)]
        for some, numbers in pages:
            found = deliveries.listing(None, conn, domains=some, ids=numbers, finished=finished)
            rows += [deliveries.as_json(one) for one in found]
    show.listing(rows, as_json, COLUMNS, "nothing is owed")


@queue.command("held")
@click.argument("domains", metavar="[DOMAIN]...", nargs=-1)
@as_json
@pass_session
def list_held(session: Session, domains: tuple[str, ...], as_json: bool) -> None:
    """List what is held, like refusals of one outage together, with the primary's words and the cure."""
    with session.look() as conn:
        names = [Domains(conn).get(OPERATOR, domain).name for domain in domains]
    with session.look_queue() as conn:
        rows = [held.as_json(group) for group in held.groups(None, conn, names)]
    if as_json or not rows:
        show.listing(rows, as_json, (), "nothing is held")
        return
    for row in rows:
        click.echo(f"{row['domain']}: {row['count']} since {row['oldest']}: {show.plain(row['words'])}")
        click.echo(f"    cure: {show.plain(row['cure'])}")
        click.echo(f"    deliveries: {_some(row['deliveries'])}")


def _some(ids: object) -> str:
    """The first few; all of them are in the JSON."""
    numbers = [str(one) for one in ids] if isinstance(ids, list) else []
    return " ".join(numbers[:FEW]) + (f" and {len(numbers) - FEW} more" if len(numbers) > FEW else "")


@queue.command("show")
@click.argument("target", metavar="ID")
@as_json
@pass_session
def show_delivery(session: Session, target: str, as_json: bool) -> None:
    """Show one delivery."""
    _, ids = chosen(session, [target])
    with session.look_queue() as conn:
        found = deliveries.get(None, conn, ids[0]) if ids else None
    if found is None:
        raise Refused(f"there is no delivery {target}")
    show.one(deliveries.as_json(found), as_json)


def _act(
    session: Session,
    targets: Sequence[str],
    act: Act,
    states: Sequence[str],
    as_json: bool,
    waits: bool = False,
    now: bool = False,
) -> None:
    """Do ``act`` to what is named, page by page; say what became of each, and fail when one does not exist. ``waits``
    for the outcome of what is on its way; ``now``: its lane does not stay paused."""
    if not targets:
        raise click.UsageError("name what you mean: DOMAIN or ID ...")
    names, ids = chosen(session, targets)
    with session.look_queue() as conn:
        wanted = deliveries.select_ids(None, conn, domains=names, states=states) if names else []
    wanted = list(dict.fromkeys([*wanted, *ids]))
    stopped = waits and not session.poke(wake.QUEUE)
    done = _pages(session, wanted, act, stopped)
    session.poke(wake.QUEUE, *([wake.RETRY] if now else []))
    if waits:
        done = _await(session, done, act)
    missing = [change for change in done if change.outcome in ("unknown", "trying")]
    if as_json:
        show.document([{"id": change.id, "outcome": change.outcome, "state": change.state} for change in done])
    else:
        for change in done:
            if change not in missing:
                click.echo(change.text)
        if not done:
            click.echo("nothing to do")
    if missing:
        raise Refused("; ".join(change.text for change in missing[:3]))


def _pages(session: Session, ids: Sequence[int], act: Act, stopped: bool) -> list[Change]:
    done: list[Change] = []
    for start in range(0, len(ids), PAGE):
        with session.change_queue() as conn:
            done += act(conn, ids[start : start + PAGE], stopped)
    return done


def _await(session: Session, done: list[Change], act: Act) -> list[Change]:
    """What was on its way is asked again until its outcome is known."""
    end = time.monotonic() + PATIENCE
    waiting = [change.id for change in done if change.outcome == "trying"]
    told = False
    while waiting and time.monotonic() < end:
        if not told:
            click.echo(f"waiting for the outcome of {len(waiting)} on their way", err=True)
            told = True
        time.sleep(0.2)
        stopped = not session.poke(wake.QUEUE)
        again = {change.id: change for change in _pages(session, waiting, act, stopped)}
        done = [again.get(change.id, change) for change in done]
        waiting = [change.id for change in done if change.outcome == "trying"]
    if told:
        session.poke(wake.QUEUE)
    return done


@queue.command("retry")
@click.argument("targets", metavar="DOMAIN|ID...", nargs=-1)
@as_json
@pass_session
def retry(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Attempt these now, the held ones too."""
    _act(session, targets, lambda conn, ids, _: deliveries.retry(conn, ids), (*OWED, HELD), as_json, now=True)


@queue.command("hold")
@click.argument("targets", metavar="DOMAIN|ID...", nargs=-1)
@as_json
@pass_session
def hold(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Keep these until they are released."""

    def act(conn: Connection, ids: Sequence[int], stopped: bool) -> list[Change]:
        return deliveries.hold(conn, ids, session.now, stopped=stopped)

    _act(session, targets, act, OWED, as_json, waits=True)


@queue.command("release")
@click.argument("targets", metavar="DOMAIN|ID...", nargs=-1)
@as_json
@pass_session
def release(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Owe held ones again."""
    _act(session, targets, lambda conn, ids, _: deliveries.release(conn, ids), (HELD,), as_json, now=True)


@queue.command("return")
@click.argument("targets", metavar="DOMAIN|ID...", nargs=-1)
@as_json
@pass_session
def return_(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Give these back to their senders. Of a DOMAIN: what is held."""

    def act(conn: Connection, ids: Sequence[int], stopped: bool) -> list[Change]:
        return deliveries.return_(conn, ids, session.now, stopped=stopped)

    _act(session, targets, act, (HELD,), as_json, waits=True)


@queue.command("flush")
@click.argument("domain")
@as_json
@pass_session
def flush(session: Session, domain: str, as_json: bool) -> None:
    """Attempt everything that a domain is owed now, whatever its primary's state: the canary first."""
    with session.look() as conn:
        name = Domains(conn).get(OPERATOR, domain).name
    with session.change_queue() as conn:
        owed = deliveries.make_due(conn, name)
    running = session.poke(wake.QUEUE, flush=name)
    if not running:
        click.echo("the server does not run: it attempts them when it starts", err=True)
    show.one({"domain": name, "owed": owed, "attempted_now": running}, as_json)
