"""What only git itself can say, taken from a process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gitaly_py.git.commands import DISABLED, Command
from gitaly_py.git.errors import CommandError, FormatError
from gitaly_py.git.process import Git, Options, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.wire.pktline import FLUSH
from gitaly_py.packs.advertising.following import Early, Following, written
from gitaly_py.packs.errors import AnswerEnded

MAX_ANSWER: Final = 16 << 20
"""Bytes of the longest answer that is held in memory; longer ones stream from git to the client."""

UPLOAD_PACK: Final = "upload-pack"

_STATELESS: Final = "--stateless-rpc"


def packed_size(repository_path: str) -> int:
    """Bytes of packed-refs, which tell about how long a list of all references is."""
    try:
        return os.stat(f"{repository_path}/packed-refs").st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0


def fits(size: int) -> bool:
    """Whether an answer of about so many bytes is held in memory."""
    return size <= MAX_ANSWER


class Asking:
    """Runs upload-pack and receive-pack as the daemon does for calls without options of their own."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._files = _Files()

    @property
    def git(self) -> Git:
        """The one way to run git."""
        return self._git

    async def advertisement(
        self, repository: GitRepository, protocol: str, service: str, *, stateless: bool
    ) -> bytes | None:
        """What a client is told first. None when git fails, or has more to say than that."""
        if stateless:
            said = await self._said(repository, service, protocol, _STATELESS, "--advertise-refs")
        else:
            # The flush of a client that wants nothing.
            said = await self._said(repository, service, protocol, stdin=FLUSH)
        return None if said is None else b"".join(said)

    async def answer(
        self, repository: GitRepository, request: bytes, early: Early | None = None
    ) -> list[bytes] | None:
        """What upload-pack answers to a request of protocol version 2, in pieces. None as above.

        early: gets what there is while git makes the rest. Raises AnswerEnded if it has got something, and
        git then fails or complains.
        """
        return await self._said(repository, UPLOAD_PACK, "version=2", _STATELESS, stdin=request, early=early)

    async def _said(
        self,
        repository: GitRepository,
        service: str,
        protocol: str,
        *flags: str,
        stdin: bytes = b"",
        early: Early | None = None,
    ) -> list[bytes] | None:
        bundles = (("uploadpack.advertiseBundleURIs", "false"),)
        command = Command(
            name=service,
            flags=flags,
            args=[repository.path],
            hooks=None if service == UPLOAD_PACK else DISABLED,
        )
        options: Options = {
            "config": bundles if service == UPLOAD_PACK else (),
            "env": {"GIT_PROTOCOL": protocol} if protocol else {},
            "stdin": stdin,
            "stderr": Stderr.KEEP,
        }
        with self._files.one() as output:
            options["stdout"] = output
            following = Following(output, early) if early is not None else None
            try:
                async with self._git.start(repository, command, **options) as process:
                    status = await process.exited()
            except (CommandError, FormatError):
                # Whoever runs git in our place reports what is wrong.
                return None
            finally:
                if following is not None:
                    following.stop()
            pieces = (
                [await written(output)] if following is None else [*following.pieces, await following.rest()]
            )
        if not status and not process.stderr and _is_whole(pieces):
            return pieces
        if early is not None and early.given:
            raise AnswerEnded(status, process.stderr, pieces[-1])
        return None


def _is_whole(pieces: list[bytes]) -> bool:
    last = len(FLUSH)
    return b"".join(piece[-last:] for piece in pieces[-last - 1 :]).endswith(FLUSH)


class _Files:
    """Files in memory of MAX_ANSWER bytes; git fails when it writes more.

    Git writes 4 KiB at a time, which makes thousands of turns of a pipe. One file is kept for the next
    answer, with the memory it has by now: to get pages from the kernel takes as long as to fill them.
    """

    def __init__(self) -> None:
        self._spare: int | None = None

    @contextmanager
    def one(self) -> Iterator[int]:
        """A file to be written from its beginning; what is behind its position is another answer's."""
        file, self._spare = self._spare, None
        if file is None:
            file = _created()
        try:
            os.lseek(file, 0, os.SEEK_SET)
            yield file
        finally:
            if self._spare is None:
                self._spare = file
            else:
                os.close(file)

    def __del__(self) -> None:
        if self._spare is not None:
            os.close(self._spare)


def _created() -> int:
    file = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, MAX_ANSWER)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    return file
