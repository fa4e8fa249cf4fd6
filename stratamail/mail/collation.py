"""The comparator i;unicode-casemap (RFC 5051): texts that differ in case or in the writing of accents become equal.

SEARCH, SORT and THREAD compare what :func:`casemap` gives (RFC 5255 section 4.2, I18NLEVEL=1). A text that is part of
another stays part of it, since every character is mapped by itself. Touches no disk.
"""

from __future__ import annotations

import unicodedata

_AT_ONCE = 16_384
"""Characters mapped in one call: no other thread runs meanwhile."""
_REMEMBERED = 20_000
_HANGUL = range(0xAC00, 0xD7A4)


def casemap(text: str) -> str:
    """``text`` titlecased and decomposed, character by character (RFC 5051 section 2): "Grüße" gives "GRU\\u0308ßE".
    Code points compare as their UTF-8 does."""
    if text.isascii():
        return text.upper()
    if len(text) <= _AT_ONCE:
        return text.translate(_table)
    return "".join([text[i : i + _AT_ONCE].translate(_table) for i in range(0, len(text), _AT_ONCE)])


class _Table(dict[int, str]):
    """What each code point becomes; filled as they are met."""

    def __missing__(self, point: int) -> str:
        mapped = _mapped(chr(point))
        if len(self) < _REMEMBERED:
            self[point] = mapped
        return mapped


def _mapped(char: str) -> str:
    """Steps (a) and (b) until nothing changes: the titlecase property, then the decomposition property of any type. The
    properties are those of UnicodeData.txt: no special casing (ß stays), no arithmetic of Hangul syllables."""
    title = char.title()
    if len(title) == 1:
        char = title
    if ord(char) in _HANGUL:
        return char
    parts = [part for part in unicodedata.decomposition(char).split() if not part.startswith("<")]
    return "".join(_mapped(chr(int(part, 16))) for part in parts) if parts else char


_table = _Table()
