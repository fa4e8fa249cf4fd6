"""The keys of a domain: who may read them, how they take turns, and what the server makes of a file that is broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stratamail.store import dkim_keys
from stratamail.store.dkim_keys import ACTIVE, KEPT, NEXT, RETIRED, Keyring, NotReady, Stored
from stratamail.store.layout import Layout

NOW = 1_795_000_000


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


def states(keys: list[Stored]) -> list[tuple[str, str]]:
    return [(one.selector, one.state) for one in keys]


def test_made_once_and_only_its_owner_may_read_them(layout: Layout) -> None:
    made = dkim_keys.ensure(layout, "acme.example", NOW)
    assert states(made) == [("strata20261118-rsa", ACTIVE), ("strata20261118-ed25519", ACTIVE)]
    assert made[0].name == "strata20261118-rsa._domainkey.acme.example"
    assert dkim_keys.ensure(layout, "acme.example", NOW + 5) == made == dkim_keys.read(layout, "acme.example")
    folder = os.path.join(layout.keys, "dkim")
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert [os.stat(os.path.join(folder, name)).st_mode & 0o777 for name in os.listdir(folder)] == [0o600]


def test_they_take_turns(layout: Layout) -> None:
    first = [one.selector for one in dkim_keys.ensure(layout, "acme.example", NOW)]
    with pytest.raises(NotReady):
        dkim_keys.activate(layout, "acme.example", NOW)
    both = dkim_keys.rotate(layout, "acme.example", NOW)
    assert [one.state for one in both] == [ACTIVE, ACTIVE, NEXT, NEXT]
    assert len({one.selector for one in both}) == 4
    with pytest.raises(NotReady):
        dkim_keys.rotate(layout, "acme.example", NOW)
    after = dkim_keys.activate(layout, "acme.example", NOW + 1)
    assert [one.state for one in after] == [RETIRED, RETIRED, ACTIVE, ACTIVE]
    assert not any(one.private for one in after[:2]) and [one.selector for one in after[:2]] == first
    later = dkim_keys.rotate(layout, "acme.example", NOW + 2 + KEPT)
    assert [one.state for one in later] == [ACTIVE, ACTIVE, NEXT, NEXT]


def test_the_server_signs_with_what_is_active(layout: Layout) -> None:
    ring = Keyring(layout)
    assert ring.load(["acme.example"]) == {} and ring.of("acme.example") == ()
    made = dkim_keys.ensure(layout, "acme.example", NOW)
    ring.load(["acme.example", "other.example"])
    held = ring.of("acme.example")
    assert [key.selector for key in held] == [one.selector for one in made]
    assert [key.algorithm for key in held] == ["rsa", "ed25519"] and ring.of("other.example") == ()
    ring.load(["acme.example"])
    # nothing has changed: nothing is read again
    assert ring.of("acme.example") is held
    dkim_keys.rotate(layout, "acme.example", NOW)
    ring.load(["acme.example"])
    assert [key.selector for key in ring.of("acme.example")] == [one.selector for one in made]
    now = dkim_keys.activate(layout, "acme.example", NOW)
    ring.load(["acme.example"])
    assert [key.selector for key in ring.of("acme.example")] == [one.selector for one in now[2:]]
    dkim_keys.remove(layout, "acme.example")
    dkim_keys.remove(layout, "acme.example")
    ring.load(["acme.example"])
    assert ring.of("acme.example") == ()


@pytest.mark.parametrize("text", ["", "{", "[{}]", '[{"domain": 1}]', "[1]"])
def test_a_broken_file_is_told_and_the_former_keys_go_on(layout: Layout, text: str) -> None:
    dkim_keys.ensure(layout, "acme.example", NOW)
    ring = Keyring(layout)
    ring.load(["acme.example"])
    held = ring.of("acme.example")
    Path(layout.keys, "dkim", "acme.example.json").write_text(text)
    assert list(ring.load(["acme.example"])) == ["acme.example"]
    assert ring.of("acme.example") == held
