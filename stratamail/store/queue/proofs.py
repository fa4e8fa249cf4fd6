"""What the records say of one message: where it came from, when, what became of each recipient. Reads only.

The rows outlive the body, so that a proof can be given when the message itself has left the spool.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from attrs import frozen
from sqlalchemy.engine import Connection

from stratamail.store.model import DELIVERED, Message, Source
from stratamail.store.queue import verdicts
from stratamail.store.queue.deliveries import rfc3339
from stratamail.store.queue.messages import by_id, source
from stratamail.store.queue.schema import deliveries

# of the octets that are kept: as captured, no longer there, not what was captured
INTACT, GONE, DIFFERS = "intact", "gone", "differs"


@frozen
class Handed:
    """One recipient. ``relayed_sha256`` (hex) is over the octets that went out, without our trace lines; ``finished``
    in µs; ``reply`` the last words of the peer, or ours; ``replay_of`` the delivery that this one repeats."""

    id: int
    recipient: str
    domain: str
    destination: str
    state: str
    attempts: int
    unknown_outcomes: int
    relayed_sha256: str
    finished: int | None
    reply: str
    replay_of: int | None


@frozen
class Proof:
    """``dkim`` is the verdict at capture, in the words of ``store.queue.verdicts``."""

    message: Message
    source: Source
    dkim: str
    handed: tuple[Handed, ...]


def of_message(scope: Collection[str] | None, conn: Connection, id: str, only: int | None = None) -> Proof | None:
    """The records of the message ``id`` as far as ``scope`` may see them (None: the operator's view); ``only`` one of
    its deliveries when named. None when there is nothing to see."""
    message = by_id(conn, id)
    origin = None if message is None else source(conn, message.seq)
    if message is None or origin is None:
        return None
    c = deliveries.c
    query = sa.select(
        c.id,
        c.recipient,
        c.domain,
        c.destination,
        c.state,
        c.attempts,
        c.unknown_outcomes,
        c.relayed_sha256,
        c.finished,
        c.last_reply,
        c.replay_of,
    ).where(c.seq == message.seq)
    if scope is not None:
        query = query.where(c.domain.in_(list(scope)))
    if only is not None:
        query = query.where(c.id == only)
    handed = tuple(Handed(*row) for row in conn.execute(query.order_by(c.id)))
    if not handed and (scope is not None or only is not None):
        return None
    return Proof(message, origin, verdicts.of(conn, message.seq) or verdicts.UNJUDGED, handed)


def as_json(proof: Proof, stored: str) -> dict[str, object]:
    """The object of ``proof --json``; ``stored`` says how the kept octets compare today (:data:`INTACT`, ...).

    ``received`` is when the message was there whole, the moment before its commit; it was answered 250 as soon as that
    was durable. ``same`` of a delivery: the octets that the peer accepted have the SHA-256 of those that came."""
    message, origin = proof.message, proof.source
    return {
        "message": message.id,
        "kind": message.kind,
        "sender": message.sender,
        "size": message.size,
        "sha256": message.sha256,
        "received": rfc3339(message.arrived),
        "peer": origin.peer,
        "helo": origin.helo,
        "tls": origin.tls,
        "user": origin.user,
        "stored": stored,
        "dkim": _dkim(proof.dkim),
        "deliveries": [handed_json(one, message.sha256) for one in proof.handed],
    }


def _dkim(stored: str) -> dict[str, object]:
    """``verdict`` as in ``store.queue.verdicts`` ("waiting" while it has yet to be judged), ``domains`` that signed."""
    verdict, *rest = stored.split() or ["waiting"]
    domains = [one.domain for one in verdicts.good(stored)] if verdict == verdicts.PASS else rest
    return {"verdict": verdict, "domains": list(dict.fromkeys(domains))}


def handed_json(one: Handed, sha256: str) -> dict[str, object]:
    """One of ``deliveries`` in :func:`as_json`."""
    return {
        "id": one.id,
        "recipient": one.recipient,
        "domain": one.domain,
        "destination": one.destination,
        "state": one.state,
        "attempts": one.attempts,
        "unknown_outcomes": one.unknown_outcomes,
        "finished": rfc3339(one.finished),
        "reply": one.reply,
        "sha256": one.relayed_sha256,
        "same": one.relayed_sha256 == sha256 if one.state == DELIVERED else None,
        "replay_of": one.replay_of,
    }
