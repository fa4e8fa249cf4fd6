"""What a command prints: one JSON document, or aligned columns for people. Times are RFC 3339 in UTC."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

Row = Mapping[str, Any]


def document(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def listing(rows: Sequence[Row], as_json: bool, columns: Sequence[str], empty: str) -> None:
    """An array, or a table of ``columns`` with a line of heads; ``empty`` is said to people when there is nothing."""
    if as_json:
        document(list(rows))
        return
    if not rows:
        click.echo(empty)
        return
    table = [[column.upper().replace("_", " ") for column in columns]]
    table += [[plain(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def one(row: Row, as_json: bool) -> None:
    """An object, or its fields one a line."""
    if as_json:
        document(dict(row))
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {plain(value)}".rstrip())


def plain(value: object) -> str:
    """A value as a person reads it; control characters made visible, since replies and addresses come from outside."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "-"
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
