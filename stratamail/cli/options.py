"""Options and argument types that several commands share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import click

from stratamail.cli.session import Session
from stratamail.config.values import duration
from stratamail.tenancy import hostport
from stratamail.tenancy.model import HostPort, Network

pass_session = click.make_pass_decorator(Session)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
password_needed = click.option(
    "--password-stdin", "password", is_flag=True, required=True, help="Read the password: one line of standard input."
)
password = click.option("--password-stdin", "password", is_flag=True, help="Read a new password from standard input.")
account = click.option("--account", metavar="NAME", help="The account it belongs to (default: the operator's).")


class HostPortType(click.ParamType[HostPort]):
    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> HostPort:
        if isinstance(value, HostPort):
            return value
        try:
            return hostport.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class NetworkType(click.ParamType[Network | str]):
    """A network in CIDR form; "any" stands for none at all and clears a list."""

    name = "CIDR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network | str:
        if value in ("any", ""):
            return "any"
        try:
            return ip_network(value)
        except ValueError as error:
            self.fail(f'"{value}" is no network ({error}); write it as 192.0.2.0/24', param, ctx)


class TimeType(click.ParamType[int]):
    """A time as µs since the epoch: RFC 3339, or a date, or without a zone (then UTC)."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f'"{value}" is no time; write it as 2026-03-31 or 2026-03-31T08:15:00Z', param, ctx)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


class PeriodType(click.ParamType[int]):
    """A duration in whole seconds; "never" is 0."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return 0 if value == "never" else max(1, round(duration(value)))
        except ValueError:
            self.fail(f'"{value}" is no duration: a number and s, m, h or d, such as 3d; or never', param, ctx)
