"""Every text and bytes field of every RPC gets hostile values.

An answer comes, nothing breaks, and what the specification refuses is refused before git is started.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.methods import Method
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.hostile import INTERNAL, INVALID, Codes, places, put
from tests.support.repositories import Repo
from tests.support.requests import CREATING, present, send, valid_request

SECONDS = 20
AT_A_TIME = 8

NEVER = {StatusCode.UNKNOWN, StatusCode.UNAVAILABLE, StatusCode.DATA_LOSS}
"""Codes that no bad input may lead to."""

PLACEHOLDER = b"placeholder"
NOT_UTF8 = b"\xff" * len(PLACEHOLDER)

METHODS = present()
WITH_FIELDS = [method for method in METHODS if any(places(method))]
WITH_TEXT = [method for method in METHODS if any(place.is_text for place in places(method))]
_numbers = itertools.count(1)


class Attempt(NamedTuple):
    """One hostile request.

    codes: those it may be answered with; None if any will do. spared: git must not be started for it.
    """

    name: str
    method: Method
    request: Any
    codes: Codes | None
    spared: bool
    correlation_id: str

    def fault(self, error: grpc.aio.AioRpcError | None, processes: int) -> str | None:
        """What is wrong with the answer. processes: how many the daemon has started for it."""
        code = StatusCode.OK if error is None else error.code()
        details = "" if error is None else error.details() or ""
        answer = f"{self.name}: {code.name} {details[:200]!r}, {processes} processes"
        if code in NEVER or details.startswith("panic:"):
            return answer
        if self.codes is not None and code not in self.codes:
            return f"{answer}; due is {' or '.join(sorted(each.name for each in self.codes))}"
        if self.spared and processes:
            return f"{answer}; none are due"
        return None


class Raw:
    """A request whose encoding is made by hand."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        return self._data


def attempt(name: str, method: Method, request: Any, codes: Codes | None, *, spared: bool = True) -> Attempt:
    return Attempt(name, method, request, codes, spared, f"hostile-{next(_numbers)}")


def hostile_values(method: Method, repository: Repository) -> Iterator[Attempt]:
    """Each value in each field of an otherwise valid request."""
    for place in places(method):
        kind = place.kind
        for name, value in place.values().items():
            request: Any = valid_request(method, target(method, repository))
            put(request, place, value)
            refused = kind.refused.get(name)
            codes = kind.answered.get(name) if refused is None else refused
            yield attempt(f"{place} = {name}", method, request, codes, spared=refused is not None)


def target(method: Method, repository: Repository) -> Repository:
    """The repository; a new path for an RPC that creates one."""
    if method.path not in CREATING:
        return repository
    relative_path = f"hostile/{next(_numbers)}.git"
    return Repository(storage_name=repository.storage_name, relative_path=relative_path)


def not_utf8(method: Method, repository: Repository) -> Iterator[Attempt]:
    """Octets that are no text in each text field, which no client of ours can put there."""
    for place in places(method):
        if place.is_text:
            request: Any = valid_request(method, target(method, repository))
            put(request, place, PLACEHOLDER)
            encoded = request.SerializeToString()
            assert encoded.count(PLACEHOLDER) == 1
            yield attempt(
                f"{place} = not UTF-8",
                replace(method, request=Raw),
                Raw(encoded.replace(PLACEHOLDER, NOT_UTF8)),
                INTERNAL,
            )


async def answer(daemon: Daemon, attempted: Attempt) -> grpc.aio.AioRpcError | None:
    """How the call failed, None if it did not. Raises TimeoutError when no answer comes."""
    metadata = [("x-gitlab-correlation-id", attempted.correlation_id)]
    try:
        async with asyncio.timeout(SECONDS):
            await send(daemon.channel, attempted.method, [attempted.request], metadata)
    except grpc.aio.AioRpcError as error:
        return error
    return None


