"""Whether a person has declared that a primary gets nothing for now. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from stratamail.store.queue import events
from stratamail.tenancy.directory import Directory


def same_primary(directory: Directory, name: str) -> list[str]:
    """The domain and, of an alias domain, its main one: a hold of that is a hold of their common primary."""
    domain = directory.domain(name)
    main = domain.alias_of if domain is not None else None
    return [name, *(one.name for one in directory.domains() if main is not None and one.id == main)]


def on_hold(conn: Connection, names: Sequence[str]) -> bool:
    """Whether an open event of one of these domains says so."""
    found = [events.current(conn, name) for name in names]
    return any(event is not None and event.hold for event in found)
