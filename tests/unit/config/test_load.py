"""The file: what is taken, and that every mistake is named by key, line and cure."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from attrs import asdict

from stratamail.config.load import ConfigError, load, parse
from stratamail.config.settings import GB, MB, Ratio, Server, Settings

HEAD = '[server]\nhostname = "mx.example.net"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, "F")
    return caught.value.problems


def test_defaults_are_the_design_s() -> None:
    found = parse(HEAD)
    assert found == Settings(Server("mx.example.net"))
    assert found.limits.message_size == 150 * MB
    assert found.limits.disk_reserve == 2 * GB
    assert found.probe.quiet_period == 60.0


def test_every_key() -> None:
    found = parse(
        """
        [server]
        hostname = "MX.Example.net"
        state = "/s"
        workers = 2
        user = "strata"
        [listen]
        smtp = ["tcp:25", "tcp6:25"]
        submission = []
        submissions = ["tcp:465"]
        imap = ["tcp:143:interface=127.0.0.1"]
        imaps = []
        http = ["unix:/run/strata.sock"]
        proxy-trust = ["10.0.0.0/8", "2001:db8::1"]
        [tls]
        certificates = "/t"
        [catalog]
        url = "postgresql+psycopg://u@h/d"
        [relay]
        retry-every = "90s"
        smart-host = "smart.example:587"
        resolver = "127.0.0.1"
        [probe]
        every = "500ms"
        open = "2 of 3"
        close = "1 of 1"
        quiet = "1m"
        references = ["ref.example:25"]
        [limits]
        message-size = "10MB"
        recipients = 5
        connections = 6
        connections-per-peer = 7
        disk-reserve = "0.5 GB"
        rate-per-peer = 8
        [alerts]
        tell-users-after = "1h"
        heartbeat = "https://x.example/y"
        [alerts.smtp]
        host = "h"
        [alerts.webhook]
        url = "u"
        """
    )
    assert found.server == Server("mx.example.net", "/s", 2, "strata")
    assert found.listen.smtp == ("tcp:25", "tcp6:25")
    assert found.listen.submission == ()
    assert found.listen.proxy_trust == (ip_network("10.0.0.0/8"), ip_network("2001:db8::1/128"))
    assert (found.relay.retry_every, found.relay.smart_host, found.relay.resolver) == (
        90.0,
        "smart.example:587",
        "127.0.0.1:53",
    )
    assert (found.probe.every, found.probe.open, found.probe.quiet_period) == (0.5, Ratio(2, 3), 60.0)
    assert (found.limits.disk_reserve, found.limits.rate_per_peer) == (GB // 2, 8)
    assert found.alerts.smtp == {"host": "h"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + 'stat = "/x"\n', 3, ['"stat"', "[server]", '"state"']),
        (HEAD + "[limits]\n\nmessagesize = 1\n", 5, ['"messagesize"', '"message-size"']),
        (HEAD + '[probe]\nretry-every = "5m"\n', 4, ['"retry-every"', "[relay]"]),
        (HEAD + "[limit]\nrecipients = 1\n", 3, ["[limit]", "[limits]"]),
        ("limits.recipient = 3\n" + HEAD, 1, ['"recipient"', '"recipients"']),
        ('smart-host = ""\n' + HEAD, 1, ['"smart-host"', "[relay]"]),
        (HEAD + "[relay]\nretry-every = 5\n", 4, ["retry-every", "duration", '"5m"']),
        (HEAD + '[relay]\nretry-every = "0s"\n', 4, ["retry-every"]),
        (HEAD + '[limits]\nrecipients = "many"\n', 4, ["recipients", "whole number"]),
        (HEAD + "[limits]\nrecipients = true\n", 4, ["recipients", "whole number"]),
        (HEAD + "[limits]\nmessage-size = 5\n", 4, ["message-size", '"150MB"']),
        (HEAD + "[limits]\nconnections = 0\n", 4, ["connections", "at least 1"]),
        (HEAD + '[listen]\nsmtp = "tcp:25"\n', 4, ["smtp", "list"]),
        (HEAD + '[listen]\nimap = ["tcp:x"]\n', 4, ["imap", "tcp:x"]),
        (HEAD + '[listen]\nimap = ["tcp:99999"]\n', 4, ["imap", "65535"]),
        (HEAD + '[listen]\nimap = ["tpc:143"]\n', 4, ["imap", "tpc:143"]),
        (HEAD + '[listen]\nproxy-trust = ["10.0.0.1/8"]\n', 4, ["proxy-trust", "10.0.0.1/8"]),
        (HEAD + '[probe]\nopen = "4 of 3"\n', 4, ["open", "N of M"]),
        (HEAD + '[relay]\nsmart-host = "h:x"\n', 4, ["smart-host", "port"]),
        (HEAD + '[alerts]\nheartbeat = "ftp://x"\n', 4, ["heartbeat", "https://"]),
        (HEAD + '[catalog]\nurl = "mysql://x"\n', 4, ["url", "postgresql+psycopg"]),
        ('[server]\nhostname = "not a name"\n', 2, ["hostname", "mx.example.net"]),
        ("[server]\nhostname = 5\n", 2, ["hostname", "quotes"]),
        ("server = 5\n", 1, ["server", "table"]),
        ("[server]\nworkers = 0\n", 1, ["hostname", "missing"]),
        ("", 1, ["hostname", "missing"]),
        (HEAD + "[relay\n", 3, ["TOML"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_cure(text: str, line: int, words: list[str]) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"F:{line}: ")
    for word in words:
        assert word in found[0]


def test_all_mistakes_are_told_at_once_in_order() -> None:
    found = problems(HEAD + 'x = 1\n[limits]\nrecipients = ""\n[y]\n')
    assert [problem.split(":")[1] for problem in found] == ["3", "5", "6"]


def test_two_doors_cannot_have_one_endpoint() -> None:
    found = problems(HEAD + '[listen]\nsmtp = ["tcp:25"]\nimap = ["tcp:25"]\n')
    assert "tcp:25" in found[0]
    assert "smtp" in found[0]
    assert parse(HEAD + '[listen]\nsmtp = ["tcp:0"]\nimap = ["tcp:0"]\n').listen.imap == ("tcp:0",)


@pytest.mark.parametrize(
    ("smtp", "imap", "good"),
    [
        ('"tcp:2500"', '"tcp:2500:interface=127.0.0.1"', False),
        ('"tcp:2500:interface=127.0.0.1"', '"tcp:port=2500:interface=localhost"', False),
        ('"tcp:2500:interface=127.0.0.1"', '"tcp:2500:interface=127.0.0.2"', True),
        ('"tcp:2500"', '"tcp6:2500"', True),
        ('"tcp:2500", "tcp:2500:interface=127.0.0.1"', "", False),
        ('"unix:/a"', '"unix:/b"', True),
        ('"unix:/a"', '"unix:/a"', False),
    ],
)
def test_one_place_can_be_listened_on_once(smtp: str, imap: str, good: bool) -> None:
    text = HEAD + f"[listen]\nsmtp = [{smtp}]\nimap = [{imap}]\n"
    if good:
        assert len(parse(text).listen.imap) == 1
    else:
        found = problems(text)
        assert len(found) == 1
        assert "one port each" in found[0]


def test_an_interface_is_an_address() -> None:
    found = problems(HEAD + '[listen]\nsmtp = ["tcp:25:interface=eth0"]\n')
    assert found[0].startswith("F:4: ")
    assert "interface=127.0.0.1" in found[0]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(HEAD + 'state = "state"\n[tls]\ncertificates = "/abs"\n')
    found = load(str(file))
    assert found.server.state == str(tmp_path / "state")
    assert found.tls.certificates == "/abs"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b'[server]\nhostname = "\xe4"\n')
    with pytest.raises(ConfigError, match="UTF-8"):
        load(str(tmp_path / "latin.toml"))


def test_the_annotated_example_names_every_key_with_its_default() -> None:
    example = Path(__file__).parents[3] / "etc" / "stratamail.toml"
    assert load(str(example)) == Settings(Server("mx.example.net"))
    text = example.read_text("utf-8")
    for table, keys in asdict(Settings(Server("mx.example.net"))).items():
        assert f"[{table}" in text
        for key in (key for key, value in keys.items() if not isinstance(value, dict)):
            assert key.replace("_", "-") in text, f"{table}.{key}"
