"""The real server as an operator runs it: a configuration, the command line, then twistd.

Writes below one folder: stratamail.toml, state/, tls/, server.log.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stratamail.demo.ports import free

DOORS = ("smtp", "submission", "imap", "http")
HOSTNAME = "mx.strata.example"


class Trouble(Exception):
    """Something that must work for the story to be told did not; the text says what."""


class Server:
    """``smart_host`` and ``resolver`` are HOST:PORT."""

    def __init__(self, base: Path, smart_host: str, resolver: str) -> None:
        self.base = base
        self.config = base / "stratamail.toml"
        self.log = base / "server.log"
        self.port = dict(zip(DOORS, free(len(DOORS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        tables: dict[str, dict[str, Any]] = {
            "server": {"hostname": HOSTNAME, "state": str(base / "state")},
            "listen": {door: [f"tcp:{port}:interface=127.0.0.1"] for door, port in self.port.items()}
            | {"submissions": [], "imaps": []},
            "tls": {"certificates": str(base / "tls")},
            "relay": {"retry-every": "5s", "smart-host": smart_host, "resolver": resolver},
            "probe": {"every": "1s", "open": "2 of 3", "close": "2 of 2", "quiet": "1s"},
            "limits": {"disk-reserve": "1MB"},
        }
        lines = []
        for table, keys in tables.items():
            lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def cli(self, *words: str, stdin: str = "") -> str:
        """One command of ``stratamail``; its output. Raises ``Trouble``."""
        done = subprocess.run(
            [sys.executable, "-m", "stratamail", "--config", str(self.config), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise Trouble(f"stratamail {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.cli(*words, "--json"))

    def start(self) -> float:
        """Seconds until it was ready to take mail."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "twisted", "--log-format", "text", "stratamail", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # a Ctrl-C at the terminal is for us; we stop the server in our own time
                start_new_session=True,
            )
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() - began > 30:
                raise Trouble(f"the server did not start:\n{self.tail()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port["http"], timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self) -> bool:
        """SIGTERM and wait; whether it ended by that, in time, with everything on disk."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return process is None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
        # twisted ends itself by the signal that it was given; the mark stays when something was left undone
        return status in (0, -signal.SIGTERM) and not (self.base / "state" / "running").exists()

    def wait(self) -> None:
        """Until the server ends by itself, or Ctrl-C."""
        if self._process is not None:
            self._process.wait()

    def tail(self, lines: int = 25) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return os.linesep.join(text.splitlines()[-lines:])
