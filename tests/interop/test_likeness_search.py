"""SEARCH over some four hundred awkward messages finds what Dovecot finds, but for the messages that are listed in
:mod:`tests.support.accepted` with the sentence that says we are right."""

# ruff: noqa: E501  (programs)
from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support import accepted, awkward, dovecot
from tests.support.side_by_side import Pair, pair

pytestmark = pytest.mark.interop

FLAGS = {
    "thread root": "\\Seen \\Answered",
    "to group": "\\Flagged $Label1",
    "calendar": "\\Deleted",
    "nothing": "\\Draft \\Seen",
}
FLAGGED = """
ALL SEEN UNSEEN ANSWERED UNANSWERED FLAGGED UNFLAGGED DELETED UNDELETED DRAFT UNDRAFT NEW OLD RECENT
KEYWORD $Label1|UNKEYWORD $Label1|1:10|1,5,400:500|*|*:400|UID 1:10|UID 400:*|UID 9999:*|NOT 1:300|OR SEEN FLAGGED
OR (SEEN ANSWERED) (NOT SEEN DELETED)|NOT (SEEN)|(ALL)|LARGER 5000|SMALLER 50|LARGER 0|SMALLER 0|LARGER 4294967295
BEFORE 1-Jan-2024|ON 1-Dec-2023|SINCE 1-Mar-2024|BEFORE 14-Nov-2023|SINCE 14-Nov-2023 BEFORE 15-Nov-2023|OLDER 1|YOUNGER 1
SINCE "1-Mar-2024"|ON 01-Dec-2023|NOT NOT SEEN|NOT (NOT SEEN)|1:* SEEN|413:415
"""
SENT = """
SENTBEFORE 1-Jan-2026|SENTON 5-Jan-2026|SENTON 6-Jan-2026|SENTON 4-Jan-2026|SENTSINCE 1-Feb-2026|SENTSINCE 1-Jan-2030
SENTBEFORE 1-Jan-1990|SENTON "5-Jan-2026"|NOT SENTSINCE 1-Feb-2026
"""
HEADERS = """
FROM anna|FROM "Anna Berg"|FROM anna@x.example|FROM "<anna@x"|FROM ANNA|FROM v1@gra|FROM "MAILER-DAEMON"|FROM MISSING|FROM ""
TO ""|TO friends|TO "b@x.example"|TO undisclosed|TO "Friends: b"|TO "C D"|TO "r1.example"|TO "Person 77"|TO first
TO "Ann Berg"|CC d@x|BCC b@x|CC ""|BCC ""|SUBJECT plan|SUBJECT "re: plan"|SUBJECT "two blanks"|SUBJECT "plan of"
SUBJECT "one two"|SUBJECT "two three"|SUBJECT ""|SUBJECT "caf"|SUBJECT "a b c"|SUBJECT mime|SUBJECT "=?utf"|SUBJECT "utf-8"
SUBJECT "hello"|SUBJECT "say \\"hello\\" \\\\"|SUBJECT wwwwwwwwww|SUBJECT "word word word"|SUBJECT "grüße"|SUBJECT "GRÜSSE"
SUBJECT "grüße"|SUBJECT "grü"|SUBJECT "é"|SUBJECT "éé"|SUBJECT "日本"|SUBJECT "при"|SUBJECT "😀"|TO "zoë"|TO "zörn"|TO "andré"
SUBJECT "straße"|SUBJECT strasse|SUBJECT fin|HEADER Subject plan|HEADER subject ""|HEADER X-Huge hhhh|HEADER X-Huge ""
HEADER X-5 5|HEADER X-1999 ""|HEADER Message-ID t.example|HEADER Message-ID "<a@t.example>"|HEADER References ""
HEADER References "b@t"|HEADER In-Reply-To ""|HEADER Content-Type multipart|HEADER Content-Type ""|HEADER MIME-Version 2.0
HEADER Date 2026|HEADER Date ""|HEADER Received ""|HEADER From ""|HEADER Resent-To t@x|HEADER X-Nope ""|HEADER Sender ""
HEADER Content-Disposition ""|HEADER Reply-To t@x|HEADER Subject "two three"|HEADER From "ann berg"|NOT FROM x.example
OR FROM anna TO b@x|OR SUBJECT plan FROM p3|NOT SUBJECT plan|(1:20 (UNSEEN)) SUBJECT plan|FROM p1 SUBJECT road SEEN
"""
CONTENT = """
BODY innermost|BODY one|BODY two|BODY "no 12"|BODY hello|BODY PGI+|BODY "<b>"|BODY signed|BODY preamble|BODY epi|BODY pre
BODY invite|BODY VCALENDAR|BODY abuse|BODY bounce|BODY original|BODY Undelivered|BODY "Final-Recipient"|BODY text/html
BODY Content-Type|BODY begin|BODY lllllllllllllllll|BODY "grüße"|BODY junk|BODY soft|BODY end|BODY "see =E9"|BODY iQE=
BODY R0lG|BODY MIIB|BODY ""|BODY style|BODY more|BODY amp|BODY DOCTYPE|BODY just|BODY dash|BODY "first half"|BODY GET
BODY d1|BODY "Subject: d1"|BODY in|BODY x|BODY "a b"|BODY flows|BODY "a line flows"|BODY "From here"|BODY "ä"|BODY "é"
TEXT plan|TEXT hello|TEXT anna@x|TEXT "Subject:"|TEXT "subject: plan"|TEXT Content-Type|TEXT multipart/mixed|TEXT innermost
TEXT x.example|TEXT ""|TEXT nowhere-to-be-found|TEXT utf-8|TEXT mime|TEXT "grüße"|TEXT "é"|TEXT "x-mac"|TEXT signature
TEXT "OpenPGP digital"|TEXT "a pic"|TEXT boundary|NOT TEXT a|OR BODY one BODY two|TEXT "two three"|BODY nowhere TEXT plan
"""
REFUSED = """
0|FROM|SUBJECT plan NOT|()|OR SEEN|KEYWORD|UID x|SENTON yesterday|LARGER x|BEFORE 31-Foo-2026|CHARSET|HEADER Subject|1:x
"""


