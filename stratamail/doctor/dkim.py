"""The DKIM keys of a domain, and whether their records stand in the DNS as they should. Blocks; reads only."""

from __future__ import annotations

from collections.abc import Iterator

import dns.exception
import dns.resolver

from stratamail.doctor.finding import Finding, failure, ok, warning
from stratamail.store import dkim_keys
from stratamail.store.dkim_keys import ACTIVE, Stored
from stratamail.store.layout import Layout

PATIENCE = 5.0


def check(domain: str, layout: Layout, resolver: str) -> Iterator[Finding]:
    """One finding for each key that mail is signed with; none for a domain that has no keys. ``resolver`` as in the
    configuration."""
    try:
        keys = dkim_keys.read(layout, domain)
    except (OSError, ValueError) as error:
        cure = "bring the file back from a backup, or remove it and publish the records of new keys: domain dkim DOMAIN"
        yield failure("dkim", domain, f"the keys cannot be read: {error}", cure)
        return
    for key in keys:
        if key.state == ACTIVE:
            yield published(domain, key, resolver)


def published(domain: str, key: Stored, resolver: str) -> Finding:
    """Whether the record of ``key`` can be found by whoever gets the mail."""
    cure = f"publish the record that is printed by: stratamail domain dkim {domain}"
    try:
        found = _texts(key.name, resolver)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return warning("dkim", key.name, f"the DNS does not answer: {type(error).__name__}", "look again later")
    if not found:
        return warning("dkim", key.name, "the record is not in the DNS, so nobody can verify what is signed", cure)
    if "".join(key.record.split()) not in ["".join(text.split()) for text in found]:
        return warning("dkim", key.name, "another record is in the DNS, so nothing that is signed verifies", cure)
    return ok("dkim", key.name, "published")


def _texts(name: str, resolver: str) -> list[str]:
    asked = dns.resolver.Resolver(configure=not resolver)
    if resolver:
        host, _, port = resolver.rpartition(":")
        asked.nameservers = [(host or port).strip("[]")]
        asked.port = int(port) if host else 53
    try:
        answer = asked.resolve(f"{name}.", "TXT", lifetime=PATIENCE)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    return [b"".join(one.strings).decode("utf-8", "replace") for one in answer]
