"""ServerSignature (repository.md, part C)."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest
import pytest_asyncio
from grpc import StatusCode

from gitaly_py.pb.server_pb2 import ServerSignatureRequest
from gitaly_py.pb.server_pb2_grpc import ServerServiceStub
from tests.support.daemon import Daemon
from tests.support.status import refused


@pytest_asyncio.fixture(scope="module")
async def signing(tmp_path_factory: pytest.TempPathFactory, engine: str) -> AsyncIterator[Daemon]:
    """A daemon that signs with the file `key`, which is not there yet."""
    root = tmp_path_factory.mktemp("signing")
    started = Daemon(root, engine=engine, tables=f'[git]\nsigning_key = "{root}/key"\n').start()
    yield started
    await started.close_channel()
    assert started.stop() == 0


@pytest.fixture
def key(signing: Daemon) -> Path:
    """Where its key belongs."""
    path = signing.root / "key"
    path.unlink(missing_ok=True)
    return path


async def public_key(daemon: Daemon) -> bytes:
    return (await daemon.stub(ServerServiceStub).ServerSignature(ServerSignatureRequest())).public_key


def make_key(path: Path, *options: str) -> str:
    """Makes a pair of keys; the public one without its comment."""
    line = ["ssh-keygen", "-q", "-C", "a comment", "-N", "", "-f", str(path), *options]
    subprocess.run(line, check=True, stdin=subprocess.DEVNULL)
    public = path.with_suffix(".pub")
    kind, data, _ = public.read_text().split(" ", 2)
    public.unlink()
    return f"{kind} {data}\n"


async def test_a_daemon_that_does_not_sign_has_no_key(daemon: Daemon) -> None:
    assert await public_key(daemon) == b""


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_the_public_half_of_a_key_comes_as_ssh_writes_it(signing: Daemon, key: Path, kind: str) -> None:
    expected = make_key(key, "-t", kind)

    assert await public_key(signing) == expected.encode()


async def test_a_key_that_was_replaced_is_read_again(signing: Daemon, key: Path) -> None:
    first = make_key(key, "-t", "ed25519")
    assert await public_key(signing) == first.encode()
    key.unlink()
    second = make_key(key, "-t", "ed25519")

    assert await public_key(signing) == second.encode() != first.encode()


async def test_a_missing_key_is_an_error(signing: Daemon, key: Path) -> None:
    text = f"failed to parse signing key: open file: open {key}: no such file or directory"
    async with refused(StatusCode.INTERNAL, text):
        await public_key(signing)


async def test_a_pgp_key_is_not_shown(signing: Daemon, key: Path) -> None:
    key.write_text("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n-----END PGP PRIVATE KEY BLOCK-----\n")

    async with refused(StatusCode.INTERNAL, "failed to fetch public key: gpg public key not implemented"):
        await public_key(signing)


async def test_a_broken_or_locked_key_is_an_error(signing: Daemon, key: Path) -> None:
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnothing\n-----END OPENSSH PRIVATE KEY-----\n")
    await assert_not_parsed(signing)
    key.unlink()
    make_key(key, "-t", "ed25519", "-N", "passphrase")
    await assert_not_parsed(signing)


async def assert_not_parsed(daemon: Daemon) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await public_key(daemon)
    assert raised.value.code() == StatusCode.INTERNAL
    assert (raised.value.details() or "").startswith(
        "failed to parse signing key: parse openssh private key: "
    )