def programs(lines: str) -> list[str]:
    first, *more = lines.strip().split("\n")
    return [*(first.split("|") if "|" in first else first.split()), *(one for line in more for one in line.split("|"))]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    dovecot.required()
    with pair(tmp_path_factory.mktemp("state"), awkward.messages()) as both:
        for name, flags in FLAGS.items():
            command = f"STORE {both.names.index(name) + 1} +FLAGS.SILENT ({flags})".encode("ascii")
            both.ask_ours(command)
            both.ask_theirs(command)
        yield both


def differing(two: Pair, program: str) -> set[str]:
    """The messages that one of the two finds and the other does not."""
    command = b"SEARCH CHARSET UTF-8 " + program.encode("utf-8")
    ours, theirs = (set(answer.split()[2:]) for answer in (two.ask_ours(command), two.ask_theirs(command)))
    return {two.names[int(number) - 1] for number in ours ^ theirs}


def check(two: Pair, lines: str, allowed: dict[str, str]) -> None:
    """Nothing differs but what is accepted, and what is accepted does differ somewhere."""
    found = {program: differing(two, program) for program in programs(lines)}
    unknown = {program: names - set(allowed) for program, names in found.items() if names - set(allowed)}
    assert unknown == {}
    assert sorted(set(allowed).difference(*found.values())) == []


def test_there_are_many_programs() -> None:
    assert sum(len(programs(lines)) for lines in (FLAGGED, SENT, HEADERS, CONTENT)) >= 60


def test_flags_numbers_sizes_and_arrival(two: Pair) -> None:
    check(two, FLAGGED, {})


def test_days_of_sending(two: Pair) -> None:
    check(two, SENT, accepted.SEARCH_SENT)


def test_fields(two: Pair) -> None:
    check(two, HEADERS, accepted.SEARCH_HEADERS)


def test_texts(two: Pair) -> None:
    check(two, CONTENT, accepted.SEARCH_CONTENT)


@pytest.mark.parametrize("program", programs(REFUSED))
def test_what_is_no_program(two: Pair, program: str) -> None:
    command = b"SEARCH " + program.encode("ascii")
    _, tagged = two.ours.do(command)
    assert tagged.startswith(b"BAD")
    assert two.theirs.tagged(command)[-1].startswith(b"t1 BAD")


def test_a_charset_that_nobody_knows(two: Pair) -> None:
    command = b"SEARCH CHARSET X-NOPE SUBJECT plan"
    _, tagged = two.ours.do(command)
    assert tagged.startswith(b"NO [BADCHARSET")
    assert two.theirs.tagged(command)[-1].startswith(b"t1 NO [BADCHARSET")


@pytest.mark.parametrize(
    "commands",
    [
        ["UID SEARCH 1:5", "UID SEARCH 100000", "UID SEARCH UID 100000"],
        ["SEARCH RETURN () SUBJECT plan", "SEARCH RETURN (MIN) SUBJECT plan", "SEARCH RETURN (MAX) SUBJECT plan"],
        ["SEARCH RETURN (MIN MAX COUNT) SUBJECT plan", "SEARCH RETURN (ALL) NOT SUBJECT plan"],
        ["SEARCH RETURN (COUNT) SUBJECT nowhere", "SEARCH RETURN (MIN) SUBJECT nowhere", "SEARCH RETURN () SUBJECT nowhere"],
        ["UID SEARCH RETURN (ALL COUNT) SEEN", "UID SEARCH RETURN (MAX MIN) SUBJECT road"],
        ["SEARCH RETURN (SAVE) SUBJECT plan", "SEARCH $ SEEN", "SEARCH $", "UID SEARCH NOT $ SUBJECT road"],
        ["SEARCH RETURN (SAVE MIN) SUBJECT road", "SEARCH $", "UID SEARCH $"],
        ["SEARCH RETURN (SAVE MIN MAX) SUBJECT road", "SEARCH $", "UID SEARCH UID $"],
        ["SEARCH RETURN (SAVE COUNT) SUBJECT road", "SEARCH $", "SEARCH OR $ SEEN"],
        ["SEARCH RETURN (SAVE) SUBJECT nowhere", "SEARCH $", "FETCH $ UID"],
        ["SEARCH CHARSET ISO-8859-1 SUBJECT road", "SEARCH CHARSET US-ASCII SUBJECT road"],
    ],
)  # fmt: skip
def test_results_in_every_form(two: Pair, commands: list[str]) -> None:
    for command in commands:
        raw = command.encode("ascii")
        ours, theirs = (re.sub(rb'TAG "t\d+"', b"TAG", answer) for answer in (two.ask_ours(raw), two.ask_theirs(raw)))
        assert ours == theirs, command
