"""Who may come in: a user name and a password checked against the catalog, for IMAP and submission alike.

It promises: the user name is the mailbox's address or an alias, in any case; an unknown user takes as long as a known
one; failures are answered later and later for that pair of user and client address, and a right password is never
refused for them; a disabled mailbox cannot sign in; a changed password counts at once. Writes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from stratamail.access import passwords
from stratamail.access.throttle import Throttle
from stratamail.mail import address as addresses
from stratamail.store.pool import Pool
from stratamail.tenancy.directory import Directory
from stratamail.tenancy.model import Mailbox

# longer is no password of a person, and would be hashed for nothing
LONGEST_PASSWORD = 1024
REMEMBERED = 10_000
REMEMBER = 3600.0

Hashes = Callable[[int], Awaitable[str | None]]


class SignIn:
    """``directory`` gives the one in force; ``password_hash`` reads a mailbox's stored hash (None: none set)."""

    log = Logger()

    def __init__(
        self,
        directory: Callable[[], Directory],
        password_hash: Hashes,
        cpu: Pool,
        reactor: IReactorTime,
    ) -> None:
        self._directory = directory
        self._password_hash = password_hash
        self._cpu = cpu
        self._reactor = reactor
        self._throttle = Throttle()
        # what was verified lately, so that a webmail that signs in for every click costs argon2 once: mailbox ->
        # (stored hash, keyed digest of the password, until). The key lives in this process only.
        self._secret = secrets.token_bytes(32)
        self._verified: OrderedDict[int, tuple[str, bytes, float]] = OrderedDict()

    async def check(self, user: str, password: str, peer: str) -> Mailbox | None:
        """The mailbox that ``user`` and ``password`` open, or None. ``peer`` is the client's IP address as text."""
        name = addresses.key(user)
        delay = self._throttle.delay(name, peer, self._reactor.seconds())
        if delay:
            await deferLater(self._reactor, delay)
        mailbox = self._directory().mailbox(user)
        good = await self._matches(mailbox, password)
        # looked up again: it may have been disabled while the password was checked
        mailbox = self._directory().mailbox(user) if good else None
        if mailbox is None or mailbox.state != "enabled":
            self._throttle.failed(name, peer, self._reactor.seconds())
            self.log.info("sign-in refused for {user} from {peer}", user=name[:320], peer=peer)
            return None
        self._throttle.succeeded(name, peer)
        return mailbox

    async def _matches(self, mailbox: Mailbox | None, password: str) -> bool:
        if not password or len(password) > LONGEST_PASSWORD:
            return False
        stored = await self._password_hash(mailbox.id) if mailbox is not None else None
        if mailbox is None or not stored:
            await self._cpu.run(passwords.verify, passwords.decoy(), password)
            return False
        digest = hmac.digest(
            self._secret, b"%d\0" % mailbox.id + password.encode("utf-8", "surrogateescape"), hashlib.sha256
        )
        known = self._verified.get(mailbox.id)
        now = self._reactor.seconds()
        if known is not None and known[0] == stored and now < known[2] and hmac.compare_digest(known[1], digest):
            self._verified.move_to_end(mailbox.id)
            return True
        if not await self._cpu.run(passwords.verify, stored, password):
            return False
        self._verified[mailbox.id] = (stored, digest, self._reactor.seconds() + REMEMBER)
        while len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return True
