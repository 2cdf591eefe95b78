"""Lines of an access log, made up (daemon.md 4.4)."""

from __future__ import annotations

import json
from typing import Any

from gitaly_py.telemetry.logs import timestamp

FETCH = "/gitaly.SmartHTTPService/PostUploadPackWithSidechannel"
BEGIN = 1_772_000_000.0  # 2026-02-25T06:13:20Z


def entry(
    start: float, seconds: float, *, rpc: str = FETCH, repository: str = "a.git", code: str = "OK"
) -> dict[str, Any]:
    """The end of a call that began `start` seconds after BEGIN."""
    service, name = rpc.removeprefix("/").split("/")
    return {
        "component": "gitaly.UnaryServerInterceptor",
        "grpc.code": code,
        "grpc.method": name,
        "grpc.request.fullMethod": rpc,
        "grpc.request.repoPath": repository,
        "grpc.service": service,
        "grpc.start_time": timestamp(BEGIN + start + 1e-6),
        "grpc.time_ms": round(seconds * 1000, 3),
        "level": "info",
        "msg": f"finished unary call with code {code}",
        "span.kind": "server",
        "time": timestamp(BEGIN + start + seconds) + "Z",
        "username": "rosa",
    }


def delayed(start: float, seconds: float, wait: float, *, code: str = "OK") -> dict[str, Any]:
    """A call that waited `wait` of its `seconds` for a slot."""
    limits = {
        "limit.limiting_type": "per-rpc",
        "limit.limiting_key": "a.git",
        "limit.concurrency_queue_length": 1,
        "limit.concurrency_queue_ms": round(wait * 1000),
        "limit.concurrency_in_progress": 1,
    }
    return {**entry(start, seconds, code=code), **limits}


def refused(
    start: float, reason: str, wait: float = 0.0, *, code: str = "ResourceExhausted"
) -> dict[str, Any]:
    """A call that got no slot."""
    dropped = {"limit.concurrency_dropped": reason, "limit.authenticated": "true"}
    return {**delayed(start, wait, wait, code=code), **dropped}


def as_json(*entries: dict[str, Any]) -> str:
    """The lines of a log in JSON form."""
    return "".join(json.dumps(each) + "\n" for each in entries)
