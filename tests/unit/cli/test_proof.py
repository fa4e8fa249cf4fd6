"""What became of a message, by the records: for a person, as JSON, as a page."""

from __future__ import annotations

import hashlib
import os
from html.parser import HTMLParser

import pytest

from stratamail.store.queue.schema import deliveries, messages
from tests.unit.cli.conftest import Cli

ID = "0123456789abcdef"
BODY = b"Subject: x\r\n\r\nhello\r\n"
SHA = hashlib.sha256(BODY).hexdigest()
TRACE = b"Received: by us\r\n"


@pytest.fixture
def handed(cli: Cli) -> Cli:
    """One message to Anna, delivered, and to Bob, held; its body lies in the spool."""
    os.makedirs(cli.layout.shard(ID))
    with open(cli.layout.message(ID), "wb") as file:
        file.write(TRACE + BODY)
    for conn in cli.queue():
        conn.execute(
            messages.insert().values(
                id=ID,
                arrived=1_000_000,
                kind="inbound",
                sender='"<b>"@x.example',
                size=len(BODY),
                sha256=SHA,
                trace_size=len(TRACE),
                peer="192.0.2.7",
                helo="filter.example",
                tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
                dkim="pass x.example=s1@0 x.example=s2@99 list.example=k@0",
            )
        )
        common: dict[str, object] = {"seq": 1, "domain": "acme.example", "destination": "primary"}
        common |= {"lane": "acme.example", "attempts": 1}
        for name, state, finished, sha256, reply in (
            ("anna@acme.example", "delivered", 5_000_000, SHA, "250 2.0.0 ok 7"),
            ("bob@acme.example", "held", None, "", "550 5.1.1 <i>no\x1b"),
        ):
            row = {"recipient": name, "key": name, "state": state, "finished": finished}
            row |= {"relayed_sha256": sha256, "last_reply": reply}
            conn.execute(deliveries.insert().values({**common, **row}))
    return cli


def test_the_whole_message(handed: Cli) -> None:
    found = handed.json("proof", ID)
    assert {name: found[name] for name in ("message", "sha256", "received", "peer", "helo", "tls", "stored")} == {
        "message": ID,
        "sha256": SHA,
        "received": "1970-01-01T00:00:01.000000Z",
        "peer": "192.0.2.7",
        "helo": "filter.example",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "stored": "intact",
    }
    assert found["dkim"] == {"verdict": "pass", "domains": ["x.example", "list.example"]}
    first, second = found["deliveries"]
    assert (first["state"], first["sha256"], first["same"]) == ("delivered", SHA, True)
    assert (first["reply"], first["finished"]) == ("250 2.0.0 ok 7", "1970-01-01T00:00:05.000000Z")
    assert (second["state"], second["same"], second["finished"]) == ("held", None, None)


@pytest.mark.parametrize(
    ("stored", "verdict", "domains", "said"),
    [
        ("", "waiting", [], "not judged yet"),
        ("none", "none", [], "not signed"),
        ("fail a.example b.example", "fail", ["a.example", "b.example"], "no good signature of a.example, b.example"),
        ("unknown", "unknown", [], "could not be judged"),
    ],
)
def test_what_dkim_said(handed: Cli, stored: str, verdict: str, domains: list[str], said: str) -> None:
    for conn in handed.queue():
        conn.execute(messages.update().values(dkim=stored))
    assert handed.json("proof", ID)["dkim"] == {"verdict": verdict, "domains": domains}
    assert said in handed.ok("proof", ID, "--html")
    assert "dkim" in handed.ok("proof", ID)


def test_one_delivery_only(handed: Cli) -> None:
    assert [one["recipient"] for one in handed.json("proof", "2")["deliveries"]] == ["bob@acme.example"]
    said = handed.ok("proof", "1")
    assert "250 2.0.0 ok 7" in said and "bob@" not in said


def test_octets_that_differ_or_are_gone_are_told(handed: Cli) -> None:
    path = handed.layout.message(ID)
    with open(path, "wb") as file:
        file.write(TRACE + BODY.replace(b"hello", b"jello"))
    assert handed.json("proof", ID)["stored"] == "differs"
    with open(path, "wb") as file:
        file.write(TRACE)
    assert handed.json("proof", ID)["stored"] == "differs"
    os.unlink(path)
    found = handed.json("proof", ID)
    assert (found["stored"], found["sha256"]) == ("gone", SHA)


def test_other_octets_than_came_are_not_called_the_same(handed: Cli) -> None:
    for conn in handed.queue():
        conn.execute(deliveries.update().where(deliveries.c.id == 1).values(relayed_sha256="0" * 64))
    assert handed.json("proof", "1")["deliveries"][0]["same"] is False
    assert "not what was received" in handed.ok("proof", "1", "--html")


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_came(handed: Cli) -> None:
    parsed = _Tags()
    written = handed.ok("proof", ID, "--html")
    parsed.feed(written)
    assert not parsed.seen & {"b", "i", "script", "link", "img"}
    assert '"<b>"@x.example' in parsed.text and "550 5.1.1 <i>no\\x1b" in parsed.text
    assert "TLSv1.3" in parsed.text and "the same as received" in parsed.text and "mx.strata.example" in parsed.text
    assert "http" not in written


def test_what_there_is_not_is_refused(handed: Cli) -> None:
    assert "no message" in handed.refused("proof", "0123456789abcdev")
    assert "no message" in handed.refused("proof", "99")
    handed.misused("proof", ID, "--html", "--json")
