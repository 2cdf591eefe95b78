"""The program git starts as an LFS filter."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gitaly_py.hooks.installing import install
from gitaly_py.hooks.program import lfs_smudge as program


@pytest.fixture
def smudge(tmp_path: Path) -> Path:
    path = tmp_path / "gitaly-lfs-smudge"
    install(program, path)
    return path


def test_both_pipes_come_through_the_socket(smudge: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as offers:
        offers.bind(str(tmp_path / "socket"))
        line = [smudge, tmp_path / "socket"]
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.wait() == 0
            _, (reading, writing), _, _ = socket.recv_fds(offers, 1, 2)
            os.write(writing, b"answer")
            os.close(writing)
            process.stdin.write(b"question")
            process.stdin.close()
            assert (os.read(reading, 100), process.stdout.read()) == (b"question", b"answer")
            os.close(reading)


@pytest.mark.parametrize("arguments", [[], ["/nonexistent/socket"]])
def test_without_a_daemon_it_fails_without_a_word(smudge: Path, arguments: list[str]) -> None:
    ended = subprocess.run([smudge, *arguments], env={}, capture_output=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")


def test_it_can_be_installed_over_another(smudge: Path) -> None:
    install(program, smudge)

    assert smudge.stat().st_mode & 0o777 == 0o500
    assert os.listdir(smudge.parent) == [smudge.name]


def test_nothing_but_builtin_modules_and_sockets_is_imported() -> None:
    code = "import sys; before = set(sys.modules); exec(open(sys.argv[1]).read(), {'__name__': 'hook'});"
    code += "print(*sorted(set(sys.modules) - before))"
    line = [sys.executable, "-I", "-S", "-c", code, program.__file__]

    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["_socket"]
