"""What the clients of the pack path ask for: protocol v2 requests on a side channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from tests.support.repositories import Repo
from tests.support.smarthttp import DELIM, FLUSH, pkt

HTTP = "/gitaly.SmartHTTPService/PostUploadPackWithSidechannel"
SSH = "/gitaly.SSHService/SSHUploadPackWithSidechannel"
PROTOCOL = "version=2"

_PACK = b"PACK\0\0\0\2"
_MESSAGES = {HTTP: PostUploadPackWithSidechannelRequest, SSH: SSHUploadPackWithSidechannelRequest}


@dataclass(frozen=True)
class Request:
    """One call.

    path: of the RPC. message: its request, serialized. body: what goes over the side channel, without frames.
    marker: in the answer, what the first byte of interest begins with; empty for the first byte of all.
    leave, stall: bytes after which the client hangs up or takes nothing more; 0 is never.
    """

    path: str
    message: bytes
    body: bytes
    marker: bytes = b""
    leave: int = 0
    stall: int = 0


def clone(relative_path: str, wants: Sequence[str], *, depth: int = 0, path: str = HTTP) -> Request:
    """A fetch of these objects into an empty repository. depth: commits of each line, 0 for all."""
    lines = [*_begin("fetch"), *(pkt(f"{flag}\n") for flag in ("thin-pack", "no-progress", "ofs-delta"))]
    lines += [pkt(f"deepen {depth}\n")] if depth else []
    lines += [*(pkt(f"want {oid}\n") for oid in wants), pkt("done\n"), FLUSH]
    return _request(path, relative_path, b"".join(lines), _PACK)


def ls_refs(relative_path: str, *, path: str = HTTP) -> Request:
    """What a clone asks for first."""
    lines = [*_begin("ls-refs"), *(pkt(f"{flag}\n") for flag in ("peel", "symrefs", "unborn"))]
    prefixes = ("HEAD", "refs/heads/", "refs/tags/")
    lines += [*(pkt(f"ref-prefix {prefix}\n") for prefix in prefixes), FLUSH]
    return _request(path, relative_path, b"".join(lines))


def everything(repo: Repo) -> list[str]:
    """What a clone of a whole repository wants."""
    tips = repo.git("for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags")
    return sorted(set(tips.split()))


def _begin(command: str) -> list[bytes]:
    return [pkt(f"command={command}\n"), pkt("agent=git/2.39.5\n"), pkt("object-format=sha1\n"), DELIM]


def _request(path: str, relative_path: str, body: bytes, marker: bytes = b"") -> Request:
    repository = Repository(
        storage_name="default",
        relative_path=relative_path,
        gl_repository="project-1",
        gl_project_path="group/project",
    )
    message = _MESSAGES[path](repository=repository, git_protocol=PROTOCOL)
    return Request(path, message.SerializeToString(), body, marker)
