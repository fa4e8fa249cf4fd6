"""The story, step by step, each with what was measured. ``stratamail.demo.command`` runs it.

A healthy day; the primary goes down; mail comes, is seen, read and answered; the primary returns; all is given back.
"""

from __future__ import annotations

import hashlib
import smtplib
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

from stratamail.demo import checks, people
from stratamail.demo.messages import ADA, BEN, DOMAIN, Sample, make_key, samples
from stratamail.demo.ports import free
from stratamail.demo.primary import Primary
from stratamail.demo.resolver import Resolver, ask
from stratamail.demo.screen import Screen
from stratamail.demo.server import Server, Trouble
from stratamail.store import database
from stratamail.store.layout import Layout
from stratamail.store.queue import events, primaries

# nobody waits longer for anything; what takes longer is a broken promise
PATIENCE = 30.0
VISIBLE = 10.0


class Story:
    """``base`` is the folder of everything. ``promises`` fills up as the story goes on."""

    def __init__(self, base: Path, screen: Screen) -> None:
        self._screen = screen
        self.promises: dict[str, bool] = {}
        self._key = make_key()
        self._resolver = Resolver({(self._key.name, "TXT"): [self._key.record]})
        primary_port, world_port = free(2)
        self._primary = Primary(f"mail.{DOMAIN}", primary_port)
        self._world = Primary("mx.client.example", world_port)
        self.server = Server(base, f"127.0.0.1:{world_port}", self._resolver.address)
        self._queue = database.open_queue(Layout(str(base / "state")))
        self._readers: dict[str, people.Reader] = {}
        self._samples: list[Sample] = []
        self._handed: list[people.Handed] = []
        self._visible: list[float | None] = []
        self._reply = b""

    def tell(self) -> None:
        """Raises ``Trouble`` when the story cannot go on."""
        self._open()
        self._healthy()
        self._fall()
        self._mail_comes()
        self._read()
        self._answer()
        self._return()
        self._judge()

    def close(self) -> None:
        """End everything that was started. Idempotent."""
        for reader in self._readers.values():
            reader.close()
        self._readers = {}
        self.promises["the server stops cleanly"] = self.server.stop()
        self._primary.stop()
        self._world.stop()
        self._resolver.stop()
        self._queue.dispose()

    # the steps

    def _open(self) -> None:
        server, screen = self.server, self._screen
        self._primary.start()
        self._world.start()
        with screen.working("setting up a company with two people"):
            server.cli("init")
            server.cli(
                "domain", "add", DOMAIN, "--primary", f"127.0.0.1:{self._primary.port}", "--trust", "127.0.0.0/8"
            )
            for user in (ADA, BEN):
                server.cli("mailbox", "add", user, "--password-stdin", stdin=people.PASSWORD + "\n")
        with screen.working("starting the server"):
            seconds = server.start()
        screen.step(
            "The server is up", True, f"ready after {seconds:.2f} s; {ADA} and {BEN} are protected", ready=seconds
        )
        up = self._until(lambda: self._state() == "up")
        self._step(
            "The primary is healthy", up is not None, "probed and found up", "a healthy primary is seen", waited=up
        )

    def _healthy(self) -> None:
        handed = people.hand_over(
            self._primary.port,
            self.server.port["smtp"],
            "post@client.example",
            [ADA],
            b"Subject: A quiet day\r\n\r\nHi.\r\n",
        )
        self._step(
            "A message on a quiet day",
            handed.by == "primary" and len(self._primary.taken) == 1,
            "the filter gave it to the primary; nothing passed through us",
            "while the primary is up nothing passes through us",
        )
        self._primary.taken.clear()

    def _fall(self) -> None:
        for user in (ADA, BEN):
            self._readers[user] = people.Reader(self.server.port["imap"], user)
        self._primary.stop()
        with self._screen.working("the primary has gone down"):
            down = self._until(lambda: self._state() == "down" and self._event() == "active")
        self._step(
            "The primary went down",
            down is not None,
            _took(down, "noticed after"),
            "an outage is noticed",
            detection=down,
        )

    def _mail_comes(self) -> None:
        self._samples = samples(self._key, formatdate())
        expected = dict.fromkeys(self._readers, 0)
        for sample in self._samples:
            try:
                handed = people.hand_over(
                    self._primary.port, self.server.port["smtp"], sample.sender, sample.recipients, sample.data
                )
            except (OSError, smtplib.SMTPException) as error:
                self.promises["every message is captured"] = False
                raise Trouble(f"{sample.title} was not taken: {error!r}\n{self.server.tail()}") from error
            self._handed.append(handed)
            for user in sample.recipients:
                expected[user] += 1
            seen = all(self._readers[user].wait(expected[user], VISIBLE) for user in sample.recipients)
            times = [self._readers[user].arrivals[expected[user] - 1] for user in sample.recipients] if seen else []
            self._visible.append(max(0.0, max(times) - handed.when) * 1000 if times else None)
        took = [one for one in self._visible if one is not None]
        all_ours = all(one.by == "strata" for one in self._handed)
        self._step(
            "A dozen messages came",
            all_ours,
            f"{len(self._handed)} failed over to us and got 250",
            "every message is captured",
        )
        middle = sorted(took)[len(took) // 2] if took else 0.0
        self._step(
            "Each was seen at once",
            len(took) == len(self._samples),
            f"idle mail programs knew {middle:.0f} ms after the 250 (median), {max(took, default=0):.0f} ms at most",
            "mail is visible at once",
            visible_median_ms=middle,
            visible_max_ms=max(took, default=0.0),
        )

    def _read(self) -> None:
        same = dkim = True
        count = 0
        for user in (ADA, BEN):
            shown = people.read_all(self.server.port["imap"], user)
            meant = [sample for sample in self._samples if user in sample.recipients]
            count += len(shown)
            same = same and [checks.without_trace(one) for one in shown] == [sample.data for sample in meant]
            dkim = dkim and all(self._dkim(one) for one, sample in zip(shown, meant, strict=False) if sample.signed)
        self._step(
            "Ada and Ben read their mail",
            same and dkim,
            f"{count} messages over IMAP, each byte as it came, signatures valid",
            "the shadow mailbox shows the bytes as they came",
        )

    def _answer(self) -> None:
        self._reply = (
            f"From: Ada <{ADA}>\r\nTo: post@client.example\r\nCc: Ben <{BEN}>\r\nSubject: Re: Plain text\r\n"
            f"Date: {formatdate()}\r\nMessage-ID: <answer-1@{DOMAIN}>\r\nIn-Reply-To: <demo-1@client.example>\r\n\r\n"
            "Noon it is.\r\n"
        ).encode()
        seconds = people.send(self.server.port["submission"], ADA, ["post@client.example", BEN], self._reply)
        people.mark_answered(self.server.port["imap"], ADA, "<demo-1@client.example>")
        before = sum(BEN in sample.recipients for sample in self._samples)
        to_ben = self._readers[BEN].wait(before + 1, VISIBLE)
        out = self._until(lambda: any(b"<answer-1@" in one.data for one in self._world.taken))
        self._step(
            "Ada answered",
            to_ben and out is not None,
            f"submitted in {seconds * 1000:.0f} ms; the client has it, and Ben sees his copy",
            "answers go out during the outage",
            reply=out,
        )

    def _return(self) -> None:
        expected = self._expected()
        self._primary.start()
        with self._screen.working("the primary has come back"):
            up = self._until(lambda: self._state() == "up" or bool(self._primary.taken))
            self._step(
                "The primary came back",
                up is not None,
                _took(up, "noticed after"),
                "its return is noticed",
                recovery=up,
            )
            total = sum(len(of) for of in expected.values())
            flushed = self._until(lambda: sum(len(one.recipients) for one in self._primary.taken) >= total)
        taken = self._primary.taken
        span = taken[-1].when - taken[0].when if len(taken) > 1 else 0.0
        rate = (len(taken) - 1) / span if span > 0 else 0.0
        self._step(
            "Everything was given back",
            flushed is not None,
            f"{len(taken)} messages for {total} recipients in {span:.2f} s ({rate:.0f} a second)",
            "everything is given back",
            flushed=flushed,
            rate=rate,
        )
        closed = self._until(lambda: self._event() == "none")
        self._step(
            "The outage is over",
            closed is not None,
            _took(closed, "the event closed after"),
            "the outage ends by itself",
        )

    def _judge(self) -> None:
        expected = self._expected()
        order = {user: checks.received(self._primary.taken, user) for user in (ADA, BEN)}
        self._step(
            "In order",
            all(order[user] == checks.once(order[user]) and order[user] == expected[user] for user in expected),
            "oldest first in each mailbox, each message once",
            "mail is given back in order, once",
        )
        fates = checks.fates(self._samples, self._visible, self._primary.taken, self._dkim)
        self._screen.table(fates)
        self._step(
            "Byte for byte",
            all(fate.bytes_intact for fate in fates),
            "SHA-256 at the primary is that of what the filter sent",
            "not a byte is changed",
        )
        signed = [fate for fate, sample in zip(fates, self._samples, strict=True) if sample.signed]
        valid = sum(fate.dkim == "intact" for fate in signed)
        self._step(
            "DKIM", valid == len(signed), f"{valid} of {len(signed)} signatures still verify", "DKIM signatures survive"
        )
        for event in self.server.json("events", DOMAIN)[-1:]:
            figures = ", ".join(
                f"{event[name]} {name}" for name in ("captured", "read", "answered", "delivered", "held")
            )
            self._screen.step("For the record", not event["held"], figures)

    # what the steps share

    def _expected(self) -> dict[str, list[str]]:
        """SHA-256 of what each mailbox must get, in order: the dozen, then the copy of Ada's answer."""
        digests = {
            user: [hashlib.sha256(sample.data).hexdigest() for sample in self._samples if user in sample.recipients]
            for user in (ADA, BEN)
        }
        digests[BEN].append(hashlib.sha256(self._reply).hexdigest())
        return digests

    def _dkim(self, message: bytes) -> bool:
        return checks.signed_well(checks.without_trace(message), lambda name: ask(self._resolver.address, name))

    def _state(self) -> str:
        with database.reading(self._queue) as conn:
            return primaries.state(conn, DOMAIN)

    def _event(self) -> str:
        with database.reading(self._queue) as conn:
            return events.state_of(conn, DOMAIN)

    def _until(self, true: Callable[[], bool]) -> float | None:
        """Seconds until ``true``, or None when patience ended."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > PATIENCE:
                return None
            time.sleep(0.02)
        return time.monotonic() - began

    def _step(self, title: str, ok: bool, detail: str, promise: str, **measured: float | None) -> None:
        figures = {name: round(value, 4) for name, value in measured.items() if value is not None}
        self._screen.step(title, ok, detail, **figures)
        self.promises[promise] = ok and self.promises.get(promise, True)


def _took(seconds: float | None, words: str) -> str:
    return f"{words} {seconds:.1f} s" if seconds is not None else f"not within {PATIENCE:.0f} s"
