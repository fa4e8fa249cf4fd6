"""One IMAP session apart from its transport: who, which box, which folder, what the client must be told.

The handlers of the command groups get a :class:`Session`; they write through it, and refuse by raising
:class:`Refusal`. Writes nothing to disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from enum import Enum
from typing import Protocol, TypeVar

from attrs import define, frozen

from stratamail.imap import render
from stratamail.imap.engine import Event
from stratamail.imap.sets import SAVED, compress
from stratamail.mail.structure import Part
from stratamail.mail.transfer import Decoder
from stratamail.shadow.namespaces import Namespaces
from stratamail.shadow.updates import Exists, Flags, Update
from stratamail.shadow.view import View
from stratamail.store.mailbox_values import MailboxError
from stratamail.tenancy.model import Mailbox

T = TypeVar("T")

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


class State(Enum):
    GREETED = 1
    SIGNED_IN = 2
    SELECTED = 3
    OVER = 4


class Refusal(Exception):
    """A tagged answer other than OK. ``state`` is NO or BAD; ``code`` a response code without brackets."""

    def __init__(self, text: str, code: str = "", state: str = "NO") -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.state = state


async def refused(work: Awaitable[T]) -> T:
    """Turns the store's refusals into the session's."""
    try:
        return await work
    except MailboxError as error:
        raise Refusal(error.text, error.code) from error


@frozen
class Done:
    """A tagged OK. ``expunges``: EXPUNGE responses may stand before it (never after FETCH, STORE or SEARCH by number,
    RFC 3501 section 7.4.1); ``shifts``: they do so even when the client has sent more commands already.
    ``highestmodseq``: what it knows now is told, once QRESYNC is enabled."""

    text: str
    code: str = ""
    expunges: bool = True
    shifts: bool = True
    highestmodseq: bool = False


class Link(Protocol):
    """The transport's side of a session."""

    peer: str
    secure: bool
    clear_auth: bool

    @property
    def full(self) -> bool:
        """Whether the client has much to read yet."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Wait until the client has taken most of what was written; lets other work run."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call it in another turn of the reactor."""

    def bye(self, text: str) -> None:
        """Say BYE and close."""

    def abort(self) -> None:
        """Cut the connection: what was begun cannot be finished."""

    async def event(self) -> Event:
        """The engine's next event."""

    def expect_answer(self, prompt: bytes) -> None:
        """Send a continuation request; the next event is the client's answer."""

    async def ask(self, prompt: bytes) -> bytes:
        """Send a continuation request and give the client's line."""


@define
class Decoding:
    """How far a part (UID and number) of a large message was decoded: ``piece`` are the decoded octets from ``at`` on,
    ``next`` is where in the message the encoded ones go on."""

    key: tuple[int, tuple[int, ...]]
    decoder: Decoder
    next: int
    at: int = 0
    piece: bytes = b""
    ended: bool = False


