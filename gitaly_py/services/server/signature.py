"""ServerSignature: the public key of commits that are signed for users (repository.md, part C)."""

from __future__ import annotations

import asyncio

from gitaly_py.pb.server_pb2 import ServerSignatureRequest, ServerSignatureResponse
from gitaly_py.rpc.status import Internal
from gitaly_py.services.app import Call
from gitaly_py.services.server.service import service
from gitaly_py.storage.paths import reason_of

_SSH = b"-----BEGIN OPENSSH"


@service.rpc()
async def server_signature(call: Call, request: ServerSignatureRequest) -> ServerSignatureResponse:
    """The key as authorized_keys has it; nothing where no key is configured."""
    path = call.app.config.git.signing_key
    if not path:
        return ServerSignatureResponse()
    return ServerSignatureResponse(public_key=await asyncio.to_thread(_public_key, path))


def _public_key(path: str) -> bytes:
    """Read each time, since a key may be replaced while the daemon runs."""
    try:
        with open(path, "rb") as file:
            key = file.read()
    except (OSError, ValueError) as error:
        raise Internal(f"failed to parse signing key: open file: open {path}: {reason_of(error)}") from error
    if not key.startswith(_SSH):
        raise Internal("failed to fetch public key: gpg public key not implemented")
    return _authorized(key)


def _authorized(key: bytes) -> bytes:
    # Large, and of no use to a daemon without a key.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        public = serialization.load_ssh_private_key(key, password=None).public_key()
        encoded = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise Internal(f"failed to parse signing key: parse openssh private key: {error}") from error
    return encoded + b"\n"
