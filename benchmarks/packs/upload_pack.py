"""The reference without a daemon: `git upload-pack`, configured as the daemon does, a process a request."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from benchmarks.http_backend import environment
from benchmarks.packs.requests import PROTOCOL, Request
from tests.support.repositories import GIT, Repo

_PIPE_BYTES = 1 << 20


@dataclass(frozen=True)
class Run:
    """One or many runs. first: seconds until the first byte of interest. cpu: seconds, children included."""

    seconds: float
    cpu: float
    first: float = 0.0


def discarded(repo: Repo, request: Request) -> Run:
    """Answers a request to /dev/null."""
    since, own = time.perf_counter(), _children_cpu()
    _run(repo, request, subprocess.DEVNULL)
    return Run(time.perf_counter() - since, _children_cpu() - own)


def piped(repo: Repo, request: Request) -> Run:
    """Answers a request to a pipe whose end is moved to /dev/null by the kernel."""
    with _input(request) as body, open(os.devnull, "wb") as nothing:
        since, own = time.perf_counter(), _children_cpu()
        with subprocess.Popen(_line(repo), stdin=body, stdout=subprocess.PIPE, env=_environment()) as git:
            assert git.stdout is not None
            pipe = git.stdout.fileno()
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            head = b""
            while request.marker not in head and (data := os.read(pipe, _PIPE_BYTES)):
                head = head[-len(request.marker) :] + data
            first = time.perf_counter() - since
            while os.splice(pipe, nothing.fileno(), _PIPE_BYTES):
                pass
        if git.returncode != 0:
            raise subprocess.CalledProcessError(git.returncode, git.args)
        return Run(time.perf_counter() - since, _children_cpu() - own, first)


def at_once(repo: Repo, requests: Sequence[Request], clients: int) -> Run:
    """Answers all requests to /dev/null, so many at a time."""
    since, own = time.perf_counter(), _children_cpu()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda request: _run(repo, request, subprocess.DEVNULL), requests))
    return Run(time.perf_counter() - since, _children_cpu() - own)


def _run(repo: Repo, request: Request, output: int) -> None:
    with _input(request) as body:
        subprocess.run(_line(repo), stdin=body, stdout=output, env=_environment(), check=True)


def _line(repo: Repo) -> list[str]:
    return [GIT, "upload-pack", "--stateless-rpc", repo.path]


@cache
def _environment() -> dict[str, str]:
    return {**environment(os.sep), "GIT_PROTOCOL": PROTOCOL}


@contextlib.contextmanager
def _input(request: Request) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as file:
        file.write(request.body)
        file.seek(0)
        yield file


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
