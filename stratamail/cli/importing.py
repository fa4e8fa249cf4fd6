"""``stratamail mailbox import``: a recipient list from a CSV file, taken whole or not at all.

Every bad row is told by its line. One bad row and nothing is changed: no good row is ever half in force. ``--sync``
disables the mailboxes that the list no longer has, and never enables one: an admin may have had a reason.
"""

from __future__ import annotations

from typing import BinaryIO

import click
from attrs import define, field
from sqlalchemy import Connection

from stratamail.cli import show
from stratamail.cli.aside import clear_place, set_aside
from stratamail.cli.csvfile import ALIAS, MAILBOX, SHARED, Bad, Entry, NotCsv, read
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.mail import address as addressing
from stratamail.store.catalog.addresses import Addresses
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.mailboxes import DISABLED, Mailboxes
from stratamail.store.catalog.names import place
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.tenancy.model import Mailbox as Box


class _Undo(Exception):
    """Nothing of this transaction is kept."""


@define
class Plan:
    """What an import does, or would do."""

    added: list[str] = field(factory=list)
    changed: list[str] = field(factory=list)
    removed: list[str] = field(factory=list)
    disabled: list[str] = field(factory=list)
    still_disabled: list[str] = field(factory=list)
    bad: list[Bad] = field(factory=list)
    new_boxes: list[str] = field(factory=list)
    gone_boxes: list[Box] = field(factory=list)


