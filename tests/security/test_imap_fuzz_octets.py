"""Any octets at all: to the engine and its grammar, as a message, as an encoded part. By hypothesis always; guided by
coverage, with atheris, for a bounded time where that is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratamail.imap.grammar.fetch import ATTRIBUTES
from stratamail.imap.grammar.table import COMMANDS
from tests.security.fuzz_targets import TARGETS
from tests.support.server import ROOT
from tests.support.sizes import sized

SEEDS: dict[str, list[bytes]] = {
    "conversation": [
        b'\x07a LOGIN {3+}\r\nbob "x"\r\nb APPEND x (\\Seen) "07-Feb-1994 21:52:25 -0800" ~{1+}\r\na {1+}\r\nx\r\n',
        b"\x30a IDLE\r\nDONE\r\nb AUTHENTICATE PLAIN\r\nAGI=\r\nc NOOP\r\n",
    ],
    "command": [
        b"UID FETCH 1:*,7 (UID BODY.PEEK[1.2.HEADER.FIELDS (DATE)]<0.5> BINARY[1] PREVIEW (LAZY)) (CHANGEDSINCE 5)",
        b'SEARCH RETURN (MIN SAVE) CHARSET UTF-8 OR NOT (FROM "a") HEADER x {1+}\r\ny $ MODSEQ 5',
        b'LIST (SUBSCRIBED RECURSIVEMATCH) "" ("*" %) RETURN (CHILDREN STATUS (MESSAGES))',
        b"SELECT INBOX (QRESYNC (1 2 1:3 (1 1)))",
        b"SORT (REVERSE DATE) UTF-8 ALL",
        b'STORE 1 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Seen $x)',
        b'ID ("name" NIL)',
    ],
    "message": [
        b'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nA: x\r\n\r\n',
        b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n",
        b"From: =?utf-8?q?x?= (c) <a@b>, g: c@d;\r\nDate: Tue, 1 Jan 2030 00:00:00 +0000\r\nReferences: <a@b>\r\n\r\nx",
    ],
    "transfer": [b"\x03QUJD=\r\nRA==", b"\x02a=3D \r\n=\r\n"],
}  # fmt: skip
WORDS = [
    *COMMANDS, *ATTRIBUTES, "UID ", "{3+}\\x0d\\x0a", "~{1+}\\x0d\\x0a", "BODY.PEEK[", "BINARY.SIZE[", "RETURN (",
    "multipart/mixed", "message/rfc822", "boundary=", "Content-Type: ", "--b", "--b--", "\\x0d\\x0a",
    "base64", "quoted-printable", "=?utf-8?q?", "?=", "&AOk-", "\\\\Seen", "1:*", "<0.5>", "text/html", "<style>",
]  # fmt: skip
PIECES = {
    "conversation": b'a |b |LOGIN |APPEND x |{1}|{2+}|~{0+}|\r\n|\n|xy|"|(|)| |\\|IDLE|DONE|NOOP|{99999999999+}',
    "command": b'UID |FETCH |1:*|,|(|)|[|]|<0.1>|BODY|.PEEK|BINARY|1.|HEADER.FIELDS|"|\\| |SEARCH |OR |NOT |$|*|'
    b"{1+}\r\nx|STORE |FLAGS|SELECT |QRESYNC|LIST |RETURN |SORT |THREAD |&|-|\xff|\0|4294967296",
    "message": b'Content-Type: |multipart/mixed; boundary=|message/rfc822|text/html|b|--b|--b--|\r\n|\n|: |=|"|;|*0*=|'
    b"Content-Transfer-Encoding: |base64|quoted-printable|=?utf-8?b?|?=|<|>|(|)|,|@|From: |QUJD|<!--|\xff|\0",
    "transfer": b"=|\r|\n| |\t|4|1|QUJD|Q|\xff|==",
}


@pytest.mark.parametrize("target", TARGETS)
def test_pieces_in_any_order(target: str) -> None:
    pieces = st.lists(st.sampled_from(PIECES[target].split(b"|")) | st.binary(max_size=3), max_size=60).map(b"".join)

    @settings(max_examples=sized(300, 5_000), deadline=None)
    @given(pieces)
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()


@pytest.mark.parametrize("target", TARGETS)
def test_the_seeds(target: str) -> None:
    for seed in SEEDS[target]:
        TARGETS[target](seed)
        for end in range(len(seed)):
            TARGETS[target](seed[:end])


@pytest.mark.fuzz
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_guided_by_coverage(target: str, tmp_path: Path) -> None:
    """No crash, no input that takes seconds, no growth of memory."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed{number}").write_bytes(seed)
    words = tmp_path / "words"
    words.write_text("".join(f'"{word}"\n' for word in WORDS))
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.security.fuzz_run", target, f"-max_total_time={sized(5, 30)}", "-timeout=10",
            "-rss_limit_mb=600", "-max_len=4096", f"-dict={words}", f"-artifact_prefix={tmp_path}/", str(corpus),
        ],
        cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
