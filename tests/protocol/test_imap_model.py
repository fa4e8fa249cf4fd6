"""Two sessions on one folder: whatever they do, the numbers that each was told are those that the server means."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.imap_harness import Client, House
from tests.support.sizes import sized

MAIL = b"Subject: x\r\n\r\nbody\r\n"
UNTAGGED = re.compile(rb"^\* (\d+) (EXISTS|EXPUNGE|FETCH)(.*)$", re.MULTILINE)
UID = re.compile(rb"UID (\d+)")

STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(
            [
                "deliver",
                "noop",
                "delete",
                "expunge",
                "uid expunge",
                "fetch",
                "uid fetch",
                "store",
                "move",
                "copy",
                "search",
            ]
        ),
        st.integers(0, 5),
    ),
    max_size=25,
)


class Mind:
    """What a client knows: the UID of each number, None while it has not asked."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.uids: list[int | None] = []
        self.hear(client.ok("SELECT INBOX"))

    def hear(self, untagged: bytes, shifting: bool = True) -> None:
        for number, what, rest in UNTAGGED.findall(untagged):
            n = int(number)
            if what == b"EXISTS":
                assert n >= len(self.uids)
                self.uids += [None] * (n - len(self.uids))
            elif what == b"EXPUNGE":
                assert shifting, "numbers shifted where they must not"
                assert 1 <= n <= len(self.uids)
                del self.uids[n - 1]
            else:
                assert 1 <= n <= len(self.uids)
                uid = UID.search(rest)
                if uid is not None:
                    assert self.uids[n - 1] in (None, int(uid.group(1)))
                    self.uids[n - 1] = int(uid.group(1))

    def act(self, house: House, step: str, pick: int) -> None:
        number = pick % len(self.uids) + 1 if self.uids else 0
        uid = self.uids[number - 1] if number else None
        if step == "deliver":
            house.deliver(MAIL)
        elif step == "noop":
            self.hear(self.client.ok("NOOP"))
        elif step == "expunge":
            self.hear(self.client.ok("EXPUNGE"))
        elif step == "search":
            self.hear(self.client.ok("SEARCH ALL"), shifting=False)
        elif number and step == "fetch":
            self.hear(self.client.ok(f"FETCH {number}:* (UID FLAGS)"), shifting=False)
        elif number and step == "delete":
            self.hear(self.client.ok(f"STORE {number} +FLAGS \\Deleted"), shifting=False)
        elif number and step == "store":
            self.hear(self.client.ok(f"STORE {number} FLAGS (\\Flagged)"), shifting=False)
        elif number and step == "copy":
            self.hear(self.client.ok(f"COPY {number} INBOX"))
        elif uid is not None and step == "uid fetch":
            self.hear(self.client.ok(f"UID FETCH {uid} (BODY[])"))
        elif uid is not None and step == "uid expunge":
            self.hear(self.client.ok(f"UID EXPUNGE {uid}"))
        elif uid is not None and step == "move":
            self.hear(self.client.ok(f"UID MOVE {uid} Trash"))

    def settle(self) -> list[int]:
        self.hear(self.client.ok("NOOP"))
        if self.uids:
            self.hear(self.client.ok("FETCH 1:* (UID)"))
        assert None not in self.uids
        return [uid for uid in self.uids if uid is not None]


@settings(max_examples=sized(60, 600), deadline=None)
@given(STEPS)
def test_numbers_are_what_the_client_was_told(steps: list[tuple[int, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.deliver(MAIL, MAIL, MAIL)
        minds = [Mind(house.sign_in()), Mind(house.sign_in())]
        for who, step, pick in steps:
            minds[who].act(house, step, pick)
        found = [mind.settle() for mind in minds]
        assert found[0] == found[1]
        listed = house.sign_in()
        listed.ok("SELECT INBOX")
        truth = [int(n) for n in listed.ok("UID SEARCH ALL").split()[2:]]
        assert found[0] == truth
