"""The lines that commands become, and those that are refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitaly_py.git.commands import COMMANDS, DISABLED, STANDARD_OUTPUT, Command, global_config, threads
from gitaly_py.git.environment import config_flags
from gitaly_py.git.errors import InvalidCommand, InvalidPosition
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.version import parse_version, version_string
from tests.support.repositories import GIT, Repo

OLD, NEW = (2, 39, 5), (2, 52, 0)


def configured(
    command: Command, version: tuple[int, ...] = OLD, repository: Any = None, **more: Any
) -> list[str]:
    """The configuration a command gets beyond that of all commands."""
    flags = config_flags(version, repository, command, more.get("config", ()), more.get("admin", ()))
    values = [os.fsdecode(each) for each in flags if each != b"-c"]
    everywhere = [f"{key}={value}" for key, value in global_config(version)]
    assert values[: len(everywhere)] == everywhere
    return values[len(everywhere) :]


def test_a_line_has_its_parts_in_order() -> None:
    command = Command(
        name="commit-graph",
        action="write",
        flags=["--reachable", ("--size-multiple", "4"), ("--points-at", b"-x\xff")],
        args=["a", b"\xfe"],
        paths=[b"-p", b"q"],
    )
    assert command.arguments() == [
        *(b"commit-graph", b"write", b"--reachable", b"--size-multiple", b"4", b"--points-at", b"-x\xff"),
        *(b"--end-of-options", b"a", b"\xfe", b"--", b"-p", b"q"),
    ]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (Command(name="rev-parse", args=["main"]), [b"rev-parse", b"main"]),
        (Command(name="cat-file", flags=["-e"]), [b"cat-file", b"-e"]),
        (Command(name="rev-list", args=["--all", "x"], paths=[]), [b"rev-list", b"--all", b"x", b"--"]),
        (Command(name="rev-list", args=["HEAD:a b:c"]), [b"rev-list", b"HEAD:a b:c"]),
        (
            Command(name="bundle", action="create", flags=[STANDARD_OUTPUT, "--all"]),
            [b"bundle", b"create", b"-", b"--all"],
        ),
    ],
    ids=["no end of options", "no positions", "pseudo-revision", "path", "standard output"],
)
def test_a_line_leaves_out_what_git_would_misread(command: Command, line: list[bytes]) -> None:
    assert command.arguments() == line


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command(name="frobnicate"), 'invalid sub command name "frobnicate": invalid argument'),
        (Command(name="bundle", action="-x"), 'invalid action "-x": invalid argument'),
        (Command(name="log", flags=["x"]), 'flag "x" failed regex validation: invalid argument'),
        (Command(name="log", flags=["---"]), 'flag "---" failed regex validation: invalid argument'),
        (
            Command(name="log", args=[b"-\xffx"]),
            "positional arg \"-\\xffx\" cannot start with dash '-': invalid argument",
        ),
        (Command(name="log", args=["a\0b"]), 'detected null byte in command argument "a\\x00b"'),
        (Command(name="log", paths=[b"a\0"]), 'detected null byte in command argument "a\\x00"'),
        (Command(name="update-ref"), "hooks of update-ref are neither configured nor disabled"),
    ],
    ids=["name", "action", "flag", "dashes", "position", "NUL", "NUL in path", "hooks"],
)
def test_a_line_git_must_not_see_is_refused(command: Command, text: str) -> None:
    with pytest.raises(InvalidCommand) as caught:
        command.arguments()
    assert str(caught.value) == text


def test_positions_of_rev_list_are_revisions() -> None:
    with pytest.raises(InvalidPosition) as caught:
        Command(name="rev-list", args=["--exec"]).arguments()
    assert str(caught.value) == "validating positional argument: revision can't start with '-'"


def test_configuration_of_receive_pack() -> None:
    assert configured(Command(name="receive-pack", args=["x"], hooks="/hooks"), admin=[("a.b", "c")]) == [
        "core.alternateRefsCommand=exit 0 #",
        "receive.advertisePushOptions=true",
        "receive.autogc=false",
        "receive.hideRefs=refs/environments/",
        "receive.hideRefs=refs/keep-around/",
        "receive.hideRefs=refs/merge-requests/",
        "receive.hideRefs=refs/pipelines/",
        "receive.hideRefs=refs/remotes/",
        "receive.hideRefs=refs/tmp/",
        "transfer.fsckObjects=true",
        "receive.fsck.badTimezone=ignore",
        "receive.fsck.missingSpaceBeforeDate=ignore",
        "receive.fsck.zeroPaddedFilemode=ignore",
        "pack.windowMemory=100m",
        "pack.writeReverseIndex=true",
        f"pack.threads={threads()}",
        "core.hooksPath=/hooks",
        "a.b=c",
    ]


def test_hooks_are_configured_after_what_the_call_asks_for() -> None:
    command = Command(name="update-ref", hooks=DISABLED)
    assert configured(command, config=[("core.hooksPath", "/tmp")]) == [
        "core.hooksPath=/tmp",
        "core.hooksPath=/dev/null",
    ]


def test_attributes_come_from_head_where_commands_need_them(tmp_path: Path) -> None:
    for object_format in ("sha1", "sha256"):
        repo = Repo.init(tmp_path / object_format, object_format)
        seen = GitRepository(repo.path)
        assert configured(Command(name="diff"), NEW, seen) == ["attr.tree=HEAD"]
        assert configured(Command(name="show"), NEW, seen) == [f"attr.tree={repo.format.empty_tree}"]
        assert configured(Command(name="diff"), OLD, seen) == []


def test_reuse_of_several_packs_needs_a_git_that_knows_it() -> None:
    pair = ("pack.allowPackReuse", "multi")
    assert pair in global_config((2, 44))
    assert pair not in global_config((2, 43, 9))


@pytest.mark.parametrize(
    ("output", "version", "numbers"),
    [
        ("git version 2.39.5\n", "2.39.5", (2, 39, 5)),
        ("git version 2.45.0-rc1.5.g1234", "2.45.0-rc1.5.g1234", (2, 45, 0)),
        ("git version 2.52.GIT", "2.52.GIT", (2, 52)),
    ],
)
def test_versions_are_read(output: str, version: str, numbers: tuple[int, ...]) -> None:
    assert version_string(output) == version
    assert parse_version(version) == numbers


NOT_IN_EVERY_GIT = {"refs", "replay", "filter-repo"}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NOT_IN_EVERY_GIT))
def test_git_knows_every_command_of_the_table(name: str, tmp_path: Path) -> None:
    done = subprocess.run([GIT, name, "-h"], check=False, capture_output=True, cwd=tmp_path, text=True)
    assert "is not a git command" not in done.stderr


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("log", ["-1", "--format=%H", "--end-of-options", "main", "--"]),
        ("diff", ["--end-of-options", "main", "main", "--"]),
        ("diff-tree", ["--end-of-options", "main", "main"]),
        ("merge-base", ["--end-of-options", "main", "main"]),
        ("merge-tree", ["--write-tree", "--end-of-options", "main", "main"]),
        ("commit-tree", ["-m", "x", "--end-of-options", "main^{tree}"]),
        ("for-each-ref", ["--end-of-options", "refs/heads"]),
        ("cat-file", ["--end-of-options", "commit", "main"]),
        ("ls-tree", ["--end-of-options", "main", "--", "file"]),
        ("show", ["--end-of-options", "main"]),
        ("config", ["--end-of-options", "core.bare"]),
        ("symbolic-ref", ["--end-of-options", "HEAD"]),
        ("upload-pack", ["--advertise-refs", "--end-of-options", "."]),
        ("tag", ["--end-of-options", "t", "main"]),
        ("update-ref", ["--end-of-options", "refs/heads/x", "main"]),
        ("pack-objects", ["--end-of-options", "pack"]),
        ("fast-export", ["--end-of-options", "main"]),
        ("bundle", ["create", "--end-of-options", "b", "main"]),
        ("ls-remote", ["--end-of-options", "."]),
        ("worktree", ["prune"]),
    ],
)
def test_git_understands_the_end_of_options(name: str, arguments: list[str], tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "r.git")
    repo.history(1, "refs/heads/main")
    done = subprocess.run(
        [GIT, "-C", repo.path, name, *arguments],
        check=False,
        capture_output=True,
        env=environment(),
        input=b"",
    )
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    """Names for the commit that commit-tree makes."""
    who = {f"GIT_{role}_{part}": "x" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return {**os.environ, **who}
