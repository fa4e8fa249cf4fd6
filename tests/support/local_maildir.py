"""The local side of a client that keeps mail in Maildirs: what lies there, and what a person does to it."""

from __future__ import annotations

import re
from pathlib import Path

_MESSAGE_ID = re.compile(rb"(?im)^message-id:\s*<([^>]*)>")
_LETTERS = {"S": "\\Seen", "R": "\\Answered", "F": "\\Flagged", "T": "\\Deleted", "D": "\\Draft"}


class Near:
    """One folder. Messages go by Message-ID."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> Near:
        for part in ("cur", "new", "tmp"):
            (self.path / part).mkdir(parents=True, exist_ok=True)
        return self

    def files(self) -> dict[str, Path]:
        """Message-ID → file; AssertionError when a Message-ID is there twice."""
        found = sorted(path for part in ("new", "cur") for path in (self.path / part).iterdir())
        out = {}
        for path in found:
            named = _MESSAGE_ID.search(path.read_bytes())
            out[named[1].decode() if named is not None else path.name] = path
        assert len(out) == len(found), [path.name for path in found]
        return out

    def marked(self) -> dict[str, set[str]]:
        """Message-ID → flags, in the words of IMAP."""
        return {name: {_LETTERS[x] for x in _flags(path) if x in _LETTERS} for name, path in self.files().items()}

    def mark(self, name: str, add: str) -> None:
        """Adds flags by the letters of Maildir, as a mail program does."""
        path = self.files()[name]
        letters = "".join(sorted(set(_flags(path)) | set(add)))
        path.rename(self.path / "cur" / f"{path.name.partition(':2,')[0]}:2,{letters}")

    def remove(self, name: str) -> None:
        self.files()[name].unlink()

    def program(self, path: Path) -> Path:
        """A delivery program at ``path`` that files its standard input here, for clients that want one."""
        to = f"{self.path}/tmp/$name"
        path.write_text(f"#!/bin/sh\nname=$(date +%s%N).$$.drop\ncat > {to} && mv {to} {self.path}/new/\n")
        path.chmod(0o755)
        return path

    def add(self, data: bytes, file: str) -> None:
        """A message that is born here; lines end in LF, as local programs write them."""
        made = self.path / "tmp" / file
        made.write_bytes(data.replace(b"\r\n", b"\n"))
        made.rename(self.path / "new" / file)


def _flags(path: Path) -> str:
    return path.name.partition(":2,")[2]
