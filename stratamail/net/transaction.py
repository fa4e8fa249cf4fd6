"""One message over an open session: MAIL, every RCPT, the body, and what became of each recipient (RFC 5321 section
3.3, pipelined by RFC 2920; BDAT by RFC 3030 when offered). Writes nothing to disk.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.reply import Reply
from stratamail.net.smtp import Lost, Session, Timeouts
from stratamail.smtp import client
from stratamail.smtp.client import fitted
from stratamail.smtp.stuffing import Stuffer

# a larger body waits for the transport between its pieces
_ONE_WRITE = 256 * 1024
_TIMEOUTS = Timeouts()


class Content(Protocol):
    """The octets of a message. ``size`` is exact; ``read`` gives the next piece, b"" at the end, and may refuse the
    last one by an exception (the message is broken: it must not be completed)."""

    size: int

    def read(self) -> Awaitable[bytes]: ...


@frozen
class Answer:
    """What became of one recipient: ``reply`` at ``stage`` ("MAIL", "RCPT", "DATA", "dot"). ``reply`` None: the
    connection was lost there (``text`` says how); at "dot" the outcome is unknown, before it nothing was delivered."""

    stage: str
    reply: Reply | None
    text: str = ""

    @property
    def accepted(self) -> bool:
        return self.stage == client.DOT and self.reply is not None and self.reply.positive

    @property
    def unknown(self) -> bool:
        return self.stage == client.DOT and self.reply is None


@frozen
class Sent:
    """``answers`` in the order of the recipients."""

    answers: tuple[Answer, ...]


class Progress:
    """Answers as they come in; ``stage`` is where a loss would find the message."""

    def __init__(self, number: int) -> None:
        self.answers: list[Answer | None] = [None] * number
        self.stage = client.MAIL

    def rest(self, answer: Answer) -> None:
        self.answers = [answer if one is None else one for one in self.answers]

    @property
    def open(self) -> bool:
        return any(one is None for one in self.answers)

    def done(self) -> Sent:
        return Sent(tuple(one for one in self.answers if one is not None))


async def send(
    session: Session,
    envelope: Envelope,
    recipients: Sequence[Recipient],
    content: Content,
    timeouts: Timeouts = _TIMEOUTS,
) -> Sent:
    """Send one message. Raises ``smtp.client.CannotSend`` before anything was sent when the peer lacks what the
    envelope needs, and whatever ``content.read`` raises (the connection is then given up and nothing was delivered)."""
    fitting, plain = fitted(session.offer, envelope, recipients, content.size)
    progress = Progress(len(plain))
    try:
        await _transact(session, fitting, plain, content, timeouts, progress)
    except Lost as error:
        progress.rest(Answer(progress.stage, None, error.text))
    except BaseException:
        session.connection.give_up("the message could not be read")
        raise
    return progress.done()


async def _transact(
    session: Session,
    envelope: Envelope,
    recipients: Sequence[Recipient],
    content: Content,
    timeouts: Timeouts,
    progress: Progress,
) -> None:
    connection, engine = session.connection, session.connection.engine
    chunking = session.offer.chunking
    if connection.untidy:
        await connection.within(connection.ask(engine.rset())[0], timeouts.command, "reply to RSET")
        connection.untidy = False
    waiting: list[Deferred[Reply | Lost]] = []
    if session.offer.pipelining:
        group = engine.transaction(envelope, recipients, content.size, not chunking)
        waiting = connection.ask(group, 1 + len(recipients) + (0 if chunking else 1))

    async def answer(command: bytes | None, seconds: float, what: str) -> Reply:
        asked = waiting.pop(0) if waiting else connection.ask(command or b"")[0]
        return await connection.within(asked, seconds, what)

    pipelined = bool(waiting)
    begun = await answer(None if pipelined else engine.mail(envelope, content.size), timeouts.command, "reply to MAIL")
    if not begun.positive:
        progress.rest(Answer(client.MAIL, begun))
        if not pipelined:
            return
    progress.stage = client.RCPT
    for i, recipient in enumerate(recipients):
        reply = await answer(None if pipelined else engine.rcpt(recipient), timeouts.command, "reply to RCPT")
        if begun.positive and not reply.positive:
            progress.answers[i] = Answer(client.RCPT, reply)
    progress.stage = client.DATA
    if chunking:
        if progress.open:
            progress.stage = client.DOT
            await _chunk(session, content, timeouts, progress)
            return
    elif pipelined or progress.open:
        reply = await answer(None if pipelined else engine.data(), timeouts.data, "reply to DATA")
        if reply.code == 354 and not begun.positive:
            # whatever it would take now is not what was asked for
            connection.give_up("354 although MAIL was refused")
            return
        if reply.code == 354:
            await _data(session, content, timeouts, progress)
            return
        if progress.open:
            # a positive answer other than 354 makes no sense: nothing was sent, and nothing more can be
            progress.rest(Answer(client.DATA, reply if not reply.positive else None, "DATA was not answered by 354"))
            if reply.positive:
                connection.give_up("DATA was not answered by 354")
                return
    # the transaction came to nothing: the next MAIL must find the session clean
    await connection.within(connection.ask(engine.rset())[0], timeouts.command, "reply to RSET")


async def _data(session: Session, content: Content, timeouts: Timeouts, progress: Progress) -> None:
    connection = session.connection
    replied = connection.dot
    if not progress.open:
        # RFC 2920 section 3.1: 354 although nobody was accepted; an empty body ends it
        connection.write(b".\r\n")
        await connection.within(replied, timeouts.dot, "reply to the final dot")
        return
    stuffer = Stuffer()
    await _stream(session, content, timeouts, progress, replied, stuffer)


async def _chunk(session: Session, content: Content, timeouts: Timeouts, progress: Progress) -> None:
    connection = session.connection
    progress.stage = client.DATA
    replied = connection.ask(connection.engine.bdat(content.size, last=True))[0]
    await _stream(session, content, timeouts, progress, replied, None)


async def _stream(
    session: Session,
    content: Content,
    timeouts: Timeouts,
    progress: Progress,
    replied: Deferred[Reply | Lost],
    stuffer: Stuffer | None,
) -> None:
    """Write the body; ``progress.stage`` becomes "dot" with the write that completes it, never before."""
    connection = session.connection
    left = content.size
    producing = left > _ONE_WRITE
    if producing:
        IConsumer(connection.transport).registerProducer(connection, True)
    try:
        while True:
            piece = await content.read()
            left -= len(piece)
            if replied.called:
                # it answered before the end: only a refusal can be believed
                await _early(session, replied, progress)
                return
            await connection.room(timeouts.block)
            data = stuffer.chunk(piece) if stuffer is not None else piece
            if left <= 0 or not piece:
                if left != 0:
                    raise ValueError(f"the body has {content.size - left} octets, not {content.size}")
                data += stuffer.end() if stuffer is not None else b""
                progress.stage = client.DOT
                connection.write(data)
                break
            connection.write(data)
    finally:
        if producing and connection.transport is not None:
            IConsumer(connection.transport).unregisterProducer()
        # nobody will say "go on" any more to a connection that was told to wait by its last write
        connection.resumeProducing()
    reply = await connection.within(replied, timeouts.dot, "reply to the final dot")
    if 300 <= reply.code < 400:
        # RFC 5321 section 4.2.1: 3yz completes nothing. It is out of step, and nobody knows what it has taken
        connection.give_up("it asked for more after the final dot")
        progress.rest(Answer(client.DOT, None, f"it answered the final dot by {reply.code}"))
        return
    progress.rest(Answer(client.DOT, reply))


async def _early(session: Session, replied: Deferred[Reply | Lost], progress: Progress) -> None:
    reply = await session.connection.within(replied, 1.0, "reply")
    text = "it answered before the end of the message"
    session.connection.give_up(text)
    progress.rest(Answer(client.DATA, None if reply.positive else reply, text))
