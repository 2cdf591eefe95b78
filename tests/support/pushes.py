"""Pushes over real `git receive-pack`, with the daemon's hooks wired in and a Rails double behind them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.hooks.call import Output
from gitaly_py.hooks.custom import CustomHooks
from gitaly_py.hooks.payload import HookRepository, UserDetails
from gitaly_py.hooks.receive import ReceiveHooks
from gitaly_py.hooks.server import HookServer, HookWiring
from gitaly_py.rails.client import InternalApi
from gitaly_py.rails.settings import InternalApiSettings
from gitaly_py.rails.stand_alone import NoInternalApi
from tests.support.rails import SECRET, Rails
from tests.support.repositories import ENVIRONMENT, GIT, Repo

USER = UserDetails(username="jane", userid="key-31", protocol="ssh", remote_ip="10.1.2.3")
SERVER_ENVIRONMENT = {"HOME": "/home/git", "PATH": os.environ["PATH"], "TZ": "UTC", "SECRET": "s3cr3t"}


@dataclass(frozen=True)
class Pushed:
    """How `git push` ended. remote: what the hooks printed, as it arrived; errors: everything it printed."""

    status: int
    errors: str

    @property
    def remote(self) -> str:
        lines = re.findall(r"^remote: ?(.*?) *$", self.errors, re.MULTILINE)
        return "\n".join(lines).strip("\n")


class Pushes:
    """A bare repository to push to, one to push from, and the hooks of the former."""

    def __init__(self, server: HookServer, hooks: ReceiveHooks, target: Repo, source: Repo) -> None:
        self.server = server
        self.hooks = hooks
        self.target = target
        self.source = source
        self.repository = HookRepository(
            storage_name="default",
            relative_path="group/target.git",
            gl_repository="project-88",
            gl_project_path="group/project",
        )

    @property
    def custom_hooks(self) -> Path:
        """The repository's own folder of hooks."""
        return Path(self.target.path, "custom_hooks")

    async def push(
        self,
        *refspecs: str,
        options: Sequence[str] = (),
        user: UserDetails = USER,
        env: Mapping[str, str] = {},
    ) -> Pushed:
        """Runs `git push` with the wiring of one push."""
        with self.server.wiring(
            self.repository, self.target.path, user, object_format=self.target.format.name
        ) as wiring:
            return await push_with(wiring, self.source, self.target, *refspecs, options=options, env=env)


async def push_with(
    wiring: HookWiring,
    source: Repo,
    target: Repo,
    *refspecs: str,
    options: Sequence[str] = (),
    env: Mapping[str, str] = {},
) -> Pushed:
    """Runs `git push` with a wiring that was made before."""
    config = [f"-c {key}={value}" for key, value in wiring.config]
    receive_pack = " ".join([GIT, *config, "-c receive.advertisePushOptions=true receive-pack"])
    flags = [f"--push-option={option}" for option in options]
    process = await asyncio.create_subprocess_exec(
        *[GIT, "--git-dir", source.git_dir, "push", f"--receive-pack={receive_pack}", *flags],
        *[target.path, *(refspecs or ["main"])],
        env={**ENVIRONMENT, **wiring.env, **env},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        os.killpg(process.pid, 15)
        await process.wait()
        raise
    return Pushed(process.returncode or 0, errors.decode())


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits for something that nobody announces; TimeoutError after half a minute."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def install(path: Path, script: str, *, executable: bool = True) -> Path:
    """A shell script as a hook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755 if executable else 0o644)
    return path


@asynccontextmanager
async def hooked_repository(
    folder: Path, rails: Rails | None, object_format: str = "sha1"
) -> AsyncIterator[Pushes]:
    """Everything a push needs below `folder`; custom hooks of all repositories lie in `folder/all-hooks`."""
    (folder / "sock.d").mkdir(mode=0o700)
    target = Repo.init(folder / "target.git", object_format)
    source = Repo.init(folder / "source.git", object_format)
    source.commit("first", {"README": b"hello\n"}, ref="refs/heads/main")
    git = Git(GitSettings(binary=shutil.which("git") or "", environment=SERVER_ENVIRONMENT))
    api = InternalApi(InternalApiSettings(url=rails.url, secret=SECRET)) if rails else NoInternalApi()
    hooks = ReceiveHooks(api, CustomHooks(git, str(folder / "all-hooks")))
    server = HookServer(hooks, str(folder))
    await server.start()
    try:
        yield Pushes(server, hooks, target, source)
    finally:
        await server.close()
        await api.close()
        await git.close()


async def run_program(
    wiring: HookWiring, name: str, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Runs the hook `name` as git would; its status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *[os.path.join(wiring.hooks_path, name), *arguments],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=wiring.env if env is None else env,
    )
    stdout, stderr = await process.communicate(stdin)
    return process.returncode or 0, stdout, stderr


class Collected:
    """Keeps what a hook prints."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()

    @property
    def output(self) -> Output:
        """The ends to give to a hook."""

        async def stdout(data: bytes) -> None:
            self.stdout += data

        async def stderr(data: bytes) -> None:
            self.stderr += data

        return Output(stdout, stderr)
