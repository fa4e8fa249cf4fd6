"""The fixed replies of the SMTP server engine (RFC 5321 section 4.2, RFC 3463, RFC 4954 section 6)."""

from __future__ import annotations

from functools import lru_cache

from stratamail.mail.reply import Failure, Reply

OK = Reply(250, "2.0.0", "Ok")
SENDER_OK = Reply(250, "2.1.0", "Ok")
READY = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
BYE = Reply(221, "2.0.0", "Bye")
GO_TLS = Reply(220, "2.0.0", "Ready to start TLS")
SIGNED_IN = Reply(235, "2.7.0", "Authentication successful")
CANNOT_VERIFY = Reply(252, "2.5.0", "Send some mail, I will try my best")
HELP = Reply(214, "2.0.0", "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS AUTH (RFC 5321)")

UNKNOWN_COMMAND = Reply(500, "5.5.2", "Command not recognised")
BAD_LINE = Reply(500, "5.5.2", "Lines end in CRLF and hold no other control character")
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long")
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented")
BAD_ARGUMENT = Reply(501, "5.5.4", "Syntax error in argument")
BAD_PARAMETER = Reply(501, "5.5.4", "Bad parameter")
UNKNOWN_PARAMETER = Reply(555, "5.5.4", "Parameter not recognised")
HELLO_FIRST = Reply(503, "5.5.1", "Say EHLO first")
NESTED_MAIL = Reply(503, "5.5.1", "A transaction is open already")
NEED_MAIL = Reply(503, "5.5.1", "MAIL first")
NO_RECIPIENTS = Reply(554, "5.5.1", "No valid recipients")
IN_CHUNKS = Reply(503, "5.5.1", "The body has begun with BDAT")
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")
TOO_BIG = Reply(552, "5.3.4", "Message is larger than we take")
TLS_ALREADY = Reply(503, "5.5.1", "TLS is on already")
TLS_INJECTION = Reply(421, "4.7.0", "Commands after STARTTLS in clear; closing")
SIGN_IN_FIRST = Reply(530, "5.7.0", "Authentication required")
SIGNED_IN_ALREADY = Reply(503, "5.5.1", "Authenticated already")
NEED_TLS = Reply(538, "5.7.11", "Start TLS first")
BAD_MECHANISM = Reply(504, "5.5.4", "Mechanism not offered")
AUTH_CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
BAD_BASE64 = Reply(501, "5.5.2", "Cannot decode that")
BAD_CREDENTIALS = Reply(535, "5.7.8", "Authentication failed")
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors; closing")
NOT_HTTP = Reply(421, "4.7.0", "This is not a web server; closing")


@lru_cache(maxsize=512)
def rendered(reply: Reply) -> bytes:
    """A reply's bytes; the long ones of EHLO are rendered once."""
    return reply.render()


class Refusal(Failure):
    """A command that the engine itself refuses."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply, "syntax")
