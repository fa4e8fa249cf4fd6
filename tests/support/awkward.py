"""Messages as they should not be, and sound ones of rare shapes: our own bytes in the shapes that public corpora have.

``messages()`` gives them all by name, in one order, each with CRLF line ends but for those of :data:`LINE_ENDS`.
"""

# ruff: noqa: E501  (a message a line)
from __future__ import annotations

from tests.support import awkward_heads, awkward_mime, awkward_threads

LINE_ENDS: dict[str, bytes] = {
    "end bare LF": b"From: a@x.example\nSubject: bare\nDate: Mon, 5 Jan 2026 10:00:00 +0000\n\none\ntwo\n",
    "end mixed": b"From: a@x.example\r\nSubject: mixed\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\none\r\ntwo\n",
    "end LF in parts": b"From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\r\n\r\ntwo\r\n--b--\n",
    "end header only LF": b"\nbody\n",
    "end bare CR": b"From: a@x.example\r\nSubject: a\rb\r\n\r\none\rtwo\r\n\rthree\r\n",
    "end CR CR LF": b"From: a@x.example\r\r\nSubject: twice\r\r\n\r\r\nbody\r\r\n",
}  # fmt: skip
"""Kept as they are by this server; Dovecot gives out every line end as CRLF."""


def messages() -> dict[str, bytes]:
    """Everything but :data:`LINE_ENDS`."""
    out: dict[str, bytes] = {}
    for source in (awkward_heads.MESSAGES, awkward_mime.MESSAGES, awkward_threads.MESSAGES):
        for name, data in source.items():
            assert name not in out, name
            out[name] = data.replace(b"\n", b"\r\n")
    return out
