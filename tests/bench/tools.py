"""What the benchmarks share: the C programs, built into a folder of their own, and the sync counter."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

from tests.support.server import Server, folder

HERE = Path(__file__).parent


class Tools:
    """``load`` generator and ``syncs.so``, compiled below a temporary folder."""

    def __init__(self) -> None:
        self.base = folder("strata-bench")
        self.load_program = self.base / "load"
        self.library = self.base / "syncs.so"
        subprocess.run(["gcc", "-O2", "-o", self.load_program, HERE / "load.c"], check=True)
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", self.library, HERE / "syncs.c", "-ldl"], check=True)

    def load(
        self, port: int, cell: tuple[int, int, int], pattern: str, seconds: float, messages: int = 0
    ) -> dict[str, Any]:
        """One run of ``(connections, octets, recipients)``."""
        words = [str(port), *map(str, cell), str(seconds), pattern, *([str(messages)] if messages else [])]
        done = subprocess.run([self.load_program, *words], capture_output=True, text=True, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


class Syncs:
    """The shared counter of ``syncs.so``; ``environ`` is what a counted process needs."""

    def __init__(self, tools: Tools, name: str) -> None:
        self.path = tools.base / name
        self.path.write_bytes(bytes(64))
        self.path.chmod(0o666)
        self.environ = {"LD_PRELOAD": str(tools.library), "SYNCS_FILE": str(self.path)}

    @property
    def calls(self) -> int:
        return int(struct.unpack("q", self.path.read_bytes()[:8])[0])

    def cost(self, microseconds: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(8)
            file.write(struct.pack("q", microseconds))


def measured_server(domain: str, primary: str, syncs: Syncs | None = None, mailboxes: int = 100) -> Server:
    """A running server with ``user0`` to ``userN`` at ``domain``; one of them can sign in (``user0``)."""
    server = Server(
        {"limits": {"disk-reserve": "100MB", "connections-per-peer": 500}}, environ=syncs.environ if syncs else None
    )
    server.cli("init")
    server.add_domain(domain, primary)
    table = server.base / "users.csv"
    rows = "".join(f"user{n}@{domain},mailbox\n" for n in range(1, mailboxes))
    table.write_text("address,kind\n" + rows)
    server.cli("mailbox", "import", domain, str(table))
    server.add_mailboxes(f"user0@{domain}")
    return server.start()
