"""The CSV file of a recipient list, read into rows; what cannot be a row is told by its line. Pure; writes nothing."""

from __future__ import annotations

import csv
import io
import re

from attrs import frozen

COLUMNS = ("address", "kind", "name", "alternate", "mobile", "aliases", "members", "send-as")
MAILBOX, SHARED, GROUP, ALIAS = "mailbox", "shared", "group", "alias"
KINDS = (MAILBOX, SHARED, GROUP, ALIAS)


class NotCsv(ValueError):
    """The file as a whole cannot be read."""


@frozen
class Entry:
    """One row. ``line`` is where it begins; an empty kind is a mailbox."""

    line: int
    address: str
    kind: str = MAILBOX
    name: str = ""
    alternate: str = ""
    mobile: str = ""
    aliases: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    send_as: tuple[str, ...] = ()


@frozen
class Bad:
    """A row that cannot be taken, and why."""

    line: int
    reason: str


def read(data: bytes) -> tuple[list[Entry], list[Bad], frozenset[str]]:
    """The rows of a UTF-8 file with a line of heads, the bad ones, and the columns that it has; lists in a cell are
    separated by blanks, ";" or ",".

    Raises :class:`NotCsv` when there is no usable line of heads.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NotCsv(f"line {line}: the file is not UTF-8: save it as UTF-8") from None
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    entries: list[Entry] = []
    bad: list[Bad] = []
    heads: list[str] = []
    line = 1
    try:
        for cells in reader:
            here, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not heads:
                heads = _heads(cells)
                continue
            found = _entry(here, heads, [cell.strip() for cell in cells])
            (entries if isinstance(found, Entry) else bad).append(found)  # type: ignore[arg-type]
    except csv.Error as error:
        raise NotCsv(f"line {line}: {error}") from None
    if not heads:
        raise NotCsv(f"the file is empty: its first line names the columns: {', '.join(COLUMNS)}")
    return entries, bad, frozenset(heads)


def _heads(cells: list[str]) -> list[str]:
    heads = [cell.strip().lower().replace("_", "-").replace(" ", "-") for cell in cells]
    unknown = [head for head in heads if head not in COLUMNS]
    if unknown:
        raise NotCsv(f'line 1: unknown column "{unknown[0]}"; the columns are {", ".join(COLUMNS)}')
    if "address" not in heads or len(set(heads)) != len(heads):
        raise NotCsv("line 1: the columns must name address, and none twice")
    return heads


def _entry(line: int, heads: list[str], cells: list[str]) -> Entry | Bad:
    if len(cells) > len(heads):
        return Bad(line, f"{len(cells)} cells under {len(heads)} columns")
    row = dict(zip(heads, cells, strict=False))
    kind = row.get("kind", "").lower() or MAILBOX
    if kind not in KINDS:
        return Bad(line, f'unknown kind "{row["kind"]}": it is one of {", ".join(KINDS)}')
    entry = Entry(
        line=line,
        address=row.get("address", ""),
        kind=kind,
        name=row.get("name", ""),
        alternate=row.get("alternate", ""),
        mobile=row.get("mobile", ""),
        aliases=_list(row.get("aliases", "")),
        members=_list(row.get("members", "")),
        send_as=_list(row.get("send-as", "")),
    )
    if not entry.address:
        return Bad(line, "there is no address")
    if kind == MAILBOX and (entry.members or entry.send_as):
        return Bad(line, "a mailbox has no members and no send-as; those are for shared ones and groups")
    if kind != MAILBOX and (entry.alternate or entry.mobile or entry.aliases):
        return Bad(line, f"alternate, mobile and aliases are for mailboxes, not for kind {kind}")
    if kind != MAILBOX and not entry.members:
        return Bad(line, f"kind {kind} needs members")
    return entry


def _list(cell: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s;,]+", cell) if word)
