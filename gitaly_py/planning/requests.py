"""What a line of the access log says about limits (daemon.md 4.4, 5.1, 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from math import inf, isfinite, nan
from typing import Any, Final, NamedTuple

from gitaly_py.limits.errors import QueueFull, QueueTimeout
from gitaly_py.limits.monitor import OTHER
from gitaly_py.packs.limiting import limiting_key
from gitaly_py.planning.lines import Malformed

REASONS: Final = ("", QueueFull.reason, QueueTimeout.reason, OTHER)
"""Why a call got no slot; the first one stands for calls that got theirs."""

MOST: Final = 2**32 - 1
"""What a count may be at most."""

_PER_RPC: Final = "per-rpc"
_PACKS: Final = "pack-objects"
_LENGTH: Final = len("2006-01-02T15:04:05.000")
_RUNNING: Final = "limit.concurrency_in_progress"
_QUEUE_MS: Final = "limit.concurrency_queue_ms"


class Request(NamedTuple):
    """A call that was logged.

    arrival: Unix seconds. wait: seconds that it is known to have waited for a slot. service: seconds that it
    took otherwise, not a number if it never ran. patience: seconds after which its client gave up, or would
    have. rpc: full method. repository: key of RPC limits, empty if it has none. client: key of the limit of
    packs, empty if it made none or nobody knows for whom. reason: one of REASONS. by_packs: whether the limit
    of packs made it wait, or refused it. limited: whether it met a limit of its RPC for sure.
    named: whether its user has a name. succeeded: whether its status is OK. running: holders of its key when
    it got its slot, itself among them; 0 if it got none or nobody says.
    """

    arrival: float
    wait: float
    service: float
    patience: float
    rpc: str
    repository: str
    client: str
    reason: str
    by_packs: bool
    limited: bool
    named: bool
    succeeded: bool
    running: int


def request(entry: Mapping[str, Any]) -> Request | None:
    """The call whose end an entry tells of, None where it tells of something else. Raises Malformed."""
    if "grpc.code" not in entry or entry.get("span.kind", "server") != "server":
        return None
    arrival = _moment(entry, "grpc.start_time")
    total = _milliseconds(entry, "grpc.time_ms")
    kind = _text(entry, "limit.limiting_type")
    key = _text(entry, "limit.limiting_key")
    reason = _text(entry, "limit.concurrency_dropped")
    if reason and reason not in REASONS:
        reason = OTHER
    wait = _wait(entry, total, reason) if kind else 0.0
    return Request(
        arrival=arrival,
        wait=wait,
        service=nan if reason else total - wait,
        patience=_patience(entry, arrival, total, reason),
        rpc=_method(entry),
        repository=key if kind == _PER_RPC else _repository(entry),
        client=_client(entry, kind, key),
        reason=reason,
        by_packs=kind == _PACKS,
        limited=kind == _PER_RPC,
        named=_is_named(entry),
        succeeded=entry["grpc.code"] == "OK",
        running=0 if reason or _RUNNING not in entry else _count(entry, _RUNNING),
    )


def _wait(entry: Mapping[str, Any], total: float, reason: str) -> float:
    """What is logged, and otherwise what follows from why the call was refused."""
    if _QUEUE_MS in entry:
        return min(_milliseconds(entry, _QUEUE_MS), total)
    return total if reason in (QueueTimeout.reason, OTHER) else 0.0


def _patience(entry: Mapping[str, Any], arrival: float, total: float, reason: str) -> float:
    """What left the queue by itself had waited for as long as it could; others have their deadline."""
    if reason == OTHER:
        return total
    if "grpc.request.deadline" not in entry:
        return inf
    return max(_moment(entry, "grpc.request.deadline") - arrival, 0.0 if reason else total)


def _client(entry: Mapping[str, Any], kind: str, key: str) -> str:
    if kind == _PACKS:
        return key
    if _text(entry, "pack_objects_cache.hit") != "false":
        return ""
    return limiting_key(_text(entry, "remote_ip")) or ""


def _repository(entry: Mapping[str, Any]) -> str:
    return _text(entry, "grpc.request.repoPath") or _text(entry, "grpc.request.pool.relativePath")


def _method(entry: Mapping[str, Any]) -> str:
    full = _text(entry, "grpc.request.fullMethod")
    if full:
        return full
    service, name = _text(entry, "grpc.service"), _text(entry, "grpc.method")
    if not service or not name:
        raise Malformed("no grpc.request.fullMethod")
    return f"/{service}/{name}"


def _is_named(entry: Mapping[str, Any]) -> bool:
    told = _text(entry, "limit.authenticated")
    return told == "true" if told else bool(_text(entry, "username"))


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        raise Malformed(f"{name} is no text")
    return value


def _count(entry: Mapping[str, Any], name: str) -> int:
    try:
        return min(max(int(entry[name]), 0), MOST)
    except (TypeError, ValueError, OverflowError) as error:
        raise Malformed(f"{name} is no number") from error


def _milliseconds(entry: Mapping[str, Any], name: str) -> float:
    """A length of time, in seconds."""
    try:
        value = float(entry.get(name, ""))
    except (TypeError, ValueError) as error:
        raise Malformed(f"{name} is no number") from error
    if not isfinite(value) or value < 0:
        raise Malformed(f"{name} is no length of time")
    return value / 1000


def _moment(entry: Mapping[str, Any], name: str) -> float:
    """Unix seconds; a moment without a zone is UTC."""
    text = _text(entry, name)
    try:
        # Most lines share their second with others, and reading a date is what costs.
        if len(text) == _LENGTH and text[20:].isdecimal():
            return _unix(text[:19]) + int(text[20:]) / 1000
        return _unix(text)
    except ValueError as error:
        raise Malformed(f"{name} is no time") from error


@lru_cache(maxsize=4096)
def _unix(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
