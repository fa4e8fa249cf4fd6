"""From our 250 to the EXISTS that an idling client sees, one message after the other on an idle server.

    python -m tests.bench.visible [--messages 200] [--octets 4096] [--gap 0.02]

Prints one JSON line; milliseconds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time

from tests.bench.tools import Tools, measured_server
from tests.support.ports import free_port
from tests.support.server import PASSWORD
from tests.support.waiting import until
from tests.support.watch import Watcher

DOMAIN = "bench.example"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--gap", type=float, default=0.02)
    options = parser.parse_args()
    tools = Tools()
    server = measured_server(DOMAIN, f"127.0.0.1:{free_port()}", mailboxes=2)
    user = f"user0@{DOMAIN}"
    waits = []
    try:
        watcher = Watcher(server.ports["imap"], user, PASSWORD)
        body = b"Subject: visible\r\n\r\n" + b"v" * 70 * (options.octets // 70) + b"\r\n"
        with server.talk("smtp") as talk:
            talk.greet()
            for number in range(1, options.messages + 1):
                assert talk.deliver("a@b.example", [user], body).startswith(b"250")
                acknowledged = time.time()
                until(lambda: number in watcher.seen, "visible", 10, 0.0005)  # noqa: B023
                waits.append((watcher.seen[number] - acknowledged) * 1000)
                time.sleep(options.gap)
        watcher.stop()
    finally:
        server.close()
        shutil.rmtree(tools.base, ignore_errors=True)
    waits.sort()
    share = {
        name: round(waits[min(len(waits) - 1, int(len(waits) * q))], 3) for name, q in (("p50", 0.5), ("p99", 0.99))
    }
    print(json.dumps({"bench": "visible", "messages": len(waits), **share, "max": round(waits[-1], 3)}))


if __name__ == "__main__":
    main()
