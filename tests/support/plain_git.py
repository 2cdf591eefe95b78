"""git as a user runs it, without the machine's and the user's configuration; and comparing what it made."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.support.repositories import ENVIRONMENT, GIT, Repo


class Finished(NamedTuple):
    """How a command ended, and what it wrote."""

    status: int
    stdout: str
    stderr: str


class PlainGit:
    """A user's git.

    home: a folder of its own. config: pairs for every command. protocol: what it asks servers for.
    """

    def __init__(self, home: Path, config: Sequence[str] = (), *, protocol: int = 2) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.environment = {**ENVIRONMENT, "HOME": str(home)}
        self._config = [f"protocol.version={protocol}", *config]

    def run(
        self, *args: str, at: str | Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> Finished:
        """Runs a command in the folder `at`, whatever its status."""
        finished = subprocess.run(
            self.line(*args),
            cwd=at or self.home,
            input=stdin.encode(),
            capture_output=True,
            check=False,
            env={**self.environment, **(env or {})},
        )
        return Finished(
            finished.returncode,
            finished.stdout.decode("utf-8", "surrogateescape"),
            finished.stderr.decode("utf-8", "surrogateescape"),
        )

    def __call__(self, *args: str, at: str | Path | None = None, stdin: str = "") -> str:
        """Output of a command that must succeed."""
        finished = self.run(*args, at=at, stdin=stdin)
        assert finished.status == 0, (args, finished.stderr)
        return finished.stdout

    def refused(self, *args: str, at: str | Path | None = None) -> str:
        """What a command that must fail writes to standard error."""
        finished = self.run(*args, at=at)
        assert finished.status != 0, (args, finished.stdout)
        return finished.stderr

    def line(self, *args: str) -> list[str]:
        """The whole command line."""
        return [GIT, *(part for pair in self._config for part in ("-c", pair)), *args]


def objects(git_dir: str | Path) -> set[str]:
    """Id, type and size of every object of a repository, its alternates' included."""
    command = [GIT, "--git-dir", str(git_dir), "cat-file", "--batch-all-objects", "--batch-check"]
    return set(
        subprocess.run(
            command, env=ENVIRONMENT, check=True, capture_output=True, text=True
        ).stdout.splitlines()
    )


def references(git_dir: str | Path, *prefixes: str) -> list[str]:
    """References below the prefixes, with what they point to."""
    command = [GIT, "--git-dir", str(git_dir), "for-each-ref", "--format=%(objectname) %(refname)", *prefixes]
    return subprocess.run(
        command, env=ENVIRONMENT, check=True, capture_output=True, text=True, errors="surrogateescape"
    ).stdout.splitlines()


def reachable(git_dir: str | Path, *prefixes: str) -> set[str]:
    """Id, type and size of every object that the references below the prefixes reach."""
    names = [line.split(" ", 1)[1] for line in references(git_dir, *prefixes)]
    revisions = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
    base = [GIT, "--git-dir", str(git_dir)]
    listed = subprocess.run(
        [*base, "rev-list", "--objects", "--no-object-names", "--stdin"],
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        input=revisions,
    ).stdout
    checked = subprocess.run(
        [*base, "cat-file", "--batch-check"], env=ENVIRONMENT, check=True, capture_output=True, input=listed
    ).stdout
    return set(checked.decode().splitlines())


def assert_whole(git_dir: str | Path) -> None:
    """The repository passes git's own check of every object."""
    finished = subprocess.run(
        [GIT, "--git-dir", str(git_dir), "fsck", "--strict", "--full", "--no-dangling"],
        env=ENVIRONMENT,
        check=False,
        capture_output=True,
        text=True,
    )
    faults = [line for line in finished.stderr.splitlines() if "HEAD points to an unborn branch" not in line]
    assert (finished.returncode, faults) == (0, []), finished


def assert_same(one: str | Path, other: str | Path) -> None:
    """Both hold the same references and the same objects, and both are whole."""
    assert references(one) == references(other)
    assert objects(one) == objects(other)
    assert_whole(one)
    assert_whole(other)


def incoming(repo: Repo) -> list[str]:
    """Quarantines that git left in the repository."""
    return [name for name in os.listdir(Path(repo.git_dir, "objects")) if name.startswith("tmp_objdir")]
