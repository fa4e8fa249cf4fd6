"""What is taken and what is refused: pure decisions from frozen values, each with a stable reason code.

The protocol only speaks the verdict. Temporary (4xx) wherever the fault may be ours or the catalog may be behind.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from stratamail.capture.peers import IPAddress
from stratamail.mail.address import is_routed, split
from stratamail.mail.reply import Failure, Reply
from stratamail.tenancy.model import Domain, Mailbox, Resolution

MAX_HOPS = 50
MAX_PASSES = 3
LOOP = "your primary sends its mail back to us"


@frozen
class Peer:
    """Who is speaking. ``mailbox`` is the signed-in user's at a submission door, else None; ``tls`` "" or version and
    cipher; ``trusted`` when some domain's list names it: then the limits for each peer do not bind it."""

    address: str
    ip: IPAddress | None = None
    helo: str = ""
    extended: bool = True
    tls: str = ""
    mailbox: Mailbox | None = None
    trusted: bool = False


@frozen
class Verdict:
    """``reply`` to speak and ``reason`` for logs and counters; "ok" when it is taken."""

    reply: Reply
    reason: str

    @property
    def accepted(self) -> bool:
        return self.reply.code < 400


TAKEN = Verdict(Reply(250, "2.1.5", "Ok"), "ok")
RELAY_DENIED = Verdict(Reply(550, "5.7.1", "Relaying denied"), "relay-denied")
ROUTED = Verdict(Reply(550, "5.7.1", "Routed addresses are not taken"), "routed")
UNTRUSTED = Verdict(Reply(451, "4.7.1", "This host is not on the domain's list, please try again later"), "untrusted")
UNKNOWN = Verdict(Reply(550, "5.1.1", "No such user here"), "unknown-user")
NOT_YOURS = Verdict(Reply(553, "5.7.1", "That sender address is not yours"), "sender-not-yours")
BARE = Verdict(Reply(550, "5.5.2", "The message holds a CR or LF that stands alone"), "bare-newline")
TOO_BIG = Verdict(Reply(552, "5.3.4", "Message is larger than we take"), "too-big")
FROM_NOT_YOURS = Verdict(Reply(550, "5.7.1", "An address under From or Sender is not yours"), "from-not-yours")
HEADER_TOO_BIG = Verdict(Reply(552, "5.3.4", "Message header is larger than we take"), "header-too-big")


class Refused(Failure):
    """A verdict as an error."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reply, verdict.reason)


def trusts(domain: Domain, ip: IPAddress | None) -> bool:
    """Whether the domain's own list names the peer. A domain without a list trusts nobody."""
    return ip is not None and any(ip in network for network in domain.trust if network.version == ip.version)


def judge_recipient(address: str, resolution: Resolution, trusted: bool) -> Verdict:
    """A recipient from outside. ``trusted`` as :func:`trusts` of its domain."""
    domain = resolution.domain
    if domain is None:
        return RELAY_DENIED
    if domain.trust and not trusted:
        return UNTRUSTED
    return judge_local(address, resolution)


def judge_local(address: str, resolution: Resolution) -> Verdict:
    """A recipient in a domain of ours, whoever sends."""
    domain = resolution.domain
    if resolution.listed or domain is None:
        return TAKEN
    # a primary that trusts us might relay it on (RFC 5321 appendix F.2; "percent hack")
    if is_routed(split(address)[0]):
        return ROUTED
    # "learn" is "accept" as long as nothing was learned
    return UNKNOWN if domain.unknown == "reject" else TAKEN


def judge_body(size: int, limit: int, bare: bool, keep_bare: bool) -> Verdict:
    """A complete body. ``keep_bare``: the peer is trusted by every domain concerned, or signed in."""
    if size > limit:
        return TOO_BIG
    if bare and not keep_bare:
        return BARE
    return TAKEN


def loops(hops: int, keys: Iterable[str], passes: dict[str, int]) -> dict[str, str]:
    """Why which recipients (keys) are held: ``hops`` Received fields, ``passes`` earlier times that we took this
    message for a key. Passing us on the way to another recipient is no loop (RFC 5321 6.3)."""
    if hops >= MAX_HOPS:
        return dict.fromkeys(keys, f"loop: {LOOP} ({hops} Received fields)")
    return {
        key: f"loop: {LOOP} (taken {passes[key] + 1} times)" for key in keys if passes.get(key, 0) >= MAX_PASSES - 1
    }