@click.command("import")
@click.argument("domain")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@click.option(
    "--sync", is_flag=True, help="Disable the mailboxes, remove the other addresses that the file does not list."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@as_json
@pass_session
def import_mailboxes(session: Session, domain: str, file: BinaryIO, sync: bool, dry_run: bool, as_json: bool) -> None:
    """Take a recipient list. Columns: address, kind, name, alternate, mobile, aliases, members, send-as."""
    _ = session.settings
    try:
        entries, bad, columns = read(file.read())
    except NotCsv as error:
        raise Refused(f"{file.name}: {error}") from None
    plan = Plan(bad=bad)
    try:
        with session.change(
            "mailbox.import", domain, f"{file.name}: {len(entries)} rows{', sync' if sync else ''}"
        ) as conn:
            _Import(conn, domain, plan).run(entries, columns if sync else None)
            if plan.bad or dry_run:
                raise _Undo
            for address in plan.new_boxes:
                clear_place(session.layout, address)
    except _Undo:
        pass
    else:
        set_aside(session, plan.gone_boxes)
    plan.bad.sort(key=lambda one: one.line)
    _say(plan, domain, file.name, dry_run, as_json)
    if plan.bad:
        raise Refused(f"{file.name}: {len(plan.bad)} bad rows, nothing was changed")


def _say(plan: Plan, domain: str, name: str, dry_run: bool, as_json: bool) -> None:
    for address in [] if plan.bad else plan.still_disabled:
        click.echo(f"warning: {address} is listed but disabled: stratamail mailbox enable {address}", err=True)
    if as_json:
        show.document(
            {
                "domain": domain,
                "dry_run": dry_run,
                "applied": not (dry_run or plan.bad),
                "added": plan.added,
                "changed": plan.changed,
                "removed": plan.removed,
                "disabled": plan.disabled,
                "errors": [{"line": one.line, "reason": one.reason} for one in plan.bad],
            }
        )
        return
    for one in plan.bad:
        click.echo(f"{name}:{one.line}: {one.reason}", err=True)
    if plan.bad:
        return
    verb = "would be " if dry_run else ""
    counted = (("added", plan.added), ("changed", plan.changed), ("removed", plan.removed), ("disabled", plan.disabled))
    click.echo(", ".join(f"{len(addresses)} {verb}{what}" for what, addresses in counted))


class _Import:
    """One import inside its transaction; fills ``plan``."""

    def __init__(self, conn: Connection, domain: str, plan: Plan) -> None:
        self._conn = conn
        found = Domains(conn).get(OPERATOR, domain)
        self._domain = found.alias_of or found.id
        self._name = found.name
        self._plan = plan
        # the ones of shared addresses come and go with those
        self._boxes = {box.address: box for box in Mailboxes(conn).all(OPERATOR, self._domain) if box.kind == MAILBOX}
        self._addresses = {entry.address: entry for entry in Addresses(conn).all(OPERATOR, self._domain)}
        self._seen: dict[str, int] = {}

    def run(self, entries: list[Entry], sync: frozenset[str] | None) -> None:
        """``sync``: the columns of a list that is the whole truth about what they name; None when it only adds."""
        # mailboxes first, then shared ones and groups: the rest names them
        ordered = sorted(entries, key=lambda entry: (entry.kind != MAILBOX, entry.kind == ALIAS))
        good: list[tuple[Entry, str]] = []
        for entry in ordered:
            try:
                good.append((entry, self._key(entry.address, entry.line)))
            except Refused as error:
                self._plan.bad.append(Bad(entry.line, str(error)))
        for entry, _ in good:
            try:
                for alias in entry.aliases:
                    self._key(alias, entry.line)
            except Refused as error:
                self._plan.bad.append(Bad(entry.line, str(error)))
        if sync is not None:
            self._withdraw_others(sync, {key for entry, key in good if entry.kind in (MAILBOX, SHARED)})
        for entry, key in good:
            try:
                if entry.kind == MAILBOX:
                    self._mailbox(entry, key)
                else:
                    self._address(entry.address, key, entry.kind, entry.members, entry.send_as)
            except Refused as error:
                self._plan.bad.append(Bad(entry.line, str(error)))
        for entry, key in good:
            for alias in entry.aliases:
                try:
                    self._address(alias, self._placed(alias), ALIAS, (key,), ())
                except Refused as error:
                    self._plan.bad.append(Bad(entry.line, str(error)))

    def _placed(self, address: str) -> str:
        domain, key = place(self._conn, OPERATOR, address, new=True)
        if domain.id != self._domain:
            raise Refused(f"{address} is not in {self._name}")
        return key

    def _key(self, address: str, line: int) -> str:
        """The key of an address that no other line has."""
        key = self._placed(address)
        if key in self._seen:
            raise Refused(f"{key} is listed on line {self._seen[key]} already")
        self._seen[key] = line
        return key

    def _mailbox(self, entry: Entry, key: str) -> None:
        repository = Mailboxes(self._conn)
        before = self._boxes.get(key)
        if before is None:
            if key in self._addresses:
                raise Refused(f"{key} is an address of kind {self._addresses[key].kind}: remove it first")
            repository.add(OPERATOR, entry.address, "", entry.name, entry.alternate, entry.mobile)
            self._plan.added.append(key)
            self._plan.new_boxes.append(key)
            return
        # an empty cell leaves what is there
        if all(new in ("", old) for new, old in ((entry.name, before.name), (entry.mobile, before.mobile))) and (
            not entry.alternate or addressing.key(entry.alternate) == before.alternate
        ):
            return
        after = repository.set(
            OPERATOR,
            key,
            name=entry.name or None,
            alternate=entry.alternate or None,
            mobile=entry.mobile or None,
        )
        if after != before:
            self._plan.changed.append(key)

    def _address(self, given: str, key: str, kind: str, members: tuple[str, ...], send_as: tuple[str, ...]) -> None:
        repository = Addresses(self._conn)
        before = self._addresses.get(key)
        if before is None:
            repository.add(OPERATOR, given, kind, members, send_as)
            self._plan.added.append(key)
            self._plan.new_boxes += repository.made
            return
        if (before.kind, before.members, before.send_as) == (kind, _keys(members), _keys(send_as)):
            return
        after = repository.set(OPERATOR, key, kind=kind, targets=members, send_as=send_as)
        self._plan.new_boxes += repository.made
        self._gone(repository)
        if after != before:
            self._plan.changed.append(key)

    def _gone(self, repository: Addresses) -> None:
        """A shared mailbox that goes takes its aliases along."""
        self._plan.gone_boxes += repository.gone
        for key in repository.unnamed:
            self._addresses.pop(key, None)
            if key not in self._seen:
                self._plan.removed.append(key)

    def _withdraw_others(self, columns: frozenset[str], listed: set[str]) -> None:
        """What the list does not name: other addresses go, if the list has a column for their kind; mailboxes are
        disabled, and keep their mail and their aliases."""
        for key, entry in list(self._addresses.items()):
            if key not in self._addresses:
                continue
            named = "kind" in columns or (entry.kind == ALIAS and "aliases" in columns)
            kept = entry.kind == ALIAS and not listed.intersection(entry.members)
            if key not in self._seen and named and not kept:
                repository = Addresses(self._conn)
                repository.remove(OPERATOR, key)
                del self._addresses[key]
                self._plan.removed.append(key)
                self._gone(repository)
        for key, box in self._boxes.items():
            if box.state == DISABLED:
                self._plan.still_disabled += [key] if key in listed else []
            elif key not in self._seen:
                Mailboxes(self._conn).set(OPERATOR, key, state=DISABLED)
                self._plan.disabled.append(key)


def _keys(addresses: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addressing.key(address) for address in addresses))