class Session:
    """``capabilities`` is what this connection offers now, ``saved`` what ``$`` means (RFC 5182)."""

    def __init__(self, link: Link, capabilities: Callable[[], Iterable[str]]) -> None:
        self.link = link
        self.capabilities = capabilities
        self.state = State.GREETED
        self.mailbox: Mailbox | None = None
        self.box: Namespaces | None = None
        self.view: View | None = None
        self.saved = SAVED
        self.peer = link.peer
        self.known_keywords: tuple[str, ...] = ()
        self.trees: dict[int, Part] = {}
        self.decoding: Decoding | None = None
        self.on_change: Callable[[], None] | None = None
        self.condstore = False
        self.qresync = False
        self._delayed = False

    def write(self, data: bytes) -> None:
        self.link.write(data)

    def the_box(self) -> Namespaces:
        assert self.box is not None
        return self.box

    def the_view(self) -> View:
        assert self.view is not None
        return self.view

    def remember(self, uid: int, tree: Part) -> None:
        """The structure of a large message of the selected folder, for its next slices."""
        if len(self.trees) >= 4:
            del self.trees[next(iter(self.trees))]
        self.trees[uid] = tree

    def changed(self) -> None:
        """The selected folder has news; only an idling client is told at once."""
        if self.on_change is not None and not self.link.full:
            self.on_change()

    @property
    def told_of_flags(self) -> tuple[str, ...]:
        """The items of a FETCH response about changed flags (RFC 7162 section 3.2.4)."""
        return ("UID", "FLAGS", "MODSEQ") if self.condstore else ("FLAGS",)

    def enable_condstore(self) -> None:
        """A command has shown that the client knows mod-sequences (RFC 7162 section 3.1): from now on FETCH responses
        have them."""
        if not self.condstore:
            self.condstore = True
            if self.view is not None:
                self.tell_highestmodseq()

    def tell_highestmodseq(self) -> None:
        code = f"HIGHESTMODSEQ {self.the_view().highestmodseq}"
        self.write(render.condition("*", "OK", "Highest", code))

    def tell(self, expunges: bool = True) -> bool:
        """Write what has happened to the selected folder since the last time; whether there is still more to tell."""
        view = self.view
        if view is None:
            return False
        if not view.alive:
            self.link.bye("The mailbox was removed or renamed")
            return False
        self.tell_keywords()
        data = render_updates(view.updates(expunges), self.condstore, self.qresync)
        if data:
            self.write(data)
        return view.more(expunges)

    async def tell_all(self, expunges: bool = True) -> None:
        """The same until nothing is left, with a turn for the others in between."""
        while self.tell(expunges):
            await self.link.drain()
        if self.qresync and self.view is not None and (self.view.behind or self._delayed):
            # what the mod-sequences just told let a client believe, while an expunge waits (RFC 7162 section 6)
            self._delayed = self.view.behind
            self.tell_highestmodseq()

    def tell_keywords(self) -> None:
        """Keywords that came into use (RFC 3501 section 7.2.6)."""
        view = self.view
        if view is not None and view.keywords != self.known_keywords:
            self.known_keywords = view.keywords
            self.write(render_flags(view))

    def leave(self) -> None:
        """Close the selected folder without expunging."""
        if self.view is not None:
            self.view.close()
            self.view = None
            self._delayed = False
        self.saved = SAVED
        self.trees.clear()
        self.decoding = None
        if self.state is State.SELECTED:
            self.state = State.SIGNED_IN

    def end(self) -> None:
        self.leave()
        self.state = State.OVER


def render_flags(view: View) -> bytes:
    """FLAGS and PERMANENTFLAGS; no ``\\*`` when new keywords could not be kept (RFC 3501 section 7.1)."""
    flags = (*SYSTEM_FLAGS, "$Forwarded", *view.keywords)
    permanent = () if view.read_only else flags if view.folder.full else (*flags, "\\*")
    code = f"PERMANENTFLAGS ({' '.join(permanent)})"
    return b"* FLAGS " + render.flag_list(flags) + b"\r\n" + render.condition("*", "OK", "Flags kept", code)


def render_updates(updates: Iterable[Update], condstore: bool, qresync: bool) -> bytes:
    """With ``condstore`` mod-sequences are told; with ``qresync`` expunges by UID (RFC 7162 section 3.2.10.2)."""
    out: list[bytes] = []
    gone: list[int] = []
    for update in updates:
        if isinstance(update, Exists):
            out.append(b"* %d EXISTS\r\n* %d RECENT\r\n" % (update.exists, update.recent))
        elif isinstance(update, Flags):
            modseq = b" MODSEQ (%d)" % update.modseq if condstore else b""
            flags = render.flag_list(update.flags)
            out.append(b"* %d FETCH (UID %d FLAGS %b%b)\r\n" % (update.number, update.uid, flags, modseq))
        elif qresync:
            gone.append(update.uid)
        else:
            out.append(b"* %d EXPUNGE\r\n" % update.number)
    if gone:
        out.insert(0, render.vanished(compress(sorted(gone))))
    return b"".join(out)
