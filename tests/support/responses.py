"""IMAP responses as values: what two servers say is compared, not how they write it."""

from __future__ import annotations

import re

Said = bytes | int | None | list["Said"]
"""A string or atom, a number, NIL, or a list."""

_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ATOM = re.compile(rb"[^\s()\"{\[]*(?:\[[^\]]*\])?[^\s()\"{\[]*")


def values(data: bytes) -> list[Said]:
    """Everything that ``data`` holds, line ends passed over."""
    found, end = _list(data, 0)
    assert end >= len(data), data[end : end + 80]
    return found


def _list(data: bytes, pos: int) -> tuple[list[Said], int]:
    out: list[Said] = []
    while pos < len(data):
        byte = data[pos : pos + 1]
        if byte in b" \r\n":
            pos += 1
        elif byte == b"(":
            inner, pos = _list(data, pos + 1)
            out.append(inner)
        elif byte == b")":
            return out, pos + 1
        elif byte == b'"':
            quoted = _QUOTED.match(data, pos)
            assert quoted is not None, data[pos : pos + 80]
            out.append(re.sub(rb"\\(.)", rb"\1", quoted[1], flags=re.DOTALL))
            pos = quoted.end()
        elif (literal := _LITERAL.match(data, pos)) is not None:
            stop = literal.end() + int(literal[1])
            out.append(data[literal.end() : stop])
            pos = stop
        else:
            atom = _ATOM.match(data, pos)
            assert atom is not None and atom.group(), data[pos : pos + 80]
            word = atom.group()
            out.append(None if word.upper() == b"NIL" else int(word) if word.isdigit() else word)
            pos = atom.end()
    return out, pos


def items(row: Said) -> dict[str, Said]:
    """A FETCH response's list as a mapping, names as the server wrote them, in capitals."""
    assert isinstance(row, list)
    out: dict[str, Said] = {}
    pos = 0
    while pos < len(row):
        name = row[pos]
        assert isinstance(name, bytes), name
        out[name.decode("ascii").upper()] = row[pos + 1]
        pos += 2
    return out


def fetched(data: bytes) -> dict[int, dict[str, Said]]:
    """The FETCH responses among ``data``'s untagged ones, by message number."""
    out: dict[int, dict[str, Said]] = {}
    found = values(data)
    for at, word in enumerate(found):
        if word == b"FETCH" and isinstance(number := found[at - 1], int):
            out.setdefault(number, {}).update(items(found[at + 1]))
    return out
