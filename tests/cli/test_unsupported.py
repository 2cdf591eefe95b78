from __future__ import annotations

import pytest

from tests.support.commands import gitaly_py


@pytest.mark.parametrize(
    "arguments", [["db"], ["pool", "--config", "x"], ["recovery", "status"], ["cluster", "info", "-c", "x"]]
)
def test_commands_without_a_meaning_here_say_so(arguments: list[str]) -> None:
    assert gitaly_py(*arguments) == (1, "", f"{arguments[0]}: not supported\n")
