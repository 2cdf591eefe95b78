"""A daemon's readers beside a git that changes the repository in every way, between calls and during them."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitaly_py.git.reading.cache import Readers
from gitaly_py.storage.locator import Storages
from tests.support.repositories import Repo
from tests.support.stamps import settle_all

NAMES = ["main", "HEAD", "other", "v1", "refs/heads/main", "refs/tags/main"]


@pytest.fixture
def storages(readers: Readers, tmp_path: Path) -> Storages:
    return Storages({"default": str(tmp_path)}, readers)


class Changes:
    """What may happen to a repository, each by real git or as an administrator would do it."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.oids = repo.history(4, "refs/heads/main")

    def update(self) -> None:
        self.repo.ref(random.choice(["refs/heads/main", "refs/heads/other", "refs/tags/v1"]), self._any())

    def shadow(self) -> None:
        self.repo.ref("refs/tags/main", self._any())

    def shadow_in_folder(self) -> None:
        self.repo.git("update-ref", "main", self._any())

    def delete_in_folder(self) -> None:
        Path(self.repo.path, "main").unlink(missing_ok=True)

    def delete(self) -> None:
        self.repo.git(
            "update-ref", "-d", random.choice(["refs/tags/main", "refs/heads/other", "refs/tags/v1"])
        )

    def pack_references(self) -> None:
        self.repo.git("pack-refs", "--all")

    def commit(self) -> None:
        self.oids.append(self.repo.commit("more\n", parents=self.oids[-1:], ref="refs/heads/main"))

    def repack(self) -> None:
        self.repo.git("repack", "-adq")

    def unpack(self) -> None:
        packs = list(Path(self.repo.path, "objects/pack").glob("*.pack"))
        for pack in packs:
            data = pack.read_bytes()
            for suffix in (".idx", ".pack"):
                pack.with_suffix(suffix).unlink()
            self.repo.git("unpack-objects", "-q", stdin=data)

    def head(self) -> None:
        self.repo.symref("HEAD", random.choice(["refs/heads/main", "refs/heads/other"]))

    def head_in_place(self) -> None:
        Path(self.repo.path, "HEAD").write_text(
            random.choice(["ref: refs/heads/other\n", self._any() + "\n"])
        )

    def configure(self) -> None:
        self.repo.git("config", "user.name", str(random.random()))

    def _any(self) -> str:
        return random.choice(self.oids)


@pytest.mark.parametrize("seed", range(4))
async def test_every_change_between_two_calls_is_seen(storages: Storages, sha1: Repo, seed: int) -> None:
    random.seed(seed)
    changes = Changes(sha1)
    kinds = [getattr(changes, name) for name in vars(Changes) if not name.startswith("_")]
    for number in range(40):
        if number % 4 == 0:
            settle_all(sha1.path)
            await seen(storages)
            await seen(storages, steady=True)
        random.choice(kinds)()
        expected = [printed(sha1, name) for name in NAMES]

        assert await seen(storages, steady=True) == expected
        assert await seen(storages) == expected


async def seen(storages: Storages, *, steady: bool = False) -> list[str | None]:
    reader = storages.repository("default", "repo.git").reader(steady=steady)
    commits = [await reader.read(name.encode() + b"^{commit}") for name in NAMES]
    return [commit and commit.oid for commit in commits]


def printed(repo: Repo, name: str) -> str | None:
    found = repo.git("cat-file", "--batch-check=%(objectname)", stdin=f"{name}^{{commit}}")
    return None if " " in found else found


@pytest.mark.parametrize("steady", [False, True])
async def test_a_reference_never_goes_back_while_git_updates_and_packs_it(
    storages: Storages, sha1: Repo, steady: bool
) -> None:
    oids = sha1.history(60)
    done: list[str] = []

    def updates() -> None:
        for oid in oids:
            sha1.ref("refs/heads/main", oid)
            done.append(oid)
            if len(done) % 2:
                sha1.git("pack-refs", "--all")

    with running(updates) as thread:
        while thread.is_alive():
            least = len(done)
            found = await storages.repository("default", "repo.git").reader(steady=steady).resolve(b"main")
            assert least == 0 or oids.index(found or "") >= least - 1


async def test_no_object_is_lost_while_git_packs_and_unpacks_it(storages: Storages, sha1: Repo) -> None:
    oids = sha1.history(20)

    def repacks() -> None:
        for _ in range(8):
            sha1.ref("refs/heads/main", oids[-1])
            sha1.git("repack", "-adq")
            sha1.git("update-ref", "-d", "refs/heads/main")
            # Makes loose objects of what no reference leads to.
            sha1.git("repack", "-Adq")

    with running(repacks) as thread:
        while thread.is_alive():
            reader = storages.repository("default", "repo.git").reader()
            assert None not in [await reader.read(oid.encode()) for oid in oids]


@contextmanager
def running(work: Callable[[], None]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()
