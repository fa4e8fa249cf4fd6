"""Conversations: replies, forwards, broken and missing references, subjects of every reply shape.

Written with LF; :mod:`tests.support.awkward` makes CRLF of it.
"""

# ruff: noqa: E501  (a message a line)
from __future__ import annotations


def _told(number: int, subject: bytes, ident: bytes, *more: bytes, day: int = 0) -> bytes:
    date = b"Date: %d Feb 2026 %02d:%02d:00 +0000" % (day or 1 + number // 60, 8 + number % 12, number % 60)
    lines = [b"From: P%d <p%d@x.example>" % (number % 5, number % 5), b"Subject: " + subject, date]
    if ident:
        lines.append(b"Message-ID: <" + ident + b"@t.example>")
    return b"\n".join([*lines, *more]) + b"\n\nno %d\n" % number


def _refers(*idents: bytes) -> bytes:
    return b"References: " + b" ".join(b"<" + one + b"@t.example>" for one in idents)


def _answers(*idents: bytes) -> bytes:
    return b"In-Reply-To: " + b" ".join(b"<" + one + b"@t.example>" for one in idents)


_SUBJECTS: tuple[bytes, ...] = (
    b"plan", b"Re: plan", b"RE: plan", b"re : plan", b"Re[2]: plan", b"Re[2]:plan", b"Fwd: plan", b"Fw: plan", b"FWD: Re: plan",
    b"[list] plan", b"Re: [list] plan", b"[list] Re: plan", b"[list] [x] Re: [y] plan", b"plan (fwd)", b"plan (fwd) (FWD)",
    b"[Fwd: plan]", b"[fwd: Re: plan (fwd)]", b"Re:", b"Re: ", b"[list]", b"[list] ", b"(fwd)", b"Re: [a]", b"[]", b"[] plan",
    b"[a[b] plan", b"Re [x]: plan", b"Re [x] [y]: plan", b"Re: Re: Re: plan", b"AW: plan", b"Antw: plan", b"plan  of   two blanks",
    b"plan\tof two\n blanks", b"=?utf-8?q?Re=3A_plan?=", b"=?utf-8?q?pl=C3=A1n?=", b"Re: =?iso-8859-1?q?pl=E1n?=", b"PLAN",
    "plán".encode(), "PLÁN".encode(), b"[Fwd: plan", b"Fwd: [Fwd: plan]", b"Re: plan: part two", b"Reply: plan",
)  # fmt: skip

MESSAGES: dict[str, bytes] = {
    "thread root": _told(0, b"road", b"a"),
    "thread answer": _told(1, b"Re: road", b"b", _answers(b"a")),
    "thread answer refers": _told(2, b"Re: road", b"c", _refers(b"a", b"b"), _answers(b"b")),
    "thread second answer": _told(3, b"Re: road", b"d", _refers(b"a")),
    "thread missing middle": _told(4, b"Re: road", b"e", _refers(b"a", b"gone", b"gone2")),
    "thread missing root 1": _told(5, b"bridge", b"f", _refers(b"lost")),
    "thread missing root 2": _told(6, b"Re: bridge", b"g", _refers(b"lost")),
    "thread missing root 3": _told(7, b"Re: bridge", b"h", _refers(b"lost", b"lost2")),
    "thread loop 1": _told(8, b"loop", b"l1", _refers(b"l2")),
    "thread loop 2": _told(9, b"Re: loop", b"l2", _refers(b"l1")),
    "thread self": _told(10, b"self", b"s", _refers(b"s")),
    "thread same id 1": _told(11, b"twin", b"w"),
    "thread same id 2": _told(12, b"Re: twin", b"w"),
    "thread same id answer": _told(13, b"Re: twin", b"w3", _refers(b"w")),
    "thread no id": _told(14, b"no id", b""),
    "thread no id answer": _told(15, b"Re: no id", b"n2", _refers(b"a")),
    "thread subject changes": _told(16, b"rivers (was: road)", b"r", _refers(b"a", b"b")),
    "thread by subject 1": _told(17, b"harbour", b"h1"),
    "thread by subject 2": _told(18, b"Re: harbour", b"h2"),
    "thread by subject 3": _told(19, b"Fwd: harbour", b"h3"),
    "thread by subject 4": _told(20, b"harbour", b"h4"),
    "thread answers many": _told(21, b"Re: road", b"m", _answers(b"a", b"f")),
    "thread refers text": _told(22, b"Re: road", b"x1", b"References: your mail <b@t.example> of Monday"),
    "thread refers junk": _told(23, b"Re: road", b"x2", b"References: <b @t.example> <> <@> <nodomain> <c@t.example>"),
    "thread refers folded": _told(
        24, b"Re: road", b"x3", b"References: <a@t.example>\n\t<b@t.example>\n <c@t.example>"
    ),
    "thread refers quoted": _told(25, b"Re: road", b'"q 1"', b'References: <"a"@t.example>'),
    "thread answers quoted": _told(26, b"Re: road", b"x4", b'In-Reply-To: <"q 1"@t.example>'),
    "thread answers text": _told(27, b"Re: road", b"x5", b"In-Reply-To: Message of Monday from P1 <p1@x.example>"),
    "thread refers empty": _told(28, b"Re: road", b"x6", b"References:", _answers(b"c")),
    "thread order 1": _told(29, b"late root", b"o1", day=20),
    "thread order 2": _told(30, b"Re: late root", b"o2", _refers(b"o1"), day=19),
    "thread order 3": _told(31, b"Re: late root", b"o3", _refers(b"o1"), day=18),
    "thread conflict 1": _told(32, b"Re: road", b"k1", _refers(b"f", b"c")),
    "thread conflict 2": _told(33, b"Re: road", b"k2", _refers(b"c", b"f", b"k1")),
    "thread comment refers": _told(34, b"Re: road", b"x7", b"References: (see <c@t.example>) <d@t.example>"),
    "thread missing both": _told(35, b"islands", b"i1", _refers(b"z1", b"z2")),
    "thread missing both 2": _told(36, b"islands", b"i2", _refers(b"z1", b"z3")),
} | {f"subject of thread {at:02}": _told(40 + at, raw, b"subj%d" % at) for at, raw in enumerate(_SUBJECTS)}
