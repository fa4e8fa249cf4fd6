"""What is checked when a primary is named: that it is not we ourselves (refused), that its name is found (warned)."""

from __future__ import annotations

from collections.abc import Sequence

import click

from stratamail.config.settings import Settings
from stratamail.doctor.hosts import is_ours, lookup_problem
from stratamail.store.catalog.scope import Refused
from stratamail.tenancy.model import HostPort


def refuse_ourselves(hosts: Sequence[HostPort], settings: Settings) -> None:
    """Raises :class:`Refused` when a primary is one of our own listeners: its mail would go round for ever."""
    for host in hosts:
        if is_ours(host, settings.listen):
            raise Refused(
                f"{host} is this server itself: name the address of the mail server that the mailboxes are on"
            )


def warn_of_names(hosts: Sequence[HostPort]) -> None:
    """Says on standard error when a name cannot be found; never refuses (it may come to be)."""
    for host in hosts:
        problem = lookup_problem(host)
        if problem:
            click.echo(f"warning: {host.host}: {problem}; its mail waits until it can be found", err=True)
