"""What calls ask of the pack cache: a pack, and leave to make it (transport.md 7)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from gitaly_py.interceptors.limits import is_authenticated
from gitaly_py.packs.request import PackRequest
from gitaly_py.services.app import Call


def pack_request(call: Call, args: Iterable[str], stdin: bytes, generation: int) -> PackRequest:
    """A pack of the call's repository; `args` are those of git, see PackRequest."""
    repository = call.repository
    place = f"{repository.storage_name}:{repository.relative_path}"
    return PackRequest(repository.git, place, generation, tuple(args), stdin)


def pack_admission(call: Call, remote_ip: str) -> AbstractAsyncContextManager[object]:
    """What has to be entered to make a pack for `remote_ip`. Raises LimitReached when it is."""
    return call.app.pack_limits.admission(remote_ip, authenticated=is_authenticated(call))
