"""SORT and THREAD (RFC 5256), sorted by display name too (RFC 5957), with result options (ESORT, RFC 5267 section 3).

The answer about a whole folder is kept beside its headers until a message comes or goes. Writes nothing to disk.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence

from stratamail.imap import render
from stratamail.imap.commands import Sort, Thread
from stratamail.imap.sets import SAVED, saved
from stratamail.servers.imap_search import kept, names_modseq
from stratamail.servers.imap_session import Done, Refusal, Session, refused
from stratamail.shadow.sorting import Criteria, by_columns, plain, sort
from stratamail.shadow.threading import thread
from stratamail.shadow.view import View

ANSWERS_KEPT = 4
NUMBERS_AT_ONCE = 5_000
"""So many are written in one go: no other thread runs meanwhile."""
OCTETS_AT_ONCE = 65_536


class SortCommands:
    """Works on ``session.view``."""

    async def sort(self, session: Session, tag: str, command: Sort) -> Done:
        view, returns = session.the_view(), command.returns
        keeps = returns is not None and "SAVE" in returns
        if keeps:
            # RFC 5182 section 2.1: what is refused with NO leaves an empty result behind
            session.saved = SAVED
        if command.refused is not None:
            raise Refusal(*command.refused)
        modseqs = names_modseq(command.key)
        if modseqs:
            session.enable_condstore()
        found = await refused(view.search(command.key))
        done = Done("Sort completed", expunges=command.uid, shifts=False)
        if returns is None and not modseqs:
            await _write(session, b"* SORT", await _sort_answer(view, command, found))
            return done
        uids, column = view.uids, view.column("modseqs")
        order = await _sorted(view, command.criteria, found)

        def work() -> tuple[bytes, Sequence[int]]:
            """The response, and the UIDs that are told of."""
            numbers = list(order) if command.uid else _in_view(order, uids)
            told = order if returns is None else kept(order, returns)
            modseq = max((column[n - 1] for n in _in_view(told, uids)), default=None) if modseqs else None
            if returns is None:
                return render.search(numbers, modseq, b"SORT"), told
            shown = returns - {"SAVE"}
            return render.esearch(tag, numbers, command.uid, shown, modseq) if shown else b"", told

        response, told = await view.compute(work)
        session.write(response)
        if keeps:
            session.saved = saved(sorted(told))
        return done

    async def thread(self, session: Session, tag: str, command: Thread) -> Done:
        view = session.the_view()
        if names_modseq(command.key):
            session.enable_condstore()
        found = await refused(view.search(command.key))
        uids, algorithm, by_uid = view.uids, command.algorithm, command.uid

        async def work() -> bytes:
            summaries = await refused(view.folder.headers.summaries(view))
            threads: list[str] = await view.compute(thread, summaries, algorithm, uids, found, by_uid)
            return b" " + "".join(threads).encode("ascii")

        answer = await _kept(view, (algorithm, by_uid), found, work) if found else b""
        await _write(session, b"* THREAD", answer)
        return Done("Thread completed", expunges=command.uid, shifts=False)


async def _sorted(view: View, criteria: Criteria, found: Sequence[int]) -> Sequence[int]:
    """The UIDs of the messages at the indexes ``found`` in order."""
    if plain(criteria):
        columns = {name: view.column(name) for name in ("dates", "sizes")}
        plainly: Sequence[int] = await view.compute(by_columns, columns, criteria, view.uids, found)
        return plainly
    summaries = await refused(view.folder.headers.summaries(view))
    sorted_: Sequence[int] = await view.compute(sort, summaries, criteria, view.uids, found)
    return sorted_


async def _sort_answer(view: View, command: Sort, found: Sequence[int]) -> bytes:
    """The numbers, each behind a blank."""
    uids, by_uid, criteria = view.uids, command.uid, command.criteria

    async def work() -> bytes:
        order = await _sorted(view, criteria, found)
        answer: bytes = await view.compute(_numbers, order, uids, by_uid)
        return answer

    return await _kept(view, (criteria, by_uid), found, work)


async def _kept(view: View, name: object, found: Sequence[int], work: Callable[[], Awaitable[bytes]]) -> bytes:
    """What ``work`` gives; an answer about all messages is kept while they are the same."""
    uids, answers = view.uids, view.folder.headers.answers
    if len(found) < len(uids):
        return await work()
    view.box.in_use()
    known = answers.get(name)
    answer = known[1] if known is not None and known[0] is uids else await work()
    answers.pop(name, None)
    answers[name] = (uids, answer)
    while len(answers) > ANSWERS_KEPT:
        del answers[next(iter(answers))]
    return answer


def _numbers(order: Sequence[int], uids: array[int], by_uid: bool) -> bytes:
    if not by_uid:
        order = _in_view(order, uids)
    pieces = (order[i : i + NUMBERS_AT_ONCE] for i in range(0, len(order), NUMBERS_AT_ONCE))
    return "".join([" " + " ".join(map(str, piece)) for piece in pieces]).encode("ascii")


def _in_view(some: Sequence[int], uids: array[int]) -> list[int]:
    """The sequence numbers of UIDs in a view."""
    if len(some) * 8 < len(uids):
        return [bisect_left(uids, uid) + 1 for uid in some]
    number: dict[int, int] = {}
    for start in range(0, len(uids), NUMBERS_AT_ONCE):
        number.update(zip(uids[start : start + NUMBERS_AT_ONCE], range(start + 1, len(uids) + 1), strict=False))
    return [number[uid] for uid in some]


async def _write(session: Session, head: bytes, answer: bytes) -> None:
    session.write(head)
    for start in range(0, len(answer), OCTETS_AT_ONCE):
        session.write(answer[start : start + OCTETS_AT_ONCE])
        await session.link.drain()
    session.write(b"\r\n")
