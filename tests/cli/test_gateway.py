from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import gitaly_py


@pytest.mark.parametrize("arguments", [[], ["a", "b"]], ids=["none", "two"])
def test_gateway_takes_one_argument(arguments: list[str]) -> None:
    status, stdout, stderr = gitaly_py("gateway", *arguments)

    assert (status, stderr) == (2, "")
    assert stdout.startswith("Usage: gitaly-py gateway")


def test_gateway_names_a_file_that_cannot_be_read() -> None:
    assert gitaly_py("gateway", "/none") == (
        1,
        "",
        'load config: config_path "/none": open /none: no such file or directory\n',
    )


def test_gateway_does_not_start_with_an_invalid_configuration(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("")

    assert gitaly_py("gateway", str(path)) == (
        1,
        "",
        f'load config: config_path "{path}": invalid config: gitaly_address: not set\n',
    )
