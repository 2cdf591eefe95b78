"""The program git starts as a hook (transport.md 8.2)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitaly_py.hooks.directories import HookDirectories
from gitaly_py.hooks.payload import Hook
from gitaly_py.hooks.program import hook as program
from gitaly_py.hooks.server import HookWiring
from tests.support.pushes import USER, Pushes, install, run_program
from tests.support.rails import Answer, Rails

GONE = (1, b"", b"error executing git hook\n")


async def test_large_input_and_output_pass_unchanged(pushes: Pushes, rails: Rails) -> None:
    changes = b"".join(b"%040d %040d refs/heads/%d\n" % (n, n, n) for n in range(20_000))
    install(pushes.custom_hooks / "pre-receive", "tee /dev/stderr")
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        assert await run_program(wiring, "pre-receive", stdin=changes) == (0, changes, changes)

    assert rails.asked("/allowed")[0].body["changes"] == changes.decode()


async def test_arguments_of_any_bytes_reach_the_hook(pushes: Pushes) -> None:
    install(pushes.custom_hooks / "update", 'printf "%s\\n" "$@"')
    name = os.fsdecode(b"refs/heads/\xff\xc3")
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        status, stdout, _ = await run_program(wiring, "update", name, "0" * 40, "a" * 40)

    assert (status, stdout) == (0, b"refs/heads/\xff\xc3\n%s\n%s\n" % (b"0" * 40, b"a" * 40))


async def test_the_exit_status_is_the_daemons(pushes: Pushes) -> None:
    install(pushes.custom_hooks / "pre-receive", "exit 42")
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        assert (await run_program(wiring, "pre-receive", stdin=b"x"))[0] == 42


@pytest.mark.parametrize("environment", [{}, {program.SOCKET_VARIABLE: "/nonexistent/socket"}])
async def test_without_a_daemon_the_hook_fails_with_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = HookDirectories(str(tmp_path)).hooks_directory_for(Hook.PRE_RECEIVE)

    assert await run_program(HookWiring(folder, environment), "pre-receive") == GONE


async def test_a_transaction_that_is_being_prepared_needs_no_daemon(tmp_path: Path) -> None:
    folder = HookDirectories(str(tmp_path)).hooks_directory_for(Hook.REFERENCE_TRANSACTION)

    assert await run_program(HookWiring(folder, {}), "reference-transaction", "preparing") == (0, b"", b"")


async def test_proc_receive_does_not_wait_for_the_end_of_its_input(pushes: Pushes, tmp_path: Path) -> None:
    folder = HookDirectories(str(tmp_path)).hooks_directory_for(Hook.PROC_RECEIVE)
    ours, theirs = os.pipe()
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        process = await start(Path(folder, "proc-receive"), wiring.env, ours)
        status = await process.wait()
    os.close(ours)
    os.close(theirs)

    assert status == 0  # this push asked for no proc-receive


async def start(path: Path, env: dict[str, str], stdin: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(path, env=env, stdin=stdin)


async def test_a_failing_api_is_told_on_stderr(pushes: Pushes, rails: Rails) -> None:
    rails.answers["/allowed"] = Answer({"status": False, "message": "ü"})
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        assert await run_program(wiring, "pre-receive", stdin=b"x") == (1, b"", "GitLab: ü".encode())


def test_nothing_but_builtin_modules_and_sockets_is_imported() -> None:
    """Each further module costs time in every push."""
    code = "import sys; before = set(sys.modules); exec(open(sys.argv[1]).read(), {'__name__': 'hook'});"
    code += "print(*sorted(set(sys.modules) - before))"
    line = [sys.executable, "-I", "-S", "-c", code, program.__file__]

    shown = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["_socket"]
