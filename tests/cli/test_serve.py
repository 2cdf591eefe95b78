from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import gitaly_py
from tests.support.configuration import valid_toml, without


@pytest.mark.parametrize("command", [[], ["serve"]], ids=["short", "serve"])
def test_a_file_that_cannot_be_read_is_named(command: list[str]) -> None:
    assert gitaly_py(*command, "/none") == (
        1,
        "",
        'load config: config_path "/none": open /none: no such file or directory\n',
    )


@pytest.mark.parametrize("arguments", [[], ["a", "b"]], ids=["none", "two"])
def test_serve_takes_one_argument(arguments: list[str]) -> None:
    status, stdout, stderr = gitaly_py("serve", *arguments)

    assert (status, stderr) == (2, "")
    assert stdout.startswith("Usage: gitaly-py serve")


def test_an_invalid_configuration_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(without(valid_toml(tmp_path), "socket_path"))

    assert gitaly_py("serve", str(tmp_path / "config.toml")) == (
        1,
        "",
        "invalid config: at least one of socket_path, listen_addr or tls_listen_addr must be set\n",
    )
