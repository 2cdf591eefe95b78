"""Who may have hooks run, and when that ends; whole pushes are in test_push.py."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog.testing

from gitaly_py.hooks.payload import Hook, Payload
from gitaly_py.hooks.program import hook as program
from gitaly_py.hooks.server import HookWiring
from gitaly_py.telemetry.correlation import current_id
from tests.support.pushes import USER, Pushes, install, run_program
from tests.support.rails import Rails

GONE = (1, b"", b"error executing git hook\n")
CHANGES = f"{'0' * 40} {'a' * 40} refs/heads/main\n".encode()


async def answer_to(wiring: HookWiring, data: bytes) -> bytes:
    """What the daemon says to raw bytes before it closes the connection."""
    reader, writer = await asyncio.open_unix_connection(wiring.env[program.SOCKET_VARIABLE])
    writer.write(data)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_wiring_names_hooks_and_carries_the_payload(pushes: Pushes, tmp_path: Path) -> None:
    install(pushes.custom_hooks / "update", "")
    with pushes.server.wiring(
        pushes.repository, pushes.target.path, USER, object_format="sha256", client_context=b"\x01"
    ) as wiring:
        assert sorted(os.listdir(wiring.hooks_path)) == ["post-receive", "pre-receive", "update"]

    assert wiring.config == [("core.hooksPath", wiring.hooks_path)]
    payload = Payload.from_environment(f"{name}={value}" for name, value in wiring.env.items())
    assert payload.requested_hooks == Hook.PRE_RECEIVE | Hook.UPDATE | Hook.POST_RECEIVE
    assert (payload.repository, payload.user_details) == (pushes.repository, USER)
    assert (payload.object_format, payload.gitaly_client_context) == ("sha256", b"\x01")
    assert (payload.runtime_dir, payload.internal_socket) == (
        str(tmp_path),
        str(tmp_path / "sock.d" / "intern"),
    )


async def test_every_push_has_a_token_of_its_own(pushes: Pushes) -> None:
    tokens = set()
    for _ in range(3):
        with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
            payload = Payload.from_environment(f"{name}={value}" for name, value in wiring.env.items())
            tokens.add(payload.internal_socket_token)

    assert len(tokens) == 3
    assert min(map(len, tokens)) >= 43


async def test_a_token_is_worth_nothing_after_its_push(pushes: Pushes, rails: Rails) -> None:
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        assert await run_program(wiring, "pre-receive", stdin=CHANGES) == (0, b"", b"")
    asked = len(rails.requests)

    assert await run_program(wiring, "pre-receive", stdin=CHANGES) == GONE
    assert len(rails.requests) == asked


async def test_hooks_run_in_the_context_of_the_push(pushes: Pushes, rails: Rails) -> None:
    token = current_id.set("correlation-7")
    try:
        with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
            await run_program(wiring, "pre-receive", stdin=CHANGES)
    finally:
        current_id.reset(token)

    assert rails.asked("/allowed")[0].headers["X-Request-ID"] == "correlation-7"


async def test_what_is_no_hook_gets_no_answer(pushes: Pushes) -> None:
    payload = Payload(repository=pushes.repository, internal_socket_token="guess").encode()
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring:
        field = program.field
        own = field(f"GITALY_HOOKS_PAYLOAD={wiring.env['GITALY_HOOKS_PAYLOAD']}".encode())
        guess = field(f"GITALY_HOOKS_PAYLOAD={payload}".encode())
        assert await answer_to(wiring, field(b"pack-objects") + field(b"") + own) == b""
        assert await answer_to(wiring, field(b"pre-receive") + field(b"") + guess) == b""
        assert await answer_to(wiring, field(b"pre-receive") + field(b"") + field(b"")) == b""
        assert await answer_to(wiring, b"\xff\xff\xff\xff") == b""

        assert await run_program(wiring, "pre-receive", stdin=CHANGES) == (0, b"", b"")


async def test_closing_leaves_nothing_in_the_runtime_folder(pushes: Pushes, tmp_path: Path) -> None:
    with pushes.server.wiring(pushes.repository, pushes.target.path, USER):
        pass

    await pushes.server.close()

    assert os.listdir(tmp_path / "sock.d") == []
    assert [name for name in os.listdir(tmp_path) if name.startswith("hooks-")] == []


async def test_a_hook_killed_while_it_is_told_something_is_no_defect(pushes: Pushes) -> None:
    install(pushes.custom_hooks / "pre-receive", "while :; do echo noise; done")
    with (
        structlog.testing.capture_logs() as logs,
        pushes.server.wiring(pushes.repository, pushes.target.path, USER) as wiring,
    ):
        _, writer = await asyncio.open_unix_connection(wiring.env[program.SOCKET_VARIABLE])
        payload = f"GITALY_HOOKS_PAYLOAD={wiring.env['GITALY_HOOKS_PAYLOAD']}".encode()
        request = [b"pre-receive", b"", payload, CHANGES, b""]
        writer.write(b"".join(map(program.field, request)))
        await asyncio.sleep(0.5)  # until what nobody reads is held up
        writer.transport.abort()
        await asyncio.sleep(0.5)

    assert "background task failed" not in [entry["event"] for entry in logs]
