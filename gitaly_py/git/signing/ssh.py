"""Signatures by SSH keys: the format SSHSIG, as `ssh-keygen -Y sign` writes it (commit.md 3.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from gitaly_py.git.signing.errors import MalformedSignature

_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]*)\n-----END SSH SIGNATURE-----\s*"
)
_MAGIC = b"SSHSIG"
_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {
    b"rsa-sha2-256": hashes.SHA256(),
    b"rsa-sha2-512": hashes.SHA512(),
}
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}

PublicKey = ed25519.Ed25519PublicKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class SshKey:
    """A private SSH key, of which only the public half is used."""

    def __init__(self, data: bytes) -> None:
        """data: the file's content. Raises ValueError and UnsupportedAlgorithm for what is no usable key."""
        try:
            public = load_ssh_private_key(data, password=None).public_key()
        except TypeError as error:
            # It has a passphrase.
            raise ValueError(str(error)) from error
        if not isinstance(public, PublicKey):
            raise ValueError("unsupported kind of SSH key")
        self._public = public

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """See VerifyingKey."""
        envelope = _Envelope(signature)
        signed = envelope.signed(hashlib.sha512(text).digest())
        try:
            self._verify(envelope.algorithm, envelope.signature, signed)
        except (InvalidSignature, MalformedSignature):
            return False
        return True

    def _verify(self, algorithm: bytes, signature: bytes, signed: bytes) -> None:
        key = self._public
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, rsa.RSAPublicKey):
            if algorithm not in _RSA_HASHES:
                raise MalformedSignature(f"unknown algorithm {algorithm!r}")
            key.verify(signature, signed, padding.PKCS1v15(), _RSA_HASHES[algorithm])
        else:
            fields = _Fields(signature)
            r, s = int.from_bytes(fields.string()), int.from_bytes(fields.string())
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(_CURVE_HASHES[key.curve.name]))


class _Envelope:
    """The fields of an armoured signature. Raises MalformedSignature."""

    def __init__(self, armoured: bytes) -> None:
        found = _ARMOUR.fullmatch(armoured)
        if found is None:
            raise MalformedSignature("no SSH signature")
        try:
            blob = base64.b64decode(found[1])
        except binascii.Error as error:
            raise MalformedSignature(str(error)) from error
        if not blob.startswith(_MAGIC):
            raise MalformedSignature("no SSH signature")
        fields = _Fields(blob[len(_MAGIC) :])
        fields.number()  # the version, of which there is one
        fields.string()  # the public key: ours is what counts
        self._namespace = fields.string()
        fields.string()  # reserved
        self._hash = fields.string()
        inner = _Fields(fields.string())
        self.algorithm = inner.string()
        self.signature = inner.string()

    def signed(self, digest: bytes) -> bytes:
        """What the signature is of. Namespace and name of the hash are the signature's own."""
        return _MAGIC + b"".join(map(_string, (self._namespace, b"", self._hash, digest)))


class _Fields:
    """Fields in the encoding of SSH (RFC 4251). Reading beyond the end raises MalformedSignature."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        return int.from_bytes(self._take(4))

    def string(self) -> bytes:
        return self._take(self.number())

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise MalformedSignature("truncated SSH signature")
        self._at += size
        return taken


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
