"""Which handler executes which IMAP command, in which state (RFC 3501 section 3), and what the door offers.

A new command group adds its rows here. Writes nothing to disk itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from stratamail.imap import commands as ask
from stratamail.imap.engine import AppendHead, ServerEngine
from stratamail.servers.imap_append import AppendCommand
from stratamail.servers.imap_fetch import FetchCommand
from stratamail.servers.imap_folders import FolderCommands
from stratamail.servers.imap_messages import MessageCommands
from stratamail.servers.imap_quota import QuotaCommands
from stratamail.servers.imap_search import SearchCommand, with_saved
from stratamail.servers.imap_select import SelectCommands
from stratamail.servers.imap_session import Done, Refusal, Session, State
from stratamail.servers.imap_signin import SignInCommands
from stratamail.servers.imap_sort import SortCommands

CAPABILITIES = (
    "IMAP4rev1", "SASL-IR", "LITERAL+", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "UNSELECT", "CHILDREN",
    "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH", "CONDSTORE", "QRESYNC",
    "MULTIAPPEND", "BINARY", "PREVIEW", "SAVEDATE", "OBJECTID",
    "CREATE-SPECIAL-USE", "STATUS=SIZE", "QUOTA", "QUOTA=RES-STORAGE",
    "SEARCHRES", "WITHIN", "I18NLEVEL=1",
    "SORT", "SORT=DISPLAY", "ESORT", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES", "THREAD=REFS",
)  # fmt: skip

Handler = Callable[[Session, str, Any], Awaitable[Done]]

ANY = frozenset((State.GREETED, State.SIGNED_IN, State.SELECTED))
BEFORE = frozenset((State.GREETED,))
AFTER = frozenset((State.SIGNED_IN, State.SELECTED))
SELECTED = frozenset((State.SELECTED,))


class Commands:
    """``message_size`` is the largest message APPEND takes."""

    def __init__(
        self,
        signin: SignInCommands,
        folders: FolderCommands,
        append: AppendCommand,
        quota: QuotaCommands,
        message_size: int,
    ) -> None:
        messages, select, sorting = MessageCommands(), SelectCommands(), SortCommands()
        self._append = append
        self._message_size = message_size
        self._handlers: dict[type, tuple[Collection[State], Handler]] = {
            ask.Capability: (ANY, signin.capability),
            ask.Noop: (ANY, signin.noop),
            ask.Id: (ANY, signin.identify),
            ask.Login: (BEFORE, signin.login),
            ask.Authenticate: (BEFORE, signin.authenticate),
            ask.Enable: (AFTER, signin.enable),
            ask.Namespace: (AFTER, signin.namespace),
            ask.Select: (AFTER, select.select),
            ask.Create: (AFTER, folders.create),
            ask.Delete: (AFTER, folders.delete),
            ask.Rename: (AFTER, folders.rename),
            ask.Subscribe: (AFTER, folders.subscribe),
            ask.Unsubscribe: (AFTER, folders.unsubscribe),
            ask.List: (AFTER, folders.listing),
            ask.Lsub: (AFTER, folders.lsub),
            ask.Status: (AFTER, folders.status),
            ask.GetQuota: (AFTER, quota.get_quota),
            ask.GetQuotaRoot: (AFTER, quota.get_quota_root),
            ask.SetQuota: (AFTER, quota.set_quota),
            ask.Idle: (AFTER, select.idle),
            ask.Check: (SELECTED, signin.noop),
            ask.Close: (SELECTED, messages.close),
            ask.Unselect: (SELECTED, messages.unselect),
            ask.Expunge: (SELECTED, messages.expunge),
            ask.Search: (SELECTED, SearchCommand().search),
            ask.Sort: (SELECTED, sorting.sort),
            ask.Thread: (SELECTED, sorting.thread),
            ask.Store: (SELECTED, messages.store),
            ask.Copy: (SELECTED, messages.copy),
            ask.Move: (SELECTED, messages.move),
            ask.Fetch: (SELECTED, FetchCommand().fetch),
        }

    def capabilities(self, passwords: bool, starttls: bool) -> list[str]:
        """The same before and after sign-in: webmail reads it once."""
        offered = [*CAPABILITIES, f"APPENDLIMIT={self._message_size}"]
        if starttls:
            offered.append("STARTTLS")
        if passwords:
            offered += ["AUTH=PLAIN", "AUTH=LOGIN"]
        else:
            offered.append("LOGINDISABLED")
        return offered

    async def run(self, session: Session, tag: str, command: ask.Command) -> Done:
        states, handler = self._handlers[type(command)]
        if session.state not in states:
            self._wrong_state(session, states)
        if states is SELECTED:
            command = with_saved(command, session.saved)
        return await handler(session, tag, command)

    async def append(self, session: Session, engine: ServerEngine, head: AppendHead) -> Done:
        if session.state not in AFTER:
            engine.refuse(head.waits)
            self._wrong_state(session, AFTER)
        return await self._append.append(session, engine, head)

    def _wrong_state(self, session: Session, states: Collection[State]) -> None:
        if session.state is State.GREETED:
            raise Refusal("Sign in first", state="BAD")
        raise Refusal("Select a mailbox first" if states is SELECTED else "Already signed in", state="BAD")
