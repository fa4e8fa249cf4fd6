"""The client side of SMTP as a sans-I/O engine: bytes in → events out, commands in → bytes out (RFC 5321,
2920, 3030, 3207).

Replies are matched first in first out to the commands that were given, whatever way the bytes are split. The engine
knows what the peer offers and puts into MAIL and RCPT only that. Writes nothing to disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from attrs import evolve, frozen

from stratamail.mail.address import domain_key, split
from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.reply import Reply
from stratamail.smtp.client_replies import Garbled, ReplyReader

GREETING, EHLO, HELO, STARTTLS, MAIL, RCPT, DATA, BDAT, DOT, RSET, NOOP, QUIT = (
    "greeting",
    "EHLO",
    "HELO",
    "STARTTLS",
    "MAIL",
    "RCPT",
    "DATA",
    "BDAT",
    "dot",
    "RSET",
    "NOOP",
    "QUIT",
)


@frozen
class Answered:
    """The peer's reply to one command; ``verb`` as above."""

    verb: str
    reply: Reply


@frozen
class Closing:
    """A reply that nobody asked for: 421, the peer is about to close (RFC 5321 section 3.8)."""

    reply: Reply


Event = Answered | Closing


@frozen
class Offer:
    """What the peer offers. ``size`` None: no SIZE; 0: SIZE without a limit."""

    greeting: str = ""
    pipelining: bool = False
    chunking: bool = False
    eightbitmime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    size: int | None = None
    keywords: frozenset[str] = frozenset()


def read_offer(reply: Reply) -> Offer:
    """What an accepted EHLO says (RFC 5321 section 4.1.1.1)."""
    lines = reply.text.split("\n")
    words = [line.split() for line in lines[1:] if line.strip()]
    table = {word[0].upper(): word[1:] for word in words}
    size: int | None = None
    if "SIZE" in table:
        given = table["SIZE"][:1]
        size = int(given[0]) if given and given[0].isascii() and given[0].isdigit() and len(given[0]) < 20 else 0
    return Offer(
        greeting=lines[0],
        pipelining="PIPELINING" in table,
        chunking="CHUNKING" in table,
        eightbitmime="8BITMIME" in table,
        smtputf8="SMTPUTF8" in table,
        dsn="DSN" in table,
        starttls="STARTTLS" in table,
        size=size,
        keywords=frozenset(table),
    )


NEEDS_SMTPUTF8 = "an address needs SMTPUTF8, and the server does not offer it"


