"""How the daemon starts, and why it may not (daemon.md 1.4)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitaly_py.daemon.runtime import RuntimeDirectory, RuntimeDirectoryError
from tests.daemon.conftest import NewDaemon
from tests.support.daemon import Daemon
from tests.support.metrics import free_port

GITLAB = '[gitlab]\nurl = "http://localhost"\nsecret_file = "{}"\n'


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_directories_of_dead_daemons_are_pruned_and_the_own_one_is_private(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    run = daemon.root / "run"
    dead, living = f"gitaly-{dead_pid()}", f"gitaly-{os.getpid()}"
    for name in (dead, living, "gitaly-0", "gitaly-x", "other"):
        (run / name / "sock.d").mkdir(parents=True)
    (run / "gitaly-1x").touch()
    (run / f"gitaly-{dead_pid()}").touch()

    daemon.start()

    left = {path.name for path in run.iterdir() if path.is_dir()}
    assert left == {living, "gitaly-x", "other", f"gitaly-{daemon.pid}"}
    assert len([path for path in run.iterdir() if path.is_file()]) == 2
    own = run / f"gitaly-{daemon.pid}"
    assert {oct(path.stat().st_mode & 0o777) for path in (own, own / "sock.d")} == {"0o700"}
    assert daemon.stop() == 0
    assert not own.exists()


def test_without_a_configured_runtime_directory_a_fresh_one_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    directory = RuntimeDirectory.create("")

    assert directory.internal_socket == tmp_path / directory.path.name / "sock.d/intern"
    directory.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / ("x" * 100)
    parent.mkdir()

    with pytest.raises(RuntimeDirectoryError, match="your socket path is likely too long"):
        RuntimeDirectory.create(str(parent))

    assert list(parent.iterdir()) == []


def test_a_folder_where_nothing_can_be_executed_is_refused(tmp_path: Path) -> None:
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "noexec", "none", str(tmp_path)], capture_output=True, check=False
    )
    if mounting.returncode:
        pytest.skip(f"nothing can be mounted here: {mounting.stderr.decode()}")
    try:
        with pytest.raises(RuntimeDirectoryError, match="mounted noexec"):
            RuntimeDirectory.create(str(tmp_path))
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_longest_path_that_is_allowed_serves(
    new_daemon: NewDaemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = tmp_path_factory.mktemp("run")
    room = 107 - len(f"{run}//gitaly-9999999/sock.d/tsocket")
    (run / ("x" * room)).mkdir()
    daemon = new_daemon()
    daemon.config.write_text(daemon.config.read_text().replace(f"{daemon.root}/run", f"{run}/{'x' * room}"))

    daemon.start()

    assert daemon.stop() == 0


def failure(daemon: object, text: str) -> None:
    with pytest.raises(AssertionError, match="the daemon did not start"):
        daemon.start()  # type: ignore[attr-defined]
    log = daemon.log.read_text()  # type: ignore[attr-defined]
    assert "unclean Gitaly shutdown" in log
    assert text in log
    assert daemon.stop() == 1  # type: ignore[attr-defined]
    assert list((daemon.root / "run").iterdir()) == []  # type: ignore[attr-defined]


def test_a_secret_that_cannot_be_read_keeps_it_from_starting(new_daemon: NewDaemon) -> None:
    failure(
        new_daemon(tables=GITLAB.format("/nowhere/secret")),
        "could not create GitLab API client",
    )


def test_a_socket_that_cannot_be_bound_keeps_it_from_starting(new_daemon: NewDaemon) -> None:
    daemon = new_daemon()
    daemon.config.write_text(daemon.config.read_text().replace(str(daemon.socket), "/nowhere/gitaly.sock"))

    failure(daemon, "No such file or directory: '/nowhere/gitaly.sock'")
    assert "Traceback" not in daemon.log.read_text()


def test_an_address_of_gitlab_that_makes_no_sense_keeps_it_from_starting(new_daemon: NewDaemon) -> None:
    daemon = new_daemon(tables='[gitlab]\nurl = "ftp://x"\nsecret = "s"\n')

    failure(daemon, "could not create GitLab API client: unknown GitLab URL prefix")
    assert "Traceback" not in daemon.log.read_text()


def test_two_daemons_may_share_a_tcp_port_and_a_left_over_socket_is_replaced(new_daemon: NewDaemon) -> None:
    port = free_port()
    first = new_daemon(extra=f'listen_addr = "127.0.0.1:{port}"').start()
    second = new_daemon(extra=f'listen_addr = "127.0.0.1:{port}"')
    second.socket.touch()

    second.start()

    assert (first.stop(), second.stop()) == (0, 0)


def test_storages_are_marked_once(new_daemon: NewDaemon) -> None:
    daemon = new_daemon().start()
    first = (daemon.storage / ".gitaly-metadata").read_text()
    daemon.stop()
    daemon.start()

    assert first.startswith('{"gitaly_filesystem_id":"')
    assert (daemon.storage / ".gitaly-metadata").read_text() == first
    assert daemon.stop() == 0


def test_a_daemon_that_stands_alone_loads_nothing_of_the_internal_api(new_daemon: NewDaemon) -> None:
    def loaded(daemon: Daemon) -> set[str]:
        """Those libraries with compiled parts that the worker has loaded."""
        maps = Path(f"/proc/{daemon.worker.pid}/maps").read_text()
        return {name for name in ("aiohttp", "cryptography", "pygit2") if f"/{name}/" in maps}

    alone = new_daemon().start()
    assert loaded(alone) == {"pygit2"}
    assert alone.stop() == 0

    secret = alone.root / "secret"
    secret.write_text("s3cret")
    attached = new_daemon(tables=GITLAB.format(secret)).start()
    assert loaded(attached) == {"aiohttp", "cryptography", "pygit2"}
    assert attached.stop() == 0
