"""Which folders a LIST or LSUB names, and with which attributes (RFC 3501 section 6.3.8, RFC 5258, RFC 6154, RFC 3348).

Pure: folders in, responses out. Matching is linear in name times pattern, whatever wildcards a client sends. Touches no
disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from stratamail.imap.commands import List
from stratamail.imap.render import listing

LONGEST_PATTERN = 1000


@frozen
class Entry:
    """A folder that exists. ``use`` is its special use ("\\\\Sent"), "" for none."""

    name: str
    use: str = ""


@frozen
class Line:
    """One response."""

    name: str
    attributes: tuple[str, ...]
    childinfo: tuple[str, ...] = ()

    def render(self, word: bytes = b"LIST") -> bytes:
        return listing(self.name, self.attributes, word, self.childinfo)


def matches(pattern: str, name: str) -> bool:
    """``*`` is anything, ``%`` anything without the delimiter; INBOX in any case names INBOX."""
    if pattern == "*":
        return True
    if len(pattern) > LONGEST_PATTERN:
        return False
    # the set of pattern positions that the name so far may stand at, as bits
    stars = slides = 0
    at: dict[str, int] = {}
    for i, char in enumerate(pattern):
        if char == "*":
            stars |= 1 << i
        elif char == "%":
            slides |= 1 << i
        else:
            at[char] = at.get(char, 0) | (1 << i)
    wild = stars | slides
    state = _past(1, wild)
    for char in name:
        stay = stars if char == "/" else wild
        state = _past(((state & at.get(char, 0)) << 1) | (state & stay), wild)
        if not state:
            return False
    return bool(state >> len(pattern) & 1)


def _past(state: int, wild: int) -> int:
    """A wildcard may match nothing."""
    while True:
        more = state | ((state & wild) << 1)
        if more == state:
            return state
        state = more


def select(command: List, folders: Sequence[Entry], subscribed: frozenset[str]) -> list[Line]:
    """The responses to LIST in order of name, INBOX first."""
    patterns = tuple(_joined(command.reference, pattern) for pattern in command.patterns)
    if not command.extended and command.patterns == ("",):
        return [Line("", ("\\Noselect",))]
    exist = {entry.name: entry for entry in folders}
    names = set(exist)
    by_subscription = "SUBSCRIBED" in command.select
    if by_subscription:
        names |= subscribed
    parents = _parents(names)
    children = _parents(exist)
    subscribed_parents = _parents(subscribed)
    show_children = not command.extended or "CHILDREN" in command.options
    out = []
    for name in sorted(names | parents, key=_order):
        if not any(matches(pattern, name) for pattern in patterns):
            continue
        entry = exist.get(name)
        chosen = True
        if by_subscription:
            chosen = name in subscribed
        if "SPECIAL-USE" in command.select:
            chosen = chosen and entry is not None and bool(entry.use)
        childinfo: tuple[str, ...] = ()
        if "RECURSIVEMATCH" in command.select and by_subscription and name in subscribed_parents:
            childinfo = ("SUBSCRIBED",)
        if not chosen and not childinfo:
            continue
        if entry is None and not by_subscription and not any(_shown_as_parent(p, name, exist) for p in patterns):
            continue
        attributes = []
        if entry is None:
            # a parent that was never created, or a subscription whose folder is gone
            attributes.append("\\NonExistent" if command.extended else "\\Noselect")
        if name in subscribed and (by_subscription or "SUBSCRIBED" in command.options):
            attributes.append("\\Subscribed")
        if show_children or "CHILDREN" in command.options:
            attributes.append("\\HasChildren" if name in children else "\\HasNoChildren")
        if entry is not None and entry.use:
            attributes.append(entry.use)
        out.append(Line(name, tuple(attributes), childinfo))
    return out


def select_lsub(reference: str, pattern: str, subscribed: frozenset[str]) -> list[Line]:
    """LSUB: the subscribed, and for ``%`` a parent of one that lies deeper, as \\Noselect (RFC 3501 section 6.3.9)."""
    joined = _joined(reference, pattern)
    if not pattern:
        return [Line("", ("\\Noselect",))]
    out = []
    for name in sorted(subscribed | _parents(subscribed), key=_order):
        if matches(joined, name):
            if name in subscribed:
                out.append(Line(name, ()))
            elif "%" in pattern:
                out.append(Line(name, ("\\Noselect",)))
    return out


def _joined(reference: str, pattern: str) -> str:
    joined = reference + pattern
    head, slash, rest = joined.partition("/")
    return "INBOX" + slash + rest if head.upper() == "INBOX" else joined


def _parents(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        cut = name.rfind("/")
        while cut > 0:
            parent = name[:cut]
            if parent in found:
                break
            found.add(parent)
            cut = name.rfind("/", 0, cut)
    return found


def _shown_as_parent(pattern: str, name: str, exist: Iterable[str]) -> bool:
    """A folder that does not exist is shown only where its children are not themselves (RFC 3501 section 6.3.8)."""
    below = name + "/"
    return matches(pattern, name) and any(child.startswith(below) and not matches(pattern, child) for child in exist)


def _order(name: str) -> tuple[bool, str]:
    return name != "INBOX", name.casefold()
