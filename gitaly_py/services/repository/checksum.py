"""CalculateChecksum: a sum over the references, by which Geo compares copies (repository.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha1

from gitaly_py.git.commands import Command
from gitaly_py.pb.repository_pb2 import CalculateChecksumRequest, CalculateChecksumResponse
from gitaly_py.rpc.status import DataLoss, Internal
from gitaly_py.services.app import Call
from gitaly_py.services.repository.service import service

# Other implementations search the whole line, so names such as refs/remotes/origin/HEAD count, too.
_COUNTS = re.compile(rb"HEAD|refs/(?:heads|tags|keep-around|merge-requests|environments|notes)/")
_NAME_AT = 40  # or later: the digits of the id before it can't match
_MAX_LINE = 64 * 1024
_NOTHING = "0" * 40


@service.rpc()
async def calculate_checksum(call: Call, request: CalculateChecksumRequest) -> CalculateChecksumResponse:
    """The sum; 40 zeros when there is nothing to add or git cannot list it.

    Raises DataLoss for what git does not take for a bare repository.
    """
    checksum = 0
    command = Command(name="show-ref", flags=["--head"])
    async with call.app.git.start(call.repository.git, command) as process:
        async for lines in process.batches(b"\n"):
            checksum ^= line_sum(lines)
        status = await process.wait()
    if status != 0 or checksum == 0:
        await _check_repository(call)
        return CalculateChecksumResponse(checksum=_NOTHING)
    return CalculateChecksumResponse(checksum=hexadecimal(checksum))


def line_sum(lines: Iterable[bytes]) -> int:
    """The exclusive or of the SHA-1 sums of the `<oid> <name>` lines that count.

    SHA-1 whatever the repository's object format. Raises Internal for a line of 64 KiB.
    """
    total = 0
    for line in lines:
        if len(line) >= _MAX_LINE:
            raise Internal("reference line too long")
        if _COUNTS.search(line, _NAME_AT):
            total ^= int.from_bytes(sha1(line, usedforsecurity=False).digest(), "big")
    return total


def hexadecimal(checksum: int) -> str:
    """`checksum` in hex digits without leading zero bytes, so always an even number of them."""
    return checksum.to_bytes((checksum.bit_length() + 7) // 8, "big").hex()


async def _check_repository(call: Call) -> None:
    command = Command(name="rev-parse", flags=["--is-bare-repository"])
    found = await call.app.git.run(call.repository.git, command)
    if found.status != 0 or found.stdout.strip() != b"true":
        raise DataLoss(f"not a git repository '{call.repository.path}'")
