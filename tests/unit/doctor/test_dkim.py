"""Whether the keys that mail is signed with can be found by those who get it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stratamail.doctor import dkim
from stratamail.doctor.finding import FAILURE, OK, WARNING
from stratamail.store import dkim_keys
from stratamail.store.layout import Layout
from tests.support.dns import Dns


@pytest.fixture
def names() -> Iterator[Dns]:
    server = Dns()
    yield server
    server.stop()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path))


def test_no_keys_no_finding(layout: Layout, names: Dns) -> None:
    assert list(dkim.check("acme.example", layout, names.address)) == [] and not names.asked


def test_published_missing_another_and_no_answer(layout: Layout, names: Dns) -> None:
    rsa, ed = dkim_keys.ensure(layout, "acme.example", 1_795_000_000)
    dkim_keys.rotate(layout, "acme.example", 1_795_000_000)

    def levels() -> list[str]:
        return [found.level for found in dkim.check("acme.example", layout, names.address)]

    assert levels() == [WARNING, WARNING]
    names.records[rsa.name, "TXT"] = [f'"{rsa.record[:200]}" "{rsa.record[200:]}"']
    names.records[ed.name, "TXT"] = [f'"{ed.record}"']
    assert levels() == [OK, OK]
    names.records[ed.name, "TXT"] = ['"v=DKIM1; k=ed25519; p=other"']
    assert levels() == [OK, WARNING]
    names.sick.add(rsa.name)
    found = next(dkim.check("acme.example", layout, names.address))
    assert found.level == WARNING and "does not answer" in found.text


def test_keys_that_cannot_be_read(layout: Layout, names: Dns) -> None:
    dkim_keys.ensure(layout, "acme.example", 1_795_000_000)
    Path(layout.keys, "dkim", "acme.example.json").write_text("{")
    (found,) = dkim.check("acme.example", layout, names.address)
    assert found.level == FAILURE and found.cure
