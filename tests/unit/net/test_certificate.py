"""The self-signed certificate that a fresh installation begins with."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

from cryptography import x509

from stratamail.net import certificate, tls

NOW = 1_750_000_000.0


def test_names_and_dates() -> None:
    made = x509.load_pem_x509_certificate(certificate.make("mx.example", NOW))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert made.not_valid_before_utc.timestamp() < NOW < made.not_valid_after_utc.timestamp()


def test_written_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    path = certificate.ensure(str(folder), "mx.example", NOW)
    assert path == str(folder / "mx.example.pem")
    assert os.stat(path).st_mode & 0o777 == 0o600
    before = Path(path).read_bytes()
    assert certificate.ensure(str(folder), "mx.example", NOW) is None
    assert Path(path).read_bytes() == before
    assert os.listdir(folder) == ["mx.example.pem"]
    assert tls.load(path)[1] == ("mx.example", "localhost")


def test_a_certificate_that_is_there_is_enough(tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text("whatever")
    assert certificate.ensure(str(tmp_path), "mx.example", NOW) is None


def test_a_very_long_host_name() -> None:
    name = ".".join(["a" * 60] * 4)
    made = x509.load_pem_x509_certificate(certificate.make(name, NOW))
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert name in names.get_values_for_type(x509.DNSName)
