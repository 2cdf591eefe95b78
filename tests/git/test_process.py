"""Processes: streams, deadlines, ends. Runs on asyncio's loop and on uvloop."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import structlog
import uvloop

from gitaly_py.git.commands import DISABLED, Command
from gitaly_py.git.errors import (
    CommandFailed,
    CommandTimedOut,
    ConfigUnreadable,
    InvalidCommand,
    OutputTooLarge,
    SpawnFailed,
    describe_status,
)
from gitaly_py.git.process import PIPE, Git, Stderr
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.settings import GitSettings
from gitaly_py.telemetry import fields, metrics
from tests.support.repositories import GIT, Repo

Body = Callable[[Git], Coroutine[Any, Any, None]]
Runner = Callable[[Body], None]

CAT_FILE = Command(name="cat-file", flags=["--batch"])
HASH_OBJECT = Command(name="hash-object", flags=["--stdin"])


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    """Runs a body with a Git of its own on each kind of loop; no child may be left afterwards."""
    run_loop: Any = asyncio.run if request.param == "asyncio" else uvloop.run

    async def wrapped(body: Body) -> None:
        git = Git(GitSettings(binary=GIT))
        await body(git)
        assert not git._live

    return lambda body: run_loop(wrapped(body))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.init(tmp_path / "r.git")


def write_script(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def scripted(repo: Repo, script: str, **settings: Any) -> Git:
    """A Git whose binary runs `script` instead, whatever the command."""
    wrapper = Path(repo.path, "fake-git")
    write_script(wrapper, f'[ "$1" = version ] && exec {GIT} version\n{script}')
    return Git(GitSettings(binary=str(wrapper), **settings))


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_run_gives_output_status_and_standard_error(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        done = await git.run(repo.repository, HASH_OBJECT, stdin=b"content")
        assert (done.status, done.stdout.decode().strip()) == (
            0,
            repo.git("hash-object", "--stdin", stdin="content"),
        )

        done = await git.run(repo.repository, Command(name="cat-file", args=["blob", "absent"]))
        assert done.status == 128
        assert done.stderr == b"fatal: Not a valid object name absent\n"
        with pytest.raises(CommandFailed, match=r"^exit status 128$"):
            done.check()

    run(body)


def test_stdin_larger_than_a_pipe_is_given_while_output_is_read(run: Runner, repo: Repo) -> None:
    blob = repo.blob(b"x" * 1000)

    async def body(git: Git) -> None:
        done = await git.run(repo.repository, CAT_FILE, stdin=f"{blob}\n".encode() * 5000)
        assert len(done.stdout) == 5000 * (len(f"{blob} blob 1000\n") + 1001)

    run(body)


def test_a_conversation_over_pipes(run: Runner, repo: Repo) -> None:
    blob = repo.blob(b"x" * 300_000)

    async def body(git: Git) -> None:
        async with git.start(repo.repository, CAT_FILE, stdin=PIPE) as process:
            assert process.stdin is not None
            for _ in range(3):
                await process.stdin.write(blob.encode() + b"\n")
                assert await process.read_until(b"\n") == f"{blob} blob 300000\n".encode()
                assert await process.read_exactly(300_001) == b"x" * 300_000 + b"\n"
            process.stdin.close()
            assert await process.read() == b""
            assert await process.wait() == 0

    run(body)


def test_writing_more_than_a_pipe_holds_waits_for_the_reader(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        async with git.start(repo.repository, HASH_OBJECT, stdin=PIPE) as process:
            assert process.stdin is not None
            await process.stdin.write(b"y" * 3_000_000)
            process.stdin.close()
            answer = await process.read_until(b"\n")
        assert answer.decode().strip() == repo.git("hash-object", "--stdin", stdin=b"y" * 3_000_000)

    run(body)


def test_writing_to_a_git_that_has_gone_is_a_broken_pipe(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        command = Command(name="cat-file", args=["blob", "absent"])
        async with git.start(repo.repository, command, stdin=PIPE, stderr=Stderr.KEEP) as process:
            assert process.stdin is not None
            with pytest.raises(BrokenPipeError):
                await process.stdin.write(b"z" * 1_000_000)
            assert await process.wait() == 128

    run(body)


def test_long_output_comes_in_large_chunks(run: Runner, repo: Repo) -> None:
    blob = repo.blob(bytes(range(256)) * 8000)

    async def body(git: Git) -> None:
        async with git.start(repo.repository, Command(name="cat-file", args=["blob", blob])) as process:
            chunks = [chunk async for chunk in process.chunks()]
            assert await process.wait() == 0
        assert b"".join(chunks) == bytes(range(256)) * 8000
        assert all(chunks)

    run(body)


@pytest.mark.parametrize("text", [b"", b"a\0b\0", b"a\0b", b"\0\0a"])
def test_records_are_split_at_the_separator(run: Runner, repo: Repo, text: bytes) -> None:
    blob = repo.blob(text)

    async def body(git: Git) -> None:
        async with git.start(repo.repository, Command(name="cat-file", args=["blob", blob])) as process:
            expected = text.split(b"\0")
            assert [each async for each in process.records(b"\0")] == (
                expected if expected[-1] else expected[:-1]
            )
            assert await process.wait() == 0

    run(body)


def test_raw_descriptors_take_the_place_of_pipes(run: Runner, repo: Repo) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Path(repo.path, "out").open("w+b") as output:
        ours.sendall(b"content")
        ours.shutdown(socket.SHUT_WR)

        async def body(git: Git) -> None:
            descriptors: Any = {"stdin": theirs.fileno(), "stdout": output.fileno()}
            assert (await git.run(repo.repository, HASH_OBJECT, **descriptors)).stdout == b""

        run(body)
        output.seek(0)
        assert output.read().decode().strip() == repo.git("hash-object", "--stdin", stdin="content")


def test_standard_output_can_be_spliced(run: Runner, repo: Repo) -> None:
    blob = repo.blob(b"spliced")

    async def body(git: Git) -> None:
        async with git.start(repo.repository, Command(name="cat-file", args=["blob", blob])) as process:
            assert await process.exited() == 0
            receiving, sending = os.pipe()
            assert os.splice(process.stdout_fd, sending, 100) == 7
            assert os.read(receiving, 100) == b"spliced"
            os.close(receiving)
            os.close(sending)

    run(body)


def test_a_block_that_ends_early_ends_the_process(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "exec sleep 1000")
        async with git.start(repo.repository, CAT_FILE) as process:
            assert is_alive(process.pid)
        assert process.returncode == -15
        assert not is_alive(process.pid)

    run(body)


def test_cancellation_reaches_the_whole_process_group(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "sleep 1000 & echo $!; wait")
        started: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

        async def hold() -> None:
            async with git.start(repo.repository, CAT_FILE) as process:
                started.set_result((process.pid, os.pidfd_open(int(await process.read_until(b"\n")))))
                await process.read()

        task = asyncio.get_running_loop().create_task(hold())
        pid, descendant = await started
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not is_alive(pid)
        assert await asyncio.to_thread(select.select, [descendant], [], [], 60) == ([descendant], [], [])
        os.close(descendant)

    run(body)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_time(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "trap '' TERM; echo ready; while :; do sleep 1000; done", terminate_grace=0.05)
        async with git.start(repo.repository, CAT_FILE) as process:
            await process.read_until(b"\n")
        assert process.returncode == -9

    run(body)


def test_a_deadline_ends_the_process(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "exec sleep 1000")
        with pytest.raises(CommandTimedOut) as caught:
            async with git.start(repo.repository, CAT_FILE, timeout=0.05) as process:
                await process.read()
        assert caught.value.seconds == 0.05
        assert process.returncode == -15

    run(body)


def test_a_timeout_of_the_caller_is_not_the_commands(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        with pytest.raises(TimeoutError):
            async with git.start(repo.repository, CAT_FILE, timeout=1000):
                raise TimeoutError

    run(body)


def test_output_beyond_the_limit_is_refused(run: Runner, repo: Repo) -> None:
    blob = repo.blob(b"x" * 1000)

    async def body(git: Git) -> None:
        command = Command(name="cat-file", args=["blob", blob])
        assert len((await git.run(repo.repository, command, max_output=1000)).stdout) == 1000
        with pytest.raises(OutputTooLarge):
            await git.run(repo.repository, command, max_output=999)

    run(body)


def test_closing_ends_every_process(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "exec sleep 1000")
        async with (
            git.start(repo.repository, CAT_FILE) as first,
            git.start(repo.repository, CAT_FILE) as second,
        ):
            await git.close()
            assert (first.returncode, second.returncode) == (-15, -15)

    run(body)


def test_only_the_end_of_standard_error_is_kept_and_long_lines_are_cut(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done")
        done = await git.run(repo.repository, CAT_FILE)
        assert len(done.stderr) == 10_000
        assert done.stderr.endswith(b"line 4998\nline 4999\n")

        git = scripted(repo, "head -c 5000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2")
        assert (await git.run(repo.repository, CAT_FILE)).stderr == b"x" * 4096 + b"\nlast\n"

    run(body)


def test_standard_error_can_be_merged_or_read_by_the_caller(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "echo out; echo error >&2")
        assert (await git.run(repo.repository, CAT_FILE, stderr=Stderr.MERGE)).stdout == b"out\nerror\n"
        async with git.start(repo.repository, CAT_FILE, stderr=Stderr.PIPE) as process:
            assert process.stderr_pipe is not None
            assert await process.stderr_pipe.read_until(b"\n") == b"error\n"

    run(body)


@pytest.mark.parametrize(("status", "level"), [(0, "warning"), (3, "error")])
def test_standard_error_nobody_reads_is_logged(run: Runner, repo: Repo, status: int, level: str) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, f"echo careful >&2; exit {status}")
        with structlog.testing.capture_logs() as logs:
            async with git.start(repo.repository, CAT_FILE) as process:
                await process.wait()
        assert [(each["event"], each["log_level"]) for each in logs if each["log_level"] != "debug"] == [
            ("careful\n", level)
        ]

    run(body)


def test_what_a_process_costs_is_added_to_the_calls_fields(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        record = fields.opened()
        await git.run(repo.repository, HASH_OBJECT, stdin=b"1")
        await git.run(repo.repository, HASH_OBJECT, stdin=b"2")
        assert record["command.count"] == 2
        assert record["command.minflt"] > 0
        assert record["command.real_time_ms"] >= 0

    run(body)


def test_the_memory_of_a_process_that_takes_a_while_is_among_the_calls_fields(
    run: Runner, repo: Repo
) -> None:
    async def body(_: Git) -> None:
        record = fields.opened()
        git = scripted(repo, "sleep 1")
        await git.run(repo.repository, CAT_FILE)
        assert record["command.maxrssanon_bytes"] > 0
        assert record["command.maxrssanon_bytes"] % 1024 == 0

    run(body)


def test_start_and_end_of_a_process_are_entries_for_debugging(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "exit 3")
        with structlog.testing.capture_logs() as logs:
            await git.run(repo.repository, CAT_FILE)
        spawn, complete = (entry for entry in logs if entry["log_level"] == "debug")
        assert (spawn["event"], complete["event"]) == ("spawn", "spawn complete")
        for entry in (spawn, complete):
            assert entry["path"] == git.binary
            assert entry["args"][0] == git.binary
            assert "cat-file" in entry["args"]
        assert spawn["pid"] == complete["pid"]
        assert complete["command.exitCode"] == 3
        assert complete["command.real_time_ms"] >= 0
        assert complete["command.cpu_time_ms"] >= 0

    run(body)


def test_programs_are_counted_by_their_own_name(run: Runner, repo: Repo) -> None:
    def counted(cmd: str, subcmd: str) -> float:
        (family,) = metrics.command_real_seconds.collect()
        wanted = {"cmd": cmd, "subcmd": subcmd}.items()
        return sum(sample.value for sample in family.samples if wanted <= sample.labels.items())

    async def body(git: Git) -> None:
        async with git.start_program(["/bin/sh", "-c", "exit"], cwd="/") as process:
            await process.wait()
        await git.run(repo.repository, HASH_OBJECT, stdin=b"1")

    before = counted("sh", ""), counted("git", "hash-object")
    run(body)
    assert counted("sh", "") > before[0]
    assert counted("git", "hash-object") > before[1]
    assert counted("git", "sh") == 0


def test_the_environment_is_built_from_nothing(run: Runner, repo: Repo) -> None:
    environment = {"PATH": os.environ["PATH"], "SECRET": "x", "http_proxy": "p", "LANG": "de_DE"}

    async def body(_: Git) -> None:
        git = scripted(repo, "env", environment=environment)
        seen = GitRepository(repo.path, "/quarantine", ("/a", "/b"))
        output = (
            await git.run(seen, CAT_FILE, env={"EXTRA": "1"}, secrets=[("http.extraHeader", "token")])
        ).stdout.decode()
        variables = dict(line.split("=", 1) for line in output.splitlines())
        assert (
            variables.items()
            >= {
                "http_proxy": "p",
                "LANG": "en_US.UTF-8",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_OBJECT_DIRECTORY": "/quarantine",
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/a:/b",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "http.extraHeader",
                "GIT_CONFIG_VALUE_0": "token",
                "EXTRA": "1",
            }.items()
        )
        assert "SECRET" not in variables

    run(body)


def test_configuration_of_the_administrator_wins_over_the_calls_and_that_over_ours(
    run: Runner, repo: Repo
) -> None:
    settings = GitSettings(binary=GIT, config=(("core.bigFileThreshold", "3"),))
    query = Command(name="config", flags=["--get-all"], args=["core.bigFileThreshold"])

    async def body(_: Git) -> None:
        done = await Git(settings).run(repo.repository, query, config=[("core.bigFileThreshold", "2")])
        assert done.stdout.split() == [b"50m", b"2", b"3"]

    run(body)


@pytest.mark.parametrize(
    ("command", "config"),
    [
        (Command(name="cat-file", args=["a\0b"]), ()),
        (CAT_FILE, [("nodot", "x")]),
        (CAT_FILE, [("a.b=c", "x")]),
        (CAT_FILE, [("a.b", "x\0y")]),
    ],
    ids=["argument", "key", "equals sign", "value"],
)
def test_a_bad_line_is_refused_before_anything_starts(
    run: Runner, repo: Repo, command: Command, config: Any
) -> None:
    async def body(git: Git) -> None:
        with pytest.raises(InvalidCommand):
            await git.run(repo.repository, command, config=config)

    run(body)


def test_a_line_can_be_checked_before_it_is_needed_and_refusals_are_counted(run: Runner, repo: Repo) -> None:
    refused = Command(name="cat-file", args=["-x"])
    count = metrics.invalid_commands.labels("cat-file")._value

    async def body(git: Git) -> None:
        git.check(CAT_FILE)
        before = count.get()
        with pytest.raises(InvalidCommand):
            git.check(refused)
        with pytest.raises(InvalidCommand):
            await git.run(repo.repository, refused)
        assert count.get() == before + 2

    run(body)


def test_a_repository_without_config_fails_every_command(run: Runner, repo: Repo) -> None:
    os.unlink(f"{repo.path}/config")

    async def body(git: Git) -> None:
        with pytest.raises(
            ConfigUnreadable, match=f"^open: open {repo.path}/config: no such file or directory$"
        ):
            await git.run(repo.repository, CAT_FILE)

    run(body)


def test_a_missing_binary_cannot_be_started(run: Runner, repo: Repo) -> None:
    async def body(_: Git) -> None:
        git = scripted(repo, "true")
        assert git.version == repo.git("version").removeprefix("git version ")
        with pytest.raises(SpawnFailed, match="Argument list too long"):
            await git.run(repo.repository, Command(name="cat-file", args=[b"x" * 3_000_000]))

    run(body)


def test_no_descriptor_is_left_open(run: Runner, repo: Repo) -> None:
    async def body(git: Git) -> None:
        await git.run(repo.repository, HASH_OBJECT, stdin=b"x")
        before = os.listdir("/proc/self/fd")
        for choice in Stderr:
            async with git.start(repo.repository, CAT_FILE, stdin=PIPE, stderr=choice):
                pass
            await git.run(repo.repository, HASH_OBJECT, stdin=b"x", stderr=choice)
        assert len(os.listdir("/proc/self/fd")) == len(before)

    run(body)


def test_statuses_read_as_go_prints_them() -> None:
    assert describe_status(128) == "exit status 128"
    assert describe_status(-15) == "signal: terminated"
    assert describe_status(-9) == "signal: killed"
    assert describe_status(-13) == "signal: broken pipe"


def test_hooks_of_the_repository_do_not_run_when_disabled(run: Runner, repo: Repo) -> None:
    oid = repo.commit()
    write_script(Path(repo.path, "hooks", "reference-transaction"), "exit 1")

    async def body(git: Git) -> None:
        command = Command(name="update-ref", args=["refs/heads/x", oid], hooks=DISABLED)
        (await git.run(repo.repository, command)).check()
        assert repo.git("rev-parse", "refs/heads/x") == oid

    run(body)


def test_a_program_other_than_git_gets_just_what_it_is_given(run: Runner, repo: Repo) -> None:
    script = Path(repo.path, "program")
    write_script(script, 'pwd; echo "$1 $WHO"; cat')

    async def body(git: Git) -> None:
        options: Any = {"env": {"WHO": "me", "PATH": os.environ["PATH"]}, "stdin": b"input"}
        async with git.start_program([str(script), "a b"], cwd=repo.path, **options) as process:
            assert await process.read_exactly(1000) == f"{repo.path}\na b me\ninput".encode()
            assert await process.wait() == 0

    run(body)
