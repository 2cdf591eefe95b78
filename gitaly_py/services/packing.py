"""What calls ask of the pack cache: a pack, and leave to make it (transport.md 7)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Final

from gitaly_py.packs.request import PackRequest
from gitaly_py.services.app import Call

_LIMIT_UNAUTHENTICATED: Final = "gitaly-feature-limit-unauthenticated"


def pack_request(call: Call, args: Iterable[str], stdin: bytes, generation: int) -> PackRequest:
    """A pack of the call's repository; `args` are those of git, see PackRequest."""
    repository = call.repository
    place = f"{repository.storage_name}:{repository.relative_path}"
    return PackRequest(repository.git, place, generation, tuple(args), stdin)


def pack_admission(call: Call, remote_ip: str) -> AbstractAsyncContextManager[object]:
    """What has to be entered to make a pack for `remote_ip`. Raises LimitReached when it is.

    A user has signed in who comes with a name, be it an empty one (daemon.md 3).
    """
    metadata = call.metadata
    told_apart = metadata.first(_LIMIT_UNAUTHENTICATED, "true") == "true"
    authenticated = bool(metadata.all("username")) or not told_apart
    return call.app.pack_limits.admission(remote_ip, authenticated=authenticated)
