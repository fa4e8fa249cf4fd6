"""The command ``stratamail``: the command line with the demo added to it. Also ``python -m stratamail``."""

from __future__ import annotations

from stratamail.cli.main import main
from stratamail.demo.command import demo

main.add_command(demo)

if __name__ == "__main__":
    main()
