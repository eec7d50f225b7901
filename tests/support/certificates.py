"""A certificate for tests, of an issuer whom nobody knows."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deployments.config.security import Tls

PUBLIC = "speech.example.com"


def made(
    folder: Path,
    name: str = "server",
    password: bytes | None = None,
    *,
    signs_itself_for: str | None = None,
) -> Tls:
    """Make a certificate without its issuer's, as a file of one may be, and its key.

    ``signs_itself_for``: an IP address that it is for instead, without any issuer.
    """
    key, issuer_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    names: x509.GeneralName = x509.DNSName(PUBLIC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, PUBLIC)])
    if signs_itself_for is not None:
        issuer, issuer_key = subject, key
        names = x509.IPAddress(ipaddress.ip_address(signs_itself_for))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([names]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(password) if password else None
    paths = Tls(certificate=str(folder / f"{name}.pem"), key=str(folder / f"{name}.key"))
    Path(paths.certificate).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(paths.key).write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            locked or serialization.NoEncryption(),
        )
    )
    return paths
