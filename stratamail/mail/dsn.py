"""A delivery status notification: the report to a sender whose mail is given back (RFC 3461, RFC 3464). Pure.

The report quotes the header of the message only: enough to know it by, and nothing that a forged sender did not write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import formatdate

from attrs import frozen

_STATUS = re.compile(r"\b([45]\.\d{1,3}\.\d{1,3})\b")
_MOST_HEADER = 32 * 1024


@frozen
class Failed:
    """One recipient: ``reply`` is what its server said, or our reason."""

    recipient: str
    reply: str
    orcpt: str = ""

    @property
    def status(self) -> str:
        found = _STATUS.search(self.reply)
        return found[1] if found is not None else "5.0.0"


def build(
    *,
    id: str,
    hostname: str,
    sender: str,
    failed: Sequence[Failed],
    header: bytes,
    now: float,
    arrived: float,
    envid: str = "",
) -> bytes:
    """The whole message, CRLF ended, from MAILER-DAEMON to ``sender``. ``id`` makes its Message-ID; ``header`` is the
    original's header block; ``now`` and ``arrived`` seconds since the epoch."""
    utf8 = any(not text.isascii() for text in (sender, *(one.recipient for one in failed)))
    boundary = f"=_{id}_report"
    lines = [
        f"Date: {formatdate(now, localtime=False)}",
        f"From: Mail Delivery System <MAILER-DAEMON@{hostname}>",
        f"To: <{sender}>",
        "Subject: Undelivered mail returned to its sender",
        f"Message-ID: <{id}.report@{hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        f"This is the mail system at {hostname}.",
        "",
        "Your message could not be delivered to:",
        "",
    ]
    for one in failed:
        lines += [f"  <{one.recipient}>", f"    {_line(one.reply)}", ""]
    lines += [
        f"--{boundary}",
        f"Content-Type: message/{'global-' if utf8 else ''}delivery-status",
        *(["Content-Transfer-Encoding: 8bit"] if utf8 else []),
        "",
        f"Reporting-MTA: dns; {hostname}",
        *([f"Original-Envelope-Id: {envid}"] if envid else []),
        f"Arrival-Date: {formatdate(arrived, localtime=False)}",
        "",
    ]
    for one in failed:
        kind = "utf-8" if not one.recipient.isascii() else "rfc822"
        lines += [
            *([f"Original-Recipient: {one.orcpt}"] if one.orcpt else []),
            f"Final-Recipient: {kind}; {one.recipient}",
            "Action: failed",
            f"Status: {one.status}",
            f"Diagnostic-Code: smtp; {_line(one.reply)}",
            "",
        ]
    lines += [
        f"--{boundary}",
        f"Content-Type: {'message/global-headers' if utf8 else 'text/rfc822-headers'}",
        "Content-Transfer-Encoding: 8bit",
        "",
    ]
    head = "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n"
    return head + _quoted(header) + b"\r\n" + f"--{boundary}--\r\n".encode()


def _line(text: str) -> str:
    return " ".join(text.split())[:900]


def _quoted(header: bytes) -> bytes:
    """The header with clean line ends, cut at a line when it is very long."""
    block = re.sub(rb"\r\n|\r|\n", b"\r\n", header[:_MOST_HEADER].replace(b"\0", b""))
    if len(header) > _MOST_HEADER:
        block = block[: block.rfind(b"\r\n") + 2]
    return block.rstrip(b"\r\n") + b"\r\n"
