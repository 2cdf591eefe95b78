"""Signing keys as files, and the question whether one of them made a signature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from gitaly_py.git.signing.errors import KeyUnreadable, KeyUnusable, MalformedSignature

_SSH = b"-----BEGIN OPENSSH"


class VerifyingKey(Protocol):
    """A key as far as it verifies."""

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Whether this key made `signature`, as commits carry it, of `text`. Raises MalformedSignature."""
        ...


def load_keys(paths: Iterable[str]) -> list[VerifyingKey]:
    """The keys in these files: private SSH keys, or else binary OpenPGP keys.

    Raises KeyUnreadable, KeyUnusable.
    """
    return [_loaded(path) for path in paths]


def is_signed_by(keys: Sequence[VerifyingKey], signature: bytes, text: bytes) -> bool:
    """Whether one of the keys made the signature; none made one that can't be read."""
    return any(_verifies(key, signature, text) for key in keys)


def _verifies(key: VerifyingKey, signature: bytes, text: bytes) -> bool:
    try:
        return key.verifies(signature, text)
    except MalformedSignature:
        return False


def _loaded(path: str) -> VerifyingKey:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise KeyUnreadable(path, error) from error
    try:
        return _parsed(data)
    except ValueError as error:
        raise KeyUnusable(path, str(error)) from error


@lru_cache(maxsize=16)
def _parsed(data: bytes) -> VerifyingKey:
    """The key in a file; kept, since checking a private key takes long. Raises ValueError."""
    # Large, and of no use to a daemon without a key.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    from gitaly_py.git.signing.openpgp import OpenPgpKey  # noqa: PLC0415
    from gitaly_py.git.signing.ssh import SshKey  # noqa: PLC0415

    try:
        return SshKey(data) if data.startswith(_SSH) else OpenPgpKey(data)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
