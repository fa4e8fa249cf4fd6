"""The server as a Twisted service: what must be true before a door opens, and how everything ends.

Start: the mark of a running server, schema, threads, the catalog, replay of what was committed and not yet filed, then
the doors. Stop: no new connections, bodies in hand are finished, then the lanes, filing, the committer and the threads.
A start that fails ends the process with status 1 and the reason in the log.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from stratamail.app.build import Rooms
from stratamail.app.privileges import Privileges
from stratamail.app.running import AlreadyRunning, Running
from stratamail.config.settings import Settings
from stratamail.net.tls import NoCertificate
from stratamail.store import database
from stratamail.store.layout import Layout


class Server(Service):
    """``settings`` as read; everything else is made at the start."""

    log = Logger()
    name = "stratamail"

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._layout = Layout(settings.server.state)
        self._mark = Running(self._layout.running)
        self._rooms: Rooms | None = None
        self._starting: Deferred[None] | None = None

    def startService(self) -> None:
        """What can be refused at once is refused here: the process ends with the reason on stderr."""
        settings, layout = self._settings, self._layout
        try:
            if not os.path.isdir(layout.state) or not os.path.exists(layout.queue):
                sys.exit(f"stratamail: {layout.state} is not set up: run `stratamail --config FILE init` first")
            privileges = Privileges(layout.state, settings.server.user)
            rooms = Rooms(settings, layout, self._reactor)
            rooms.certificates.refresh()
            privileges.lower()
            os.umask(0o027)
            _check_one_filesystem(layout)
            self._mark.take()
            for engine, name in ((rooms.catalog_engine, "catalog"), (rooms.queue_engine, "queue")):
                database.migrate(engine, name)
        except (AlreadyRunning, NoCertificate, database.DatabaseTooNew, Refused) as error:
            self._mark.give_back()
            sys.exit(f"stratamail: {error}")
        except KeyError:
            sys.exit(f'stratamail: [server] user: there is no user "{settings.server.user}" here')
        except OSError as error:
            sys.exit(f"stratamail: {error} (STATE and all in it must belong to whoever the server becomes)")
        super().startService()  # type: ignore[no-untyped-call]
        self._rooms = rooms
        self._starting = Deferred.fromCoroutine(rooms.start(privileges, self._mark.unclean))
        self._starting.addErrback(self._start_failed)

    def _start_failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self.log.failure("the server does not start", failure)
        # the reactor ends with status 0 whatever happened; a supervisor must see that nobody asked for this stop
        self._reactor.addSystemEventTrigger("after", "shutdown", _exit_1)
        self._reactor.callLater(0, self._reactor.stop)

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        if self._starting is not None and not self._starting.called:
            self._starting.cancel()
        stopping = Deferred.fromCoroutine(self._stop())
        stopping.addErrback(lambda failure: self.log.failure("the stop was not clean", failure))
        return stopping

    async def _stop(self) -> None:
        clean = False
        try:
            if self._rooms is not None:
                clean = await self._rooms.stop()
        finally:
            if clean:
                self._mark.release()
            else:
                self._mark.abandon()


class Refused(Exception):
    """The server must not start like this; the text says why."""


def _check_one_filesystem(layout: Layout) -> None:
    """Messages are linked from the spool into mailboxes; links do not cross filesystems."""
    for path in (layout.spool, layout.mail):
        os.makedirs(path, mode=0o750, exist_ok=True)
    if os.stat(layout.spool).st_dev != os.stat(layout.mail).st_dev:
        raise Refused(f"{layout.spool} and {layout.mail} must lie on one filesystem")


def _exit_1() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
