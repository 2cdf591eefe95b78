"""Which tree and paths a GetArchive request means, after its checks (repository.md, GetArchive)."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from gitaly_py.git.reading.interface import Reader
from gitaly_py.git.wire.goquote import quote
from gitaly_py.pb.repository_pb2 import GetArchiveRequest
from gitaly_py.rpc.status import FailedPrecondition, Internal, InvalidArgument
from gitaly_py.services.checks import revision_test

_check_commit_id = revision_test(prefix="invalid commitId: ")

_ROOT = b"."


@dataclass(frozen=True)
class Selection:
    """A tree and what of it to archive.

    revision: a commit or tree. path: relative to its root, `.` for all. exclude: likewise, or relative to
    `path` when elided. elided: names in the archive are relative to `path`.
    """

    revision: bytes
    path: bytes
    exclude: Sequence[bytes]
    elided: bool

    @property
    def treeish(self) -> bytes:
        """The tree for git to archive."""
        return self.revision + b":" + self.path if self.elided and self.path != _ROOT else self.revision

    @property
    def pathspecs(self) -> list[bytes]:
        """The paths of that tree to archive, as git takes them."""
        excluded = [b":(exclude)" + path for path in self.exclude]
        return excluded if self.elided else [self.path, *excluded]


async def select(repository_path: str, reader: Reader, request: GetArchiveRequest) -> Selection:
    """What `request` asks for.

    Raises InvalidArgument, FailedPrecondition and Internal with the API's texts.
    """
    path = _inside(repository_path, request.path)
    exclude = [_inside(repository_path, each) for each in request.exclude]
    revision = request.commit_id.encode()
    _check_commit_id(revision)
    if request.format not in GetArchiveRequest.Format.values():
        raise InvalidArgument("invalid format")
    await _check_existence(reader, revision, path, exclude)
    if request.elide_path:
        exclude = [_below(path, each) for each in exclude]
    return Selection(revision, path, exclude, request.elide_path)


def _inside(repository_path: str, path: bytes) -> bytes:
    """`path` lexically cleaned and relative to the repository; the whole of it is `.`."""
    root = os.fsencode(repository_path)
    cleaned = posixpath.normpath(root + b"/" + path)
    if cleaned == root:
        return _ROOT
    if not cleaned.startswith(root + b"/"):
        raise InvalidArgument("relative path escapes root directory")
    return cleaned[len(root) + 1 :]


async def _check_existence(reader: Reader, revision: bytes, path: bytes, exclude: Sequence[bytes]) -> None:
    if path == _ROOT:
        root = await reader.info(revision + b"^{tree}")
        if root is None:
            raise Internal("object not found")
        if root.oid == reader.format.empty_tree:
            raise FailedPrecondition("path doesn't exist")
    elif not await _exists(reader, revision, path):
        raise FailedPrecondition("path doesn't exist")
    for number, each in enumerate(exclude):
        if not await _exists(reader, revision, each):
            raise FailedPrecondition(f"exclude[{number}] doesn't exist")


async def _exists(reader: Reader, revision: bytes, path: bytes) -> bool:
    # Resolved, not read: the commit of a submodule is not here.
    return path == _ROOT or await reader.resolve(revision + b":" + path) is not None


def _below(path: bytes, exclude: bytes) -> bytes:
    if not exclude.startswith(path + b"/"):
        raise InvalidArgument(f"invalid exclude: {quote(exclude)} is not a subdirectory of {quote(path)}")
    return exclude[len(path) + 1 :]
