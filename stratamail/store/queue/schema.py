"""The tables of queue.sqlite: what happens. Times are integer microseconds since the epoch.

One connection writes here inside the server, the committer's; the CLI writes in short transactions of its own.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()

messages = Table(
    "messages",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(16), nullable=False, unique=True),
    Column("arrived", BigInteger, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("sender", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("trace_size", Integer, nullable=False),
    Column("body", String(10), nullable=False, server_default=""),
    Column("smtputf8", Boolean, nullable=False, server_default=text("0")),
    Column("ret", String(5), nullable=False, server_default=""),
    Column("envid", Text, nullable=False, server_default=""),
    Column("peer", Text, nullable=False, server_default=""),
    Column("helo", Text, nullable=False, server_default=""),
    Column("tls", Text, nullable=False, server_default=""),
    Column("user", Text, nullable=False, server_default=""),
    # comma-separated mailbox ids that the recipients meant when the message was captured
    Column("mailboxes", Text, nullable=False, server_default=""),
    # where an appended message belongs ("" is INBOX), its flags joined by blanks, its internal date
    Column("folder", Text, nullable=False, server_default=""),
    Column("flags", Text, nullable=False, server_default=""),
    Column("date", BigInteger, nullable=False, server_default=text("0")),
    # 1: committed, not yet durable in spool and folders; replay goes by this mark
    Column("unfiled", Boolean, nullable=False, server_default=text("0")),
    Column("shed", Boolean, nullable=False, server_default=text("0")),
    # what DKIM said at capture, in the form of store.queue.verdicts; "" and "temperror" are to be judged (again)
    Column("dkim", Text, nullable=False, server_default="unknown"),
    sqlite_autoincrement=True,
)
Index("messages_unfiled", messages.c.seq, sqlite_where=text("unfiled = 1"), postgresql_where=text("unfiled"))
_UNJUDGED = text("dkim IN ('', 'temperror')")
Index("messages_unjudged", messages.c.seq, sqlite_where=_UNJUDGED, postgresql_where=_UNJUDGED)

# whole file content (trace + body) of small messages that are committed and not yet filed
journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

# mail for an address that no mailbox claims yet; enrolment claims it in order of seq
unclaimed = Table(
    "unclaimed",
    metadata,
    Column("key", Text, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("seq", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("domain", Text, nullable=False),
    Column("destination", String(8), nullable=False),
    Column("lane", Text, nullable=False),
    Column("notify", Text, nullable=False, server_default=""),
    Column("orcpt", Text, nullable=False, server_default=""),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt", BigInteger, nullable=False, server_default=text("0")),
    Column("last_reply", Text, nullable=False, server_default=""),
    # written before the message goes out; found at start it is an unknown outcome
    Column("trying", Boolean, nullable=False, server_default=text("0")),
    Column("deferrals", Integer, nullable=False, server_default=text("0")),
    Column("unknown_outcomes", Integer, nullable=False, server_default=text("0")),
    # when the first of the unknown outcomes in a row happened
    Column("unknown_since", BigInteger),
    Column("aside", Boolean, nullable=False, server_default=text("0")),
    Column("relayed_sha256", String(64), nullable=False, server_default=""),
    Column("finished", BigInteger),
    # 1: a report to the sender is to be written (RFC 3464); cleared when it has been captured
    Column("notice", Boolean, nullable=False, server_default=text("0")),
    # the finished delivery that this one repeats because a person asked for it; no event counts it
    Column("replay_of", Integer),
    sqlite_autoincrement=True,
)
Index("deliveries_notice", deliveries.c.id, sqlite_where=text("notice = 1"), postgresql_where=text("notice"))
_OWED = "state IN ('queued', 'deferred')"
_HELD = "state = 'held'"
_c = deliveries.c
Index("deliveries_owed", _c.destination, _c.lane, _c.seq, sqlite_where=text(_OWED), postgresql_where=text(_OWED))
Index("deliveries_key", _c.key, _c.seq, sqlite_where=text(_OWED), postgresql_where=text(_OWED))
Index("deliveries_held", _c.domain, _c.seq, sqlite_where=text(_HELD), postgresql_where=text(_HELD))
Index("deliveries_seq", deliveries.c.seq)

# what is known of each protected domain's primary: the state machine of outage.step, as JSON
primaries = Table(
    "primaries",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("state", String(12), nullable=False),
    Column("machine", Text, nullable=False),
    Column("changed", BigInteger, nullable=False),
)

# what was deleted from a mailbox (an id) is to come back: messages that arrived from ``since`` to before ``until``;
# done by the server, which then notes when and how many
restores = Table(
    "restores",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("mailbox", Integer, nullable=False),
    Column("since", BigInteger, nullable=False, server_default=text("0")),
    Column("until", BigInteger, nullable=False),
    Column("done", BigInteger),
    Column("restored", Integer, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)

# outage events; delivered, held, captured are computed from rows, read and answered are taken at closing
events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("domain", Text, nullable=False),
    Column("kind", String(10), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("hold", Boolean, nullable=False, server_default=text("0")),
    Column("opened", BigInteger, nullable=False),
    Column("flushing", BigInteger),
    Column("closed", BigInteger),
    Column("first_seq", Integer, nullable=False, server_default=text("0")),
    Column("last_seq", Integer),
    Column("read", Integer, nullable=False, server_default=text("0")),
    Column("answered", Integer, nullable=False, server_default=text("0")),
    sqlite_autoincrement=True,
)
Index("events_domain", events.c.domain, events.c.opened)

# things a person must be told; written in the transaction that causes them
alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("domain", Text, nullable=False, server_default=""),
    Column("kind", String(40), nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("text", Text, nullable=False),
    sqlite_autoincrement=True,
)

# named counters that must never repeat or go back (uidvalidity), and counts worth keeping (refusals by trust list)
counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
