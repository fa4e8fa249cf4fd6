"""The kinds of primary: what each asks for, and how it is told by name and banner."""

from __future__ import annotations

import pytest

from stratamail.profiles.primaries import AUTO, NAMES, PROFILES, guess, of, profile

KINDS = {"generic", "m365", "google", "exchange", "cpanel", "plesk", "zimbra", "kerio"}


def test_all_kinds_are_there_and_say_what_to_set_up() -> None:
    assert {AUTO, *KINDS} == set(NAMES)
    assert profile("gone") is PROFILES["generic"]
    for one in PROFILES.values():
        assert one.title
        assert one.setup


# lanes, per mailbox and per sender pair a minute, TLS, a word of what to set up
@pytest.mark.parametrize(
    ("name", "lanes", "per_mailbox", "per_pair", "tls", "word"),
    [
        ("m365", 2, 50, 15, "encrypt", "never the public MX"),
        ("google", 2, 30, 0, "encrypt", "gateway IPs"),
        ("exchange", 5, 0, 0, "may", "36 MB"),
        ("cpanel", 2, 0, 0, "may", "Local Mail Exchanger"),
        ("plesk", 2, 0, 0, "may", "greylisting"),
        ("zimbra", 2, 0, 0, "may", "postscreen"),
        ("kerio", 2, 0, 0, "may", "exempt"),
        ("generic", 4, 0, 0, "may", "greylisting"),
    ],
)
def test_starting_values(name: str, lanes: int, per_mailbox: int, per_pair: int, tls: str, word: str) -> None:
    one = PROFILES[name]
    assert (one.lanes, one.per_mailbox, one.per_pair, one.tls) == (lanes, per_mailbox, per_pair, tls)
    assert word in " ".join(one.setup)


def test_a_provider_is_one_service_for_many_domains() -> None:
    assert {one.name for one in PROFILES.values() if one.provider} == {"m365", "google"}


def test_who_may_be_asked_for_recipients() -> None:
    assert {one.name for one in PROFILES.values() if not one.asking} == {"plesk", "kerio"}


@pytest.mark.parametrize(
    ("host", "banner", "name"),
    [
        ("acme-example.mail.protection.outlook.com", "", "m365"),
        ("ACME-example.mail.protection.outlook.com.", "", "m365"),
        ("acme-example.r-v1.mx.microsoft", "", "m365"),
        ("aspmx.l.google.com", "", "google"),
        ("smtp.google.com", "220 mail.acme.example ESMTP Postfix", "google"),
        ("notgoogle.com", "", "generic"),
        ("192.0.2.1", "mx.google.com ESMTP a1-2002 - gsmtp", "google"),
        ("192.0.2.1", "AM0.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Tue", "m365"),
        ("192.0.2.1", "EX01.acme.local Microsoft ESMTP MAIL Service ready at Tue", "exchange"),
        (
            "192.0.2.1",
            (
                "host.example ESMTP Exim 4.98 #2\nWe do not authorize the use of this system to transport unsolicited, "
                "and/or bulk e-mail."
            ),
            "cpanel",
        ),
        ("192.0.2.1", "plesk.acme.example ESMTP Postfix", "plesk"),
        ("192.0.2.1", "zimbra.acme.example ESMTP Postfix", "zimbra"),
        ("192.0.2.1", "mail.acme.example Kerio Connect 10.0.4 ESMTP ready", "kerio"),
        ("mail.acme.example", "mail.acme.example ESMTP Postfix (Debian/GNU)", "generic"),
        ("mail.acme.example", "", "generic"),
    ],
)
def test_told_by_name_and_banner(host: str, banner: str, name: str) -> None:
    assert guess(host, banner) == name
    assert of(AUTO, [host], banner).name == name


def test_what_a_person_has_set_stands() -> None:
    assert of("kerio", ["aspmx.l.google.com"], "gsmtp").name == "kerio"
    assert of(AUTO, ["192.0.2.1", "aspmx.l.google.com"]).name == "google"
    assert of(AUTO, []).name == "generic"
