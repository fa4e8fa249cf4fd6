"""Random conversations are threaded and sorted, and random sound MIME is read, as Dovecot does it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support import alike, dovecot, responses
from tests.support.responses import Said
from tests.support.side_by_side import pair
from tests.support.sizes import sized

pytestmark = pytest.mark.interop

SUBJECTS = (
    "plan", "road", "[l] plan", "Fwd: plan", "Re: road", "re: plan (fwd)", "x", "", "Re:", "sea", "Re: sea",
    "=?utf-8?q?se=C3=A1?=",
)  # fmt: skip
ORDERS = (
    "THREAD ORDEREDSUBJECT UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD REFERENCES UTF-8 NOT FROM p1",
    "SORT (SUBJECT) UTF-8 ALL", "SORT (DATE) UTF-8 ALL", "SORT (FROM REVERSE DATE) UTF-8 ALL",
)  # fmt: skip


def conversation(chance: random.Random, count: int) -> dict[str, bytes]:
    """Messages that refer to each other and to some that are not there, loops and twins among them."""
    ids = [f"<{number}@t.example>" for number in range(count)]
    known = ids + [f"<gone{number}@t.example>" for number in range(count // 4)]
    out = {}
    for number in range(count):
        hour, minute, zone = chance.randrange(24), chance.randrange(3), chance.choice(("+0000", "-0500", "+0200"))
        lines = [
            f"From: p{chance.randrange(4)}@x.example",
            f"Subject: {chance.choice(SUBJECTS)}",
            f"Date: {chance.randrange(1, 6)} Feb 2026 {hour:02}:{minute:02}:{number % 60:02} {zone}",
        ]
        if chance.random() < 0.9:
            lines.append(f"Message-ID: {ids[number] if chance.random() < 0.95 else chance.choice(ids)}")
        kind = chance.random()
        if kind < 0.5:
            lines.append("References: " + " ".join(chance.choices(known, k=chance.randrange(1, 5))))
        elif kind < 0.75:
            lines.append("In-Reply-To: " + " ".join(chance.choices(known, k=chance.randrange(1, 3))))
        out[str(number)] = "\r\n".join([*lines, "", "x", ""]).encode()
    return out


@pytest.mark.parametrize("seed", range(sized(3, 30)))
def test_random_conversations(tmp_path: Path, seed: int) -> None:
    dovecot.required()
    chance = random.Random(seed)
    with pair(tmp_path, conversation(chance, chance.choice((6, 12, 40)))) as two:
        for command in ORDERS:
            raw = command.encode("ascii")
            assert responses.values(two.ask_ours(raw)) == responses.values(two.ask_theirs(raw)), command
        # of threads whose latest dates are equal either may be first
        ours, theirs = (
            sorted(map(str, responses.values(ask(b"THREAD REFS UTF-8 ALL"))[2:]))
            for ask in (two.ask_ours, two.ask_theirs)
        )
        assert ours == theirs


TYPES = (
    "", "text/plain", "text/html; charset=utf-8", 'text/plain; charset="us-ascii"; format=flowed',
    'image/png; name="a b.png"', "application/x; n*0=a; n*1=b", "message/delivery-status",
    "text/plain; name*=utf-8''%c3%a9",
)  # fmt: skip
FIELDS = {
    "Content-Transfer-Encoding": ("base64", "quoted-printable", "8bit", "7BIT", "binary"),
    "Content-Disposition": ("inline", 'attachment; filename="x y"', "ATTACHMENT; FILENAME=z; size=4"),
    "Content-ID": ("<1@x>", "<2@x>"),
    "Content-Language": ("en", "en, de"),
}
BODIES = ("", "x", "line\r\n", "one\r\ntwo", "--\r\n-- sig\r\n", "\r\n\r\n", "y")
BOUNDARIES = ("b", "bb", "b-", "=_x", "a b", "b:1", "B", "longboundary1234567890")


def part(chance: random.Random, depth: int, whole: bool = True) -> str:
    """Header and body; not ``whole`` ones may not be encoded without a type of their own."""
    kind = chance.random() if depth < 4 else 1.0
    if kind < 0.3:
        boundary, subtype = chance.choice(BOUNDARIES), chance.choice(("mixed", "alternative", "digest", "related"))
        text = chance.choice(("", "pre\r\n", "preamble\r\n\r\n"))
        for _ in range(chance.randrange(1, 4)):
            text += f"--{boundary}\r\n{part(chance, depth + 1, subtype != 'digest')}\r\n"
        if chance.random() < 0.9:
            text += f"--{boundary}--" + chance.choice(("", "\r\n", "\r\nepi", "\r\nepi\r\n"))
        return f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n{text}'
    if kind < 0.45:
        return "Content-Type: message/rfc822\r\n\r\nSubject: in\r\nMIME-Version: 1.0\r\n" + part(chance, depth + 1)
    major = chance.choice(TYPES if whole else TYPES[1:])
    lines = [f"Content-Type: {major}\r\n"] if major else []
    lines += [f"{name}: {chance.choice(some)}\r\n" for name, some in FIELDS.items() if chance.random() < 0.25]
    chance.shuffle(lines)
    return "".join(lines) + "\r\n" + chance.choice(BODIES)


def sizeless(tree: Said) -> Said:
    """Without octets and lines of messages, to which Dovecot counts the line end of a boundary."""
    if not isinstance(tree, list):
        return tree
    if len(tree) > 8 and tree[:2] == [b"message", b"rfc822"]:
        tree = [*tree[:6], *tree[7:9], *tree[10:]]
    return [sizeless(each) for each in tree]


@pytest.mark.parametrize("seed", range(sized(2, 20)))
def test_random_sound_mime(tmp_path: Path, seed: int) -> None:
    dovecot.required()
    chance = random.Random(seed)
    bodies = {str(n): ("From: a@x.example\r\nMIME-Version: 1.0\r\n" + part(chance, 0)).encode() for n in range(150)}
    with pair(tmp_path, bodies) as two:
        ours, theirs = (responses.fetched(ask(b"FETCH 1:* BODYSTRUCTURE")) for ask in (two.ask_ours, two.ask_theirs))
    for number, data in enumerate(bodies.values(), 1):
        found, expected = (alike.structure(each[number]["BODYSTRUCTURE"]) for each in (ours, theirs))
        assert sizeless(found) == sizeless(expected), data
