"""IMAP commands of the session itself: CAPABILITY, ID, NAMESPACE, ENABLE, LOGIN, AUTHENTICATE (RFC 3501 sections 6.1,
6.2).

Writes nothing to disk. A password is never logged.
"""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from twisted.logger import Logger

from stratamail.imap import render
from stratamail.imap.commands import Authenticate, Capability, Check, Enable, Id, Login, Namespace, Noop
from stratamail.servers.imap_session import Done, Refusal, Session, State
from stratamail.shadow.namespaces import Namespaces
from stratamail.tenancy.model import Mailbox

CheckPassword = Callable[[str, str, str], Awaitable[Mailbox | None]]
OpenBox = Callable[[Mailbox], Namespaces]
WEAK = "Encrypt the connection first"


class SignInCommands:
    """``check`` is ``async (user, password, peer) -> Mailbox | None``; ``believed`` tells whether a client may say in
    ID for whom it speaks (the webmail host)."""

    log = Logger()

    def __init__(self, check: CheckPassword, open_box: OpenBox, believed: Callable[[str], bool]) -> None:
        self._check = check
        self._open_box = open_box
        self._believed = believed

    async def capability(self, session: Session, tag: str, command: Capability) -> Done:
        session.write(render.capability(session.capabilities()))
        return Done("Capability completed")

    async def noop(self, session: Session, tag: str, command: Noop | Check) -> Done:
        """What other tools did to the Maildir is looked for too (RFC 3501 section 6.1.2: NOOP can be used to poll)."""
        if session.view is not None:
            await session.view.look()
        return Done("Completed")

    async def identify(self, session: Session, tag: str, command: Id) -> Done:
        """RFC 2971. Webmail says for whom it asks, so that its failures are throttled by that address and not by its
        own."""
        origin = dict(command.params).get("x-originating-ip")
        if origin and self._believed(session.link.peer):
            try:
                session.peer = str(ip_address(origin))
            except ValueError:
                self.log.warn("webmail at {peer} named no address of its client", peer=session.link.peer)
        session.write(b'* ID ("name" "StrataMail")\r\n')
        return Done("ID completed")

    async def enable(self, session: Session, tag: str, command: Enable) -> Done:
        """RFC 5161: what is unknown is passed over. QRESYNC brings CONDSTORE along (RFC 7162 section 3.2.3)."""
        known = [name for name in dict.fromkeys(command.capabilities) if name in ("CONDSTORE", "QRESYNC")]
        session.write(" ".join(("* ENABLED", *known)).encode("ascii") + b"\r\n")
        session.qresync = session.qresync or "QRESYNC" in known
        if known:
            session.enable_condstore()
        return Done("Enabled")

    async def namespace(self, session: Session, tag: str, command: Namespace) -> Done:
        """RFC 2342: one's own mail, and what is shared; there are no mailboxes of other people."""
        session.write(b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n')
        return Done("Namespace completed")

    def allowed(self, session: Session) -> bool:
        return session.link.secure or session.link.clear_auth

    async def login(self, session: Session, tag: str, command: Login) -> Done:
        if not self.allowed(session):
            raise Refusal(WEAK, "PRIVACYREQUIRED")
        return await self._sign_in(session, command.user, command.password)

    async def authenticate(self, session: Session, tag: str, command: Authenticate) -> Done:
        if not self.allowed(session):
            raise Refusal(WEAK, "PRIVACYREQUIRED")
        if command.mechanism == "PLAIN":
            raw = _decode(command.initial if command.initial is not None else await session.link.ask(b""))
            parts = raw.split(b"\0")
            if len(parts) != 3:
                raise Refusal("Invalid PLAIN response", state="BAD")
            role, user, password = (_text(part) for part in parts)
            if role and role.casefold() != user.casefold():
                raise Refusal("No one may act for somebody else", "AUTHORIZATIONFAILED")
        elif command.mechanism == "LOGIN":
            first = command.initial if command.initial is not None else await session.link.ask(b"VXNlcm5hbWU6")
            user = _text(_decode(first))
            password = _text(_decode(await session.link.ask(b"UGFzc3dvcmQ6")))
        else:
            raise Refusal("Unknown mechanism")
        return await self._sign_in(session, user, password)

    async def _sign_in(self, session: Session, user: str, password: str) -> Done:
        mailbox = await self._check(user, password, session.peer)
        if mailbox is None:
            self.log.info("IMAP sign-in refused for a client at {peer}", peer=session.peer)
            raise Refusal("Authentication failed", "AUTHENTICATIONFAILED")
        session.box = self._open_box(mailbox)
        session.mailbox = mailbox
        session.state = State.SIGNED_IN
        return Done("Signed in", "CAPABILITY " + " ".join(session.capabilities()))


def _decode(line: bytes) -> bytes:
    if line == b"*":
        raise Refusal("Authentication cancelled", state="BAD")
    try:
        return a2b_base64(line, strict_mode=bool(line))
    except Error:
        raise Refusal("Invalid base64", state="BAD") from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("Not UTF-8", "AUTHENTICATIONFAILED") from None
