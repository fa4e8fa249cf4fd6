"""One domain: its primary's name and answers, its recipient list, its trust list, what is held. Blocks for seconds."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator

from stratamail.config.settings import Settings
from stratamail.doctor.finding import Finding, failure, ok, warning
from stratamail.doctor.hosts import is_ours, lookup_problem
from stratamail.store.queue.deliveries import Counts
from stratamail.tenancy.model import Domain, HostPort

PATIENCE = 10.0


def check(domain: Domain, listed: int, owed: Counts, untrusted: int, settings: Settings) -> Iterator[Finding]:
    """Every finding about one domain. ``listed``: how many mailboxes and addresses it has; ``untrusted`` as in
    :func:`trust`."""
    for host in domain.primaries:
        yield from primary(domain, host, settings)
    yield recipients(domain, listed)
    yield trust(domain, untrusted)
    yield held(domain, owed)


def primary(domain: Domain, host: HostPort, settings: Settings) -> Iterator[Finding]:
    subject = f"{domain.name} {host}"
    problem = lookup_problem(host)
    if problem:
        yield failure("dns", subject, problem, f"correct it: stratamail domain set {domain.name} --primary HOST:PORT")
        return
    yield ok("dns", subject, "the name is found")
    if is_ours(host, settings.listen):
        cure = (
            f"name the mail server that the mailboxes are on: stratamail domain set {domain.name} --primary HOST:PORT"
        )
        yield failure("primary", subject, "is this server itself", cure)
        return
    yield answers(domain, host, settings)


def answers(domain: Domain, host: HostPort, settings: Settings) -> Finding:
    """The first lines of a conversation: connection, banner, EHLO, STARTTLS when the domain wants it."""
    subject = f"{domain.name} {host}"
    try:
        with smtplib.SMTP(timeout=PATIENCE, local_hostname=settings.server.hostname) as peer:
            code, said = peer.connect(host.host, host.port)
            if code != 220:
                return failure(
                    "primary", subject, f"greets with {code} {_text(said)}", "ask whoever runs it to let us in"
                )
            code, said = peer.ehlo()
            if code != 250:
                return failure(
                    "primary", subject, f"answers EHLO with {code} {_text(said)}", "ask whoever runs it to let us in"
                )
            if domain.tls in ("encrypt", "verify") and not peer.has_extn("starttls"):
                cure = f"switch STARTTLS on there, or: stratamail domain set {domain.name} --tls may"
                return failure("primary", subject, "offers no STARTTLS, which this domain asks for", cure)
            if domain.tls == "verify":
                peer.starttls(context=ssl.create_default_context())
            size = peer.esmtp_features.get("size", "")
    except ssl.SSLError as error:
        cure = "renew its certificate, or use --tls encrypt if you accept any"
        return failure("primary", subject, f"its certificate is not good: {error}", cure)
    except (OSError, smtplib.SMTPException) as error:
        cure = "is it down, or does a firewall stand between? Its mail waits here until it answers"
        return failure("primary", subject, f"does not answer: {error}", cure)
    if size.isdigit() and 0 < int(size) < settings.limits.message_size:
        cure = f'lower [limits] message-size to "{int(size) // 1_000_000}MB", so that nobody is given hope in vain'
        return warning("primary", subject, f"takes {size} bytes at most, less than we do", cure)
    return ok("primary", subject, "answers")


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")[:200]


def recipients(domain: Domain, listed: int) -> Finding:
    if listed:
        return ok("recipients", domain.name, f"{listed} listed, unknown ones: {domain.unknown}")
    if domain.unknown == "reject":
        cure = f"list them (stratamail mailbox import {domain.name} FILE.csv), or use --unknown accept"
        return failure("recipients", domain.name, "nobody is listed, so all mail is refused", cure)
    cure = f"stratamail mailbox import {domain.name} FILE.csv"
    return warning("recipients", domain.name, "nobody is listed: mail is kept and owed, but nobody can read it", cure)


def trust(domain: Domain, untrusted: int = 0) -> Finding:
    """``untrusted``: recipients that were put off because the peer is not on the list."""
    if domain.trust:
        text = ", ".join(str(network) for network in domain.trust)
        if untrusted:
            text += f"; {untrusted} recipients were put off from elsewhere: is an address of the filter missing?"
        return ok("trust", domain.name, text)
    if domain.filter == "none":
        return ok("trust", domain.name, "any peer may give mail, with limits")
    cure = f"name the filter's networks: stratamail domain set {domain.name} --trust CIDR ..."
    return warning("trust", domain.name, "there is a filter, but anybody may go round it", cure)


def held(domain: Domain, owed: Counts) -> Finding:
    if owed.held:
        cure = f"look at them: stratamail queue held {domain.name}; then queue retry, release or return"
        return warning("held", domain.name, f"{owed.held} deliveries were refused and wait for a person", cure)
    return ok("held", domain.name, "nothing")