class CannotSend(Exception):
    """The peer lacks what this envelope needs; ``text`` is for a person."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class ClientEngine:
    """One connection. ``garbled`` is "" until the peer says what is no SMTP; after that the connection is of no use."""

    def __init__(self) -> None:
        self._reader = ReplyReader()
        self._asked: deque[str] = deque([GREETING])
        self.offer = Offer()
        self.tls = False
        self.garbled = ""

    def receive(self, data: bytes) -> list[Event]:
        """What the peer has said; what came before garbage counts, nothing after it does."""
        events: list[Event] = []
        if self.garbled:
            return events
        self._reader.feed(data)
        try:
            while (reply := self._reader.next()) is not None:
                events.append(self._take(reply))
        except Garbled as error:
            self.garbled = str(error)
        return events

    def _take(self, reply: Reply) -> Event:
        if not self._asked:
            if reply.code == 421:
                return Closing(reply)
            raise Garbled(f"a reply that nobody asked for: {reply.code}")
        verb = self._asked.popleft()
        if verb == EHLO:
            self.offer = read_offer(reply) if reply.code == 250 else Offer()
        elif verb == HELO:
            self.offer = Offer(greeting=reply.text)
        elif verb == STARTTLS and reply.code == 220:
            # RFC 3207 section 6: nothing that came in clear may be believed inside TLS
            if self._reader.pending:
                raise Garbled("more than the reply to STARTTLS came in clear")
            self.offer = Offer()
            self.tls = True
        elif verb == DATA and reply.code == 354:
            # the reply to the final dot; a peer may give it before it has seen one
            self._asked.append(DOT)
        return Answered(verb, reply)

    def _command(self, verb: str, line: str) -> bytes:
        self._asked.append(verb)
        return line.encode("utf-8", "surrogateescape") + b"\r\n"

    def ehlo(self, hostname: str) -> bytes:
        return self._command(EHLO, f"EHLO {hostname}")

    def helo(self, hostname: str) -> bytes:
        return self._command(HELO, f"HELO {hostname}")

    def starttls(self) -> bytes:
        return self._command(STARTTLS, "STARTTLS")

    def rset(self) -> bytes:
        return self._command(RSET, "RSET")

    def noop(self) -> bytes:
        return self._command(NOOP, "NOOP")

    def quit(self) -> bytes:
        return self._command(QUIT, "QUIT")

    def mail(self, envelope: Envelope, size: int) -> bytes:
        """MAIL with what the peer offers of SIZE, BODY, SMTPUTF8, RET and ENVID."""
        offer = self.offer
        words = [f"MAIL FROM:<{envelope.sender}>"]
        if offer.size is not None and size:
            words.append(f"SIZE={size}")
        if offer.eightbitmime and envelope.body:
            words.append(f"BODY={envelope.body}")
        if offer.smtputf8 and envelope.smtputf8:
            words.append("SMTPUTF8")
        if offer.dsn:
            words += [f"RET={envelope.ret}"] if envelope.ret else []
            words += [f"ENVID={envelope.envid}"] if envelope.envid else []
        return self._command(MAIL, " ".join(words))

    def rcpt(self, recipient: Recipient) -> bytes:
        words = [f"RCPT TO:<{recipient.address}>"]
        if self.offer.dsn:
            words += [f"NOTIFY={recipient.notify}"] if recipient.notify else []
            words += [f"ORCPT={recipient.orcpt}"] if recipient.orcpt else []
        return self._command(RCPT, " ".join(words))

    def data(self) -> bytes:
        return self._command(DATA, "DATA")

    def bdat(self, size: int, last: bool) -> bytes:
        """The command before a chunk of ``size`` octets (RFC 3030 section 2)."""
        return self._command(DOT if last else BDAT, f"BDAT {size} LAST" if last else f"BDAT {size}")

    def transaction(self, envelope: Envelope, recipients: Sequence[Recipient], size: int, data: bool) -> bytes:
        """MAIL, every RCPT and, with ``data``, DATA in one write, for a peer that offers PIPELINING."""
        parts = [self.mail(envelope, size)]
        parts += [self.rcpt(recipient) for recipient in recipients]
        if data:
            parts.append(self.data())
        return b"".join(parts)


def fitted(
    offer: Offer, envelope: Envelope, recipients: Sequence[Recipient], size: int
) -> tuple[Envelope, tuple[Recipient, ...]]:
    """Envelope and recipients as this peer can take them: without SMTPUTF8, domains go as A-labels. Raises
    :class:`CannotSend` when the message is larger than the peer's SIZE, or a local part needs SMTPUTF8."""
    if offer.size and size > offer.size:
        raise CannotSend(f"the message has {size} octets, the server takes no more than {offer.size} (its SIZE)")
    if offer.smtputf8:
        return envelope, tuple(recipients)
    sender = as_ascii(envelope.sender)
    plain = tuple(evolve(recipient, address=as_ascii(recipient.address)) for recipient in recipients)
    if not (sender.isascii() and all(recipient.address.isascii() for recipient in plain)):
        raise CannotSend(NEEDS_SMTPUTF8)
    return evolve(envelope, sender=sender), plain


def as_ascii(address: str) -> str:
    """An address with an ASCII local part, its domain in A-labels, so that it needs no SMTPUTF8; others unchanged."""
    local, domain = split(address)
    if address.isascii() or not domain or not local.isascii():
        return address
    return f"{local}@{domain_key(domain)}"
