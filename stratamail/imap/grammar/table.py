"""Every command by name, with the function that reads its arguments. A new command group adds its rows here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from stratamail.imap.commands import Command
from stratamail.imap.grammar import fetch, folders, messages, quota, search, session, sort
from stratamail.imap.tokens import Cursor, ParseError

Reader = Callable[[Cursor], Command]

COMMANDS: dict[str, Reader] = {
    "CAPABILITY": session.capability,
    "NOOP": session.noop,
    "LOGOUT": session.logout,
    "ID": session.identify,
    "STARTTLS": session.starttls,
    "LOGIN": session.login,
    "AUTHENTICATE": session.authenticate,
    "ENABLE": session.enable,
    "NAMESPACE": session.namespace,
    "IDLE": session.idle,
    "SELECT": folders.select,
    "EXAMINE": folders.examine,
    "CREATE": folders.create,
    "DELETE": folders.delete,
    "RENAME": folders.rename,
    "SUBSCRIBE": folders.subscribe,
    "UNSUBSCRIBE": folders.unsubscribe,
    "LIST": folders.listing,
    "LSUB": folders.lsub,
    "STATUS": folders.status,
    "GETQUOTA": quota.get_quota,
    "GETQUOTAROOT": quota.get_quota_root,
    "SETQUOTA": quota.set_quota,
    "CHECK": messages.check,
    "CLOSE": messages.close,
    "UNSELECT": messages.unselect,
    "EXPUNGE": messages.expunge,
    "STORE": messages.store,
    "COPY": messages.copy,
    "MOVE": messages.move,
    "FETCH": fetch.fetch,
    "SEARCH": search.search,
    "SORT": sort.sort,
    "THREAD": sort.thread,
}
UID_COMMANDS: dict[str, Reader] = {
    "STORE": partial(messages.store, uid=True),
    "COPY": partial(messages.copy, uid=True),
    "MOVE": partial(messages.move, uid=True),
    "EXPUNGE": messages.uid_expunge,
    "FETCH": partial(fetch.fetch, uid=True),
    "SEARCH": partial(search.search, uid=True),
    "SORT": partial(sort.sort, uid=True),
    "THREAD": partial(sort.thread, uid=True),
}


def parse(cursor: Cursor) -> Command:
    """A command behind its tag, whole; ParseError when it is none of ours."""
    name = cursor.word()
    if name == "UID":
        cursor.space()
        reader = UID_COMMANDS.get(cursor.word())
    elif name == "APPEND":
        raise ParseError("APPEND needs a literal")
    else:
        reader = COMMANDS.get(name)
    if reader is None:
        raise ParseError("Unknown command")
    command = reader(cursor)
    cursor.end()
    return command
