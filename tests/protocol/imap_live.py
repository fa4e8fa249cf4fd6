"""An IMAP door on a loopback port, in a process of its own: ``python -m tests.protocol.imap_live STATE [FILE ...]``.

Real reactor, threads, store and committer-less rows; the files named are delivered to INBOX. Prints the port, serves
until its standard input closes. User anna@example.org, password secret.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet import stdio
from twisted.internet.protocol import Protocol

from stratamail.config.settings import Server, Settings
from stratamail.net.tls import Certificates
from stratamail.servers.imap import ImapFactory
from stratamail.shadow.outside import Outside
from stratamail.shadow.shadow import Shadow
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import Arrival
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import Message, NewMessage
from stratamail.store.pool import Pool
from stratamail.store.reserve import Reserve
from stratamail.store.spool import Spool
from stratamail.tenancy.model import Mailbox
from tests.protocol.imap_harness import ADDRESS, ANNA

reactor: Any = _reactor


class UntilClosed(Protocol):
    def connectionLost(self, reason: object = None) -> None:
        reactor.stop()


def main(state: str, files: list[str]) -> None:
    layout = Layout(state)
    files_pool, disk = Pool("files", 1, reactor), Pool("disk", 4, reactor)
    files_pool.start()
    disk.start()
    numbers = itertools.count(1)
    mailboxes = Mailboxes(layout, lambda: next(numbers))
    spool = Spool(layout, disk, Reserve(layout, 0, reactor.seconds))
    rows = itertools.count(1)

    async def commit(new: NewMessage) -> Message:
        seq = next(rows)
        return Message(seq, new.id, new.arrived, new.kind, "", new.size, new.sha256, 0, "spool", False, "", "")

    async def check(user: str, password: str, peer: str) -> Mailbox | None:
        return ANNA if (user, password) == (ADDRESS, "secret") else None

    arrivals = []
    for name in files:
        data = Path(name).read_bytes()
        id = spool.new_id(int(reactor.seconds() * 1e6))
        spool.make_shard(id)
        Path(layout.message(id)).write_bytes(data)
        arrivals.append(Arrival(id, next(rows), layout.message(id), len(data), int(reactor.seconds() * 1e6)))
    mailboxes.deliver(ADDRESS, arrivals)
    outside = Outside(reactor, mailboxes, files_pool)
    shadow = Shadow(mailboxes, files_pool, disk, reactor, spool, commit, outside=outside)
    certificates = Certificates(f"{state}/tls", "localhost", reactor.seconds) if Path(state, "tls").is_dir() else None
    settings = Settings(Server("localhost"))
    factory = ImapFactory("imap", shadow, settings, reactor, certificates, check)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    ports = [str(port.getHost().port)]
    if certificates is not None:
        implicit = ImapFactory("imaps", shadow, settings, reactor, certificates, check)
        ports.append(str(reactor.listenTCP(0, implicit, interface="127.0.0.1").getHost().port))
    print(*ports, flush=True)
    outside.start()
    stdio.StandardIO(UntilClosed())
    reactor.run()
    disk.stop()
    files_pool.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
