"""What to answer to a fetch, up to the pack: from memory, or from an upload-pack that is ended there."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Hashable
from contextlib import aclosing
from typing import Any, Final

from gitaly_py.git.process import Process, Stderr
from gitaly_py.git.reading.stamps import stamp
from gitaly_py.git.wire.fetch_request import FetchRequest
from gitaly_py.git.wire.objects import SHA1
from gitaly_py.packs.advertising.configuration import is_default
from gitaly_py.packs.foreseeing import PREFIX, foreseen
from gitaly_py.packs.plans import MAX_PLAN_BYTES, Plan
from gitaly_py.packs.takeover import Expected
from gitaly_py.services.fetching.fetch import STATELESS, Fetch
from gitaly_py.services.packing import pack_request
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_READ_BYTES: Final = 64 * 1024


async def planned(fetch: Fetch, request: FetchRequest) -> Plan:
    """The plan of a request with a side band. Of a very long prefix it has only the end: the rest is sent."""
    key = _key(fetch, request)
    if key is None:
        return await _taken_over(fetch, request)
    plans = fetch.call.app.plans
    plan = await plans.lookup(key)
    if plan is not None:
        metrics.fetches.labels("plan").inc()
        return plan
    sent = fetch.output.sent
    with plans.making(key) as making:
        plan = await _foreseen(fetch, request) or await _taken_over(fetch, request)
        if fetch.output.sent == sent and _is_lasting(plan, request):
            making.keep(plan)
        return plan


def _key(fetch: Fetch, request: FetchRequest) -> Hashable | None:
    """Names everything the answer depends on; None where that is more than is looked at here."""
    repository = fetch.call.repository
    git = repository.git
    if git.object_directory or git.alternate_object_directories or request.depends_on_references:
        return None
    if not is_default(fetch.config):
        return None
    return (
        repository.path,
        fetch.generation,
        stamp(f"{repository.path}/config"),
        stamp(f"{repository.path}/shallow"),
        request.version,
        request.digest,
    )


def _is_lasting(plan: Plan, request: FetchRequest) -> bool:
    """Whether the answer stays right as long as no objects go away. What is missing now may yet come.

    The first round of a shallow clone ends with an error by design.
    """
    if plan.pack is not None or plan.status == 0:
        return True
    return request.deepens and not plan.prefix.startswith(b"ERR ", 4)


async def _foreseen(fetch: Fetch, request: FetchRequest) -> Plan | None:
    """The plan of a plain clone of what is there; None where upload-pack has to be asked."""
    found = foreseen(request)
    repository = fetch.call.repository
    if found is None or os.path.lexists(f"{repository.path}/shallow"):
        return None
    reader = repository.reader()
    if reader.format is not SHA1:
        return None
    async with aclosing(reader.info_each(found.wants)) as infos:
        async for info in infos:
            if info is None:
                return None
    metrics.fetches.labels("foresight").inc()
    return Plan(PREFIX, pack_request(fetch.call, found.args, found.stdin, fetch.generation))


async def _taken_over(fetch: Fetch, request: FetchRequest) -> Plan:
    """Runs upload-pack until it wants its pack, or to its end if it wants none."""
    stderr = Stderr.KEEP if fetch.transport.stderr is Stderr.PIPE else fetch.transport.stderr
    with fetch.call.app.takeovers.expecting() as hook:
        async with fetch.upload_pack(
            STATELESS, config=hook.config, env=hook.env, stdin=request.data, stderr=stderr
        ) as process:
            prefix = _Prefix(fetch, process)
            return await prefix.until(hook)


class _Prefix:
    """What upload-pack writes before its pack. It is given out once it is too long to be kept."""

    def __init__(self, fetch: Fetch, process: Process) -> None:
        self._fetch = fetch
        self._process = process
        self._parts: list[bytes] = []

    async def until(self, hook: Expected) -> Plan:
        """Reads until upload-pack has ended, or its hook reports and ends it."""
        tasks: set[asyncio.Task[Any]] = set()
        reading = spawn(self._read(), name="prefix of a fetch", owner=tasks)
        try:
            events: set[asyncio.Future[Any]] = {reading, hook.arrived}
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
            if hook.arrived.done():
                metrics.fetches.labels("takeover").inc()
                self._process.kill()
            await reading
        finally:
            await end_all(tasks)
        if hook.arrived.done():
            return Plan(self._taken(), self._fetch.pack_request(hook.arrived.result()))
        metrics.fetches.labels("no_pack").inc()
        status = await self._process.exited()
        return Plan(self._taken(), status=status, stderr=self._process.stderr)

    async def _read(self) -> None:
        size = 0
        while data := await self._process.read(_READ_BYTES):
            self._parts.append(data)
            size += len(data)
            if size > MAX_PLAN_BYTES:
                await self._fetch.output.write(self._taken())

    def _taken(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
