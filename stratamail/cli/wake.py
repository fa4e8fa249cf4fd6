"""Tell the running server what was committed, and wait until it has taken note. Writes nothing itself."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Collection

PATIENCE = 90.0
CATALOG, QUEUE, OUTAGE, RETRY, RESTORE = "catalog", "queue", "outage", "retry", "restore"
# a path of a UNIX socket has at most 107 bytes; a longer one is reached by way of its open folder
_LONGEST = 107


class NotTaken(Exception):
    """The change is saved, but the server that runs did not say that it is in force."""


def poke(path: str, topics: Collection[str], flush: str = "") -> bool:
    """True when a running server has taken note, False when none runs. Raises :class:`NotTaken`."""
    request: dict[str, object] = {"topics": sorted(topics)}
    if flush:
        request["flush"] = flush
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE)
        try:
            _connect(connection, path)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            return False
        except OSError as error:
            raise NotTaken(f"the change is saved, but the server cannot be told of it: {path}: {error}") from None
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = _line(connection)
        except OSError as error:
            raise NotTaken(f"the change is saved, but the server did not answer: {error}") from None
    if not answer.get("ok"):
        raise NotTaken(f"the change is saved, but is not in force: {answer.get('error', 'the server ended meanwhile')}")
    return True


def _connect(connection: socket.socket, path: str) -> None:
    if len(os.fsencode(path)) <= _LONGEST:
        connection.connect(path)
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)


def _line(connection: socket.socket) -> dict[str, object]:
    data = b""
    while not data.endswith(b"\n"):
        chunk = connection.recv(4096)
        if not chunk:
            return {}
        data += chunk
    answer = json.loads(data)
    return answer if isinstance(answer, dict) else {}
