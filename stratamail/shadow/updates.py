"""What a session must tell its client about the selected folder, in the order to be told. Touches no disk."""

from __future__ import annotations

from attrs import frozen


@frozen
class Expunged:
    """The message with sequence ``number`` (and this UID) is gone; the ones above it move down by one, now."""

    number: int
    uid: int


@frozen
class Exists:
    """The folder holds so many messages; ``recent`` of them are new to this session."""

    exists: int
    recent: int


@frozen
class Flags:
    """Somebody else changed a message's flags; ``modseq`` is its mod-sequence now."""

    number: int
    uid: int
    flags: tuple[str, ...]
    modseq: int


Update = Expunged | Exists | Flags
