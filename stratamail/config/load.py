"""The TOML file read into :class:`Settings`, or refused with every mistake by key, line and cure.

Refused: an unknown key or table (with the nearest known one), a wrong type, an endpoint or network that nobody can
listen on or match. Reads one file; writes nothing.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable
from typing import Any

from attrs import asdict, evolve

from stratamail.config import settings as model
from stratamail.config import values
from stratamail.config.settings import Settings

Reader = Callable[[object], Any]

_ENDPOINTS = values.each(values.endpoint, '["tcp:25"]')
_NETWORKS = values.each(values.network, '["192.0.2.0/24"]')

# table -> key -> how its value is read; the attribute is the key with "_" for "-"
_TABLES: dict[str, tuple[type[Any], dict[str, Reader]]] = {
    "server": (
        model.Server,
        {"hostname": values.hostname, "state": values.path, "workers": values.integer(0), "user": values.text},
    ),
    "listen": (
        model.Listen,
        {
            "smtp": _ENDPOINTS,
            "submission": _ENDPOINTS,
            "submissions": _ENDPOINTS,
            "imap": _ENDPOINTS,
            "imaps": _ENDPOINTS,
            "http": _ENDPOINTS,
            "proxy-trust": _NETWORKS,
        },
    ),
    "tls": (model.Tls, {"certificates": values.path}),
    "catalog": (model.Catalog, {"url": values.catalog_url}),
    "relay": (
        model.Relay,
        {
            "retry-every": values.duration,
            "smart-host": values.host_port(25),
            "resolver": values.host_port(53),
            "window": values.integer(1),
        },
    ),
    "probe": (
        model.Probe,
        {
            "every": values.duration,
            "open": values.ratio,
            "close": values.ratio,
            "quiet": values.maybe_duration,
            "references": values.each(values.needed_host_port, '["mx.example.net:25"]'),
        },
    ),
    "limits": (
        model.Limits,
        {
            "message-size": values.positive_size,
            "recipients": values.integer(1),
            "connections": values.integer(1),
            "connections-per-peer": values.integer(1),
            "disk-reserve": values.size,
            "rate-per-peer": values.integer(0),
            "mailbox-room": values.size,
        },
    ),
    "alerts": (
        model.Alerts,
        {
            "tell-users-after": values.duration,
            "heartbeat": values.web_url,
            "smtp": values.table,
            "sms": values.table,
            "webhook": values.table,
        },
    ),
}


class ConfigError(Exception):
    """What is wrong with the file; ``problems`` holds one line for each mistake ("FILE:LINE: ...")."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: str) -> Settings:
    """The settings in ``path``. Relative paths inside are relative to its folder. Raises :class:`ConfigError`."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror or error}"]) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 (byte {error.start}): save it as UTF-8"]) from None
    settings = parse(text, path)
    folder = os.path.dirname(os.path.abspath(path))
    return evolve(
        settings,
        server=evolve(settings.server, state=os.path.join(folder, settings.server.state)),
        tls=evolve(settings.tls, certificates=os.path.join(folder, settings.tls.certificates)),
    )


def parse(text: str, name: str = "config") -> Settings:
    """The settings in ``text``; ``name`` is what messages call it. Raises :class:`ConfigError`."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        line = f":{place[1]}" if place else ""
        raise ConfigError([f"{name}{line}: this is not TOML: {error}"]) from None
    return _Reading(text, name).settings(document)


