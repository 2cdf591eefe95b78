"""Looks at answers outside of the timed runs: each must hold a pack that git takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.packs.client import Load
from benchmarks.packs.requests import SSH, Request
from benchmarks.packs.stage import Stage
from tests.support.repositories import ENVIRONMENT, GIT, Repo

_LENGTH = 4
_DATA, _ERROR = 1, 3
_WANT = re.compile(rb"want ([0-9a-f]{40})")


class WrongAnswer(Exception):
    """An answer that is no answer to its request."""


def checked(stage: Stage, address: str, request: Request) -> Path:
    """Makes a fetch, gives its pack to `git index-pack --strict`, and returns the file of the whole answer.

    Raises WrongAnswer, also when something that was wanted is not in the pack.
    """
    folder = stage.root / f"checked-{len(list(stage.root.glob('checked-*')))}"
    folder.mkdir()
    stage.client.run(Load(address, [request], keep=str(folder)))
    answer = folder / "0"
    take_in(answer.read_bytes(), request, folder / "repository")
    shutil.rmtree(folder / "repository")
    return answer


def take_in(answer: bytes, request: Request, target: Path) -> None:
    """Makes a repository of what an answer brings. Raises as `checked`."""
    data = memoryview(answer)
    if request.path == SSH:
        inner = b"".join(part for band, part in _bands(_packets(data)) if band == _DATA)
        data = memoryview(inner)[_after_flush(inner) :]
    repo = Repo.init(target)
    _index(repo, data)
    wanted: list[bytes] = _WANT.findall(request.body)
    found = repo.git("cat-file", "--batch-check", stdin=b"\n".join(wanted))
    if " missing" in found:
        raise WrongAnswer(found)


def _index(repo: Repo, answer: memoryview) -> None:
    """Puts what an answer brings into a repository."""
    packets = _packets(answer)
    shallow = []
    for packet in packets:
        line = bytes(packet)
        if line == b"packfile\n":
            break
        if line.startswith(b"shallow "):
            shallow.append(line.removeprefix(b"shallow "))
    if shallow:
        Path(repo.git_dir, "shallow").write_bytes(b"".join(oid.strip() + b"\n" for oid in shallow))
    command = [GIT, "--git-dir", repo.git_dir, "index-pack", "--strict", "--stdin"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as git:
        assert git.stdin is not None
        try:
            for band, part in _bands(packets):
                if band == _DATA:
                    git.stdin.write(part)
        except BrokenPipeError:
            pass  # git says below why it takes no more
        _, error = git.communicate()
    if git.returncode != 0:
        raise WrongAnswer(error.decode(errors="replace"))


def _bands(packets: Iterator[memoryview]) -> Iterator[tuple[int, memoryview]]:
    for packet in packets:
        if packet:
            if packet[0] == _ERROR:
                raise WrongAnswer(bytes(packet[1:]).decode(errors="replace"))
            yield packet[0], packet[1:]


def _packets(data: memoryview) -> Iterator[memoryview]:
    """The payloads of pkt-lines, empty for flush and delimiter. Raises WrongAnswer when one is cut off."""
    at = 0
    while at < len(data):
        length = max(int(bytes(data[at : at + _LENGTH]), 16), _LENGTH)
        if at + length > len(data):
            raise WrongAnswer(f"{len(data) - at} bytes of a packet of {length}")
        yield data[at + _LENGTH : at + length]
        at += length


def _after_flush(data: bytes) -> int:
    """Where the advertisement ends with which git over SSH begins."""
    at = 0
    while length := int(data[at : at + _LENGTH], 16):
        at += length
    return at + _LENGTH
