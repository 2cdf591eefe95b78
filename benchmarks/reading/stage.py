"""The daemon and the repository of a run."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from benchmarks.reading.history import FULL, QUICK, Shape, repository
from gitaly_py.config.rpc import DEFAULT_ENGINE
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.methods import Method, all_methods
from tests.support.daemon import Daemon
from tests.support.repositories import Repo

_RELATIVE_PATH = "read.git"
_EVERYTHING_LOGGED = {"GITALY_LOG_REQUEST_METHOD_DENY_PATTERN": ""}
"""An empty RPC, too, has all steps around it."""
_METHODS: dict[str, Method] = {method.path: method for method in all_methods()}


@dataclass(frozen=True)
class Question:
    """A call: its path and its request, serialized."""

    path: str
    message: bytes


@dataclass(frozen=True)
class Stage:
    """A running daemon with one worker, and the repository that it serves."""

    daemon: Daemon
    repo: Repo
    shape: Shape

    @property
    def socket(self) -> str:
        """The path of its unix socket."""
        return str(self.daemon.socket)

    def question(self, path: str, /, **fields: Any) -> Question:
        """A call about the repository. path: `Service/Method`."""
        method = _METHODS[f"/gitaly.{path}"]
        request: Message = method.request(**fields)
        message: Any = request
        for field in method.target or ():
            message = getattr(message, field)
        message.CopyFrom(Repository(storage_name="default", relative_path=_RELATIVE_PATH))
        return Question(method.path, request.SerializeToString())


@contextlib.contextmanager
def stage(*, quick: bool, keep: Path | None = None) -> Iterator[Stage]:
    """keep: where repositories are kept for later runs, None for nowhere."""
    shape = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(prefix="gitaly-benchmark-") as folder:
        kept = keep or Path(folder, "kept")
        kept.mkdir(parents=True, exist_ok=True)
        repo = repository(kept, shape)
        daemon = Daemon(Path(folder), engine=DEFAULT_ENGINE, environment=_EVERYTHING_LOGGED)
        os.symlink(repo.path, daemon.storage / _RELATIVE_PATH)
        try:
            yield Stage(daemon.start(), repo, shape)
        finally:
            daemon.stop()
