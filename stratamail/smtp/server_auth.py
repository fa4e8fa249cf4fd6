"""AUTH: PLAIN (RFC 4616) and LOGIN, with or without an initial response (RFC 4954)."""

from __future__ import annotations

import base64
import binascii

from stratamail.mail.reply import Reply
from stratamail.smtp.server_events import Credentials
from stratamail.smtp.server_replies import AUTH_CANCELLED, BAD_BASE64, BAD_CREDENTIALS, BAD_MECHANISM, Refusal

MECHANISMS = ("PLAIN", "LOGIN")
_EMPTY = Reply(334, "", "")
_USERNAME = Reply(334, "", "VXNlcm5hbWU6")
_PASSWORD = Reply(334, "", "UGFzc3dvcmQ6")


def _decode(text: bytes) -> bytes:
    """Base64 without white space; "=" alone is the empty initial response."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(BAD_BASE64) from None


class Exchange:
    """One AUTH command. Each step gives a 334 reply to send or the credentials; a :class:`Refusal` ends it."""

    __slots__ = ("_mechanism", "_user")

    def __init__(self, mechanism: bytes) -> None:
        name = mechanism.upper().decode("ascii", "replace")
        if name not in MECHANISMS:
            raise Refusal(BAD_MECHANISM)
        self._mechanism = name
        self._user: str | None = None

    def begin(self, initial: bytes) -> Reply | Credentials:
        if not initial:
            return _EMPTY if self._mechanism == "PLAIN" else _USERNAME
        return self._step(b"" if initial == b"=" else _decode(initial))

    def line(self, line: bytes) -> Reply | Credentials:
        """A line from the client after a 334."""
        if line == b"*":
            raise Refusal(AUTH_CANCELLED)
        return self._step(_decode(line))

    def _step(self, response: bytes) -> Reply | Credentials:
        try:
            text = response.decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(BAD_CREDENTIALS) from None
        if self._mechanism == "LOGIN":
            if self._user is None:
                self._user = text
                return _PASSWORD
            return Credentials(self._user, text, "LOGIN")
        parts = text.split("\0")
        # RFC 4616: authzid NUL authcid NUL passwd; nobody acts for another here
        if len(parts) != 3 or (parts[0] and parts[0] != parts[1]):
            raise Refusal(BAD_CREDENTIALS if len(parts) == 3 else BAD_BASE64)
        return Credentials(parts[1], parts[2], "PLAIN")