class _Reading:
    """One file being read; collects the mistakes so that all are told at once."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.splitlines()
        self._name = name
        self._problems: list[tuple[int, str]] = []

    def settings(self, document: dict[str, Any]) -> Settings:
        parts: dict[str, Any] = {}
        for table, content in document.items():
            if table not in _TABLES:
                self._unknown_table(table, content)
            elif not isinstance(content, dict):
                self._wrong(
                    self._line_of("", table), f'"{table}" must be a table: write [{table}] on a line of its own'
                )
            else:
                parts[table] = self._table(table, content)
        server = document.get("server", {})
        if isinstance(server, dict) and "hostname" not in server:
            line = self._line_of_table("server")
            self._wrong(
                line,
                'key "hostname" in [server] is missing: the name this server greets with, such as "mx.example.net"',
            )
        self._doors(parts.get("listen", {}))
        if self._problems:
            raise ConfigError([f"{self._name}:{line}: {problem}" for line, problem in sorted(self._problems)])
        return Settings(**{table: _TABLES[table][0](**found) for table, found in parts.items()})

    def _table(self, table: str, content: dict[str, Any]) -> dict[str, Any]:
        readers = _TABLES[table][1]
        found = {}
        for key, value in content.items():
            read = readers.get(key)
            if read is None:
                self._wrong(self._line_of(table, key), f'unknown key "{key}" in [{table}]; {_nearest_key(table, key)}')
                continue
            try:
                found[key.replace("-", "_")] = read(value)
            except ValueError as error:
                self._wrong(self._line_of(table, key), f'key "{key}" in [{table}]: {error}')
        return found

    def _doors(self, listen: dict[str, Any]) -> None:
        """No place twice, defaults of doors that are not named included."""
        taken: list[tuple[str, str]] = []
        for door, endpoints in asdict(model.Listen(**listen), recurse=False).items():
            for endpoint in () if door == "proxy_trust" else endpoints:
                other = next((name for name, known in taken if values.collide(endpoint, known)), None)
                taken.append((door, endpoint))
                if other is not None:
                    named = door if door in listen else other
                    self._wrong(
                        self._line_of("listen", named),
                        f'key "{named}" in [listen]: "{endpoint}" is taken by {other} and {door}: one port each',
                    )

    def _unknown_table(self, table: str, content: object) -> None:
        if isinstance(content, dict):
            near = difflib.get_close_matches(table, _TABLES, 1, 0.0)
            self._wrong(self._line_of_table(table), f"unknown table [{table}]; the nearest known one is [{near[0]}]")
        else:
            self._wrong(self._line_of("", table), f'unknown key "{table}" outside any table; {_nearest_key("", table)}')

    def _wrong(self, line: int, problem: str) -> None:
        self._problems.append((line, problem))

    def _line_of_table(self, table: str) -> int:
        head = re.compile(rf"\s*\[+\s*[\"']?{re.escape(table)}[\"']?\s*[\].]")
        for number, line in enumerate(self._lines, 1):
            if head.match(line):
                return number
        return self._line_of("", table)

    def _line_of(self, table: str, key: str) -> int:
        """Where ``key`` stands in ``[table]`` ("" before any table); also as ``table.key = `` or as ``[table.key]``."""
        name = re.escape(key)
        plain = re.compile(rf"\s*[\"']?{name}[\"']?\s*[.=]")
        dotted = re.compile(rf"\s*\[*\s*{re.escape(table)}\s*\.\s*[\"']?{name}[\"']?\s*[.=\]]")
        inline = re.compile(rf"\s*{re.escape(table)}\s*=.*\b{name}[\"']?\s*=")
        inside = ""
        for number, line in enumerate(self._lines, 1):
            head = re.match(r"\s*\[+\s*([^\]\[#]+?)\s*\]+\s*(#.*)?$", line)
            if table and (dotted.match(line) or (not inside and inline.match(line))):
                return number
            if head:
                inside = head[1].strip("\"'")
            elif inside == table and plain.match(line):
                return number
        return 1


def _nearest_key(table: str, key: str) -> str:
    """The cure for an unknown key: the table it belongs in, else the nearest known one."""
    own = _TABLES[table][1] if table else {}
    everywhere = {known: other for other, (_, readers) in _TABLES.items() for known in readers}
    if key in everywhere:
        return f'"{key}" belongs in [{everywhere[key]}]'
    close = difflib.get_close_matches(key, own, 1, 0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    close = difflib.get_close_matches(key, everywhere, 1, 0.75)
    if close:
        return f'did you mean "{close[0]}" in [{everywhere[close[0]]}]?'
    close = difflib.get_close_matches(key, own or everywhere, 1, 0.0)
    return f'the nearest known one is "{close[0]}"' + ("" if own else f" in [{everywhere[close[0]]}]")
