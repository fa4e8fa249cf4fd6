"""The base subject (RFC 5256 section 2.1): what remains of a subject without "Re:", "Fwd:", "[list]" and the like.

Touches no disk.
"""

from __future__ import annotations

import re

LONGEST = 2_000
"""So many characters of a subject are looked at."""

_BLANKS = re.compile(r"[ \t\r\n]+")
_BLOBS = re.compile(r"(?:\[[^\[\]\0]*\] *)*")
_BLOB = re.compile(r"\[[^\[\]\0]*\] *")
_REFWD = re.compile(r"(?:re|fwd?) *(?:\[[^\[\]\0]*\] *)?:", re.IGNORECASE)
_FORWARDED = re.compile(r"\[fwd:", re.IGNORECASE)


def base_subject(subject: str) -> tuple[str, bool]:
    """The base of a decoded subject, blanks made single, in its own case; and whether something was removed that tells
    a reply or a forward (subj-refwd, "(fwd)", "[fwd: ...]")."""
    text = _BLANKS.sub(" ", subject[:LONGEST])
    answer = False
    while True:
        text, fwd = _without_trailers(text)
        start, refwd = _behind_leaders(text)
        text = text[start:]
        answer = answer or fwd or refwd
        found = _FORWARDED.match(text)
        if found is None or not text.endswith("]"):
            return text, answer
        text, answer = text[found.end() : -1], True


def _without_trailers(text: str) -> tuple[str, bool]:
    found = _trailer(text)
    return text[:found], "(" in text[found:]


def _trailer(text: str) -> int:
    """Where the run of subj-trailers at the end begins."""
    end = len(text)
    while end:
        if text[end - 1] == " ":
            end -= 1
        elif text[max(end - 5, 0) : end].lower() == "(fwd)":
            end -= 5
        else:
            break
    return end


def _behind_leaders(text: str) -> tuple[int, bool]:
    """The offset behind all subj-leaders, and blobs that leave a base behind them."""
    pos, answer, size = 0, False, len(text)
    while True:
        while text.startswith(" ", pos):
            pos += 1
        blobs = _BLOBS.match(text, pos)
        end = blobs.end() if blobs else pos
        refwd = _REFWD.match(text, end)
        if refwd is not None:
            pos, answer = refwd.end(), True
            continue
        if end < size:
            # none of these blobs stands before a "Re:": all may go, there is a base behind them
            return end, answer
        return _last_blob(text, pos), answer


def _last_blob(text: str, pos: int) -> int:
    """Nothing but blobs from ``pos`` on: the last one is the base."""
    last = pos
    for found in _BLOB.finditer(text, pos):
        last = found.start()
    return last
