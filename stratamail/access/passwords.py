"""Passwords as argon2id hashes. Slow on purpose (tens of milliseconds): the server calls these in the ``cpu`` pool.

The hash carries its own parameters, so raising them later keeps old passwords valid. Writes nothing.
"""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MINIMUM = 8
# memory in KiB; 19 MiB and two passes, so that a burst of sign-ins fits a small machine
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)


def problem(password: str) -> str:
    """Why ``password`` cannot be taken, or "" when it can: only its length (in characters) is asked."""
    if len(password) < MINIMUM:
        return f"the password is too short: at least {MINIMUM} characters"
    if "\0" in password:
        return "the password contains a NUL, which AUTH PLAIN cannot carry"
    return ""


def make_hash(password: str) -> str:
    return _HASHER.hash(password)


def verify(stored: str, password: str) -> bool:
    """Whether ``password`` belongs to ``stored``; a hash that cannot be read matches nothing."""
    try:
        return _HASHER.verify(stored, password.encode("utf-8", "surrogateescape"))
    except (VerificationError, InvalidHashError, UnicodeError):
        return False


@cache
def decoy() -> str:
    """A hash that no password matches, verified for unknown users so that they take as long as known ones."""
    return make_hash(secrets.token_hex(16))
