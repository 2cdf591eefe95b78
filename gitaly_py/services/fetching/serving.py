"""Answers fetches: each layer falls to the next when it can't answer (architecture: the pack path).

A plan needs no process; a takeover lets upload-pack negotiate and serves the pack from the cache; what can't
be taken over passes through upload-pack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

import structlog

from gitaly_py.git.process import Process
from gitaly_py.git.wire import pktline, sideband
from gitaly_py.git.wire.fetch_request import FETCH, LS_REFS, FetchRequest
from gitaly_py.git.wire.sideband import Band
from gitaly_py.limits.errors import LimitReached
from gitaly_py.packs.errors import AnswerEnded, PackFailed
from gitaly_py.packs.request import PackRequest
from gitaly_py.packs.takeover import Arrival, Expected
from gitaly_py.services.fetching.early import early_output
from gitaly_py.services.fetching.fetch import STATELESS, Ending, Fetch, Input, ending_of
from gitaly_py.services.fetching.planning import planned
from gitaly_py.services.transfer import Observer, fed
from gitaly_py.telemetry import metrics
from gitaly_py.telemetry.tasks import end_all, spawn

_log = structlog.get_logger("gitaly")

_ABORTED: Final = b"aborting due to possible repository corruption on the remote side."
_DIED: Final = Ending(
    128,
    b"error: git upload-pack: git-pack-objects died with error.\nfatal: git upload-pack: " + _ABORTED + b"\n",
)
"""What upload-pack says when its pack-objects fails."""

_EXHAUSTED: Final = b"error resource exhausted, please try again later\n"


async def serve(fetch: Fetch, request: FetchRequest) -> Ending:
    """Answers one request of a protocol without state. Raises LimitReached, TransportError, GitError."""
    app = fetch.call.app
    if request.command == LS_REFS:
        listed = await _listed(fetch, request.data)
        if listed is not None:
            return listed
    if request.command == FETCH and app.packs.enabled:
        return await _fetched(fetch, request)
    return await by_git(fetch, request.data)


async def _listed(fetch: Fetch, data: bytes) -> Ending | None:
    """Answers a request for references; None when only git can."""
    async with early_output(fetch.output) as early:
        try:
            advertiser = fetch.call.app.advertiser
            rest = await advertiser.ls_refs(fetch.call.repository, fetch.config, data, early)
        except AnswerEnded as ended:
            await early.finish([ended.rest])
            await fetch.output.complain(ended.stderr)
            return Ending(ended.status, ended.stderr)
        if rest is None:
            return None
        await early.finish(rest)
        return Ending()


async def by_git(fetch: Fetch, data: bytes) -> Ending:
    """Lets git answer what a client has sent, whatever that is."""
    async with fetch.upload_pack(STATELESS, stdin=data) as process:
        await fetch.output.take(process)
        return ending_of(fetch.output, process)


async def streamed(
    fetch: Fetch,
    source: Input,
    *observers: Observer,
    flags: Sequence[str] = (),
    side_band: Callable[[], bool],
) -> Ending:
    """Lets an upload-pack read what the client sends as it comes.

    side_band: whether the client, as far as it was heard, takes its pack in side-band packets.
    """
    with _hook(fetch) as hook:
        config, env = (hook.config, hook.env) if hook else ((), {})
        async with (
            fetch.upload_pack(*flags, config=config, env=env) as process,
            fed(process, source, *observers),
        ):
            if hook is None:
                await fetch.output.take(process)
                request = None
            else:
                request = await until_taken_over(fetch, process, hook, side_band)
            fetch.output.end_input()
            ending = ending_of(fetch.output, process)
    return ending if request is None else await with_pack(fetch, b"", request)


def _hook(fetch: Fetch) -> AbstractContextManager[Expected | None]:
    app = fetch.call.app
    return app.takeovers.expecting() if app.packs.enabled else nullcontext()


async def _fetched(fetch: Fetch, request: FetchRequest) -> Ending:
    if not request.side_band:
        return await _passed_through(fetch, request)
    plan = await planned(fetch, request)
    if plan.pack is not None:
        return await with_pack(fetch, plan.prefix, plan.pack)
    await fetch.output.write(plan.prefix)
    if plan.stderr:
        await fetch.output.complain(plan.stderr)
    return Ending(plan.status, plan.stderr)


async def _passed_through(fetch: Fetch, request: FetchRequest) -> Ending:
    with fetch.call.app.takeovers.expecting() as hook:
        start = fetch.upload_pack(STATELESS, config=hook.config, env=hook.env, stdin=request.data)
        async with start as process:
            await until_taken_over(fetch, process, hook, lambda: False)
            return ending_of(fetch.output, process)


async def until_taken_over(
    fetch: Fetch, process: Process, hook: Expected, side_band: Callable[[], bool]
) -> PackRequest | None:
    """Passes on what upload-pack writes until its end.

    When its hook reports and the client has a side band, that is soon, and the pack is left to send.
    """
    tasks: set[asyncio.Task[Any]] = set()
    taking = spawn(fetch.output.take(process), name="output of a fetch", owner=tasks)
    try:
        events: set[asyncio.Future[Any]] = {taking, hook.arrived}
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        if not hook.arrived.done():
            await taking
            return None
        arrival = hook.arrived.result()
        if side_band():
            metrics.fetches.labels("takeover").inc()
            process.kill()
            await taking
            return fetch.pack_request(arrival)
        metrics.fetches.labels("pass_through").inc()
        await _let_run(fetch, arrival, taking)
        return None
    finally:
        await end_all(tasks)


async def _let_run(fetch: Fetch, arrival: Arrival, taking: asyncio.Task[None]) -> None:
    """Lets a hook run pack-objects by itself, within the limits; without a place, git fails the fetch."""
    try:
        async with fetch.admission():
            arrival.run()
            await taking
    except LimitReached:
        arrival.refuse(_EXHAUSTED)
        await taking


async def with_pack(fetch: Fetch, prefix: bytes, request: PackRequest) -> Ending:
    """Gives out the prefix of an answer, and its pack; nothing while it is not known if there will be a pack.

    Raises LimitReached, TransportError.
    """
    output = fetch.output
    try:
        async with fetch.call.app.packs.open(request, fetch.admission) as pack:
            # A failure is raised again by `check`, behind what upload-pack would have said before.
            with suppress(PackFailed):
                await pack.started()
            await output.send(prefix, pack)
            pack.check()
    except LimitReached:
        await output.complain(_EXHAUSTED)
        raise
    except PackFailed as error:
        _log.error("pack not made", error=str(error), key=request.key)
        await output.write(b"".join(sideband.encode(Band.ERROR, _ABORTED + b"\0")))
        await output.complain(_DIED.stderr)
        return _DIED
    await output.conclude(pktline.FLUSH)
    return Ending()
