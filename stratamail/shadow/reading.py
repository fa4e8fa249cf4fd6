"""Reading message files: whole, their header, or a piece. Runs in the disk pool; writes nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping

from stratamail.mail.headers import header_end

KEPT = 64 * 1024
"""A header block larger than this is not kept in the index."""
_CHUNK = 8 * 1024


def whole(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def header(path: str) -> bytes:
    """The header block, empty line included; the whole file when it has none."""
    with open(path, "rb", buffering=0) as file:
        data = b""
        size = _CHUNK
        while True:
            more = file.read(size)
            data += more or b""
            end = header_end(data)
            if not more or end < len(data) or data.endswith((b"\n\r\n", b"\n\n")):
                return data[:end]
            size = len(data)


def piece(path: str, offset: int, length: int) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return os.pread(file.fileno(), length, offset)


def start(path: str, length: int) -> bytes:
    return piece(path, 0, length)


def digest(path: str) -> bytes:
    """The SHA-256 of a file in hex, half of it: a name for its content."""
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32].encode("ascii")


def many(paths: Mapping[int, str], how: Callable[[str], bytes]) -> tuple[dict[int, bytes], list[int]]:
    """What ``how`` reads of each file, and the keys whose file is not there."""
    found: dict[int, bytes] = {}
    missing = []
    for key, path in paths.items():
        try:
            found[key] = how(path)
        except (FileNotFoundError, NotADirectoryError):
            missing.append(key)
    return found, missing
