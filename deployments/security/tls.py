"""Check the certificate of the ingress, and trust it in this machine's own calls."""

from __future__ import annotations

import ssl

from deployments.config.security import Tls
from models.errors import ConfigError


def check(tls: Tls) -> None:
    """Check before the start that HTTPS can be served.

    Raises:
        ConfigError: a file cannot be read, or the two do not belong together.
    """
    for field, path in (("certificate", tls.certificate), ("key", tls.key)):
        try:
            with open(path, "rb"):  # noqa: PTH123 - as OpenSSL opens it
                pass
        except OSError as error:
            raise ConfigError(f"ingress.tls.{field}: {path}: {error.strerror}") from error
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key, _no_password)
    except (ssl.SSLError, ValueError) as error:
        message = f"{tls.certificate} and {tls.key} are no certificate and key in PEM: {error}"
        raise ConfigError(f"ingress.tls: {message}") from error


def own(tls: Tls | None) -> ssl.SSLContext | None:
    """Return what this machine's own calls trust: the server's certificate, at any address."""
    if tls is None:
        return None
    context = ssl.create_default_context(cafile=tls.certificate)
    context.check_hostname = False  # a certificate has a public name, and this asks an address
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the server's own is enough
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody can type its password")
