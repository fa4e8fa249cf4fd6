"""EMAILID (RFC 8474 section 5): what a message is called wherever it is copied or moved to.

"M" and the spool id, which every copy of a message has in its file's name; for a file that another tool put into the
Maildir "S" and a digest of its octets, kept in the index. THREADID is not known here: NIL, and no message has one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import evolve

from stratamail.imap.search import And, EmailId, Key, Not, Or, ThreadId, Uids
from stratamail.imap.sets import SequenceSet
from stratamail.shadow import reading
from stratamail.store import maildir

KIND = "emailid"
NOTHING = Uids(SequenceSet(()))
_AT_ONCE = 500


class Named(Protocol):
    """What is needed of a view."""

    @property
    def uids(self) -> Sequence[int]: ...

    def base(self, i: int) -> str: ...

    def bases(self) -> list[str]: ...

    def position(self, uid: int) -> int | None: ...

    async def cached(self, kind: str, uids: Sequence[int]) -> dict[int, bytes]: ...

    def keep(self, kind: str, data: dict[int, bytes]) -> None: ...

    async def made(self, uids: Sequence[int], how: Callable[[str], bytes]) -> dict[int, bytes]: ...

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any: ...


def email_id(base: str) -> str:
    """The EMAILID that a file's name tells, "" for another tool's."""
    message = maildir.message_id(base)
    return f"M{message}" if message else ""


async def email_ids(view: Named, uids: Sequence[int]) -> dict[int, bytes]:
    """The EMAILIDs of messages; what has no file any more is missing."""
    found: dict[int, bytes] = {}
    strangers = []
    for uid in uids:
        i = view.position(uid)
        name = "" if i is None else email_id(view.base(i))
        if name:
            found[uid] = name.encode("ascii")
        else:
            strangers.append(uid)
    if strangers:
        found.update(await view.cached(KIND, strangers))
        read = await view.made([uid for uid in strangers if uid not in found], reading.digest)
        fresh = {uid: b"S" + digest for uid, digest in read.items()}
        view.keep(KIND, fresh)
        found.update(fresh)
    return found


async def resolve(view: Named, key: Key) -> Key:
    """The same search without EMAILID and THREADID: they become the UIDs that they name."""
    if isinstance(key, EmailId):
        return await _carriers(view, key.id)
    if isinstance(key, ThreadId):
        return NOTHING
    if isinstance(key, And):
        return And(tuple([await resolve(view, part) for part in key.keys]))
    if isinstance(key, Or):
        return Or(await resolve(view, key.left), await resolve(view, key.right))
    return evolve(key, key=await resolve(view, key.key)) if isinstance(key, Not) else key


async def _carriers(view: Named, id: str) -> Key:
    found, strangers = await view.compute(_look, view.uids, view.bases(), id)
    if id.startswith("S"):
        wanted = id.encode("ascii")
        for start in range(0, len(strangers), _AT_ONCE):
            some = await email_ids(view, strangers[start : start + _AT_ONCE])
            found += [uid for uid, name in some.items() if name == wanted]
    return Uids(SequenceSet(tuple((uid, uid) for uid in found))) if found else NOTHING


def _look(uids: Sequence[int], names: Sequence[str], id: str) -> tuple[list[int], list[int]]:
    """The UIDs of our message ``id``, and those of other tools' files."""
    ids = [email_id(name) for name in names]
    ours = [uid for uid, each in zip(uids, ids, strict=True) if each == id]
    return ours, [uid for uid, each in zip(uids, ids, strict=True) if not each]
