from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitaly_py.config import parse
from tests.support.commands import gitaly_py
from tests.support.configuration import valid_toml, without


def test_a_valid_configuration_prints_nothing(tmp_path: Path) -> None:
    assert gitaly_py("configuration", "validate", stdin=valid_toml(tmp_path)) == (0, "", "")


def test_unknown_keys_are_named_on_standard_error(tmp_path: Path) -> None:
    status, stdout, stderr = gitaly_py("configuration", "validate", stdin=valid_toml(tmp_path) + "x.y = 1\n")

    assert (status, stdout) == (0, "")
    assert stderr == 'configuration key "x" is unknown and ignored\n'


def test_problems_are_printed_as_json(tmp_path: Path) -> None:
    toml = without(valid_toml(tmp_path), "socket_path") + 'git.config = [{key = "x"}]\n'

    status, stdout, stderr = gitaly_py("configuration", "validate", stdin=toml)

    assert (status, stderr) == (2, "")
    assert (
        stdout
        == """{
  "errors": [
    {
      "message": "none of \\"socket_path\\", \\"listen_addr\\" or \\"tls_listen_addr\\" is set"
    },
    {
      "key": [
        "git",
        "config",
        "key"
      ],
      "message": "key \\"x\\" must contain at least one section"
    }
  ]
}
"""
    )


def test_all_mistakes_are_told_in_one_run(tmp_path: Path) -> None:
    toml = without(valid_toml(tmp_path), "socket_path") + (
        'socket_path = 1\nlisten_adr = ":1"\nlogging.format = "xml"\nauth.transitioning = "yes"\n'
    )

    status, stdout, stderr = gitaly_py("configuration", "validate", stdin=toml)

    assert (status, [".".join(error["key"]) for error in json.loads(stdout)["errors"]]) == (
        2,
        ["socket_path", "auth.transitioning", "logging.format"],
    )
    assert stderr == 'configuration key "listen_adr" is unknown and ignored, did you mean "listen_addr"?\n'


@pytest.mark.parametrize(
    ("toml", "error"),
    [
        pytest.param(
            'graceful_restart_timeout = "bad value"',
            {
                "key": ["graceful_restart_timeout"],
                "message": 'line 1 column 28: toml: time: invalid duration "bad value"',
            },
            id="type",
        ),
        pytest.param(
            "rubbish",
            {"message": "line 1 column 8: toml: Expected '=' after a key in a key/value pair"},
            id="syntax",
        ),
    ],
)
def test_text_that_cannot_be_decoded_is_one_problem(toml: str, error: dict[str, object]) -> None:
    status, stdout, stderr = gitaly_py("configuration", "validate", stdin=toml)

    assert (status, json.loads(stdout), stderr) == (2, {"errors": [error]}, "")


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ('config_command = "/none"', "running config command: fork/exec /none: no such file or directory"),
        ('auth.token_file = "/none"', "reading token file: open /none: no such file or directory"),
    ],
)
def test_other_faults_while_loading_are_no_json(toml: str, reason: str) -> None:
    assert gitaly_py("configuration", "validate", stdin=toml) == (1, "", f"processing input data: {reason}\n")


def test_an_example_can_be_had() -> None:
    status, stdout, stderr = gitaly_py("configuration", "example")

    assert (status, stderr) == (0, "")
    assert parse(stdout.encode()).storage[0].name == "default"


def test_the_group_alone_prints_its_help() -> None:
    status, stdout, stderr = gitaly_py("configuration")

    assert (status, stderr) == (2, "")
    assert "validate" in stdout
