"""The people of the story: a reader who waits in IDLE, a writer who answers, and the filter in front of the company.

The filter does what the company's own does: each message goes to the primary, or to us when the primary cannot be had.
"""

from __future__ import annotations

import imaplib
import select
import smtplib
import socket
import threading
import time
from collections.abc import Sequence

from attrs import frozen

PASSWORD = "the harbour is open"


@frozen
class Handed:
    """``by`` is "primary" or "strata"; ``when`` is the monotonic clock at the final 250, ``reply`` its text."""

    by: str
    when: float
    reply: str


def hand_over(
    primary: int, strata: int, sender: str, recipients: Sequence[str], data: bytes, utf8: bool = False
) -> Handed:
    """One message through the filter. Raises ``smtplib.SMTPException`` or ``OSError`` when nobody takes it."""
    last: Exception = OSError("no destination")
    for by, port in (("primary", primary), ("strata", strata)):
        try:
            with smtplib.SMTP("127.0.0.1", port, local_hostname="filter.example", timeout=20) as smtp:
                smtp.ehlo()
                _expect(smtp.mail(sender, ["BODY=8BITMIME"] if _eight_bit(data) else []), 250)
                for recipient in recipients:
                    _expect(smtp.rcpt(recipient), 250)
                code, reply = smtp.data(data)
                _expect((code, reply), 250)
                return Handed(by, time.monotonic(), reply.decode("utf-8", "replace"))
        except (OSError, smtplib.SMTPException) as error:
            last = error
    raise last


def _expect(answer: tuple[int, bytes], code: int) -> None:
    if answer[0] != code:
        raise smtplib.SMTPResponseException(*answer)


def _eight_bit(data: bytes) -> bool:
    return not data.isascii()


class Reader:
    """A mail program that waits in IDLE. ``arrivals`` are the monotonic times of new mail, in order."""

    def __init__(self, port: int, user: str) -> None:
        self.user = user
        self.arrivals: list[float] = []
        self._news = threading.Condition()
        self._imap = imaplib.IMAP4("127.0.0.1", port, timeout=20)
        self._imap.login(user, PASSWORD)
        _, found = self._imap.select("INBOX", readonly=True)
        self._seen = int(str(found[0], "ascii")) if isinstance(found[0], bytes) else 0
        self._socket: socket.socket = self._imap.socket()
        self._socket.sendall(b"idle1 IDLE\r\n")
        self._ending = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        buffer = b""
        while not self._ending:
            ready, _, _ = select.select([self._socket], [], [], 0.2)
            if not ready:
                continue
            try:
                data = self._socket.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\r\n")
            now = time.monotonic()
            for line in lines:
                words = line.split()
                if len(words) == 3 and words[0] == b"*" and words[2] == b"EXISTS":
                    with self._news:
                        count = int(words[1])
                        self.arrivals += [now] * max(0, count - self._seen)
                        self._seen = max(self._seen, count)
                        self._news.notify_all()

    def wait(self, count: int, seconds: float) -> bool:
        """Until ``count`` arrivals have been told; False when they were not in time."""
        with self._news:
            return self._news.wait_for(lambda: len(self.arrivals) >= count, seconds)

    def close(self) -> None:
        self._ending = True
        self._thread.join(2)
        self._socket.close()


def read_all(port: int, user: str, folder: str = "INBOX") -> list[bytes]:
    """Every message of ``folder`` as IMAP gives it, in order of UID; they become seen."""
    imap = imaplib.IMAP4("127.0.0.1", port, timeout=30)
    try:
        imap.login(user, PASSWORD)
        imap.select(folder)
        _, found = imap.uid("FETCH", "1:*", "(BODY[])")
        return [item[1] for item in found if isinstance(item, tuple)]
    finally:
        imap.logout()


def mark_answered(port: int, user: str, message_id: str) -> None:
    """What a mail program does to the message that was answered."""
    with imaplib.IMAP4("127.0.0.1", port, timeout=30) as imap:
        imap.login(user, PASSWORD)
        imap.select("INBOX")
        _, found = imap.uid("SEARCH", "HEADER", "Message-ID", message_id)
        imap.uid("STORE", found[0].decode(), "+FLAGS", "(\\Answered)")


def send(port: int, user: str, recipients: Sequence[str], data: bytes) -> float:
    """Submit ``data`` as ``user`` over STARTTLS; seconds until the 250."""
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, local_hostname="laptop.example", timeout=20) as smtp:
        smtp.starttls()
        smtp.login(user, PASSWORD)
        smtp.sendmail(user, list(recipients), data)
    return time.monotonic() - began
