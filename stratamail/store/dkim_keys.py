"""The DKIM keys of our domains: ``STATE/keys/dkim/DOMAIN.json``, one file a domain, mode 0600, replaced whole.

A key is ``active`` (signed with), ``next`` (its record is to be published first) or ``retired`` (its record stays until
what it signed has arrived; the private key is gone). Both algorithms have a key, and a selector, of their own. The
command line writes; the server reads what has changed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence

from attrs import asdict, evolve, frozen

from stratamail.mail import dkim_signing
from stratamail.mail.dkim_signing import Key
from stratamail.store.durable import make_folder, sync_descriptor, sync_folder
from stratamail.store.layout import Layout, escape

ACTIVE, NEXT, RETIRED = "active", "next", "retired"
# mail that was signed is on its way for five days at most; after this a retired key is forgotten, seconds
KEPT = 30 * 86_400


@frozen
class Stored:
    """``record`` is the text of the TXT record at :attr:`name`; ``private`` PEM, "" when retired; ``changed`` seconds
    since the epoch."""

    domain: str
    selector: str
    algorithm: str
    state: str
    record: str
    private: str
    changed: int

    @property
    def name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"


class NotReady(Exception):
    """The step does not fit the state that the keys are in; the text says why."""


def read(layout: Layout, domain: str) -> list[Stored]:
    """All keys of ``domain``; [] when there are none. Raises ``OSError``, ``ValueError``."""
    try:
        with open(_path(layout, domain), encoding="utf-8") as file:
            return [Stored(**one) for one in json.load(file)]
    except FileNotFoundError:
        return []
    except (TypeError, KeyError) as error:
        raise ValueError(f"{_path(layout, domain)}: {error}") from error


def ensure(layout: Layout, domain: str, now: int) -> list[Stored]:
    """The keys of ``domain``, made when there are none; those are active at once, as an unpublished signature counts
    as none (RFC 6376 section 6.1). ``now`` seconds since the epoch."""
    found = read(layout, domain)
    if not found:
        found = _pair(domain, ACTIVE, (), now)
        _write(layout, domain, found)
    return found


def rotate(layout: Layout, domain: str, now: int) -> list[Stored]:
    """Make the next pair beside the active one. Raises :class:`NotReady` when there is one."""
    found = read(layout, domain)
    if any(one.state == NEXT for one in found):
        raise NotReady(f"{domain} has its next keys already: publish their records, then --activate")
    kept = [one for one in found if one.state != RETIRED or one.changed > now - KEPT]
    found = kept + _pair(domain, NEXT, [one.selector for one in found], now)
    _write(layout, domain, found)
    return found


def activate(layout: Layout, domain: str, now: int) -> list[Stored]:
    """Sign with the next pair from now on; the private keys of the former are gone. Raises :class:`NotReady`."""
    found = read(layout, domain)
    if not any(one.state == NEXT for one in found):
        raise NotReady(f"{domain} has no next keys: --rotate makes them")
    moved = {ACTIVE: RETIRED, NEXT: ACTIVE}
    found = [evolve(one, state=moved[one.state], changed=now) if one.state in moved else one for one in found]
    found = [evolve(one, private="") if one.state == RETIRED else one for one in found]
    _write(layout, domain, found)
    return found


def remove(layout: Layout, domain: str) -> None:
    """The domain is no longer ours: whoever has it next gets keys of their own."""
    try:
        os.unlink(_path(layout, domain))
    except FileNotFoundError:
        return
    sync_folder(_folder(layout))


class Keyring:
    """What the server signs with. :meth:`load` blocks; :meth:`of` does not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._seen: dict[str, tuple[int, int, int]] = {}

    def of(self, domain: str) -> tuple[Key, ...]:
        """The active keys of ``domain`` (A-labels, lower case)."""
        return self._keys.get(domain, ())

    def load(self, domains: Sequence[str]) -> dict[str, str]:
        """Read what has changed; domain → why its keys cannot be read (it goes on with those it had)."""
        keys: dict[str, tuple[Key, ...]] = {}
        problems: dict[str, str] = {}
        for domain in domains:
            try:
                keys[domain] = self._load(domain)
            except FileNotFoundError:
                self._seen.pop(domain, None)
            except (OSError, ValueError) as error:
                problems[domain] = str(error)
                keys[domain] = self.of(domain)
        self._keys = keys
        return problems

    def _load(self, domain: str) -> tuple[Key, ...]:
        found = os.stat(_path(self._layout, domain))
        mark = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._seen.get(domain) == mark and domain in self._keys:
            return self._keys[domain]
        keys = tuple(
            Key(domain, one.selector, dkim_signing.read(one.private))
            for one in read(self._layout, domain)
            if one.state == ACTIVE
        )
        self._seen[domain] = mark
        return keys


def _folder(layout: Layout) -> str:
    return os.path.join(layout.keys, "dkim")


def _path(layout: Layout, domain: str) -> str:
    return os.path.join(_folder(layout), f"{escape(domain)}.json")


def _pair(domain: str, state: str, taken: Sequence[str], now: int) -> list[Stored]:
    day = time.strftime("%Y%m%d", time.gmtime(now))
    base, count = f"strata{day}", 1
    while any(selector.startswith(f"{base}-") for selector in taken):
        count += 1
        base = f"strata{day}n{count}"
    out = []
    for algorithm in dkim_signing.ALGORITHMS:
        private = dkim_signing.make(algorithm)
        record = dkim_signing.record(private)
        out.append(Stored(domain, f"{base}-{algorithm}", algorithm, state, record, private, now))
    return out


def _write(layout: Layout, domain: str, keys: Sequence[Stored]) -> None:
    folder, path = _folder(layout), _path(layout, domain)
    make_folder(folder, 0o700)
    handle = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump([asdict(one) for one in keys], file, indent=1)
        file.flush()
        sync_descriptor(file.fileno())
    os.rename(f"{path}.new", path)
    sync_folder(folder)
