"""SEARCH (RFC 3501 section 6.4.4), ESEARCH (RFC 4731), and the saved result ``$`` (SEARCHRES, RFC 5182).

A saved result is the UIDs that were found: messages that go away leave it by themselves, as RFC 5182 section 2.1 asks.
Writes nothing to disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve, fields_dict

from stratamail.imap import render
from stratamail.imap.commands import Command, Search
from stratamail.imap.search import And, Key, ModSeq, Not, Numbers, Or, Uids
from stratamail.imap.sets import SAVED, SequenceSet, saved
from stratamail.servers.imap_session import Done, Refusal, Session, refused

IN_REACTOR = 2_000
"""A longer answer is put together in the disk pool."""


class SearchCommand:
    """Works on ``session.view``."""

    async def search(self, session: Session, tag: str, command: Search) -> Done:
        view = session.the_view()
        returns = command.returns
        keeps = returns is not None and "SAVE" in returns
        if keeps:
            # section 2.1: what is refused with NO leaves an empty result behind
            session.saved = SAVED
        if command.refused is not None:
            raise Refusal(*command.refused)
        named = names_modseq(command.key)
        if named:
            session.enable_condstore()
        found = await refused(view.search(command.key))
        modseqs = view.column("modseqs") if named else None
        work = tag, command, view.uids, found, modseqs
        if len(found) > IN_REACTOR:
            response, result = await view.compute(_answer, *work)
        else:
            response, result = _answer(*work)
        if response:
            session.write(response)
        if keeps:
            session.saved = result
        return Done("Search completed", expunges=command.uid, shifts=False)


def _answer(
    tag: str, command: Search, uids: Sequence[int], found: Sequence[int], modseqs: Sequence[int] | None
) -> tuple[bytes, SequenceSet]:
    """The response, and what SAVE keeps; ``modseqs`` when the program names MODSEQ."""
    returns = command.returns
    told = found if returns is None else kept(found, returns)
    # RFC 4731 section 3.2: the highest of what is told
    modseq = max((modseqs[i] for i in told), default=None) if modseqs is not None else None
    numbers = [uids[i] for i in found] if command.uid else [i + 1 for i in found]
    if returns is None:
        return render.search(numbers, modseq), SAVED
    shown = returns - {"SAVE"}
    response = render.esearch(tag, numbers, command.uid, shown, modseq) if shown else b""
    return response, saved(uids[i] for i in told) if "SAVE" in returns else SAVED


def kept(found: Sequence[int], returns: frozenset[str]) -> Sequence[int]:
    """What SAVE keeps (RFC 5182 section 2.4): only what MIN and MAX tell when neither ALL nor COUNT was asked for."""
    if not found or not returns & {"MIN", "MAX"} or returns & {"ALL", "COUNT"}:
        return found
    ends = ([found[0]] if "MIN" in returns else []) + ([found[-1]] if "MAX" in returns else [])
    return sorted(set(ends))


def names_modseq(key: Key) -> bool:
    """Whether a program has the criterion MODSEQ: its answer then has a mod-sequence (RFC 7162 section 3.1.6)."""
    if isinstance(key, And):
        return any(map(names_modseq, key.keys))
    if isinstance(key, Or):
        return names_modseq(key.left) or names_modseq(key.right)
    return names_modseq(key.key) if isinstance(key, Not) else isinstance(key, ModSeq)


def with_saved(command: Command, result: SequenceSet) -> Command:
    """The command with ``result`` in the place of each ``$``."""
    changes: dict[str, Any] = {}
    for name in fields_dict(type(command)):
        value = getattr(command, name)
        if isinstance(value, SequenceSet):
            if value.saved:
                changes[name] = result
        elif name == "key":
            key = key_with_saved(value, result)
            if key is not value:
                changes[name] = key
    return evolve(command, **changes) if changes else command


def key_with_saved(key: Key, result: SequenceSet) -> Key:
    """The same for a search program; ``key`` itself when it has no ``$``."""
    if isinstance(key, (Numbers, Uids)):
        return Uids(result) if key.set.saved else key
    if isinstance(key, And):
        keys = tuple(key_with_saved(part, result) for part in key.keys)
        return key if all(new is old for new, old in zip(keys, key.keys, strict=True)) else And(keys)
    if isinstance(key, Or):
        left, right = key_with_saved(key.left, result), key_with_saved(key.right, result)
        return key if left is key.left and right is key.right else Or(left, right)
    if isinstance(key, Not):
        inner = key_with_saved(key.key, result)
        return key if inner is key.key else Not(inner)
    return key
