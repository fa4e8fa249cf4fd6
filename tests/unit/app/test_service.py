"""What must not start is refused at once, with a reason that says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from stratamail.app import service
from stratamail.app.privileges import Privileges
from stratamail.app.running import Running
from stratamail.config.settings import Server, Settings, Tls
from stratamail.net import certificate
from stratamail.store import database
from stratamail.store.layout import Layout


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    state = tmp_path / "state"
    state.mkdir()
    certificate.ensure(str(tmp_path / "tls"), "mx.example", 1.75e9)
    return Settings(Server("mx.example", str(state)), tls=Tls(str(tmp_path / "tls")))


def prepare(settings: Settings) -> Layout:
    layout = Layout(settings.server.state)
    for engine, name in ((database.open_catalog(layout, ""), "catalog"), (database.open_queue(layout), "queue")):
        database.migrate(engine, name)
        engine.dispose()
    return layout


def refusal(settings: Settings) -> str:
    with pytest.raises(SystemExit) as caught:
        service.Server(settings, MemoryReactorClock()).startService()
    return str(caught.value.code)


def test_a_state_that_is_not_set_up(settings: Settings) -> None:
    assert "init" in refusal(settings)


def test_no_certificate(settings: Settings) -> None:
    prepare(settings)
    for name in os.listdir(settings.tls.certificates):
        os.unlink(os.path.join(settings.tls.certificates, name))
    assert settings.tls.certificates in refusal(settings)


def test_another_server_runs(settings: Settings) -> None:
    layout = prepare(settings)
    mark = Running(layout.running)
    mark.take()
    try:
        assert f"process {os.getpid()}" in refusal(settings)
    finally:
        mark.release()


def test_a_database_newer_than_the_code(settings: Settings) -> None:
    layout = prepare(settings)
    engine = database.open_queue(layout)
    with database.writing(engine) as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    assert "newer than this program" in refusal(settings)
    assert not os.path.exists(layout.running), "nothing was done: the next start is a clean one"


def test_no_such_user(settings: Settings) -> None:
    prepare(settings)
    without = Settings(Server("mx.example", settings.server.state, user="nobody-of-that-name"), tls=settings.tls)
    assert "nobody-of-that-name" in refusal(without)


def test_the_owner_of_the_state_is_whom_we_become(settings: Settings) -> None:
    found = os.stat(settings.server.state)
    privileges = Privileges(settings.server.state, "")
    assert (privileges.uid, privileges.gid) == (found.st_uid, found.st_gid)
