"""What is known of a domain's kind of primary and filter, and whether they go together. Reads ``filters.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from stratamail.doctor.finding import Finding, failure, ok, warning
from stratamail.profiles import filters
from stratamail.profiles.filters import FILTERS, Filter
from stratamail.profiles.primaries import AUTO, PROFILES, Profile, of
from stratamail.store.layout import Layout
from stratamail.tenancy.model import Domain


def known_filters(layout: Layout) -> tuple[Mapping[str, Filter], list[Finding]]:
    """The filters, with the addresses of the file when there is one; a finding when it cannot be used."""
    path = f"{layout.state}/{filters.FILE}"
    try:
        with open(path, encoding="utf-8") as file:
            return filters.with_file(file.read()), []
    except FileNotFoundError:
        return FILTERS, []
    except (OSError, ValueError) as error:
        cure = "correct it, after the example etc/filters.toml; until then the addresses we came with are used"
        return FILTERS, [failure("filters", path, str(error), cure)]


def check(domain: Domain, known: Mapping[str, Filter], today: date) -> Iterator[Finding]:
    """Every finding about the kinds of one domain."""
    profile = of(domain.profile, [one.host for one in domain.primaries])
    yield kind(domain, profile)
    yield asked(domain, profile)
    found = known.get(domain.filter)
    if found is not None:
        yield addresses(domain, found, today)


def kind(domain: Domain, profile: Profile) -> Finding:
    """Whether primary, filter and mode go together."""
    tenant = PROFILES["m365"].hosts
    if profile.name == "m365":
        hosts = [str(one) for one in domain.primaries if not one.host.lower().rstrip(".").endswith(tenant)]
        if hosts:
            cure = f"stratamail domain set {domain.name} --primary DOMAIN-WITH-DASHES.{tenant[0]}:25"
            return warning("kind", domain.name, f"{hosts[0]} is not the tenant's own host", cure)
        if domain.filter == "defender":
            cure = "use --mode mirror, or --mode relay-only as MX of second preference"
            return warning(
                "kind", domain.name, "with mailboxes in Microsoft 365 filter and primary fail together", cure
            )
        if domain.mode == "relay-only":
            cure = "put a filter in front, or live with what it may refuse"
            text = "Microsoft does not support an MX at a third party that does not filter"
            return warning("kind", domain.name, text, cure)
    told = "told by its name; its banner may tell more" if domain.profile == AUTO else "set by hand"
    return ok("kind", domain.name, f"{profile.title} ({told})")


def asked(domain: Domain, profile: Profile) -> Finding:
    """Whether recipients can be learned from what the primary says of them."""
    if domain.unknown == "learn" and not profile.asking:
        cure = f"stratamail mailbox import {domain.name} FILE.csv, with --unknown accept or reject"
        return warning("learn", domain.name, f"{profile.title} must not be asked who exists there", cure)
    return ok("learn", domain.name, f"unknown recipients: {domain.unknown}")


def addresses(domain: Domain, one: Filter, today: date) -> Finding:
    """From where the filter's mail comes, as far as it is known, and since when."""
    if one.dated is None:
        return ok("filter", domain.name, f"{one.title}: its addresses are the customer's to know")
    places = [str(network) for network in one.networks] + [f"*.{name}" for name in one.names]
    text = f"{one.title}: comes from {', '.join(places)} (looked up {one.dated.isoformat()})"
    if one.old(today):
        cure = f"look them up again, and write them with the day into {filters.FILE} in the state"
        return warning("filter", domain.name, text, cure)
    return ok("filter", domain.name, text)
