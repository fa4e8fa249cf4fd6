"""``stratamail domain dkim``: the keys that a domain's outgoing mail is signed with, and the records to publish.

Writes ``STATE/keys/dkim/DOMAIN.json`` and a line of the audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from stratamail.cli import show
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.store import dkim_keys
from stratamail.store.catalog.domains import Domains
from stratamail.store.catalog.schema import OPERATOR
from stratamail.store.catalog.scope import Refused
from stratamail.store.dkim_keys import Stored

# the longest string within a TXT record (RFC 1035 section 3.3)
_STRING = 255
_STEPS = {"": dkim_keys.ensure, "rotate": dkim_keys.rotate, "activate": dkim_keys.activate}
_SAYS = {
    dkim_keys.ACTIVE: "mail is signed with it now: publish this record and leave it there",
    dkim_keys.NEXT: "the next one: publish this record, then --activate",
    dkim_keys.RETIRED: "no longer signed with: take this record away a week after that",
}


@click.command("dkim")
@click.argument("domain")
@click.option("--rotate", "step", flag_value="rotate", help="Make the next keys; mail is signed with the old ones yet.")
@click.option("--activate", "step", flag_value="activate", help="Sign with the next keys from now on.")
@as_json
@pass_session
def dkim(session: Session, domain: str, step: str | None, as_json: bool) -> None:
    """Print the DNS records of a domain's DKIM keys, RSA and Ed25519; made when there are none.

    Mail that its users write is signed with both from then on.
    """
    with session.look() as conn:
        name = Domains(conn).get(OPERATOR, domain).name
    found = _read(session, name)
    if step or not found:
        try:
            # the catalog's lock: of two who do this at once one comes second
            with session.change("domain.dkim", name, step or "make"):
                found = _STEPS[step or ""](session.layout, name, session.now // 1_000_000)
        except dkim_keys.NotReady as error:
            raise Refused(str(error)) from None
    if as_json:
        show.document([_row(one) for one in found])
        return
    click.echo("\n".join(line for one in found for line in _zone(one)))


def _read(session: Session, name: str) -> list[Stored]:
    try:
        return dkim_keys.read(session.layout, name)
    except (OSError, ValueError) as error:
        raise Refused(f"the keys of {name} cannot be read: {error}") from None


def _row(key: Stored) -> dict[str, Any]:
    return {
        "name": key.name,
        "type": "TXT",
        "value": key.record,
        "selector": key.selector,
        "algorithm": key.algorithm,
        "state": key.state,
    }


def _zone(key: Stored) -> Sequence[str]:
    """As in a zone file; a long text is several strings, which whoever reads it joins (RFC 6376 section 3.6.2.2)."""
    pieces = [key.record[start : start + _STRING] for start in range(0, len(key.record), _STRING)]
    text = " ".join(f'"{piece}"' for piece in pieces)
    return (f"; {key.algorithm}, {key.state}: {_SAYS[key.state]}", f"{key.name}. IN TXT {text}")
