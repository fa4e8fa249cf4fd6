"""The word to the server: taken, not taken, or nobody there."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from stratamail.cli.wake import NotTaken, poke


class Server:
    """Takes one connection and answers with ``answer``."""

    def __init__(self, path: Path, answer: bytes) -> None:
        self.heard = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._answer = answer
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self.heard = connection.makefile("rb").readline()
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wake.sock"


def test_taken(path: Path) -> None:
    server = Server(path, b'{"ok": true}\n')
    assert poke(str(path), ["queue", "catalog"], flush="a.example") is True
    server.close()
    assert json.loads(server.heard) == {"topics": ["catalog", "queue"], "flush": "a.example"}


@pytest.mark.parametrize("answer", [b'{"ok": false, "error": "no"}\n', b"", b'{"ok"'])
def test_not_taken(path: Path, answer: bytes) -> None:
    server = Server(path, answer)
    with pytest.raises(NotTaken, match="saved"):
        poke(str(path), ["queue"])
    server.close()


def test_no_server(path: Path) -> None:
    assert poke(str(path), ["queue"]) is False
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(path))
    left_over.close()
    assert poke(str(path), ["queue"]) is False


def test_a_state_whose_path_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    assert poke(str(folder / "wake.sock"), ["queue"]) is False
