"""The code of each exception class: the only place where git's and storage's errors meet gRPC.

An error is looked up along its bases. None means: expected, but the RPC decides (Internal if it does
not). A class without a row here is a defect, which the frame reports as a panic.
"""

from __future__ import annotations

from grpc import StatusCode

from gitaly_py.git.errors import GitError
from gitaly_py.git.reading.errors import RevisionHasNul
from gitaly_py.git.wire.errors import WireError
from gitaly_py.hooks.errors import HookError
from gitaly_py.rails.errors import RailsError
from gitaly_py.rpc.status import Codes
from gitaly_py.services.transfer import InvalidConfigOption
from gitaly_py.storage import errors as storage
from gitaly_py.transport.errors import SessionClosed, TransportError

CODES: Codes = {
    GitError: None,
    HookError: None,
    InvalidConfigOption: None,
    OSError: None,
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
