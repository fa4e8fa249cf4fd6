"""Several messages on their way over one session: whole transactions by ``BDAT … LAST`` where the peer offers CHUNKING
(RFC 3030 with RFC 2920), or, with PIPELINING only, the next MAIL, RCPT and DATA behind each final dot (RFC 2920 section
3.1 lets the end of a message be the first command of a group).

Order at the peer is the order of :meth:`Pipeline.send`. Between two BDAT transactions stands RSET: what the peer
refused of one can never become part of the next. Writes nothing to disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from stratamail.mail.envelope import Envelope, Recipient
from stratamail.mail.reply import Reply
from stratamail.net.smtp import Lost, Session, Timeouts
from stratamail.net.transaction import Answer, Progress, Sent
from stratamail.smtp import client
from stratamail.smtp.client import fitted
from stratamail.smtp.stuffing import Stuffer


class _Going:
    """A message that was handed over. ``begun``: MAIL was accepted."""

    def __init__(self, envelope: Envelope, recipients: Sequence[Recipient], content: bytes) -> None:
        self.envelope = envelope
        self.recipients = recipients
        self.content = content
        self.begun = False
        self.progress = Progress(len(recipients))
        self.done: Deferred[Sent] = Deferred()


class Pipeline:
    """On a session that offers PIPELINING, and on which nothing else is said until :attr:`outstanding` is 0."""

    def __init__(self, session: Session, reactor: IReactorTime, timeouts: Timeouts) -> None:
        self.session = session
        self._reactor = reactor
        self._timeouts = timeouts
        self._connection = session.connection
        self._engine = session.connection.engine
        self._going: deque[_Going] = deque()
        # with PIPELINING only: not yet begun, and the one whose 354 is awaited
        self._queue: deque[_Going] = deque()
        self._asking: _Going | None = None
        self._deadline = 0.0
        self._timer: IDelayedCall | None = None

    @property
    def outstanding(self) -> int:
        return len(self._going)

    def send(self, envelope: Envelope, recipients: Sequence[Recipient], content: bytes) -> Deferred[Sent]:
        """Fires, never with an error, when all is known of this message. What is lost after the last octet of a message
        was written is unknown ("dot"), before it nothing was delivered. Raises ``smtp.client.CannotSend``."""
        fitting, plain = fitted(self.session.offer, envelope, recipients, len(content))
        going = _Going(fitting, plain, content)
        self._going.append(going)
        self._touch()
        if self.session.offer.chunking:
            self._chunk(going)
        else:
            self._queue.append(going)
            self._begin()
        return going.done

    def _ask(self, going: _Going, parts: list[bytes], verbs: list[Callable[[Reply, _Going], None]]) -> bool:
        """Write ``parts``, and have each reply looked at by its function; False when the connection is gone."""
        try:
            replies = self._connection.ask(b"".join(parts), len(verbs))
        except Lost as error:
            self._lost(going, error)
            return False
        for reply, verb in zip(replies, verbs, strict=True):
            reply.addCallback(self._heard, going, verb)
        return True

    def _tidy(self) -> tuple[list[bytes], list[Callable[[Reply, _Going], None]]]:
        """RSET, unless the session is known to be clean."""
        if not self._connection.untidy:
            return [], []
        return [self._engine.rset()], [self._reset]

    def _chunk(self, going: _Going) -> None:
        parts, verbs = self._tidy()
        self._connection.untidy = True
        size = len(going.content)
        parts.append(self._engine.transaction(going.envelope, going.recipients, size, False))
        parts += [self._engine.bdat(size, last=True), going.content]
        verbs += [self._mail, *self._rcpts(going), self._dot]
        before, going.progress.stage = going.progress.stage, client.DOT
        if self._connection.connected_now:
            self._ask(going, parts, verbs)
        else:
            going.progress.stage = before
            self._lost(going, Lost("the connection is gone"))

    def _begin(self) -> None:
        """With PIPELINING only: MAIL, RCPT and DATA of the next message, as soon as the one before has its body."""
        while self._asking is None and self._queue:
            going = self._asking = self._queue.popleft()
            parts, verbs = self._tidy()
            self._connection.untidy = True
            parts.append(self._engine.transaction(going.envelope, going.recipients, len(going.content), True))
            verbs += [self._mail, *self._rcpts(going), self._data]
            self._ask(going, parts, verbs)

    def _rcpts(self, going: _Going) -> list[Callable[[Reply, _Going], None]]:
        def hears(index: int) -> Callable[[Reply, _Going], None]:
            def heard(reply: Reply, going: _Going) -> None:
                if going.begun and not reply.positive:
                    going.progress.answers[index] = Answer(client.RCPT, reply)

            return heard

        return [hears(index) for index in range(len(going.recipients))]

    def _heard(self, said: Reply | Lost, going: _Going, verb: Callable[[Reply, _Going], None]) -> None:
        if isinstance(said, Lost):
            self._lost(going, said)
            return
        self._touch()
        verb(said, going)

    def _reset(self, reply: Reply, going: _Going) -> None:
        if not reply.positive:
            # what it would take now could be part of something else
            self._connection.give_up(f"RSET was answered by {reply.code}")

    def _mail(self, reply: Reply, going: _Going) -> None:
        going.begun = reply.positive
        if not reply.positive:
            going.progress.rest(Answer(client.MAIL, reply))

    def _data(self, reply: Reply, going: _Going) -> None:
        # a peer that has answered the dot before it saw one has done so by the next turn: that is not believed
        self._reactor.callLater(0, self._body, reply, going, self._connection.dot)

    def _body(self, reply: Reply, going: _Going, dot: Deferred[Reply | Lost]) -> None:
        if not self._connection.connected_now:
            going.progress.stage = client.DATA
            self._lost(going, Lost("the connection was lost at DATA"))
            return
        progress = going.progress
        self._asking = None
        if reply.code == 354 and going.begun and not dot.called:
            if progress.open:
                stuffer = Stuffer()
                data = stuffer.chunk(going.content) + stuffer.end()
                progress.stage = client.DOT
            else:
                # RFC 2920 section 3.1: 354 although nobody was accepted; an empty body ends it
                data = b".\r\n"
            self._connection.write(data)
            self._connection.untidy = False
            dot.addCallback(self._heard, going, self._dot)
            self._begin()
            return
        if reply.code == 354 or reply.positive:
            text = "it answered before the end of the message" if going.begun else "354 although MAIL was refused"
            progress.rest(Answer(client.DATA, None, text if reply.code == 354 else "DATA was not answered by 354"))
            self._connection.give_up(text)
            self._finish(going)
            self._unsaid(Lost(text))
            return
        progress.rest(Answer(client.DATA, reply))
        self._finish(going)
        self._begin()

    def _dot(self, reply: Reply, going: _Going) -> None:
        if 300 <= reply.code < 400:
            # RFC 5321 section 4.2.1: 3yz completes nothing, nobody knows what it has taken
            going.progress.rest(Answer(client.DOT, None, f"it answered the final dot by {reply.code}"))
            self._finish(going)
            self._connection.give_up("it asked for more after the final dot")
            return
        clean = going.progress.open and reply.positive
        going.progress.rest(Answer(client.DOT, reply))
        self._finish(going)
        if clean and not self._going:
            self._connection.untidy = False

    def _lost(self, going: _Going, error: Lost) -> None:
        going.progress.rest(Answer(going.progress.stage, None, error.text))
        self._finish(going)
        if self._asking is going:
            self._asking = None
            self._unsaid(error)

    def _unsaid(self, error: Lost) -> None:
        """Those that wait for their turn: not a word of them was said."""
        while self._queue:
            self._lost(self._queue.popleft(), error)

    def _finish(self, going: _Going) -> None:
        if not going.done.called:
            self._going.remove(going)
            if not self._going and self._timer is not None:
                self._timer.cancel()
                self._timer = None
            going.done.callback(going.progress.done())

    def _touch(self) -> None:
        """The next reply is due within the time for its kind; each reply begins it anew, a trickle of octets does
        not."""
        head = self._going[0] if self._going else None
        if head is None:
            return
        patience = self._timeouts.dot if head.progress.stage == client.DOT else self._timeouts.command
        self._deadline = self._reactor.seconds() + patience
        if self._timer is None:
            self._timer = self._reactor.callLater(patience, self._late)

    def _late(self) -> None:
        self._timer = None
        left = self._deadline - self._reactor.seconds()
        if left > 0:
            self._timer = self._reactor.callLater(left, self._late)
        else:
            self._connection.give_up("no reply in time", True)
