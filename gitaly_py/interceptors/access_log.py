"""One log line a call, written when it has fully ended (daemon.md 4.4)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import structlog
from grpc import StatusCode

from gitaly_py.interceptors.client_metadata import UNKNOWN, auth_version, client_name, deadline_type
from gitaly_py.interceptors.codes import code_name
from gitaly_py.rpc.call import Call
from gitaly_py.rpc.flags import PREFIX
from gitaly_py.rpc.methods import Method
from gitaly_py.telemetry import logs
from gitaly_py.telemetry.logs import timestamp
from gitaly_py.telemetry.redaction import METHODS, redacted

_INFO = {
    StatusCode.OK,
    StatusCode.NOT_FOUND,
    StatusCode.CANCELLED,
    StatusCode.ALREADY_EXISTS,
    StatusCode.INVALID_ARGUMENT,
    StatusCode.UNAUTHENTICATED,
}
_WARNING = {
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.PERMISSION_DENIED,
    StatusCode.FAILED_PRECONDITION,
    StatusCode.ABORTED,
    StatusCode.OUT_OF_RANGE,
    StatusCode.RESOURCE_EXHAUSTED,
}


_log = structlog.get_logger("gitaly")


@dataclass(frozen=True)
class LoggedMethods:
    """Which methods are logged: those that match `allow` if there is one, else those not matching `deny`."""

    allow: str = ""
    deny: str = "^/grpc.health.v1.Health/Check$"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> LoggedMethods:
        """Reads the two patterns from the environment of the daemon; one that is none is warned of."""
        return cls(
            _pattern(environment, "GITALY_LOG_REQUEST_METHOD_ALLOW_PATTERN", cls.allow),
            _pattern(environment, "GITALY_LOG_REQUEST_METHOD_DENY_PATTERN", cls.deny),
        )

    def __contains__(self, path: str) -> bool:
        if self.allow:
            return re.search(self.allow, path) is not None
        return not self.deny or re.search(self.deny, path) is None


def _pattern(environment: Mapping[str, str], name: str, usual: str) -> str:
    given = environment.get(name, usual)
    try:
        re.compile(given)
    except re.error as error:
        _log.warning("unusable pattern for logged methods", variable=name, pattern=given, error=str(error))
        return usual
    return given


class AccessLog:
    """Writes the line of each call. logged: the methods that have one."""

    def __init__(self, logged: LoggedMethods) -> None:
        self._logged = logged
        self._decisions: dict[Method, bool] = {}

    def begin(self, _: Call[Any, Any]) -> None:
        """Nothing is known yet."""

    def end(self, call: Call[Any, Any]) -> None:
        """See Reporter."""
        if not self._is_logged(call.method):
            return
        entry = _request_fields(call)
        if call.fields:
            entry.update(call.fields)
        code = call.status.code
        if code is StatusCode.OK:
            logs.write(entry, _finished_well(call.method))
        else:
            entry.update(_error_fields(call))
            logs.write(entry, _finished(call.method, code))

    def _is_logged(self, method: Method) -> bool:
        decided = self._decisions.get(method)
        if decided is None:
            decided = self._decisions[method] = method.path in self._logged
        return decided


def _finished(method: Method, code: StatusCode) -> logs.Shared:
    """What the lines of all calls of a method that end with `code` have in common."""
    unary = method.kind == "unary"
    name = code_name(code)
    level = "info" if code in _INFO else "warning" if code in _WARNING else "error"
    fields = {
        "component": f"gitaly.{'Unary' if unary else 'Stream'}ServerInterceptor",
        "system": "grpc",
        "span.kind": "server",
        "grpc.code": name,
        "grpc.service": method.service,
        "grpc.method": method.name,
        "grpc.request.fullMethod": method.path,
        "grpc.meta.method_type": method.kind,
        "grpc.meta.method_operation": method.operation,
        "grpc.meta.method_scope": method.scope,
    }
    known = tuple((key, value) for key, value in fields.items() if value != UNKNOWN)
    return logs.shared(level, f"finished {'unary' if unary else 'streaming'} call with code {name}", known)


@cache
def _finished_well(method: Method) -> logs.Shared:
    return _finished(method, StatusCode.OK)


def _error_fields(call: Call[Any, Any]) -> dict[str, Any]:
    status = call.status
    hide = redacted if call.method.name in METHODS else str
    fields: dict[str, Any] = {
        "error": hide(f"rpc error: code = {code_name(status.code)} desc = {status.message}")
    }
    facts = {name: hide(value) for name, value in status.facts}
    if status.original:
        facts["error_details"] = hide(status.original)
    if facts:
        fields["error_metadata"] = facts
    return fields


def _request_fields(call: Call[Any, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "correlation_id": call.correlation_id,
        "grpc.start_time": timestamp(call.started),
        "grpc.time_ms": round(call.seconds * 1000, 3),
        "grpc.request.payload_bytes": call.request_bytes,
        "grpc.response.payload_bytes": call.response_bytes,
    }
    if call.deadline is not None:
        fields["grpc.request.deadline"] = timestamp(call.deadline)
    only = call.metadata.only
    fields.update(
        _client_fields(
            only("remote_ip"),
            only("user_id"),
            only("username"),
            only("call_site"),
            client_name(call.metadata),
            auth_version(call.metadata),
            deadline_type(call),
            _enabled_features(call),
        )
    )
    _add_repository(fields, call)
    return fields


_CLIENT_FIELDS = (
    "remote_ip",
    "user_id",
    "username",
    "grpc.meta.call_site",
    "grpc.meta.client_name",
    "grpc.meta.auth_version",
    "grpc.meta.deadline_type",
    "feature_flags",
)


@lru_cache(maxsize=1024)
def _client_fields(*values: str) -> dict[str, str]:
    """Those of `_CLIENT_FIELDS` that are known; not to be changed. Who calls once calls again."""
    return {
        key: value for key, value in zip(_CLIENT_FIELDS, values, strict=True) if value and value != UNKNOWN
    }


def _enabled_features(call: Call[Any, Any]) -> str:
    return _flag_names(tuple(call.metadata.keys_with(PREFIX, "true")))


@lru_cache(maxsize=256)
def _flag_names(keys: tuple[str, ...]) -> str:
    """A client sends the same dozens of flags with each of its calls."""
    return " ".join(sorted(key.removeprefix(PREFIX).replace("-", "_") for key in keys))


def _add_repository(fields: dict[str, Any], call: Call[Any, Any]) -> None:
    repository = call.target
    if repository is None:
        return
    if call.method.pool:
        fields["grpc.request.pool.storage"] = repository.storage_name
        fields["grpc.request.pool.relativePath"] = repository.relative_path
        if repository.gl_project_path:
            fields["grpc.request.pool.sourceProjectPath"] = repository.gl_project_path
    else:
        fields["grpc.request.repoStorage"] = repository.storage_name
        fields["grpc.request.repoPath"] = repository.relative_path
        fields["grpc.request.glRepository"] = repository.gl_repository
        fields["grpc.request.glProjectPath"] = repository.gl_project_path
