"""Messages of a folder as threads (RFC 5256 THREAD), from its decoded headers in memory.

Runs in the disk pool; touches no disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from stratamail.mail.threads import ALGORITHMS, Letters
from stratamail.shadow.summaries import Summaries


def thread(summaries: Summaries, algorithm: str, uids: array[int], found: Sequence[int], by_uid: bool) -> list[str]:
    """The threads among the messages at the indexes ``found`` (ascending) of a view's ``uids``, each written as in a
    THREAD response, by UID or by number. What the summaries do not have stands alone, at the end."""
    places = summaries.positions(uids)
    known = [i for i in found if places[i] >= 0]
    positions = [places[i] for i in known]
    texts = summaries.texts["base"]
    letters = Letters(
        [summaries.ids[position] for position in positions],
        lambda i: summaries.referred(positions[i]),
        [summaries.sents[position] for position in positions],
        [texts[position] for position in positions],
        [summaries.answer(position) for position in positions],
    )
    numbers = [uids[i] if by_uid else i + 1 for i in known]
    out = ALGORITHMS[algorithm](letters).render(numbers.__getitem__)
    return out + [f"({uids[i] if by_uid else i + 1})" for i in found if places[i] < 0]
