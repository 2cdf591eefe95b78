"""Makes one pack with `git pack-objects` (transport.md 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gitaly_py.git.commands import Command
from gitaly_py.git.process import Git, Stderr
from gitaly_py.packs import bitmaps
from gitaly_py.packs.errors import PackFailed
from gitaly_py.packs.flow import Flow
from gitaly_py.packs.packing import Packer
from gitaly_py.packs.request import PackRequest
from gitaly_py.telemetry import fields, metrics

Admit = Callable[[], AbstractAsyncContextManager[object]]
"""Entered around each run of `git pack-objects`, never for a hit; may raise."""

_STATISTICS = b"Total "


class Producer:
    """Makes packs. keep_alive: seconds of silence after which an empty packet is written."""

    def __init__(self, git: Git, keep_alive: float) -> None:
        self._git = git
        self._keep_alive = keep_alive

    async def produce(self, request: PackRequest, command: Command, admit: Admit, flow: Flow) -> None:
        """Writes the pack into `flow`, which is left open.

        Raises PackFailed, what `admit` raises, and what `Git.start` raises.
        """
        packer = Packer(flow, self._keep_alive)
        try:
            with metrics.pack_objects_cache_producers.track_inprogress():
                async with packer.kept_alive(), admit():
                    status = await self._run(request, command, packer)
        finally:
            _report(flow.written, packer.stderr)
        if status:
            raise PackFailed(status, packer.stderr)

    async def _run(self, request: PackRequest, command: Command, packer: Packer) -> int:
        bitmaps.report(request.repository)
        # As upload-pack has it: whoever fetches must not make us fetch.
        env = {"GIT_NO_LAZY_FETCH": "1"}
        run = self._git.start(request.repository, command, stdin=request.stdin, stderr=Stderr.PIPE, env=env)
        async with run as process:
            return await packer.take(process)


def _report(length: int, stderr: bytes) -> None:
    """Books what was made on the call that asked for it first."""
    metrics.pack_objects_generated_bytes.inc(length)
    fields.add("pack_objects_cache.generated_bytes", length)
    start = stderr.find(_STATISTICS)
    if start >= 0:
        text = stderr[start:].partition(b"\n")[0].decode("utf-8", "replace")
        fields.put("pack_objects.compression_statistics", text)
