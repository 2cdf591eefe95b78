"""Detached signatures by OpenPGP keys, of version 4 (RFC 9580), as `gpg --detach-sign` writes them."""

from __future__ import annotations

import base64
import hashlib
import re

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from gitaly_py.git.signing.errors import MalformedSignature
from gitaly_py.git.signing.packets import (
    PUBLIC_KEY,
    PUBLIC_SUBKEY,
    SECRET_KEY,
    SECRET_SUBKEY,
    SIGNATURE,
    Fields,
    packets,
    subpackets,
)
from gitaly_py.git.signing.publickeys import Verify, verifying_part

_BEGIN = re.compile(rb"-----BEGIN PGP (?:SIGNATURE|MESSAGE)-----")
_KEYS = (SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, PUBLIC_SUBKEY)
_HASHES: dict[int, hashes.HashAlgorithm] = {
    8: hashes.SHA256(),
    9: hashes.SHA384(),
    10: hashes.SHA512(),
    11: hashes.SHA224(),
}
_BINARY, _TEXT = 0x00, 0x01
_ISSUER = 16
_LONE_LF = re.compile(rb"(?<!\r)\n")


class OpenPgpKey:
    """An OpenPGP key with its subkeys, of which only the public halves are used."""

    def __init__(self, data: bytes) -> None:
        """data: the file's content, binary.

        Raises ValueError and UnsupportedAlgorithm for what holds no key that verifies.
        """
        parts = [verifying_part(packet.body) for packet in packets(data) if packet.tag in _KEYS]
        self._parts = [part for part in parts if part is not None]
        if not self._parts:
            raise ValueError("no OpenPGP key that can verify")

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """See VerifyingKey."""
        try:
            parsed = _Signature(_dearmoured(signature))
            digest = parsed.digest(text)
        except ValueError as error:
            raise MalformedSignature(str(error)) from error
        return any(
            _is_by(part.verify, parsed, digest)
            for part in self._parts
            if part.algorithm == parsed.algorithm and parsed.issuer in (None, part.id)
        )


class _Signature:
    """A signature packet. issuer: the id of the key that it names, if it does; values: what the key checks.

    Raises ValueError for what is none, or of a kind that we don't know.
    """

    def __init__(self, data: bytes) -> None:
        packet = next(packets(data), None)
        if packet is None or packet.tag != SIGNATURE:
            raise ValueError("no OpenPGP signature")
        fields = Fields(packet.body)
        version, self._kind, self.algorithm, hash_number = (fields.number(1) for _ in range(4))
        if version != 4 or self._kind not in (_BINARY, _TEXT) or hash_number not in _HASHES:
            raise ValueError("unknown kind of OpenPGP signature")
        self.hash = _HASHES[hash_number]
        hashed = fields.take(fields.number(2))
        self._trailer = packet.body[: fields.at]
        unhashed = fields.take(fields.number(2))
        fields.take(2)  # the beginning of the digest
        self._values = fields.rest
        issuers = [part.body for part in (*subpackets(hashed), *subpackets(unhashed)) if part.tag == _ISSUER]
        self.issuer = issuers[0] if issuers else None

    @property
    def values(self) -> Fields:
        """The algorithm's own part of the signature."""
        return Fields(self._values)

    def digest(self, text: bytes) -> bytes:
        """What the key has signed for `text`."""
        signed = _LONE_LF.sub(b"\r\n", text) if self._kind == _TEXT else text
        ended = b"\x04\xff" + len(self._trailer).to_bytes(4)
        return hashlib.new(self.hash.name, signed + self._trailer + ended).digest()


def _is_by(verify: Verify, signature: _Signature, digest: bytes) -> bool:
    try:
        verify(signature.values, digest, signature.hash)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, OverflowError):
        return False
    return True


def _dearmoured(signature: bytes) -> bytes:
    """The bytes within an ASCII armour. Raises ValueError."""
    lines = [line.rstrip() for line in signature.split(b"\n")]
    if not _BEGIN.fullmatch(lines[0]) or b"" not in lines:
        raise ValueError("no armoured OpenPGP signature")
    # Headers end with an empty line; a checksum or the armour's end follows the data.
    data = []
    for line in lines[lines.index(b"") + 1 :]:
        if line.startswith((b"=", b"-")):
            break
        data.append(line)
    return base64.b64decode(b"".join(data))
