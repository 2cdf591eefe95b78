"""Hooks of the administrator: which there are, and how they are run (transport.md 10)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence

from gitaly_py.git.environment import ALWAYS, inherited
from gitaly_py.git.errors import SpawnFailed
from gitaly_py.git.pipes import PipeReader
from gitaly_py.git.process import Git, Stderr
from gitaly_py.hooks.call import HookCall, Writer
from gitaly_py.hooks.errors import CustomHookFailed, CustomHookNotStarted
from gitaly_py.hooks.payload import Hook, UserDetails

REPOSITORY_FOLDER = "custom_hooks"

_PUSH_OPTIONS = Hook.PRE_RECEIVE | Hook.POST_RECEIVE


class CustomHooks:
    """Runs the custom hooks of repositories.

    directory: `[hooks] custom_hooks_dir`, hooks of every repository; empty for none.
    """

    def __init__(self, git: Git, directory: str = "") -> None:
        self._git = git
        self._directory = directory

    def find(self, path: str, hook: Hook) -> list[str]:
        """The programs to run for the repository at `path`, in order."""
        own = os.path.join(path, REPOSITORY_FOLDER, hook.filename)
        found = [own] if _is_program(own) else []
        found += _programs_in(own + ".d")
        if self._directory:
            found += _programs_in(os.path.join(self._directory, hook.filename + ".d"))
        return found

    async def run(self, call: HookCall, hook: Hook, user: UserDetails, args: Sequence[str] = ()) -> None:
        """Runs them one after the other, each with the whole standard input.

        Raises CustomHookFailed or CustomHookNotStarted for the first that fails; the rest is not run.
        """
        programs = self.find(call.path, hook)
        if not programs:
            return
        environment = self._environment(call, hook, user)
        for program in programs:
            await self._run(call, [program, *args], environment)

    async def _run(self, call: HookCall, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        try:
            async with self._git.start_program(
                argv, cwd=call.path, env=environment, stdin=call.stdin, stderr=Stderr.PIPE
            ) as process:
                async with asyncio.TaskGroup() as copies:
                    copies.create_task(_copy(process.stdout, call.output.stdout))
                    copies.create_task(_copy(process.stderr_pipe, call.output.stderr))
                status = await process.wait()
        except SpawnFailed as error:
            raise CustomHookNotStarted(argv[0], error.reason) from error
        if status != 0:
            raise CustomHookFailed(argv[0], status)

    def _environment(self, call: HookCall, hook: Hook, user: UserDetails) -> dict[str, str]:
        server = inherited(self._git.settings.environment)
        variables = server | inherited(call.environment)
        if hook in _PUSH_OPTIONS:
            variables |= dict(_push_options(call.push_options))
        variables |= dict(_object_directories(call))
        search = call.environment.get("PATH") or server.get("PATH", "")
        repository = call.payload.repository
        return (
            variables
            | ALWAYS
            | {
                "PATH": f"{os.path.dirname(self._git.binary)}:{search}",
                "GIT_DIR": call.path,
                "GL_REPOSITORY": repository.gl_repository,
                "GL_PROJECT_PATH": repository.gl_project_path,
                "GL_ID": user.userid,
                "GL_USERNAME": user.username,
                "GL_PROTOCOL": user.protocol,
            }
        )


def _programs_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    programs = (
        os.path.join(folder, name) for name in sorted(names, key=os.fsencode) if not name.endswith("~")
    )
    return [program for program in programs if _is_program(program)]


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _push_options(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    if options:
        yield "GIT_PUSH_OPTION_COUNT", str(len(options))
    for number, option in enumerate(options):
        yield f"GIT_PUSH_OPTION_{number}", option


def _object_directories(call: HookCall) -> Iterator[tuple[str, str]]:
    """The quarantine: git's own words where there are any, else what the push was prepared with."""
    repository = call.payload.repository
    own = [repository.git_object_directory] if repository.git_object_directory else []
    known = {
        "GIT_OBJECT_DIRECTORY": own,
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": repository.git_alternate_object_directories,
    }
    for name, directories in known.items():
        prepared = ":".join(os.path.normpath(os.path.join(call.path, each)) for each in directories)
        if value := call.environment.get(name) or prepared:
            yield name, value


async def _copy(source: PipeReader | None, sink: Writer) -> None:
    while source is not None and (data := await source.read()):
        await sink(data)
