"""The certificate until there is another."""

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from deploy.make_certificate import CERTIFICATE, KEY, ensure_certificate

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _read(place: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((place / CERTIFICATE).read_bytes())


def test_certificate_is_for_each_host(tmp_path: Path) -> None:
    assert ensure_certificate(tmp_path, ["studio.example.org", "127.0.0.1"], NOW)

    names = _read(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["studio.example.org"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / CERTIFICATE, tmp_path / KEY)
    assert stat.S_IMODE((tmp_path / KEY).stat().st_mode) == 0o600


@pytest.mark.parametrize(("days", "is_renewed"), [(0, False), (334, False), (336, True), (400, True)])
def test_certificate_is_made_anew_only_when_it_ends_soon(tmp_path: Path, days: int, is_renewed: bool) -> None:
    ensure_certificate(tmp_path, ["localhost"], NOW)
    before = _read(tmp_path).serial_number

    assert ensure_certificate(tmp_path, ["localhost"], NOW + timedelta(days=days)) == is_renewed
    assert (_read(tmp_path).serial_number != before) == is_renewed


@pytest.mark.parametrize("name", [CERTIFICATE, KEY])
def test_half_of_a_pair_is_none(tmp_path: Path, name: str) -> None:
    ensure_certificate(tmp_path, ["localhost"], NOW)
    (tmp_path / name).unlink()
    assert ensure_certificate(tmp_path, ["localhost"], NOW)


def test_damaged_certificate_is_replaced(tmp_path: Path) -> None:
    ensure_certificate(tmp_path, ["localhost"], NOW)
    (tmp_path / CERTIFICATE).write_text("cut")
    assert ensure_certificate(tmp_path, ["localhost"], NOW)
