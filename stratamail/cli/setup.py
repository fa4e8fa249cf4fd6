"""``stratamail init`` and ``stratamail check-config``.

``init`` writes STATE with its folders and both databases, and a self-signed certificate when there is none. It may be
run again at any time: what is there stays.
"""

from __future__ import annotations

import os
import pwd
import secrets
import time

import click

from stratamail.cli import show
from stratamail.cli.options import as_json, pass_session
from stratamail.cli.session import Session
from stratamail.config.load import ConfigError
from stratamail.net import certificate
from stratamail.store import database
from stratamail.store.durable import sync_folder
from stratamail.store.layout import Layout

SECRET = "secret"


@click.command("init")
@as_json
@pass_session
def init(session: Session, as_json: bool) -> None:
    """Create STATE, the schema, keys, and a certificate when there is none. Idempotent."""
    settings, layout = session.settings, session.layout
    made = not os.path.isdir(layout.state)
    os.makedirs(layout.state, mode=0o750, exist_ok=True)
    owner = _owner(layout.state, settings.server.user)
    if os.geteuid() == 0:
        _hand_over(layout.state, owner)
    pem = certificate.ensure(
        settings.tls.certificates, settings.server.hostname, time.time(), owner if os.geteuid() == 0 else None
    )
    session.become_owner()
    _folders(layout)
    session_databases(session)
    if not as_json:
        click.echo(f"{layout.state}: {'made' if made else 'was there already'}, schema is current")
        if pem:
            click.echo(f"{pem}: a self-signed certificate, good until you have a real one")
        return
    show.document({"state": layout.state, "created": made, "certificate": pem})


def session_databases(session: Session) -> None:
    """Make both databases or bring them to the newest schema."""
    for engine, name in (
        (database.open_catalog(session.layout, session.settings.catalog.url), "catalog"),
        (database.open_queue(session.layout), "queue"),
    ):
        try:
            database.migrate(engine, name)
        finally:
            engine.dispose()


def _owner(state: str, user: str) -> tuple[int, int]:
    """Whom STATE belongs to: ``[server] user``, else whoever owns it now (root, when root has just made it)."""
    if user:
        try:
            entry = pwd.getpwnam(user)
        except KeyError:
            raise click.ClickException(f'[server] user: there is no user "{user}" here') from None
        return entry.pw_uid, entry.pw_gid
    found = os.stat(state)
    return found.st_uid, found.st_gid


def _hand_over(state: str, owner: tuple[int, int]) -> None:
    """Root gives its STATE with all in it to ``owner``. What is another's is left alone: its owner may have put links
    to anything there."""
    found = os.stat(state)
    if found.st_uid == owner[0]:
        return
    if found.st_uid != 0:
        raise click.ClickException(
            f"{state} belongs to another user: `chown -R` it to [server] user, or name its owner"
        )
    for folder, folders, files in os.walk(state):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), *owner, follow_symlinks=False)
    os.chown(state, *owner)


def _folders(layout: Layout) -> None:
    for folder, mode in (
        (layout.spool, 0o750),
        (layout.lost, 0o750),
        (layout.mail, 0o750),
        (layout.keys, 0o700),
    ):
        os.makedirs(folder, mode=mode, exist_ok=True)
    secret = os.path.join(layout.keys, SECRET)
    if not os.path.exists(secret):
        handle = os.open(f"{secret}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{secret}.new", secret)
        sync_folder(layout.keys)


@click.command("check-config")
@as_json
@pass_session
def check_config(session: Session, as_json: bool) -> None:
    """Read the configuration and say what is wrong with it, by key, line and cure."""
    try:
        _ = session.settings
    except ConfigError as error:
        if as_json:
            show.document({"ok": False, "problems": error.problems})
        raise
    if as_json:
        show.document({"ok": True, "problems": []})
    else:
        click.echo(f"{session.path}: good")
