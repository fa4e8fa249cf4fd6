"""This server and Dovecot with the same messages in INBOX, asked the same question."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from attrs import frozen

from tests.protocol.imap_harness import Client, House
from tests.support.dovecot import Dovecot
from tests.support.talk import Talk

STARTED = 1_700_000_000
"""When the first message came (14 Nov 2023 22:13:20 UTC); each later one comes :data:`APART` seconds after."""
APART = 7 * 3600 + 1


@frozen
class Pair:
    """Both signed in, INBOX selected."""

    names: list[str]
    ours: Client
    theirs: Talk

    def ask_ours(self, command: bytes) -> bytes:
        """The untagged responses; AssertionError when it is not OK."""
        return self.ours.ok(command)

    def ask_theirs(self, command: bytes) -> bytes:
        *untagged, tagged = self.theirs.tagged(command)
        assert tagged.startswith(b"t1 OK"), tagged
        return b"".join(untagged)


@contextmanager
def pair(path: Path, bodies: dict[str, bytes]) -> Iterator[Pair]:
    """``path`` is an empty folder for this server's state. Dovecot reads the same files from a Maildir, with the same
    times and UIDs."""
    house = House(path)
    # its days are those of the machine's zone, this server's those of UTC
    with patch.dict(os.environ, TZ="UTC"), Dovecot() as peer:
        maildir = peer.base / "home" / "Maildir"
        for name in ("", "cur", "new", "tmp"):
            (maildir / name).mkdir()
        uids = [f"3 V1 N{len(bodies) + 1}"]
        for uid, data in enumerate(bodies.values(), 1):
            house.deliver(data)
            file = maildir / "new" / f"{STARTED + uid}.M{uid}.here"
            file.write_bytes(data)
            os.utime(file, (STARTED + APART * (uid - 1),) * 2)
            uids.append(f"{uid} :{file.name}")
            house.clock.advance(APART)
        (maildir / "dovecot-uidlist").write_text("\n".join(uids) + "\n")
        for entry in [maildir, *maildir.rglob("*")]:
            shutil.chown(entry, "nobody", "nogroup")
        ours = house.sign_in()
        ours.ok("SELECT INBOX")
        with Talk(peer.port) as theirs:
            theirs.line()
            found = Pair(list(bodies), ours, theirs)
            found.ask_theirs(b"LOGIN anna secret")
            assert b"* %d EXISTS" % len(bodies) in found.ask_theirs(b"SELECT INBOX")
            yield found
