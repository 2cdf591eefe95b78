"""Public keys in OpenPGP packets, by their algorithms (RFC 9580, 5.5.5 and 5.2.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from gitaly_py.git.signing.packets import Fields

Verify = Callable[[Fields, bytes, hashes.HashAlgorithm], None]
"""Checks the algorithm's part of a signature of a digest made with that hash. Raises InvalidSignature,
Truncated, and other ValueErrors for numbers that are impossible."""

_CURVES: dict[bytes, ec.EllipticCurve] = {
    bytes.fromhex("2a8648ce3d030107"): ec.SECP256R1(),
    bytes.fromhex("2b81040022"): ec.SECP384R1(),
    bytes.fromhex("2b81040023"): ec.SECP521R1(),
}
_ED25519_CURVE = bytes.fromhex("2b06010401da470f01")
_POINT_PREFIX = 0x40
"""Says that a native point of the curve follows."""


@dataclass(frozen=True, slots=True)
class VerifyingPart:
    """A key that verifies. id: the eight bytes that signatures name it by."""

    id: bytes
    algorithm: int
    verify: Verify


def verifying_part(body: bytes) -> VerifyingPart | None:
    """The key in a key packet, secret or public; None for one that we can't verify with.

    Raises Truncated, and other ValueErrors for numbers that are impossible.
    """
    fields = Fields(body)
    if fields.number(1) != 4:
        return None
    fields.take(4)  # when it was made
    algorithm = fields.number(1)
    if algorithm not in _READERS:
        return None
    verify = _READERS[algorithm](fields)
    if verify is None:
        return None
    public = body[: fields.at]
    fingerprint = hashlib.sha1(b"\x99" + len(public).to_bytes(2) + public).digest()
    return VerifyingPart(fingerprint[-8:], algorithm, verify)


def _rsa(fields: Fields) -> Verify:
    modulus, exponent = fields.integer(), fields.integer()
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    def verify(signature: Fields, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
        encoded = signature.integer().to_bytes((key.key_size + 7) // 8)
        key.verify(encoded, digest, padding.PKCS1v15(), Prehashed(algorithm))

    return verify


def _dsa(fields: Fields) -> Verify:
    p, q, g, y = (fields.integer() for _ in range(4))
    key = dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key()

    def verify(signature: Fields, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
        key.verify(_two_numbers(signature), digest, Prehashed(algorithm))

    return verify


def _ecdsa(fields: Fields) -> Verify | None:
    curve = _CURVES.get(fields.take(fields.number(1)))
    point = fields.integer_bytes()
    if curve is None:
        return None
    key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)

    def verify(signature: Fields, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
        key.verify(_two_numbers(signature), digest, ec.ECDSA(Prehashed(algorithm)))

    return verify


def _legacy_eddsa(fields: Fields) -> Verify | None:
    curve = fields.take(fields.number(1))
    point = fields.integer_bytes()
    if curve != _ED25519_CURVE or point[:1] != bytes([_POINT_PREFIX]):
        return None
    key = ed25519.Ed25519PublicKey.from_public_bytes(point[1:])

    def verify(signature: Fields, digest: bytes, _: hashes.HashAlgorithm) -> None:
        key.verify(b"".join(signature.integer().to_bytes(32) for _ in range(2)), digest)

    return verify


def _ed25519(fields: Fields) -> Verify:
    key = ed25519.Ed25519PublicKey.from_public_bytes(fields.take(32))
    return lambda signature, digest, _: key.verify(signature.take(64), digest)


def _ed448(fields: Fields) -> Verify:
    key = ed448.Ed448PublicKey.from_public_bytes(fields.take(57))
    return lambda signature, digest, _: key.verify(signature.take(114), digest)


def _two_numbers(signature: Fields) -> bytes:
    return encode_dss_signature(signature.integer(), signature.integer())


_READERS: dict[int, Callable[[Fields], Verify | None]] = {
    1: _rsa,
    3: _rsa,
    17: _dsa,
    19: _ecdsa,
    22: _legacy_eddsa,
    27: _ed25519,
    28: _ed448,
}