async def faults(daemon: Daemon, attempts: Iterable[Attempt]) -> list[str]:
    """What is wrong with the answers to these requests; several are under way at a time."""
    read_from = daemon.log.stat().st_size
    free = asyncio.Semaphore(AT_A_TIME)

    async def one(attempted: Attempt) -> tuple[Attempt, grpc.aio.AioRpcError | None]:
        async with free:
            return attempted, await answer(daemon, attempted)

    answers = await asyncio.gather(*map(one, attempts))
    processes = await processes_started(daemon, read_from, {each.correlation_id for each, _ in answers})
    found = (each.fault(error, processes[each.correlation_id]) for each, error in answers)
    return [fault for fault in found if fault is not None]


async def processes_started(daemon: Daemon, read_from: int, correlation_ids: set[str]) -> Counter[str]:
    """How many processes the daemon has started for each call; waits until the log tells of all of them.

    read_from: where in the log to begin.
    """
    started: Counter[str] = Counter()
    missing = set(correlation_ids)
    with daemon.log.open("rb") as log:
        log.seek(read_from)
        for _ in range(200):
            for line in _whole_lines(log):
                entry = json.loads(line)
                if entry.get("correlation_id") in correlation_ids and "grpc.code" in entry:
                    missing.discard(entry["correlation_id"])
                    started[entry["correlation_id"]] += entry.get("command.count", 0)
            if not missing:
                return started
            await asyncio.sleep(0.02)
    raise AssertionError(f"no access log entries of {missing}")


def _whole_lines(log: IO[bytes]) -> Iterator[bytes]:
    """What has been logged since; a line that is being written is left for later."""
    while line := log.readline():
        if not line.endswith(b"\n"):
            log.seek(-len(line), os.SEEK_CUR)
            return
        if line.startswith(b"{"):
            yield line


@pytest.mark.parametrize("method", WITH_FIELDS, ids=str)
async def test_hostile_values_are_answered_as_specified_and_do_no_harm(
    daemon: Daemon, new_repo: NewRepo, method: Method
) -> None:
    repo = new_repo()
    oid = repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
    before = sorted(path.name for path in daemon.root.iterdir())

    assert await faults(daemon, hostile_values(method, repo.message)) == []

    assert sorted(path.name for path in daemon.root.iterdir()) == before
    assert not Path("/tmp/hostile-output").exists()
    assert repo.git("rev-parse", "refs/heads/main") == oid


@pytest.mark.parametrize("method", WITH_TEXT, ids=str)
async def test_text_that_is_not_utf8_is_refused(daemon: Daemon, repo: Repo, method: Method) -> None:
    assert await faults(daemon, not_utf8(method, repo.message)) == []


async def test_an_empty_message_is_refused(daemon: Daemon) -> None:
    empty = (attempt(str(method), method, method.request(), INVALID) for method in METHODS if method.target)

    assert await faults(daemon, empty) == []


@pytest.mark.parametrize("path", ["nowhere.git", "a\0b.git", "a/../../b.git"], ids=repr)
async def test_a_repository_that_cannot_be_costs_no_process(daemon: Daemon, path: str) -> None:
    repository = Repository(storage_name="default", relative_path=path)
    methods = [method for method in METHODS if method.target and method.path not in CREATING]
    requests = (attempt(str(each), each, valid_request(each, repository), None) for each in methods)

    assert await faults(daemon, requests) == []


async def test_a_fault_would_be_found(daemon: Daemon, repo: Repo) -> None:
    repo.commit("subject", files={"file": b"content"}, ref="refs/heads/main")
    method = next(method for method in METHODS if method.name == "CountCommits")
    valid = valid_request(method, repo.message)

    started = await faults(daemon, [attempt("valid", method, valid, None)])
    answered = await faults(daemon, [attempt("valid", method, valid, INVALID, spared=False)])

    assert started == ["valid: OK '', 1 processes; none are due"]
    assert answered == ["valid: OK '', 1 processes; due is INVALID_ARGUMENT"]
