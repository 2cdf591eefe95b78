"""Kinds of signatures in commits and tags, told by their first line (commit.md 2, ref-blob.md 4.2)."""

from __future__ import annotations

import enum


class SignatureType(enum.Enum):
    """What made a signature."""

    NONE = "none"
    PGP = "pgp"
    X509 = "x509"
    SSH = "ssh"


_FIRST_LINES = {
    b"-----BEGIN PGP SIGNATURE-----": SignatureType.PGP,
    b"-----BEGIN PGP MESSAGE-----": SignatureType.PGP,
    b"-----BEGIN SIGNED MESSAGE-----": SignatureType.X509,
    b"-----BEGIN SSH SIGNATURE-----": SignatureType.SSH,
}


def signature_type(first_line: bytes) -> SignatureType:
    """The kind of signature that begins with this line, given without its end."""
    return _FIRST_LINES.get(first_line, SignatureType.NONE)
