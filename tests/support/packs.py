"""A pack cache over real repositories, and what tests ask of it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import psutil

from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.git.wire import pktline, sideband
from gitaly_py.git.wire.sideband import Band
from gitaly_py.packs.cache import Packs
from gitaly_py.packs.reader import PackReader
from gitaly_py.packs.request import PackRequest
from gitaly_py.packs.settings import PackCacheSettings
from gitaly_py.storage.generations import Generations
from tests.support.repositories import ENVIRONMENT, GIT, Repo

ARGS = ("pack-objects", "--revs", "--thin", "--stdout", "--progress", "--delta-base-offset")
MIB = 1 << 20


class Cache:
    """A cache in a folder of its own, with a clock that tests move. It keeps everything from the start."""

    def __init__(self, folder: Path | str, **settings: Any) -> None:
        self.folder = Path(folder)
        self.now = 1_000_000.0
        self.git = Git(GitSettings(binary=GIT))
        self.generations = Generations()
        self.settings = PackCacheSettings(
            **{"enabled": True, "dir": str(folder), "min_occurrences": 0, **settings}
        )
        self.packs = Packs(self.git, self.settings, self.generations, clock=lambda: self.now)
        self.runs = 0

    def admit(self) -> Any:
        """Lets everyone pass, and counts them."""
        self.runs += 1
        return nullcontext()

    def open(self, request: PackRequest, admit: Any = None) -> Any:
        """See Packs."""
        return self.packs.open(request, admit or self.admit)

    async def fetch(self, request: PackRequest, admit: Any = None) -> bytes:
        """The packets of a pack."""
        async with self.open(request, admit) as reader:
            return await drain(reader)

    def files(self) -> list[Path]:
        """The packs in the folder."""
        return sorted(path for path in self.folder.glob("??/*") if path.is_file())

    def children(self) -> list[psutil.Process]:
        """The processes of git that are alive."""
        return [psutil.Process(process.pid) for process in self.git._live]

    async def until(self, condition: Any) -> None:
        """Waits for something that is done in the background."""
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def cache(folder: Path | str, **settings: Any) -> AsyncIterator[Cache]:
    """A cache that must leave neither file nor descriptor, task or process when it is closed."""
    before, tasks = descriptors(), asyncio.all_tasks()
    made = Cache(folder, **settings)
    await made.packs.start()
    try:
        yield made
    finally:
        await made.packs.close()
        assert not made.git._live
        await made.git.close()
    assert {task for task in asyncio.all_tasks() - tasks if "pack" in task.get_name()} == set()
    assert made.files() == []
    assert list(made.folder.glob("*.lock")) == []
    assert descriptors() - before == set()


def descriptors() -> set[str]:
    """The files and pipes that are open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if not target.startswith(("socket:", "anon_inode:[event")):
            found.add(f"{name} {target}")
    return found


def request(
    repo: Repo, *wants: str, haves: Sequence[str] = (), generation: int = 0, args: tuple[str, ...] = ARGS
) -> PackRequest:
    """Asks for what upload-pack would ask for; by default all references."""
    wanted = wants or tuple(sorted(set(repo.references().values())))
    lines = [*wanted, "--not", *haves, ""]
    stdin = "".join(f"{line}\n" for line in lines).encode()
    return PackRequest(repo.repository, f"default:{repo.path}", generation, args, stdin)


async def drain(reader: PackReader, limit: int = 131072) -> bytes:
    """Everything that is left to read."""
    parts = []
    while data := await reader.read(limit):
        parts.append(data)
    reader.check()
    return b"".join(parts)


def demultiplexed(packets: bytes) -> tuple[bytes, bytes]:
    """Pack and progress in side-band packets, which must all be whole."""
    bands: dict[Band, list[bytes]] = {Band.DATA: [], Band.PROGRESS: []}
    for band, data in each_packet(packets):
        bands[band].append(data)
    return b"".join(bands[Band.DATA]), b"".join(bands[Band.PROGRESS])


def pack_of(packets: bytes) -> bytes:
    """The pack alone: git's writes, hence packets, come as they like."""
    return demultiplexed(packets)[0]


def each_packet(packets: bytes) -> Iterator[tuple[Band, bytes]]:
    """Band and data of each packet."""
    offset = 0
    while offset < len(packets):
        length = int(packets[offset : offset + pktline.HEADER_LENGTH], 16)
        packet = packets[offset + pktline.HEADER_LENGTH : offset + length]
        assert len(packet) == length - pktline.HEADER_LENGTH > 0
        yield sideband.decode(packet)
        offset += length


def check_pack(packets: bytes, repo: Repo, tmp_path: Path) -> bytes:
    """The pack in `packets`, which git must accept and which must hold what `repo` refers to."""
    pack = pack_of(packets)
    clone = Repo.init(tmp_path / f"clone-{len(list(tmp_path.iterdir()))}")
    clone.git("index-pack", "--strict", "--stdin", stdin=pack)
    for refname, oid in repo.references().items():
        clone.ref(refname, oid)
    clone.git("fsck", "--strict", "--connectivity-only")
    return pack


def large_repository(path: Path, mebibytes: int = 8) -> Repo:
    """A repository whose pack has that size, and takes git no time to make."""
    repo = Repo.init(path)
    noise = os.urandom(MIB)
    files = {f"{number}": noise[number:] + noise[:number] + os.urandom(8) for number in range(mebibytes)}
    tree = repo.tree({name: ("100644", stored(repo, data)) for name, data in files.items()})
    repo.commit(tree=tree, ref="refs/heads/main")
    repo.git("-c", "pack.compression=0", "-c", "pack.window=0", "repack", "-adq")
    return repo


def stored(repo: Repo, data: bytes) -> str:
    """Writes a large blob without compressing it."""
    line = [GIT, "-c", "core.looseCompression=0", "--git-dir", repo.path, "hash-object", "-w", "--stdin"]
    done = subprocess.run(line, input=data, env=ENVIRONMENT, check=True, capture_output=True)
    return done.stdout.decode().strip()


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A file system of `size` bytes; None where we may not mount one."""
    path.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)]
    if subprocess.run(line, check=False, capture_output=True).returncode:
        import pytest

        pytest.skip("file systems can't be mounted")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
