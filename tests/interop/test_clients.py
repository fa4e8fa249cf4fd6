"""Real clients at every door of mail: swaks, smtplib, curl, imaplib. The IMAP clients have days of their own in
``test_client_*``."""

from __future__ import annotations

import email
import imaplib
import shutil
import smtplib
import ssl
import subprocess
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.interop.conftest import DOMAIN
from tests.support import corpus
from tests.support.server import PASSWORD, Server, without_trace
from tests.support.waiting import until

pytestmark = pytest.mark.interop

BEN = f"ben@{DOMAIN}"
CARLA = f"carla@{DOMAIN}"


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(*words: str, stdin: bytes = b"") -> bytes:
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (words, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
    return done.stdout


def appears(server: Server, user: str, mark: str, mailbox: str = "INBOX") -> bytes:
    """The message of ``user`` that holds ``mark``, once it is there."""
    found = until(
        lambda: [m for m in server.shown(user, mailbox) if mark.encode() in m], f"{mark} in {mailbox} of {user}", 10
    )
    assert len(found) == 1
    return found[0]


def letter(subject: str, sender: str = "anna@news.example", to: str = BEN) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content("Hello there\n.\nbye\n")
    return message


@pytest.mark.parametrize("options", [[], ["--tls"], ["--pipeline"], ["--tls", "--pipeline"]], ids=lambda o: "".join(o))
def test_swaks_at_the_smtp_door(server: Server, options: list[str]) -> None:
    needs("swaks")
    mark = "swaks-" + "".join(options).replace("--", "x")
    said = run(
        *("swaks", "--server", "127.0.0.1", "--port", str(server.ports["smtp"]), "--helo", "client.example"),
        *("--from", "anna@news.example", "--to", BEN, "--header", f"Subject: {mark}", *options),
    ).decode()
    assert "250 2.0.0" in said
    message = appears(server, BEN, f"Subject: {mark}")
    assert (b"with ESMTPS" in message.split(b"\r\nDate")[0]) == ("--tls" in options)


@pytest.mark.parametrize("kind", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("door", ["submission", "submissions"])
def test_swaks_submits(server: Server, kind: str, door: str) -> None:
    needs("swaks")
    mark = f"swaks-{kind}-{door}"
    run(
        *("swaks", "--server", "127.0.0.1", "--port", str(server.ports[door]), "--helo", "laptop"),
        *("--from", BEN, "--to", CARLA, "--header", f"Subject: {mark}", "--auth", kind, "--auth-user", BEN),
        *("--auth-password", PASSWORD, "--tls-on-connect" if door == "submissions" else "--tls"),
    )
    assert appears(server, CARLA, f"Subject: {mark}")


def test_smtplib_sends_every_extension(server: Server) -> None:
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=20) as client:
        client.ehlo("client.example")
        offered = set(client.esmtp_features)
        assert {"size", "pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "dsn", "chunking"} <= offered
        assert "starttls" in offered
        assert "auth" not in offered
        client.send_message(letter("smtplib 8bit"), mail_options=["BODY=8BITMIME"])
        client.sendmail(
            "jürgen@bücher.example", [BEN], letter("smtplib utf8").as_bytes(policy=SMTP), ["SMTPUTF8", "BODY=8BITMIME"]
        )
        client.sendmail(
            "",
            [f"BEN+tag@{DOMAIN.upper()}"],
            letter("smtplib null").as_bytes(policy=SMTP),
            rcpt_options=["NOTIFY=NEVER"],
        )
        assert client.verify(BEN)[0] == 252
    for subject in ("smtplib 8bit", "smtplib utf8", "smtplib null"):
        assert appears(server, BEN, f"Subject: {subject}")


def test_smtplib_over_starttls_checks_the_certificate(server: Server) -> None:
    """The certificate that ``init`` made names localhost; trusted by hand, it satisfies a strict client."""
    context = ssl.create_default_context(cafile=str(next(server.certificates.glob("*.pem"))))
    with smtplib.SMTP("localhost", server.ports["submission"], timeout=20) as client:
        client.starttls(context=context)
        client.login(BEN, PASSWORD)
        client.send_message(letter("smtplib starttls", BEN, CARLA))
    assert appears(server, CARLA, "Subject: smtplib starttls")
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=context, timeout=20) as client:
        client.login(BEN.upper(), PASSWORD)
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=context) as client:
        client.login(BEN, PASSWORD)


def test_curl_sends(server: Server, tmp_path: Path) -> None:
    needs("curl")
    sample = corpus.sample(5)
    (tmp_path / "mail").write_bytes(sample.data)
    run(
        *("curl", "-sS", f"smtp://127.0.0.1:{server.ports['smtp']}/client.example", "--mail-from", "anna@news.example"),
        *("--mail-rcpt", CARLA, "--upload-file", str(tmp_path / "mail")),
    )
    assert without_trace(appears(server, CARLA, sample.message_id)) == sample.data


def test_imaplib_goes_through_a_day_of_mail(server: Server) -> None:
    client = server.imap(BEN)
    assert {"IDLE", "UIDPLUS", "MOVE", "NAMESPACE", "LITERAL+", "SPECIAL-USE", "UNSELECT"} <= set(client.capabilities)
    client.create("Day")
    for number in range(5):
        kind, said = client.append(
            "Day", r"(\Seen custom)", imaplib.Time2Internaldate(1.7e9), corpus.sample(number).data
        )
        assert (kind, b"APPENDUID" in said[0]) == ("OK", True)
    assert client.select("Day") == ("OK", [b"5"])
    kind, found = client.search(None, "SUBJECT", "plain", "SEEN")
    assert found == [b"1"]
    kind, found = client.fetch("1:5", "(UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
    bodies = [item[1] for item in found if isinstance(item, tuple)]
    assert bodies == [corpus.sample(number).data for number in range(5)]
    kind, found = client.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<0.10>)")
    assert found[0][1] == b"Subject: Dots 1\r\n\r\n"
    assert found[1][1] == corpus.sample(1).data.split(b"\r\n\r\n", 1)[1][:10]
    client.store("1:2", "+FLAGS", r"(\Deleted \Flagged)")
    assert client.uid("COPY", "2", "Archive")[0] == "OK"
    assert client.uid("MOVE", "3", "Trash")[0] == "OK"
    assert client.expunge()[1][-2:] in ([b"1", b"1"], [b"2", b"1"])
    assert client.search(None, "ALL")[1] == [b"1 2"]
    assert b"(MESSAGES 2 UIDNEXT 6 UNSEEN 0)" in client.status("Day", "(MESSAGES UIDNEXT UNSEEN)")[1][0]
    assert server.shown(BEN, "Archive")[-1] == corpus.sample(1).data
    assert server.shown(BEN, "Trash")[-1] == corpus.sample(2).data
    client.unselect()
    assert client.rename("Day", "Night/Shift")[0] == "OK"
    names = [line.decode() for line in client.list()[1]]
    assert any("Night/Shift" in name for name in names)
    assert client.delete("Night/Shift")[0] == "OK"
    client.logout()


def test_a_submitted_message_gets_what_it_lacks(server: Server) -> None:
    with server.submission(BEN) as client:
        client.sendmail(
            BEN, [CARLA, f"dirk@{DOMAIN}"], b"Subject: bare submission\r\nBcc: dirk@acme.example\r\n\r\nx\r\n"
        )
    message = email.message_from_bytes(appears(server, CARLA, "Subject: bare submission"))
    assert message["Date"]
    assert message["Message-ID"]
    assert message["Bcc"] is None
    assert f"dirk@{DOMAIN}" in {row["recipient"] for row in server.queue()}
