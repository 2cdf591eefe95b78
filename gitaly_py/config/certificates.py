"""Whether certificate and key of `[tls]` belong together; apart, since cryptography is slow to import."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gitaly_py.config.tls import Tls


def pair_fault(tls: Tls) -> tuple[str, str] | None:
    """The key of `[tls]` whose value does not do, and why; None when the pair can be used. Raises OSError."""
    key_field = "key" if tls.key else "key_path"
    try:
        certificate = x509.load_pem_x509_certificates(_read(tls.certificate_path))[0]
    except ValueError:
        return "certificate_path", "not a certificate in PEM form"
    try:
        private_key = load_pem_private_key(
            tls.key.encode() if tls.key else _read(tls.key_path), password=None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return key_field, "not an unencrypted private key in PEM form"
    if _encoded(private_key.public_key()) != _encoded(certificate.public_key()):
        return key_field, "private key does not match the certificate"
    return None


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _encoded(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
