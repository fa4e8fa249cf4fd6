"""Messages gathered into threads: REFERENCES and ORDEREDSUBJECT (RFC 5256 section 3), REFS (draft-ietf-morg-inthread).

Works on numbers: what a message is called and refers to are hashes of message ids (``mail.digest``). Touches no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen

STEPS = 5_000_000
"""Looks for loops, altogether: mail that was made to be tangled costs no more, and its further links are left out."""


@frozen
class Letters:
    """Messages 0, 1 … in the order of the mailbox. ``ids`` 0 for none; ``referred(i)`` the references of one, oldest
    first; ``sents`` seconds; ``subjects`` base subjects, equal when the same; ``answers``: a reply's or a forward's."""

    ids: Sequence[int]
    referred: Callable[[int], Sequence[int]]
    sents: Sequence[int]
    subjects: Sequence[bytes]
    answers: Sequence[bool]

    def __len__(self) -> int:
        return len(self.ids)


@frozen
class Forest:
    """Threads in order. Nodes below ``size`` are messages; others have no message and stand at the top only.
    ``children`` lists those of the nodes that have some."""

    size: int
    roots: list[int]
    children: dict[int, list[int]]

    def render(self, number: Callable[[int], int]) -> list[str]:
        """The threads as THREAD writes them, one text each: ``(3 6 (4 23)(44 7 96))``, messages by ``number``."""
        return [self._rendered(root, number) for root in self.roots]

    def _rendered(self, root: int, number: Callable[[int], int]) -> str:
        children = self.children
        if root not in children:
            return f"({number(root)})"
        out = ["("]
        waiting: list[int | str] = [")", root]
        while waiting:
            node = waiting.pop()
            if isinstance(node, str):
                out.append(node)
                continue
            below = children.get(node, ())
            if node < self.size:
                out.append(f"{number(node)} " if below else f"{number(node)}")
            if len(below) == 1:
                waiting.append(below[0])
            else:
                for child in reversed(below):
                    waiting += (")", child, "(")
        return "".join(out)


def ordered_subject(letters: Letters) -> Forest:
    """Messages with one base subject: the first by date, the others its children."""
    sents = letters.sents
    threads: dict[bytes, list[int]] = {}
    for i in sorted(range(len(letters)), key=sents.__getitem__):
        threads.setdefault(letters.subjects[i], []).append(i)
    # the threads come by the dates of their first messages already
    children = {thread[0]: thread[1:] for thread in threads.values() if len(thread) > 1}
    return Forest(len(letters), [thread[0] for thread in threads.values()], children)


def references(letters: Letters) -> Forest:
    """Steps 1 to 6 of REFERENCES: by references, then threads of one base subject joined."""
    roots, children = _pruned(letters, _linked(letters))
    size, sents = len(letters), letters.sents
    for node in roots:
        if node >= size:
            children[node].sort(key=lambda one: (sents[one], one))
    first = {node: children[node][0] if node >= size else node for node in roots}
    roots.sort(key=lambda node: (sents[first[node]], first[node]))
    roots = _Subjects(letters, roots, children).join()
    return _sorted(letters, roots, children)


def refs(letters: Letters) -> Forest:
    """By references alone; the threads in the order of their latest messages."""
    roots, children = _pruned(letters, _linked(letters))
    forest = _sorted(letters, roots, children)
    size, sents = len(letters), letters.sents
    latest: dict[int, int] = {}
    for root in roots:
        newest = sents[root if root < size else children[root][0]]
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node < size:
                newest = max(newest, sents[node])
            waiting += children.get(node, ())
        latest[root] = newest
    return Forest(size, sorted(forest.roots, key=lambda root: latest[root]), children)


ALGORITHMS: dict[str, Callable[[Letters], Forest]] = {
    "ORDEREDSUBJECT": ordered_subject,
    "REFERENCES": references,
    "REFS": refs,
}


def _linked(letters: Letters) -> list[int]:
    """Step 1: the parent of each node, -1 for none; nodes from ``len(letters)`` on stand for messages that are not
    here."""
    size = len(letters)
    node_of: dict[int, int] = {}
    for i, id in enumerate(letters.ids):
        # of two with one id the first has it; the other is called nothing
        if id:
            node_of.setdefault(id, i)
    parents = [-1] * size
    has_children = bytearray(size)
    steps = 0

    def loops(child: int, parent: int) -> bool:
        """Whether ``child`` is ``parent`` or above it."""
        nonlocal steps
        if child == parent or steps > STEPS:
            return True
        if not has_children[child]:
            return False
        while parent >= 0:
            steps += 1
            if parent == child:
                return True
            parent = parents[parent]
        return False

    for i in range(size):
        last = -1
        for id in letters.referred(i):
            node = node_of.get(id, -1)
            if node < 0:
                node = node_of[id] = len(parents)
                parents.append(-1)
                has_children.append(0)
            if last >= 0 and parents[node] < 0 and not loops(node, last):
                parents[node] = last
                has_children[last] = 1
            last = node
        if parents[i] != last:
            parents[i] = -1
            if last >= 0 and not loops(i, last):
                parents[i] = last
                has_children[last] = 1
    return parents


def _pruned(letters: Letters, parents: list[int]) -> tuple[list[int], dict[int, list[int]]]:
    """Steps 2 and 3: who stands at the top, and children; nodes without a message stay at the top only, and only with
    two children or more."""
    size = len(letters)
    # where the children of a node without a message go: to the next message above it, or to the topmost such node
    homes: dict[int, int] = {}
    for node in range(size, len(parents)):
        path = []
        at = node
        while at not in homes and at >= size and parents[at] >= 0:
            path.append(at)
            at = parents[at]
        home = homes.get(at, at)
        for passed in path:
            homes[passed] = home
    roots = []
    children: dict[int, list[int]] = {}
    for i in range(size):
        parent = parents[i]
        if parent < 0:
            roots.append(i)
        else:
            children.setdefault(homes.get(parent, parent), []).append(i)
    for node in [node for node in children if node >= size]:
        if len(children[node]) == 1:
            roots += children.pop(node)
        else:
            roots.append(node)
    return roots, children


def _sorted(letters: Letters, roots: list[int], children: dict[int, list[int]]) -> Forest:
    """Step 6: each set of siblings by date; a node without a message by its first child."""
    size, sents = len(letters), letters.sents
    for siblings in children.values():
        if len(siblings) > 1:
            siblings.sort(key=lambda node: (sents[node], node))
    first = {node: children[node][0] for node in roots if node >= size}
    first.update((node, node) for node in roots if node < size)
    return Forest(size, sorted(roots, key=lambda node: (sents[first[node]], first[node])), children)


class _Subjects:
    """Step 5. ``roots`` are sorted, and the children of nodes without a message."""

    def __init__(self, letters: Letters, roots: list[int], children: dict[int, list[int]]) -> None:
        self._letters = letters
        self._size = len(letters)
        self._roots = roots
        self._children = children
        self._gone: set[int] = set()
        self._next = max([self._size, *(node + 1 for node in roots)])

    def join(self) -> list[int]:
        """The roots that are left, and new ones."""
        subjects = self._letters.subjects
        speaks = {node: self._children[node][0] if node >= self._size else node for node in self._roots}
        table: dict[bytes, int] = {}
        for node in self._roots:
            subject = subjects[speaks[node]]
            known = table.get(subject)
            if subject and (known is None or self._better(node, known)):
                table[subject] = node
        made = []
        for node in self._roots:
            subject = subjects[speaks[node]]
            if not subject or table[subject] == node or node in self._gone:
                continue
            new = self._merge(node, table[subject])
            if new is not None:
                table[subject] = new
                made.append(new)
        return [node for node in (*self._roots, *made) if node not in self._gone]

    def _better(self, node: int, known: int) -> bool:
        """Whether the table should have ``node`` in the place of ``known``."""
        if known >= self._size:
            return False
        return node >= self._size or (self._letters.answers[known] and not self._letters.answers[node])

    def _merge(self, node: int, known: int) -> int | None:
        """Put a root below or beside the one of the table; a new node when it takes one above both."""
        children, answers = self._children, self._letters.answers
        self._gone.add(node)
        if node >= self._size:
            children[known] += children.pop(node)
        elif known >= self._size:
            children[known].append(node)
        elif answers[node] and not answers[known]:
            children.setdefault(known, []).append(node)
        else:
            self._gone.add(known)
            new, self._next = self._next, self._next + 1
            children[new] = [known, node]
            return new
        return None
