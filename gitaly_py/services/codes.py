"""The code of each exception class: the only place where git's and storage's errors meet gRPC.

An error is looked up along its bases. None means: expected, but the RPC decides (Internal if it does
not). A class without a row here is a defect, which the frame reports as a panic.
"""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from gitaly_py.detection.errors import DetectionError
from gitaly_py.git.errors import GitError
from gitaly_py.git.reading.errors import RevisionHasNul
from gitaly_py.git.wire.errors import WireError
from gitaly_py.hooks.errors import HookError
from gitaly_py.limits.errors import LimitReached
from gitaly_py.packs.errors import PackError
from gitaly_py.pb.errors_pb2 import LimitError
from gitaly_py.rails.errors import RailsError
from gitaly_py.rpc.status import Codes, Detailed
from gitaly_py.services.transfer import InvalidConfigOption
from gitaly_py.storage import errors as storage
from gitaly_py.transport.errors import SessionClosed, TransportError


def _limit_error(error: LimitReached) -> LimitError:
    """The zero is what tells clients not to try again (daemon.md 5.1)."""
    return LimitError(error_message=str(error), retry_after=Duration())


CODES: Codes = {
    DetectionError: None,
    GitError: None,
    HookError: None,
    InvalidConfigOption: None,
    LimitReached: Detailed(StatusCode.RESOURCE_EXHAUSTED, _limit_error),
    OSError: None,
    PackError: None,
    RailsError: None,
    RevisionHasNul: StatusCode.INVALID_ARGUMENT,
    # The client's connection broke: whatever fails for it, the client has hung up.
    SessionClosed: StatusCode.CANCELLED,
    TransportError: None,
    WireError: None,
    storage.ConcurrentlyRemoved: StatusCode.NOT_FOUND,
    storage.InvalidRepository: StatusCode.INVALID_ARGUMENT,
    storage.ObjectDirectoryEscapes: StatusCode.INVALID_ARGUMENT,
    storage.ObjectDirectoryMissing: StatusCode.NOT_FOUND,
    storage.ObjectDirectoryNotSet: StatusCode.INVALID_ARGUMENT,
    storage.RemovalLocked: StatusCode.FAILED_PRECONDITION,
    storage.RepositoryExists: StatusCode.ALREADY_EXISTS,
    storage.RepositoryGone: StatusCode.NOT_FOUND,
    storage.RepositoryNotFound: StatusCode.NOT_FOUND,
    storage.RepositoryNotValid: StatusCode.FAILED_PRECONDITION,
    storage.StorageError: None,
    storage.StorageMissing: StatusCode.NOT_FOUND,
}
