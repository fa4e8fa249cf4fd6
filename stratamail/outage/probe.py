"""One probe of a primary: a ladder of TCP, greeting, EHLO, STARTTLS when used, and RCPT, whose every reply counts as
alive.

No message is sent. Writes nothing to disk.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import CancelledError

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.net import tls
from stratamail.net.evidence import Evidence
from stratamail.net.smtp import (
    Addresses,
    Lost,
    Reactor,
    Session,
    Timeouts,
    TlsClient,
    Unreachable,
    open_session,
    spoken,
)
from stratamail.tenancy.model import HostPort


async def probe(
    reactor: Reactor,
    primaries: Sequence[HostPort],
    recipient: str,
    *,
    hostname: str,
    policy: str,
    resolver: Addresses,
    timeout: float,
    tls_client: TlsClient = tls.client,
) -> Evidence:
    """Climb the ladder at each of ``primaries`` until one is alive. ``recipient`` is an address that it should know;
    ``timeout`` seconds for each rung."""
    evidence = Evidence(False, "resolve", "the domain has no primary")
    for where in primaries:
        try:
            session = await open_session(
                reactor,
                where,
                hostname=hostname,
                policy=policy,
                resolver=resolver,
                timeouts=Timeouts.all(timeout),
                tls_client=tls_client,
            )
        except Unreachable as error:
            evidence = Evidence(False, error.stage, f"{where}: {error.text}")
            continue
        evidence = await _ask(session, where, recipient, timeout)
        if evidence.alive:
            return evidence
    return evidence


async def _ask(session: Session, where: HostPort, recipient: str, timeout: float) -> Evidence:
    connection, engine = session.connection, session.connection.engine
    stage = "MAIL"
    try:
        reply = await connection.within(connection.ask(engine.mail(Envelope("", ()), 0))[0], timeout, "reply to MAIL")
        if reply.code != 421:
            stage = "RCPT"
            asked = connection.ask(engine.rcpt(Recipient(recipient)))[0]
            reply = await connection.within(asked, timeout, "reply to RCPT")
        connection.close()
        return Evidence(reply.code != 421, stage, f"{where}: {spoken(reply)}")
    except CancelledError:
        raise
    except Lost as error:
        return Evidence(False, stage, f"{where}: {error.text}")
