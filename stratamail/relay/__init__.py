"""Giving back: every message that is owed goes to its primary (or to the world), in order, and is never lost on the
way.

Promises: the oldest of a mailbox first and one at a time; a canary before a flush; a refusal is held, never bounced;
the result of each recipient is durable before the next message goes out; the stored SHA-256 is checked before the last
octets leave. Each lane is one ordered stream to one destination; the truth is in the queue database. Writes
``deliveries`` and ``alerts`` through the committer.
"""
