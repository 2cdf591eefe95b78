from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.support.commands import gitaly_py, gitaly_py_process
from tests.support.configuration import valid_toml


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.toml").write_text(valid_toml(tmp_path))
    return str(tmp_path / "config.toml")


def blob_id(text: str) -> str:
    return hashlib.sha1(f"blob {len(text)}\0{text}".encode()).hexdigest()


def test_git_runs_where_one_is_with_the_streams_passed_on(tmp_path: Path, config: str) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    assert gitaly_py_process("git", "-c", config, "--", "init", "-q", ".", cwd=folder).status == 0

    outcome = gitaly_py_process("git", "-c", config, "--", "hash-object", "--stdin", cwd=folder, stdin="x")

    assert outcome == (0, blob_id("x") + "\n", "")


def test_git_gives_its_own_status_and_errors(config: str) -> None:
    outcome = gitaly_py_process(
        "git", "-c", config, "--", "rev-parse", "--verify", "-q", "none", cwd=Path("/")
    )

    assert outcome.status == 128
    assert outcome.stderr.startswith("fatal: not a git repository")


def test_git_starts_no_maintenance_and_keeps_other_configuration(config: str) -> None:
    env = {**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b", "GIT_CONFIG_VALUE_0": "c"}

    listed = gitaly_py_process("git", "-c", config, "--", "config", "--list", "--show-scope", env=env).stdout

    assert [line.split("\t")[1] for line in listed.splitlines() if line.startswith("command")] == [
        "a.b=c",
        "gc.auto=0",
        "maintenance.auto=0",
    ]


def test_a_git_that_does_not_exist_is_told(config: str) -> None:
    outcome = gitaly_py_process(
        "git", "-c", config, "--", "x", env={**os.environ, "GITALY_TESTING_GIT_BINARY": "/none"}
    )

    assert outcome == (1, "", "/none: no such file or directory\n")


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["--", "status"], 1, 'Required flag "config" not set\n'),
        (
            ["-c", "/none", "--", "status"],
            1,
            'loading configuration "/none": open /none: no such file or directory\n',
        ),
        (["-c", "/none"], 2, "error: no git command given\n"),
    ],
)
def test_git_needs_a_configuration_and_a_command(arguments: list[str], status: int, error: str) -> None:
    outcome = gitaly_py("git", *arguments)

    assert (outcome.status, outcome.stderr) == (status, error)
