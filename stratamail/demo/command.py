"""``stratamail demo``."""

from __future__ import annotations

import click


@click.command()
def demo() -> None:
    """The whole story on this machine in under a minute; no configuration needed."""
