"""Which folders a LIST or LSUB names, and with which attributes (RFC 3501 section 6.3.8, RFC 5258, RFC 6154, RFC 3348).

Pure: folders in, responses out. Matching is linear in name times pattern, whatever wildcards a client sends. Touches no
disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from stratamail.imap.commands import List
from stratamail.imap.render import listing

LONGEST_PATTERN = 1000


@frozen
class Entry:
    """A folder that exists. ``use`` are its special uses ("\\\\Sent"), divided by spaces, "" for none."""

    name: str
    use: str = ""


@frozen
class Line:
    """One response; ``exists`` when there is a folder that matches, to tell the STATUS of (RFC 5819 section 2)."""

    name: str
    attributes: tuple[str, ...]
    childinfo: tuple[str, ...] = ()
    exists: bool = False

    def render(self, word: bytes = b"LIST") -> bytes:
        return listing(self.name, self.attributes, word, self.childinfo)


def mailbox_id(uidvalidity: int) -> str:
    """The MAILBOXID of a folder (RFC 8474 section 4): no other has its UIDVALIDITY, and a rename keeps it."""
    return f"(F{uidvalidity:x})"


class Pattern:
    """A name with wildcards, prepared for many names: ``*`` is anything, ``%`` anything without the delimiter; INBOX in
    any case names INBOX."""

    def __init__(self, text: str) -> None:
        self.text = text
        # the places of the wildcards and of each character, as bits
        self._stars = self._wild = 0
        self._at: dict[str, int] = {}
        if len(text) > LONGEST_PATTERN:
            return
        for i, char in enumerate(text):
            if char == "*":
                self._stars |= 1 << i
            if char in "*%":
                self._wild |= 1 << i
            else:
                self._at[char] = self._at.get(char, 0) | (1 << i)

    def matches(self, name: str) -> bool:
        """In time that is linear in both."""
        if self.text == "*":
            return True
        if len(self.text) > LONGEST_PATTERN:
            return False
        # the set of places that the name so far may stand at
        state = _past(1, self._wild)
        foldable = 5 if name == "INBOX" or name.startswith("INBOX/") else 0
        for i, char in enumerate(name):
            at = self._at.get(char, 0)
            if i < foldable:
                at |= self._at.get(char.lower(), 0)
            stay = self._stars if char == "/" else self._wild
            state = _past(((state & at) << 1) | (state & stay), self._wild)
            if not state:
                return False
        return bool(state >> len(self.text) & 1)


def matches(pattern: str, name: str) -> bool:
    """Whether :class:`Pattern` ``pattern`` matches ``name``."""
    return Pattern(pattern).matches(name)


def _past(state: int, wild: int) -> int:
    """A wildcard may match nothing."""
    while True:
        more = state | ((state & wild) << 1)
        if more == state:
            return state
        state = more


def select(command: List, folders: Sequence[Entry], subscribed: frozenset[str]) -> list[Line]:
    """The responses to LIST in order of name, INBOX first."""
    if not command.extended and command.patterns == ("",):
        return [Line("", ("\\Noselect",))]
    patterns = [Pattern(_joined(command.reference, pattern)) for pattern in command.patterns]
    exist = {entry.name: entry for entry in folders}
    kinds = _kinds(command, exist, subscribed)
    names = set(exist)
    for kind in kinds.values():
        names |= kind
    # what a parent of these is told to have below it (RFC 5258 section 3.5)
    below = {word: _parents(kind) for word, kind in kinds.items()} if "RECURSIVEMATCH" in command.select else {}
    children = _parents(exist)
    out = []
    for name in sorted(names | _parents(names), key=_order):
        if not any(pattern.matches(name) for pattern in patterns):
            continue
        childinfo = tuple(word for word, parents in below.items() if name in parents)
        chosen = all(name in kind for kind in kinds.values())
        if kinds:
            if not childinfo and not chosen:
                continue
        elif name not in exist and not any(_shown_as_parent(pattern, name, exist) for pattern in patterns):
            continue
        attributes = _attributes(command, name, exist, subscribed, name in children)
        out.append(Line(name, attributes, childinfo, chosen and name in exist))
    return out


def _kinds(command: List, exist: Mapping[str, Entry], subscribed: frozenset[str]) -> dict[str, frozenset[str]]:
    """The names that each selection option asks for. REMOTE asks for none: no folder of ours is elsewhere."""
    kinds = {}
    if "SUBSCRIBED" in command.select:
        kinds["SUBSCRIBED"] = subscribed
    if "SPECIAL-USE" in command.select:
        kinds["SPECIAL-USE"] = frozenset(entry.name for entry in exist.values() if entry.use)
    return kinds


def _attributes(
    command: List, name: str, exist: Mapping[str, Entry], subscribed: frozenset[str], has_children: bool
) -> tuple[str, ...]:
    entry = exist.get(name)
    attributes = []
    if entry is None:
        # a parent that was never created, or a subscription whose folder is gone
        attributes.append("\\NonExistent" if command.extended else "\\Noselect")
    # an option of selection that is one of return too is both (RFC 5258 section 3.1)
    if name in subscribed and "SUBSCRIBED" in command.options | command.select:
        attributes.append("\\Subscribed")
    if not command.extended or "CHILDREN" in command.options:
        attributes.append("\\HasChildren" if has_children else "\\HasNoChildren")
    if entry is not None and entry.use:
        attributes += entry.use.split()
    return tuple(attributes)


def select_lsub(reference: str, pattern: str, subscribed: frozenset[str]) -> list[Line]:
    """LSUB: the subscribed, and for ``%`` a parent of one that lies deeper, as \\Noselect (RFC 3501 section 6.3.9)."""
    joined = Pattern(_joined(reference, pattern))
    if not pattern:
        return [Line("", ("\\Noselect",))]
    out = []
    for name in sorted(subscribed | _parents(subscribed), key=_order):
        if joined.matches(name):
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


def _shown_as_parent(pattern: Pattern, name: str, exist: Iterable[str]) -> bool:
    """A folder that does not exist is shown only where its children are not themselves (RFC 3501 section 6.3.8)."""
    below = name + "/"
    return pattern.matches(name) and any(child.startswith(below) and not pattern.matches(child) for child in exist)


def _order(name: str) -> tuple[bool, str]:
    return name != "INBOX", name.casefold()
