"""The PROXY header, versions 1 and 2, that a load balancer puts before a connection to name the true peer.

Without I/O. Only for peers under ``proxy-trust``. A header may come in any number of pieces; ``PROXY UNKNOWN`` and
``LOCAL`` name nobody: then the peer is the balancer itself. Writes nothing.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address

from attrs import frozen

_V1 = b"PROXY "
_V1_MAX = 107
_V2 = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_MAX = 4096


class ProxyError(ValueError):
    """What came begins like a header and is none: nothing after it can be believed."""


@frozen
class Proxied:
    """``address`` of the true peer, None when the header names nobody; ``present`` is False when there was no header at
    all. ``rest`` is what follows."""

    address: str | None
    present: bool
    rest: bytes


class ProxyReader:
    """Feed what comes until it is no longer None."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Proxied | None:
        """Raises :class:`ProxyError` on a broken header."""
        self._data += data
        got = self._data
        if got.startswith(_V2):
            return self._version2(got)
        if got.startswith(_V1):
            return self._version1(got)
        if _V1.startswith(got) or _V2.startswith(got):
            return None
        return Proxied(None, False, got)

    def give_up(self) -> Proxied:
        """Nothing more came: whoever connected speaks for itself."""
        return Proxied(None, False, self._data)

    def _version1(self, got: bytes) -> Proxied | None:
        end = got.find(b"\r\n", 0, _V1_MAX)
        if end < 0:
            if len(got) >= _V1_MAX:
                raise ProxyError("header too long")
            return None
        words = got[:end].split(b" ")
        rest = got[end + 2 :]
        if words[1:2] == [b"UNKNOWN"]:
            return Proxied(None, True, rest)
        if len(words) != 6 or not (words[4].isdigit() and words[5].isdigit()):
            raise ProxyError("bad header")
        try:
            text = words[2].decode("ascii")
            if words[1] == b"TCP4":
                return Proxied(str(IPv4Address(text)), True, rest)
            if words[1] == b"TCP6":
                return Proxied(str(IPv6Address(text)), True, rest)
        except (UnicodeDecodeError, AddressValueError):
            raise ProxyError("bad address") from None
        raise ProxyError("unknown protocol")

    def _version2(self, got: bytes) -> Proxied | None:
        if len(got) < 16:
            return None
        command, family = got[12], got[13]
        length = int.from_bytes(got[14:16], "big")
        if command >> 4 != 2 or command & 15 > 1 or length > _V2_MAX:
            raise ProxyError("bad header")
        if len(got) < 16 + length:
            return None
        block, rest = got[16 : 16 + length], got[16 + length :]
        if command & 15 == 0:
            return Proxied(None, True, rest)
        if family == 0x11 and length >= 12:
            return Proxied(str(IPv4Address(block[:4])), True, rest)
        if family == 0x21 and length >= 36:
            return Proxied(str(IPv6Address(block[:16])), True, rest)
        return Proxied(None, True, rest)
