"""Every object of a running server, made in one place and wired to the others; and the order of start and stop.

Writes nothing itself: the rooms do.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from stratamail.access.signin import SignIn
from stratamail.app.catalog import Catalog
from stratamail.app.doors import Doors
from stratamail.app.privileges import Privileges
from stratamail.app.reports import Reports
from stratamail.app.restoring import Restoring
from stratamail.app.wake import listen
from stratamail.app.wiring import Figures, Reader
from stratamail.capture.capture import Capture
from stratamail.capture.signing import Signer
from stratamail.capture.verifying import Verifier
from stratamail.config.settings import Settings
from stratamail.net.resolver import Resolver
from stratamail.net.tls import Certificates
from stratamail.outage.watch import Watch
from stratamail.relay.service import Relay
from stratamail.servers import http
from stratamail.servers.imap import ImapFactory
from stratamail.servers.smtp import SmtpFactory
from stratamail.shadow.indexing import Indexing
from stratamail.shadow.outside import Outside
from stratamail.shadow.shadow import Shadow
from stratamail.store import database
from stratamail.store.bodies import Bodies
from stratamail.store.committer import Committer
from stratamail.store.dkim_keys import Keyring
from stratamail.store.filing import Filing
from stratamail.store.layout import Layout
from stratamail.store.mailbox_values import Change
from stratamail.store.mailboxes import Mailboxes
from stratamail.store.model import Message, NewMessage
from stratamail.store.placing import Placing
from stratamail.store.pool import Pool
from stratamail.store.queue import alerts, messages
from stratamail.store.queue.counters import UidValidity
from stratamail.store.replay import replay
from stratamail.store.reserve import Reserve
from stratamail.store.spool import Spool
from stratamail.tenancy.model import Mailbox

SWITCH = 0.0005
"""Seconds after which a thread that computes lets the reactor have its turn. With Python's own 5 ms each event of the
others waits that long, several times for one command, while somebody sorts or searches."""


class Rooms:
    """Made before anything is touched on disk; ``start`` and ``stop`` are each called once."""

    log = Logger()

    def __init__(self, settings: Settings, layout: Layout, reactor: Any) -> None:
        self.settings = settings
        self.layout = layout
        self.reactor = reactor
        self.catalog_engine = database.open_catalog(layout, settings.catalog.url)
        self.queue_engine = database.open_queue(layout)
        self.certificates = Certificates(settings.tls.certificates, settings.server.hostname, reactor.seconds)
        self.disk = Pool("disk", 8, reactor)
        self.cpu = Pool("cpu", 2, reactor)
        # one thread: every change of a mailbox happens there, in one order
        self.files = Pool("files", 1, reactor)
        self.sql = Pool("catalog", 2, reactor)
        # the full-text indexes are written there
        self.words = Pool("words", 1, reactor)
        self.catalog = Catalog(self.catalog_engine, self.queue_engine, self.sql)
        self.reserve = Reserve(layout, settings.limits.disk_reserve, reactor.seconds)
        self.committer = Committer(layout, reactor, self.reserve)
        self.spool = Spool(layout, self.disk, self.reserve)
        self.bodies = Bodies(layout, self.queue_engine, self.committer.contents.get)
        self.keyring = Keyring(layout)
        signer = Signer(self.keyring.of, self.cpu)
        self.capture = Capture(self.catalog.current, self.committer, self.spool, settings, reactor, signer)
        self.signin = SignIn(self.catalog.current, self.catalog.password_hash, self.cpu, reactor)
        self.resolver = Resolver(reactor, settings.relay.resolver)
        self.read = Reader(self.queue_engine, self.sql)
        self.verifier = Verifier(
            reactor, self.read, self.committer.write, self.bodies, self.disk, self.cpu, self.resolver
        )
        self.capture.on_unjudged = self.verifier.wake
        self.doors = Doors(reactor)
        self._ready = False
        self._wake: Any = None

    async def start(self, privileges: Privileges, unclean: bool) -> None:
        """Everything up to open doors. ``unclean``: the last run did not end by itself."""
        for pool in (self.disk, self.cpu, self.files, self.sql, self.words):
            pool.start()
        self.committer.start()
        await self.catalog.reload()
        await self._load_keys()
        self._make_store(unclean)
        await self.disk.run(self.reserve.make_ballast)
        await replay(
            self.layout, self.queue_engine, self.committer, self.filing, self.files, self.reactor.seconds, unclean
        )
        self.filing.start()
        self.outside.start()
        await self.catalog.claim(self.filing.claim)
        self._make_outside()
        await self.relay.prepare()
        self._make_doors()
        privileges.raise_()
        try:
            await self.doors.open()
        finally:
            privileges.drop()
        self._wake = listen(self.reactor, self.layout.wake, self.note)
        self.relay.startService()
        self.watch.startService()
        self.verifier.start()
        self.indexing.start(box.address for box in self.catalog.directory.mailboxes())
        # what the command line committed while we were starting found no socket to say it to
        await self.note(frozenset({"catalog", "restore"}), "")
        _calm_collector()
        sys.setswitchinterval(SWITCH)
        self._ready = True
        if self.settings.server.workers:
            self.log.warn("workers = {count}: this version runs in one process", count=self.settings.server.workers)
        self.log.info("ready: {count} domains", count=len(self.catalog.directory.domains()))

    def _make_store(self, unclean: bool) -> None:
        uidvalidity = UidValidity(self.committer, self.reactor.seconds)
        self.mailboxes = Mailboxes(self.layout, uidvalidity.draw, unclean, self._seqs_of)
        placing = Placing(
            self.layout,
            self.queue_engine,
            self.mailboxes,
            self._address_of,
            self.committer.contents.get,
            self.spool.make_shard,
        )
        self.filing = Filing(self.layout, self.committer, placing, self.files, self.disk, self.reactor, self.reserve)
        self.outside = Outside(self.reactor, self.mailboxes, self.files)
        self.shadow = Shadow(
            self.mailboxes,
            self.files,
            self.disk,
            self.reactor,
            self.spool,
            self._commit_appended,
            self.filing.appended,
            outside=self.outside,
        )
        self.indexing = Indexing(self.layout, self.words, self.reactor, self.reserve.allows, self._keep_digests)
        sessions, words = self.mailboxes.listener, self.indexing.told

        def changed(address: str, folder: str, change: Change) -> None:
            sessions(address, folder, change)
            words(address, folder, change)

        self.mailboxes.listener = changed
        self.mailboxes.on_mended(self.indexing.note)

    def _keep_digests(
        self, address: str, folder: str, uidvalidity: int, digests: list[tuple[int, bytes]]
    ) -> Deferred[None]:
        return self.files.run(self.mailboxes.within, address, folder, uidvalidity, "keep_summaries", digests)

    def _commit_appended(self, new: NewMessage) -> Deferred[Message]:
        """What a session appends belongs to the mailbox it is for, also when a crash cuts it short and a replay files
        it."""
        mailbox = self.catalog.directory.mailbox_at(new.source.user)
        return self.committer.commit(new if mailbox is None else evolve(new, mailboxes=(mailbox.id,)))

    def _make_outside(self) -> None:
        now = self.capture.now
        self.watch = Watch(
            self.reactor,
            self.settings.probe,
            self.settings.server.hostname,
            self.catalog.current,
            self.read,
            self.committer.write,
            self.resolver,
            on_recovered=lambda domain: self.relay.recovered(domain),
            figures=Figures(self.catalog.current, self.mailboxes, self.read, self.files),
        )
        self.relay = Relay(
            self.reactor,
            self.settings.relay,
            self.settings.server.hostname,
            self.catalog.current,
            self.read,
            self.committer.write,
            self.bodies,
            self.disk,
            self.resolver,
            on_evidence=self.watch.evidence,
            submit_report=Reports(self.capture, self.committer, self.spool, now).submit,
        )
        self.committer.listeners.append(lambda committed: self.relay.wake())
        self.restoring = Restoring(
            self.layout,
            self.catalog.current,
            self.mailboxes,
            self.read,
            self.committer.write,
            self.files,
            self.disk,
            now,
        )

    async def _load_keys(self) -> None:
        """What the command line made is signed with from now on. Keys that cannot be read stop no mail."""
        names = [domain.name for domain in self.catalog.directory.domains()]
        problems = await self.sql.run(self.keyring.load, names)
        now = self.capture.now()
        for domain, problem in problems.items():
            self.log.error("{domain}: its DKIM keys cannot be read: {problem}", domain=domain, problem=problem)
            text = f"the DKIM keys of {domain} cannot be read: {problem}"
            key = f"dkim-keys/{domain}/{now // 86_400_000_000}"
            await self.committer.write(
                partial(alerts.add, at=now, domain=domain, kind="dkim-keys", key=key, message=text)
            )

    def _seqs_of(self, ids: Any) -> dict[str, int]:
        with database.reading(self.queue_engine) as conn:
            return messages.seqs_of(conn, ids)

    def _address_of(self, id: int) -> str | None:
        mailbox = self.catalog.directory.mailbox_by_id(id)
        return None if mailbox is None else mailbox.address

    def _make_doors(self) -> None:
        listen = self.settings.listen
        for kind, endpoints in (
            ("smtp", listen.smtp),
            ("submission", listen.submission),
            ("submissions", listen.submissions),
        ):
            for endpoint in endpoints:
                smtp = SmtpFactory(
                    kind, self.capture, self.settings, self.reactor, self.certificates, self.signin.check
                )
                self.doors.add(kind, endpoint, smtp, smtp)
        for kind, endpoints in (("imap", listen.imap), ("imaps", listen.imaps)):
            for endpoint in endpoints:
                imap = ImapFactory(
                    kind,
                    self.shadow,
                    self.settings,
                    self.reactor,
                    self.certificates,
                    self.signin.check,
                    self._shared_with,
                )
                self.doors.add(kind, endpoint, imap, imap)
        for endpoint in listen.http:
            self.doors.add("http", endpoint, http.site(self.not_ready))

    def _shared_with(self, mailbox: Mailbox) -> dict[str, str]:
        """What a mailbox reads now, for its sessions: names of shared mailboxes and their addresses."""
        found = self.catalog.directory.shared_with(mailbox)
        return {name: box.address for name, box in found.items()}

    def not_ready(self) -> list[str]:
        """Why mail is not taken at this moment."""
        reasons = [] if self._ready else ["starting or stopping"]
        if not self.reserve.allows():
            reasons.append("the disk reserve is reached")
        return reasons

    async def note(self, topics: frozenset[str], flush: str) -> None:
        """The command line has committed something: put it in force."""
        if "catalog" in topics:
            before = self.catalog.directory
            withdrawn = await self.catalog.reload()
            await self._load_keys()
            kept = partial(self.catalog.directory.is_still, before=before)
            # in this turn, before mail for another mailbox of the same address can be filed
            forgetting = Deferred.fromCoroutine(self.shadow.forget(kept))
            self.doors.drop(withdrawn)
            await forgetting
            await self.catalog.claim(self.filing.claim)
        if "restore" in topics:
            await self.restoring.work()
        self.watch.wake()
        self.relay.wake()
        if "retry" in topics:
            self.relay.resume()
        if flush:
            self.relay.flush(flush)

    async def stop(self) -> bool:
        """Everything down again; True when all that was committed is filed and durable."""
        self._ready = False
        # the lanes finish what is on its way while the doors do
        lanes = self.relay.stopService() if hasattr(self, "relay") and self.relay.running else succeed(None)
        if hasattr(self, "watch") and self.watch.running:
            await self.watch.stopService()
        await self.doors.close()
        await lanes
        # not sooner: to the command line a server that is not heard is one that has nothing on its way
        if self._wake is not None:
            await self._wake.stopListening()
        if hasattr(self, "outside"):
            self.outside.stop()
            self.shadow.stop()
        if hasattr(self, "indexing"):
            await self.indexing.stop()
        await self.verifier.stop()
        await self.capture.write_counts()
        clean = False
        if hasattr(self, "filing"):
            await self.filing.stop()
            clean = True
        await self.committer.stop()
        if hasattr(self, "mailboxes"):
            await self.files.run(self.mailboxes.close)
        for pool in (self.files, self.disk, self.cpu, self.sql, self.words):
            pool.stop()
        self.catalog_engine.dispose()
        self.queue_engine.dispose()
        return clean


def _calm_collector() -> None:
    """What was made at the start stays: the cycle collector need not walk it again under load (a message leaves
    it nothing to find; the reactor spends an eighth less on each)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
