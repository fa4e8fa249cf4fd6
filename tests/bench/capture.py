"""How many messages a second are taken, beside Postfix delivering into a virtual Maildir, run by run in turn.

    python -m tests.bench.capture [--grid 1x4096x1,10x4096x1,50x4096x1] [--seconds 2] [--rounds 3] [--commit-us 2000]

A cell is CONNECTIONSxOCTETSxRECIPIENTS. Each round runs each cell on Postfix and then on this server (its primary
down); figures are medians over the rounds, ``ratio`` the median of the rounds' ratios. ``syncs`` counts fsyncs a
message until all is filed; ``filed_ratio`` compares messages a second until everything is in its Maildir.
``--commit-us`` models a disk whose commit takes so long. Prints one JSON document. Needs root, Postfix and gcc.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import time
from collections import defaultdict
from contextlib import closing
from typing import Any

from tests.bench.tools import Syncs, Tools, measured_server
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.server import Server
from tests.support.waiting import until

DOMAIN = "bench.example"
PATTERN = f"user%d@{DOMAIN}"
GRID = "1x4096x1,10x4096x1,50x4096x1"

Cell = tuple[int, int, int]


class Preloaded(Postfix):
    """Postfix whose daemons count their fsyncs; its Maildir is emptied between runs."""

    syncs: Syncs

    def _postfix(self, verb: str) -> None:
        words = ["/usr/sbin/postfix", "-c", str(self.etc), verb]
        environ = os.environ | (self.syncs.environ if verb == "start" else {})
        subprocess.run(words, capture_output=True, timeout=60, check=verb == "start", env=environ)

    def count_syncs(self, syncs: Syncs) -> None:
        """Before the start: the master hands on only the environment that it is told to."""
        self.syncs = syncs
        with (self.etc / "main.cf").open("a") as file:
            file.write("import_environment = MAIL_CONFIG MAIL_LOGTAG " + " ".join(syncs.environ) + "\n")

    def settled(self) -> bool:
        return self.queued() == 0

    def empty(self) -> None:
        shutil.rmtree(self.mail / "all", ignore_errors=True)


def unfiled(server: Server) -> int:
    with closing(sqlite3.connect(f"file:{server.state}/queue.sqlite?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM messages WHERE unfiled").fetchone()[0])


def one_run(tools: Tools, port: int, cell: Cell, seconds: float, syncs: Syncs, done: Any) -> dict[str, Any]:
    """One cell on one server, until all is filed."""
    before, began = syncs.calls, time.monotonic()
    figures = tools.load(port, cell, PATTERN, seconds)
    until(done, "all is filed", 120, 0.01)
    spent = time.monotonic() - began
    taken = max(1, figures["acknowledged"])
    return figures | {"syncs": (syncs.calls - before) / taken, "filed_per_second": taken / spent}


def medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    keys = ("per_second", "filed_per_second", "p50_ms", "p99_ms", "syncs")
    figures: dict[str, Any] = {key: round(statistics.median(run[key] for run in runs), 3) for key in keys}
    figures["failed"] = sum(run["failed"] + run["unfinished"] for run in runs)
    figures["complaint"] = next((run["complaint"] for run in runs if run["complaint"]), "")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", default=GRID)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commit-us", type=int, default=0)
    options = parser.parse_args()
    cells: list[Cell] = [tuple(map(int, cell.split("x"))) for cell in options.grid.split(",")]  # type: ignore[misc]

    tools = Tools()
    ours, theirs = Syncs(tools, "ours"), Syncs(tools, "theirs")
    server = measured_server(DOMAIN, f"127.0.0.1:{free_port()}", ours)
    reference = Preloaded.primary(DOMAIN)
    assert isinstance(reference, Preloaded)
    reference.count_syncs(theirs)
    runs: dict[Cell, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: {"postfix": [], "stratamail": []})
    try:
        with reference:
            for syncs in (ours, theirs):
                syncs.cost(options.commit_us)
            for _ in range(options.rounds):
                for cell in cells:
                    runs[cell]["postfix"].append(
                        one_run(tools, reference.port, cell, options.seconds, theirs, reference.settled)
                    )
                    reference.empty()
                    runs[cell]["stratamail"].append(
                        one_run(tools, server.ports["smtp"], cell, options.seconds, ours, lambda: unfiled(server) == 0)
                    )
    finally:
        for syncs in (ours, theirs):
            syncs.cost(0)
        server.close()
        shutil.rmtree(tools.base, ignore_errors=True)
    print(json.dumps({"bench": "capture", "commit_us": options.commit_us, "cells": _report(runs)}, indent=2))


def _report(runs: dict[Cell, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for cell, both in runs.items():
        pairs = list(zip(both["stratamail"], both["postfix"], strict=True))
        report["x".join(map(str, cell))] = {
            "ratio": round(statistics.median(a["per_second"] / max(1, b["per_second"]) for a, b in pairs), 2),
            "filed_ratio": round(statistics.median(a["filed_per_second"] / b["filed_per_second"] for a, b in pairs), 2),
            "stratamail": medians(both["stratamail"]),
            "postfix": medians(both["postfix"]),
        }
    return report


if __name__ == "__main__":
    main()
