"""Modified UTF-7, the writing of folder names in IMAP and in Maildir++ (RFC 3501 section 5.1.3). Touches no disk."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64

_PLAIN = re.compile(r"[\x20-\x25\x27-\x7e]+|&|[^\x20-\x7e]+")
_CODED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """``name`` in printable ASCII; a lone surrogate is written as it is (it can only come from a file name)."""
    out = []
    for run in _PLAIN.findall(name):
        if run == "&":
            out.append(b"&-")
        elif " " <= run[0] <= "~":
            out.append(run.encode("ascii"))
        else:
            raw = run.encode("utf-16-be", "surrogatepass")
            out.append(b"&" + b2a_base64(raw, newline=False).rstrip(b"=").replace(b"/", b",") + b"-")
    return b"".join(out)


def decode(raw: bytes) -> str:
    """The name; ValueError when ``raw`` is not the one right writing of it (8-bit, superfluous or broken base64)."""

    def plain(match: re.Match[bytes]) -> bytes:
        coded = match.group(1)
        if not coded:
            return b"\0&"
        data = a2b_base64(coded.replace(b",", b"/") + b"=" * (-len(coded) % 4))
        return data.decode("utf-16-be").encode("utf-8")

    if b"\0" in raw:
        raise ValueError("NUL in a mailbox name")
    try:
        name = _CODED.sub(plain, raw).replace(b"\0&", b"&").decode("utf-8")
    except (Error, UnicodeError) as error:
        raise ValueError("not modified UTF-7") from error
    if encode(name) != raw:
        raise ValueError("not modified UTF-7")
    return name
