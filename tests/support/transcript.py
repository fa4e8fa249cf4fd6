"""What a mail program says to a server and needs to hear, as a file: ``tests/data/clients/*.txt``.

A line is one step; the first word says which:

=========== ============================================================================================================
``C:``      the client sends this line, and reads up to its tagged answer, which has to be OK (or match an ``S:``)
``L:``      after a ``C:`` that ends in ``{@}`` or ``{@+}``: the literal, ``letter N`` or a text; the line may go on
            with a further ``C:`` (``C: +`` when nothing follows)
``S:``      one of the answers to the last command matches this regular expression, from its start, any case
``N:``      none of the answers matches
``W:``      the client waits until an answer comes that matches (while it is idling)
``arrive:`` so many letters arrive from outside
``on``      the steps that follow happen on this connection, which is opened when it is new
``if``      the steps up to ``end`` are for servers that offer this capability
=========== ============================================================================================================

``<user>``, ``<password>``, ``<plain>`` (of AUTHENTICATE PLAIN), ``<user64>``, ``<password64>`` are put in, and so are
the named groups of earlier answers: ``(?P<modseq>\\d+)`` is ``<modseq>`` later. Letters count from 0, UIDs from 1.
"""

from __future__ import annotations

import base64
import re
from abc import ABC, abstractmethod
from pathlib import Path

from tests.support.client_servers import letters

FOLDER = Path(__file__).resolve().parents[1] / "data" / "clients"
FLAGS = re.IGNORECASE | re.DOTALL


class Line(ABC):
    """One connection."""

    @abstractmethod
    def say(self, data: bytes) -> None: ...

    @abstractmethod
    def item(self) -> bytes:
        """The next response, with the literals it holds and its line end. Fails when none comes."""


class Peer(ABC):
    """A mailbox at a server."""

    user: str
    password: str

    @abstractmethod
    def connect(self) -> Line:
        """A new connection, before its greeting."""

    @abstractmethod
    def arrive(self, messages: list[bytes]) -> None: ...


class Transcript:
    """:meth:`play` runs a file; :attr:`left_out` are then the capabilities that the server did not offer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        plain = f"\0{peer.user}\0{peer.password}".encode()
        self._words = {
            "user": peer.user,
            "password": peer.password,
            "plain": base64.b64encode(plain).decode(),
            "user64": base64.b64encode(peer.user.encode()).decode(),
            "password64": base64.b64encode(peer.password.encode()).decode(),
        }
        self._lines: dict[str, Line] = {}
        self._arrived = 0
        self._offered: set[str] = set()
        self.left_out: set[str] = set()

    def play(self, name: str) -> None:
        """AssertionError with the step's line number and the answers it had."""
        steps = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()
        line = self._line("1")
        answers: list[bytes] = []
        skipping = False
        at = 0
        while at < len(steps):
            kind, _, rest = steps[at].strip().partition(" ")
            where = f"{name}.txt:{at + 1}: {steps[at]}"
            at += 1
            if kind == "end":
                skipping = False
            elif skipping or not kind or kind == "#":
                continue
            elif kind == "if":
                skipping = rest not in self._offered
                self.left_out |= {rest} if skipping else set()
            elif kind == "on":
                line = self._line(rest)
            elif kind == "arrive:":
                self._peer.arrive(letters(int(rest), self._arrived))
                self._arrived += int(rest)
            elif kind == "C:":
                parts = [rest]
                while at < len(steps) and steps[at].startswith("L:"):
                    parts.append(steps[at].partition(" ")[2])
                    parts.append(steps[at + 1].partition(" ")[2])
                    at += 2
                wanted = at < len(steps) and steps[at].startswith("S: " + rest.split()[0])
                answers = self._ask(line, parts, where, wanted)
            elif kind == "S:":
                assert self._matches(rest, answers), (where, answers)
            elif kind == "N:":
                assert not self._matches(rest, answers), (where, answers)
            elif kind == "W:":
                answers = [line.item()]
                while not self._matches(rest, answers):
                    answers.append(line.item())
            else:
                raise ValueError(where)

    def _line(self, name: str) -> Line:
        if name not in self._lines:
            self._lines[name] = self._peer.connect()
            assert self._lines[name].item().startswith(b"* OK")
        return self._lines[name]

    def _put_in(self, text: str) -> str:
        for name, value in self._words.items():
            text = text.replace(f"<{name}>", value)
        return text

    def _ask(self, line: Line, parts: list[str], where: str, any_end: bool) -> list[bytes]:
        """Says a command with its literals; the answers to it, the tagged one last. A "+" ends it too (IDLE, SASL)."""
        tag = parts[0].split()[0].encode()
        answers: list[bytes] = []
        for number in range(0, len(parts), 2):
            text = "" if parts[number] == "+" else (" " if number else "") + self._put_in(parts[number])
            if number + 1 == len(parts):
                line.say(text.encode() + b"\r\n")
                break
            given = parts[number + 1]
            literal = letters(1, int(given.split()[1]))[0] if given.startswith("letter ") else given.encode()
            line.say(text.replace("@", str(len(literal))).encode() + b"\r\n")
            while not text.endswith("+}"):
                answers.append(line.item())
                assert not answers[-1].startswith(tag + b" "), (where, answers)
                if answers[-1].startswith(b"+"):
                    break
            line.say(literal)
        while True:
            answers.append(line.item())
            if answers[-1].startswith(b"+"):
                return answers
            self._take_note(answers[-1])
            # what continues a dialogue (a password, DONE) is answered under the tag of its command
            if not answers[-1].startswith((b"* ", b"+ ")):
                break
        if not any_end:
            assert answers[-1].split(b" ")[1].upper() == b"OK", (where, answers)
        return answers

    def _take_note(self, answer: bytes) -> None:
        found = re.search(rb"(?:\* |\[)CAPABILITY ([^\]\r]*)", answer)
        if found is not None:
            self._offered = set(found[1].decode().split())

    def _matches(self, pattern: str, answers: list[bytes]) -> bool:
        for answer in answers:
            found = re.match(self._put_in(pattern), answer.decode("utf-8", "surrogateescape"), FLAGS)
            if found is not None:
                self._words.update({name: value for name, value in found.groupdict().items() if value is not None})
                return True
        return False


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.txt"))
