"""`python deploy/make_certificate.py DIRECTORY`: a certificate that we sign ourselves, if there is none.

Called by the one-shot `certificate` of docker-compose.yml, so that nginx can start before an authority has
signed anything. CERTIFICATE_HOSTS: for which hosts, with commas between. Never replaces a certificate that
still holds for a while.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID_DAYS = 365
RENEWED_DAYS_BEFORE = 30
CERTIFICATE = "fullchain.pem"
KEY = "privkey.pem"


def ensure_certificate(directory: Path, hosts: list[str], now: datetime) -> bool:
    """Makes key and certificate unless those there are good for RENEWED_DAYS_BEFORE more; were they made?"""
    if _expires_at(directory) > now + timedelta(days=RENEWED_DAYS_BEFORE):
        return False
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, hosts, now)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(directory / KEY, pem, 0o600)
    _write(directory / CERTIFICATE, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return True


def _sign(key: ec.EllipticCurvePrivateKey, hosts: list[str], now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_name_of(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _expires_at(directory: Path) -> datetime:
    """Of the certificate there; long ago when there is none, or no key."""
    if not (directory / KEY).exists():
        return datetime.min.replace(tzinfo=UTC)
    try:
        pem = (directory / CERTIFICATE).read_bytes()
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc
    except (FileNotFoundError, ValueError):
        return datetime.min.replace(tzinfo=UTC)


def _write(path: Path, content: bytes, mode: int) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    unfinished.replace(path)


def main(words: list[str]) -> None:
    if len(words) != 1:
        raise SystemExit("usage: python deploy/make_certificate.py DIRECTORY")
    hosts = [
        host.strip() for host in os.environ.get("CERTIFICATE_HOSTS", "localhost").split(",") if host.strip()
    ]
    if not hosts:
        raise SystemExit("billbus: CERTIFICATE_HOSTS names no host")
    made = ensure_certificate(Path(words[0]), hosts, datetime.now(UTC))
    sys.stdout.write(f"certificate for {', '.join(hosts)}: {'made' if made else 'there already'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
