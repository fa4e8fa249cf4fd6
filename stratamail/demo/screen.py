"""What the demo shows: live on a terminal (rich), plain lines without one, one JSON document with ``--json``."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from attrs import asdict, frozen
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table


@frozen
class Step:
    """``measured`` are figures in seconds or counts by name."""

    at: float
    title: str
    ok: bool
    detail: str
    measured: dict[str, float]


@frozen
class Fate:
    """What became of one message."""

    title: str
    size: int
    recipients: tuple[str, ...]
    visible_ms: float | None
    sha256: str
    bytes_intact: bool
    dkim: str
    delivered: int


class Screen:
    """``plain`` when there is no terminal, ``as_json`` to say nothing until the end."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(highlight=False)
        self._began = time.monotonic()
        self.steps: list[Step] = []
        self.fates: list[Fate] = []

    @property
    def terminal(self) -> bool:
        return self._console.is_terminal and not self._json

    def working(self, title: str) -> Any:
        """A context that shows that ``title`` is going on."""
        return self._console.status(title) if self.terminal else _Silent()

    def step(self, title: str, ok: bool, detail: str, **measured: float) -> bool:
        step = Step(round(time.monotonic() - self._began, 3), title, ok, detail, measured)
        self.steps.append(step)
        if self.terminal:
            mark = "[bold green]✓[/]" if ok else "[bold red]✗[/]"
            self._console.print(f"[dim]{step.at:6.1f} s[/] {mark} [bold]{title}[/]: {detail}")
        elif not self._json:
            click.echo(f"{step.at:6.1f} s  {'ok    ' if ok else 'BROKEN'} {title}: {detail}")
        return ok

    def table(self, fates: list[Fate]) -> None:
        self.fates = fates
        if self.terminal:
            table = Table(title="Each message, from the filter to the primary", title_justify="left", box=SIMPLE)
            for head in ("message", "octets", "for", "visible", "SHA-256", "DKIM"):
                table.add_column(head, justify="right" if head in ("octets", "visible") else "left", no_wrap=True)
            for fate in fates:
                table.add_row(*_cells(fate), style="" if fate.bytes_intact else "red")
            self._console.print(table)
        elif not self._json:
            for fate in fates:
                click.echo("          " + "  ".join(_cells(fate)))

    def end(self, promises: dict[str, bool]) -> bool:
        """The summary; True when every promise was kept."""
        kept = all(promises.values())
        if self._json:
            document = {
                "ok": kept,
                "promises": promises,
                "steps": [asdict(step) for step in self.steps],
                "messages": [asdict(fate) for fate in self.fates],
            }
            click.echo(json.dumps(document, indent=2))
            return kept
        for promise, ok in promises.items():
            if self.terminal:
                self._console.print(f"  {'[green]kept[/]  ' if ok else '[bold red]BROKEN[/]'} {promise}")
            else:
                click.echo(f"  {'kept  ' if ok else 'BROKEN'} {promise}")
        self.say("Every promise was kept." if kept else "A promise was broken.")
        return kept

    def say(self, text: str) -> None:
        """Beside the document, when there is one."""
        click.echo(text, err=self._json)


def _cells(fate: Fate) -> tuple[str, ...]:
    visible = "not seen" if fate.visible_ms is None else f"{fate.visible_ms:.0f} ms"
    whom = ", ".join(one.partition("@")[0] for one in fate.recipients)
    intact = f"{fate.sha256[:8]} {'intact' if fate.bytes_intact else 'CHANGED'}"
    return (f"{fate.title:<16}", f"{fate.size:>7}", f"{whom:<8}", f"{visible:>8}", intact, fate.dkim)


class _Silent:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *exc: object) -> None:
        return None
