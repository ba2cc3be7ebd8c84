"""When the gateway's certificate ends is what whoever connects is shown."""

import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import time

import pytest
from cryptography import x509

from cron.certificate import CertificateCollector
from runtime.ports import free_port
from tests.integration.state_updater.shops import ROOT


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    subprocess.run(
        [sys.executable, "deploy/make_certificate.py", str(tmp_path)], cwd=ROOT, check=True, timeout=60
    )
    return tmp_path / "fullchain.pem"


@pytest.fixture
def gateway(certificate: Path) -> Iterator[str]:
    """Shakes hands with whoever comes, and says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("privkey.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)


def ends_at(collector: CertificateCollector) -> float:
    (family,) = collector.collect()
    (sample,) = family.samples
    assert sample.name == "billbus_certificate_end_timestamp_seconds"
    return sample.value


def test_it_tells_when_what_is_shown_ends_though_nobody_trusts_it(gateway: str, certificate: Path) -> None:
    wanted = x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()
    assert wanted > time()
    assert ends_at(CertificateCollector(gateway)) == wanted


def test_a_gateway_that_is_away_shows_none_and_is_looked_at_again(certificate: Path) -> None:
    port = free_port()
    collector = CertificateCollector(f"127.0.0.1:{port}")
    assert ends_at(collector) == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("privkey.pem"))
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        first = ends_at(collector)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert first > time()
    assert ends_at(collector) == first, "remembered for a while"
