"""Some sessions of one mailbox, whatever they do: each knows what is so; one that was away learns what it missed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.protocol.imap_harness import Client, House
from tests.protocol.imap_mind import Mind, without_literals
from tests.support.sizes import sized

MAIL = b"Subject: x\r\n\r\nbody\r\n"
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$work")

KINDS = ["deliver", "append", "noop", "store", "unstore", "replace", "silent", "condition", "expunge", "some", "fetch"]
KINDS += ["more", "uidfetch", "read", "search", "modseq", "move", "copy", "idle", "ahead", "leave", "away", "drop"]
STEPS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(KINDS), st.integers(0, 7)), max_size=30)


class Session:
    """A client of its kind: 0 knows no mod-sequences, 1 CONDSTORE, 2 and 3 QRESYNC."""

    def __init__(self, house: House, kind: int) -> None:
        self.house, self.kind = house, kind
        self.mind = Mind()
        self.idling = False
        self._connect()

    def _connect(self) -> None:
        self.client: Client = self.house.sign_in()
        if self.kind >= 2:
            self.client.ok("ENABLE QRESYNC")
        self.select()

    def select(self) -> None:
        mind = self.mind
        if self.kind == 0 or not mind.uidvalidity:
            mind.flags.clear()
            self.do("SELECT INBOX" + (" (CONDSTORE)" if self.kind else ""))
            return
        if self.kind == 1:
            before = mind.highest
            self.do("SELECT INBOX (CONDSTORE)")
            self.do(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {before})")
            there = self._listed()
            mind.numbers[: len(there)] = there
            mind.flags = {uid: flags for uid, flags in mind.flags.items() if uid in there}
            return
        known = f" 1:{max(mind.flags)}" if self.kind == 3 and mind.flags else ""
        self.do(f"SELECT INBOX (QRESYNC ({mind.uidvalidity} {max(1, mind.highest)}{known}))")

    def _listed(self) -> list[int]:
        found = re.search(rb"\* SEARCH([ \d]*)", self.do("UID SEARCH ALL"))
        return [int(uid) for uid in found[1].split()] if found else []

    def do(self, command: str, shifting: bool = True) -> bytes:
        self.stop_idling()
        untagged, tagged = self.client.do(command)
        assert tagged.startswith((b"OK", b"NO [MODIFIED", b"NO [EXPUNGEISSUED")), (command, tagged)
        self.mind.hear(untagged, shifting)
        self.mind.tagged(tagged)
        return untagged

    def stop_idling(self) -> None:
        if self.idling:
            self.idling = False
            self._hear_all(self.client.send(b"DONE\r\n"))

    def _hear_all(self, said: bytes) -> None:
        for line in without_literals(said).split(b"\r\n"):
            if line.startswith(b"*"):
                self.mind.hear(line)
            elif b" OK " in line:
                self.mind.tagged(line)

    def act(self, step: str, pick: int) -> None:
        mind = self.mind
        number = pick % len(mind.numbers) + 1 if mind.numbers else 0
        uid = mind.numbers[number - 1] if number else None
        flag = FLAGS[pick % len(FLAGS)]
        free: dict[str, Callable[[], object]] = {
            "deliver": lambda: self.house.deliver(*[MAIL] * (pick % 2 + 1)),
            "append": lambda: self.do(f"APPEND INBOX ({flag}) {{{len(MAIL)}+}}\r\n{MAIL.decode('ascii')}"),
            "noop": lambda: self.do("NOOP"),
            "expunge": lambda: self.do("EXPUNGE"),
            "search": lambda: self.do("SEARCH ALL", shifting=False),
            "modseq": lambda: self.do(f"SEARCH MODSEQ {pick + 1}", shifting=False),
            "idle": self._idle,
            "away": lambda: (self.do("CLOSE"), mind.closed(), self._forget_deleted(), self.select()),
            "drop": self._drop,
        }
        if step == "leave":
            # another folder: its news is not this one's
            self.stop_idling()
            self.client.ok("UNSELECT")
            self.client.ok("SELECT Trash")
            mind.closed()
            self.select()
        elif step in free:
            free[step]()
        elif number:
            self._numbered(step, number, uid, flag, pick)

    def _numbered(self, step: str, number: int, uid: int | None, flag: str, pick: int) -> None:
        last = min(number + pick % 3, len(self.mind.numbers))
        span = f"{number}:{last}"
        if step in ("store", "unstore", "replace"):
            sign = {"store": "+", "unstore": "-", "replace": ""}[step]
            self.do(f"STORE {span} {sign}FLAGS ({flag})", shifting=False)
        elif step == "silent":
            self.do(f"STORE {span} +FLAGS.SILENT ({flag})", shifting=False)
            for known in self.mind.numbers[number - 1 : last]:
                if known in self.mind.flags:
                    self._note(known, flag)
        elif step == "condition":
            self.do(f"STORE {span} (UNCHANGEDSINCE {max(1, self.mind.highest)}) +FLAGS ({flag})", shifting=False)
        elif step == "fetch":
            self.do(f"FETCH {number}:* (UID FLAGS MODSEQ)" if self.kind else f"FETCH {span} (FLAGS)", shifting=False)
        elif step == "more":
            self.do("FETCH 1:* (UID FLAGS)", shifting=False)
        elif step == "read":
            self.do(f"FETCH {span} (UID BODY[TEXT]<0.1>)", shifting=False)
        elif step == "copy":
            self.do(f"COPY {span} INBOX")
        elif step == "ahead":
            self._ahead(number, last)
        elif uid is not None and step == "some":
            self.do(f"UID EXPUNGE {uid}:*")
        elif uid is not None and step == "uidfetch":
            self.do(f"UID FETCH {uid}:* (FLAGS)")
        elif uid is not None and step == "move":
            self.do(f"UID MOVE {uid} {'INBOX' if pick % 2 else 'Trash'}")

    def _note(self, uid: int | None, flag: str) -> None:
        """A client computes for itself what a silent STORE did, unless it was told (RFC 3501 section 6.4.6)."""
        assert uid is not None
        if self.kind == 0 or flag not in self.mind.flags[uid]:
            self.mind.flags[uid] |= {flag}

    def _idle(self) -> None:
        self.stop_idling()
        self._hear_all(self.client.send(b"idle IDLE\r\n"))
        self.idling = True

    def listen(self) -> None:
        """What came meanwhile: nothing, except to who idles."""
        said = self.client.read()
        assert self.idling or said == b"", said
        self._hear_all(said)

    def _ahead(self, number: int, last: int) -> None:
        """Commands by number sent before the answers of a UID command came: numbers hold for all of them."""
        self.stop_idling()
        said = self.client.send(
            f"a UID FETCH 1:* (FLAGS)\r\nb FETCH {number}:{last} (UID)\r\n".encode("ascii")
            + f"c STORE {number} +FLAGS ($work)\r\nd FETCH {number} (UID FLAGS)\r\n".encode("ascii")
        )
        assert b"EXPUNGE\r\n" not in said and b"\r\n* VANISHED" not in b"\r\n" + said
        self._hear_all(said)

    def _forget_deleted(self) -> None:
        """CLOSE took what carried \\Deleted, as far as the client knows; of the rest it hears when it comes back."""
        self.mind.flags = {uid: flags for uid, flags in self.mind.flags.items() if "\\Deleted" not in flags}

    def _drop(self) -> None:
        self.client.lose()
        self.idling = False
        self.mind.closed()
        self.mind.forget_command()
        self._connect()

    def settle(self) -> dict[int, frozenset[str]]:
        """Ask for what it was never told, and nothing else."""
        self.do("NOOP")
        mind = self.mind
        for i, uid in enumerate(mind.numbers):
            if uid is None or uid not in mind.flags:
                self.do(f"FETCH {i + 1} (UID FLAGS)", shifting=False)
        assert None not in mind.numbers
        assert sorted(mind.flags) == mind.numbers
        return mind.flags


def truth(house: House) -> dict[int, frozenset[str]]:
    mind = Mind()
    client = house.sign_in()
    for command in ("EXAMINE INBOX", "FETCH 1:* (UID FLAGS)"):
        untagged, _ = client.do(command)
        mind.hear(untagged)
    return mind.flags


@settings(max_examples=sized(80, 400), deadline=None)
@given(STEPS)
@example([(2, "deliver", 1), (2, "more", 0), (0, "more", 0), (0, "store", 1), (0, "some", 1), (2, "fetch", 0)])
def test_every_session_knows_what_is_so(steps: list[tuple[int, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.deliver(MAIL, MAIL, MAIL)
        sessions = [Session(house, kind) for kind in range(4)]
        for who, step, pick in steps:
            sessions[who].act(step, pick)
            for session in sessions:
                session.listen()
        found = [session.settle() for session in sessions]
        there = truth(house)
        for kind, flags in enumerate(found):
            assert flags == there, (kind, flags, there)
        for session in sessions:
            session._drop()
            assert session.settle() == there
        house.mailboxes.close()
