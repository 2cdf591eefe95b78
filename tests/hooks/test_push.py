"""Whole pushes: git push, git receive-pack, the hook program, the daemon, Rails (transport.md 8 to 10)."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.pushes import SERVER_ENVIRONMENT, Pushes, eventually, hooked_repository, install
from tests.support.rails import Answer, Rails, running_rails

DECLINED = "[remote rejected] main -> main (pre-receive hook declined)"


def denied(message: str, status: int = 200) -> Answer:
    return Answer({"status": False, "message": message}, status=status)


async def test_an_allowed_push_asks_rails_three_times_and_updates_the_reference(
    pushes: Pushes, rails: Rails
) -> None:
    new = pushes.source.git("rev-parse", "main")

    pushed = await pushes.push()

    assert (pushed.status, pushed.remote) == (0, "")
    assert pushes.target.references() == {b"refs/heads/main": new}
    assert [request.path for request in rails.requests] == ["/allowed", "/pre_receive", "/post_receive"]
    allowed, _, post_receive = (request.body for request in rails.requests)
    assert allowed["changes"] == post_receive["changes"] == f"{'0' * 40} {new} refs/heads/main\n"
    assert (allowed["key_id"], post_receive["identifier"]) == ("31", "key-31")
    assert (allowed["gl_repository"], allowed["protocol"]) == ("project-88", "ssh")
    assert (allowed["project"], allowed["relative_path"]) == (pushes.target.path, "group/target.git")
    assert rails.requests[0].headers["X-Forwarded-For"] == "10.1.2.3"


async def test_a_refusal_of_rails_is_shown_and_nothing_changes(pushes: Pushes, rails: Rails) -> None:
    rails.answers["/allowed"] = denied("You are not allowed to push code.", 401)

    pushed = await pushes.push()

    assert pushed.remote == "GitLab: You are not allowed to push code."
    assert DECLINED in pushed.errors
    assert pushes.target.references() == {}
    assert [request.path for request in rails.requests] == ["/allowed"]


@pytest.mark.parametrize(
    ("path", "answer", "remote"),
    [
        pytest.param("/allowed", denied("Not today."), "GitLab: Not today.", id="status false"),
        pytest.param(
            "/allowed",
            Answer("<p>", 401, "text/html"),
            "GitLab: Internal API error (401)",
            id="401 without JSON",
        ),
        pytest.param("/allowed", Answer({}, 429), "error executing git hook", id="429 from allowed"),
        pytest.param("/pre_receive", Answer({}, 429), "error executing git hook", id="429 from pre_receive"),
        pytest.param(
            "/pre_receive",
            Answer("", 500),
            "calling pre_receive endpoint: http post to gitlab api /pre_receive endpoint: "
            "Internal API error (500)",
            id="500 from pre_receive",
        ),
        pytest.param(
            "/pre_receive", Answer({"reference_counter_increased": False}), "", id="reference not counted"
        ),
    ],
)
async def test_an_unwilling_api_declines_the_push(
    pushes: Pushes, rails: Rails, path: str, answer: Answer, remote: str
) -> None:
    rails.answers[path] = answer

    pushed = await pushes.push()

    assert pushed.remote == remote
    assert DECLINED in pushed.errors
    assert pushes.target.references() == {}


async def test_an_api_that_is_down_declines_the_push(tmp_path: Path) -> None:
    async with running_rails() as rails:
        pass
    async with hooked_repository(tmp_path, rails) as pushes:
        pushed = await pushes.push()

    assert pushed.remote == "GitLab: Internal API unreachable"
    assert DECLINED in pushed.errors


async def test_rails_is_told_where_the_quarantine_is(pushes: Pushes, rails: Rails) -> None:
    await pushes.push()

    env = json.loads(rails.asked("/allowed")[0].body["env"])
    assert env["GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE"] == ["objects"]
    assert env["GIT_OBJECT_DIRECTORY_RELATIVE"].startswith("objects/tmp_objdir-incoming-")


async def test_the_quarantine_is_relative_to_the_real_path(tmp_path: Path, rails: Rails) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    async with hooked_repository(tmp_path / "link", rails) as pushes:
        await pushes.push()

    env = json.loads(rails.asked("/allowed")[0].body["env"])
    assert env["GIT_OBJECT_DIRECTORY_RELATIVE"].startswith("objects/tmp_objdir-incoming-")


async def test_custom_pre_receive_sees_the_pushed_objects(pushes: Pushes) -> None:
    install(
        pushes.custom_hooks / "pre-receive", "read old new ref; git cat-file -e $new && echo $ref is there"
    )

    pushed = await pushes.push()

    assert (pushed.status, pushed.remote) == (0, "refs/heads/main is there")


async def test_push_options_reach_rails_and_custom_hooks(pushes: Pushes, rails: Rails) -> None:
    show = 'echo "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1"'
    install(pushes.custom_hooks / "pre-receive", show)
    install(pushes.custom_hooks / "post-receive", show)

    pushed = await pushes.push(options=["ci.skip", "a=ü b"])

    assert pushed.remote == "2 ci.skip a=ü b\n2 ci.skip a=ü b"
    assert rails.asked("/allowed")[0].body["push_options"] == ["ci.skip", "a=ü b"]
    assert rails.asked("/post_receive")[0].body["push_options"] == ["ci.skip", "a=ü b"]


async def test_custom_hooks_run_in_order_with_the_whole_input(pushes: Pushes) -> None:
    everywhere = Path(pushes.target.path).parent / "all-hooks"
    say = 'echo "$(basename $0) $(cut -d" " -f3)"'
    install(everywhere / "pre-receive.d" / "a", say)
    install(pushes.custom_hooks / "pre-receive.d" / "2", say)
    install(pushes.custom_hooks / "pre-receive.d" / "10", say)
    install(pushes.custom_hooks / "pre-receive", say)

    pushed = await pushes.push()

    assert pushed.remote.splitlines() == [
        f"{name} refs/heads/main" for name in ("pre-receive", "10", "2", "a")
    ]


async def test_the_first_failing_custom_hook_ends_the_push(pushes: Pushes, rails: Rails) -> None:
    install(pushes.custom_hooks / "pre-receive.d" / "1", "echo GL-HOOK-ERR: no >&2; exit 7")
    install(pushes.custom_hooks / "pre-receive.d" / "2", "echo not reached")

    pushed = await pushes.push()

    assert pushed.remote == "GL-HOOK-ERR: no"
    assert DECLINED in pushed.errors
    assert [request.path for request in rails.requests] == ["/allowed"]


async def test_a_custom_hook_need_not_read_its_input(pushes: Pushes) -> None:
    install(pushes.custom_hooks / "pre-receive", "exit 0")
    refs = [f"main:refs/heads/branch-{number}-{'x' * 200}" for number in range(400)]

    assert (await pushes.push(*refs)).status == 0


async def test_a_custom_hook_that_is_no_program_declines_the_push(pushes: Pushes) -> None:
    hook = install(pushes.custom_hooks / "pre-receive", "")
    hook.write_text("")

    pushed = await pushes.push()

    assert pushed.remote == f'executing custom hooks: error executing "{hook}": exec format error'
    assert DECLINED in pushed.errors


async def test_a_custom_update_hook_decides_about_each_reference(pushes: Pushes) -> None:
    new = pushes.source.git("rev-parse", "main")
    install(pushes.custom_hooks / "update", 'echo "$@ $(cat)"; [ "$1" != refs/heads/bad ] || exit 3')

    pushed = await pushes.push("main:refs/heads/bad", "main:refs/heads/good")

    zero = "0" * 40
    assert f"refs/heads/bad {zero} {new}\n" in pushed.remote
    assert f"refs/heads/good {zero} {new}" in pushed.remote
    assert "main -> bad (hook declined)" in pushed.errors
    assert pushes.target.references() == {b"refs/heads/good": new}


async def test_an_update_hook_that_is_no_program_fails_without_the_reason(pushes: Pushes) -> None:
    install(pushes.custom_hooks / "update", "").write_text("")

    pushed = await pushes.push()

    assert pushed.remote.splitlines()[0] == "error executing git hook"
    assert "hook declined" in pushed.errors


async def test_messages_of_rails_are_printed_after_the_push(pushes: Pushes, rails: Rails) -> None:
    rails.answers["/post_receive"] = Answer(
        {
            "reference_counter_decreased": True,
            "messages": [
                {"type": "basic", "message": "View merge request"},
                {"type": "alert", "message": "Storage is full"},
            ],
        }
    )
    install(pushes.custom_hooks / "post-receive", "echo custom")

    pushed = await pushes.push()

    rule = "=" * 72
    alert = f"{rule}\n\n{' ' * 28}Storage is full\n\n{rule}"
    assert pushed.remote == f"View merge request\n\n\n{alert}\n\ncustom"


@pytest.mark.parametrize(
    ("answer", "remote"),
    [
        (Answer({"reference_counter_decreased": False}), ""),
        (
            Answer({}, 429),
            "GitLab: http post to gitlab api /post_receive endpoint: rate limited",
        ),
        (
            Answer({"messages": [{"type": "loud", "message": "x"}], "reference_counter_decreased": True}),
            "error writing messages to stream: invalid message type: loud",
        ),
    ],
    ids=["not counted", "429", "unknown message"],
)
async def test_a_failing_post_receive_skips_custom_hooks_but_the_push_stands(
    pushes: Pushes, rails: Rails, answer: Answer, remote: str
) -> None:
    rails.answers["/post_receive"] = answer
    install(pushes.custom_hooks / "post-receive", "echo custom")

    pushed = await pushes.push()

    assert (pushed.status, pushed.remote) == (0, remote)
    assert set(pushes.target.references()) == {b"refs/heads/main"}


async def test_the_environment_of_a_custom_hook_is_exactly_this(pushes: Pushes) -> None:
    pushes.custom_hooks.mkdir()
    (pushes.custom_hooks / "pre-receive").symlink_to(shutil.which("env") or "")

    pushed = await pushes.push(options=["one"], env={"GIT_TRACE": "0", "TZ": "Asia/Tokyo", "LEAK": "x"})

    shown = dict(line.split("=", 1) for line in pushed.remote.splitlines())
    objects = shown.pop("GIT_OBJECT_DIRECTORY").replace("/./", "/")
    assert objects.startswith(f"{pushes.target.path}/objects/tmp_objdir-incoming-")
    git_path = shown.pop("PATH")
    git_folder = os.path.dirname(shutil.which("git") or "")
    assert git_path.startswith(f"{git_folder}:")
    assert git_path.endswith(SERVER_ENVIRONMENT["PATH"])
    alternates = shown.pop("GIT_ALTERNATE_OBJECT_DIRECTORIES").replace("/./", "/")
    assert alternates == f"{pushes.target.path}/objects"
    exec_path = pushes.target.git("--exec-path")
    assert sorted(shown.items()) == [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_DIR", pushes.target.path),
        ("GIT_EXEC_PATH", exec_path),
        ("GIT_PUSH_OPTION_0", "one"),
        ("GIT_PUSH_OPTION_COUNT", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_TRACE", "0"),
        ("GL_ID", "key-31"),
        ("GL_PROJECT_PATH", "group/project"),
        ("GL_PROTOCOL", "ssh"),
        ("GL_REPOSITORY", "project-88"),
        ("GL_USERNAME", "jane"),
        ("HOME", "/nonexistent"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", "Asia/Tokyo"),
        ("XDG_CONFIG_HOME", "/dev/null"),
    ]


async def test_a_daemon_that_goes_away_declines_the_push(pushes: Pushes, rails: Rails) -> None:
    never = asyncio.Event()
    rails.answers["/allowed"] = Answer(until=never)
    async with asyncio.TaskGroup() as tasks:
        push = tasks.create_task(pushes.push())
        await eventually(lambda: bool(rails.asked("/allowed")))
        await pushes.server.close()

    assert push.result().remote == "error executing git hook"
    assert DECLINED in push.result().errors


async def test_a_push_that_is_ended_ends_its_custom_hook(pushes: Pushes, tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    install(
        pushes.custom_hooks / "pre-receive",
        f"exec 2>/dev/null; trap 'touch {ended}; exit 1' TERM; touch {started}; while :; do sleep 0.1; done",
    )
    async with asyncio.TaskGroup() as tasks:
        push = tasks.create_task(pushes.push())
        await eventually(started.exists)
        push.cancel()
        await eventually(ended.exists)

    assert pushes.target.references() == {}


@pytest.mark.parametrize("custom", [False, True], ids=["no custom hooks", "custom hooks"])
async def test_without_rails_anyone_may_push_to_any_repository(tmp_path: Path, custom: bool) -> None:
    async with hooked_repository(tmp_path, None, "sha256") as pushes:
        if custom:
            for name in ("pre-receive", "update", "post-receive"):
                install(pushes.custom_hooks / name, f"echo {name}")
        pushes.repository = pushes.repository.model_copy(update={"gl_repository": ""})

        pushed = await pushes.push()

        assert pushed.status == 0
        assert pushed.remote.split() == (["pre-receive", "update", "post-receive"] if custom else [])
