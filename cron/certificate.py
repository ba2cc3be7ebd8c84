"""When the gateway's certificate ends, as whoever connects is shown it: one that was renewed and not taken up
yet would look well on the disk.

Registered by the process where CERTIFICATE_ADDRESS is set. It reads a date and trusts nothing.
"""

import socket
import ssl
from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import Final

import structlog
from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

TIMEOUT_SECONDS: Final = 3.0
CACHE_SECONDS: Final = 300.0

log = structlog.get_logger(__name__)


class CertificateCollector(Collector):
    """Shows when the certificate at `address` (HOST:PORT) ends; 0 while there is none to be seen."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._lock = Lock()
        self._look_again_at = float("-inf")
        self._ends_at = 0.0

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._lock:
            if monotonic() >= self._look_again_at:
                self._ends_at = self._look()
                self._look_again_at = monotonic() + (CACHE_SECONDS if self._ends_at else 0.0)
        yield GaugeMetricFamily(
            "billbus_certificate_end_timestamp_seconds",
            "When the gateway's certificate ends; 0: it shows none",
            value=self._ends_at,
        )

    def _look(self) -> float:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # One that nobody trusts ends too, and on some day it did: both are to be told.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection(self._address, TIMEOUT_SECONDS) as connection,
                context.wrap_socket(connection, server_hostname=self._address[0]) as secured,
            ):
                shown = secured.getpeercert(binary_form=True)
        except OSError as error:
            log.warning("the gateway shows no certificate", reason=str(error)[:200])
            return 0.0
        return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp() if shown else 0.0
