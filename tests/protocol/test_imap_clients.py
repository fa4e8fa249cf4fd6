"""Real clients against the door on a real socket: imaplib (STARTTLS, implicit TLS), curl, mbsync both ways."""

from __future__ import annotations

import imaplib
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from stratamail.net.certificate import make

USER, PASSWORD = "anna@example.org", "secret"
MESSAGES = [
    f"From: a@x\r\nSubject: number {n}\r\nMessage-ID: <{n}@x>\r\n\r\nbody {n}\r\n".encode() for n in range(1, 4)
]


@frozen
class Doors:
    imap: int
    imaps: int


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    state = tmp_path / "state"
    (state / "tls").mkdir(parents=True)
    (state / "tls" / "localhost.pem").write_bytes(make("localhost", time.time()))
    names = []
    for number, data in enumerate(MESSAGES):
        names.append(str(tmp_path / f"message{number}"))
        Path(names[-1]).write_bytes(data)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.protocol.imap_live", str(state), *names],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Doors(*map(int, process.stdout.readline().split()))
    finally:
        process.stdin.close()
        assert process.wait(20) == 0
        process.stdout.close()


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_imaplib_over_starttls_and_implicit_tls(doors: Doors) -> None:
    with imaplib.IMAP4("127.0.0.1", doors.imap) as plain:
        plain.starttls(trusting())
        plain.login(USER, PASSWORD)
        assert plain.select()[1] == [b"3"]
        assert plain.append("Sent", "\\Seen", None, MESSAGES[0])[0] == "OK"
        large = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 300_000
        assert plain.append("Drafts", "", None, large)[0] == "OK"
        plain.select("Drafts")
        answer = plain.fetch("1", "(BODY[])")[1][0]
        assert isinstance(answer, tuple)
        assert answer[1] == large
    with imaplib.IMAP4_SSL("127.0.0.1", doors.imaps, ssl_context=trusting()) as secure:
        secure.authenticate("PLAIN", lambda _: b"\0" + USER.encode() + b"\0" + PASSWORD.encode())
        secure.select("Sent")
        answer = secure.fetch("1", "(FLAGS BODY.PEEK[])")[1][0]
        assert isinstance(answer, tuple)
        assert answer[1] == MESSAGES[0]
        assert secure.append("Archive", "", None, large)[0] == "OK"
        secure.select("Archive", readonly=True)
        answer = secure.fetch("1", "(RFC822)")[1][0]
        assert isinstance(answer, tuple)
        assert answer[1] == large


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(doors: Doors) -> None:
    def curl(path: str, *more: str) -> bytes:
        url = f"imap://127.0.0.1:{doors.imap}/{path}"
        return subprocess.run(
            ["curl", "-sS", "-m", "20", "-u", f"{USER}:{PASSWORD}", url, *more], check=True, capture_output=True
        ).stdout

    assert curl("INBOX;UID=2") == MESSAGES[1]
    assert curl("INBOX?SUBJECT%20%22number%203%22") == b"* SEARCH 3\r\n"
    assert b"\\Sent" in curl("")


@pytest.mark.skipif(shutil.which("mbsync") is None, reason="mbsync is not installed")
def test_mbsync_both_ways(doors: Doors, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount us\nHost 127.0.0.1\nPort {doors.imap}\nUser {USER}\nPass {PASSWORD}\n"
        "SSLType None\nAuthMechs PLAIN\n\n"
        f"IMAPStore far\nAccount us\n\nMaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n"
        "Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n"
    )

    def sync() -> None:
        subprocess.run(["mbsync", "-q", "-c", str(config), "all"], check=True, timeout=60)

    sync()
    found = sorted(path for folder in ("new", "cur") for path in (local / "INBOX" / folder).iterdir())
    assert [b"body %d" % n in path.read_bytes() for n, path in enumerate(found, 1)] == [True] * 3
    (local / "INBOX" / "new" / "1.mine.here").write_bytes(b"Subject: from here\n\nhello\n")
    base = found[0].name.partition(":2,")[0]
    found[0].rename(local / "INBOX" / "cur" / f"{base}:2,ST")
    sync()
    with imaplib.IMAP4("127.0.0.1", doors.imap) as client:
        client.login(USER, PASSWORD)
        assert client.select()[1] == [b"3"]
        assert client.search(None, "SUBJECT", '"from here"')[1] == [b"3"]
        assert client.search(None, "SUBJECT", '"number 1"')[1] == [b""]
