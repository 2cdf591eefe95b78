"""Calls of the internal API (transport.md 9.2, clients.md 4)."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from gitaly_py.rails.errors import BadAnswer, InternalApiError, InvalidGlId
from gitaly_py.rails.http import HttpClient, Request, Response
from gitaly_py.rails.push import Access, CheckInfo, Message, PoolMember, PostReceiveAnswer, Push
from gitaly_py.rails.settings import InternalApiSettings
from gitaly_py.telemetry import metrics

_OK = 200
_MULTIPLE_CHOICES = 300
"""Answered by /allowed for what Rails calls a custom action."""

_GL_ID = re.compile(r"(?:(user|key)-([0-9]+)|(username)-(.+))", re.DOTALL)
_PARAMETERS = {"user": "user_id", "key": "key_id", "username": "username"}


Field = TypeVar("Field", bool, str)


class InternalApi:
    """Client of the Rails app; made in a running event loop.

    Every call raises InternalApiError. There is no retry and no fallback: a push that Rails cannot be
    asked about is refused.
    """

    enabled = True
    """Whether there is a Rails app that wants to be asked."""

    def __init__(self, settings: InternalApiSettings) -> None:
        self._http = HttpClient(settings)

    async def close(self) -> None:
        """Releases connections."""
        await self._http.close()

    async def allowed(self, push: Push) -> Access:
        """Whether `push` may change the references it names."""
        response = await self._send(
            "allowed", Request("POST", "/allowed", _access_body(push), remote_ip=push.remote_ip)
        )
        if response.status not in (_OK, _MULTIPLE_CHOICES):
            raise BadAnswer(f"gitlab api is not accessible: {response.status}")
        document = response.document()
        return Access(_field(response, document, "status", False), _field(response, document, "message", ""))

    async def pre_receive(self, push: Push) -> bool:
        """Tells that a push begins; whether Rails counted it."""
        body = {"gl_repository": push.gl_repository}
        with _endpoint("/pre_receive"):
            response = await self._send(
                "pre-receive", Request("POST", "/pre_receive", body, remote_ip=push.remote_ip)
            )
            return _field(response, _document(response), "reference_counter_increased", False)

    async def post_receive(self, push: Push) -> PostReceiveAnswer:
        """Tells that a push is done; whether Rails counted it, and messages for the user."""
        body = {
            "gl_repository": push.gl_repository,
            "identifier": push.gl_id,
            "changes": _text(push.changes),
            "gitaly_client_context_bin": _base64(push.client_context) or None,
            "push_options": _options(push) or None,
        }
        with _endpoint("/post_receive"):
            response = await self._send(
                "post-receive", Request("POST", "/post_receive", body, remote_ip=push.remote_ip)
            )
            document = _document(response)
            decreased = _field(response, document, "reference_counter_decreased", False)
            return PostReceiveAnswer(decreased, tuple(_messages(response, document)))

    async def check(self) -> CheckInfo:
        """What Rails says of itself; proves that address and secret are right."""
        response = await self._send("check", Request("GET", "/check"))
        document = _document(response)
        # Rails writes gitlab_rev; the name in the reference's client is the other.
        revision = "gitlab_rev" if "gitlab_rev" in document else "gitlab_revision"
        return CheckInfo(
            _field(response, document, "gitlab_version", ""),
            _field(response, document, revision, ""),
            _field(response, document, "api_version", ""),
            _field(response, document, "redis", False),
        )

    async def object_pool_members(
        self, storage: str, disk_paths: Sequence[str], *, upstream_only: bool = False
    ) -> dict[str, list[PoolMember]]:
        """The members of the pools at `disk_paths`, by pool.

        upstream_only: leave out repositories that no pool was made from.
        """
        query = [("disk_paths[]", path) for path in disk_paths]
        query.append(("storage", storage))
        if upstream_only:
            query.append(("upstream_only", "true"))
        response = await self._http.send(Request("GET", "/gitaly/object_pool_members", query=query))
        return {
            path: [_member(response, each) for each in _rows(response, rows)]
            for path, rows in _document(response).items()
        }

    @asynccontextmanager
    async def lfs_object(
        self, oid: str, gl_repository: str, *, remote_ip: str = ""
    ) -> AsyncIterator[AsyncIterator[bytes] | None]:
        """The content of an LFS object, to be read within the block; None if Rails does not give it.

        oid: SHA-256 in hexadecimal digits. gl_repository: through which it is reached. Raises Unreachable,
        while the content is read too.
        """
        query = [("oid", oid), ("gl_repository", gl_repository)]
        async with self._http.stream(Request("GET", "/lfs", query=query, remote_ip=remote_ip)) as answer:
            yield answer.body if answer.status == _OK else None

    async def _send(self, endpoint: str, request: Request) -> Response:
        began = time.monotonic()
        try:
            return await self._http.send(request)
        finally:
            metrics.gitlab_api_latency_seconds.labels(endpoint).observe(time.monotonic() - began)


@contextmanager
def _endpoint(path: str) -> Iterator[None]:
    try:
        yield
    except InternalApiError as error:
        error.context = f"http post to gitlab api {path} endpoint"
        raise


def _document(response: Response) -> dict[str, Any]:
    if response.status != _OK:
        raise BadAnswer(f"unexpected status: {response.status}")
    return response.document()


def _field(response: Response, document: dict[str, Any], name: str, default: Field) -> Field:
    """A member of the answer; absent and null are the default."""
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, type(default)):
        raise response.undecodable(f"{name} has the wrong type")
    return value


def _rows(response: Response, value: object) -> list[dict[str, Any]]:
    """A list of objects in the answer; null is an empty one."""
    rows = [] if value is None else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise response.undecodable("not a list of objects")
    return rows


def _messages(response: Response, document: dict[str, Any]) -> Iterator[Message]:
    for each in _rows(response, document.get("messages")):
        yield Message(_field(response, each, "message", ""), _field(response, each, "type", ""))


def _member(response: Response, row: dict[str, Any]) -> PoolMember:
    return PoolMember(
        _field(response, row, "relative_path", ""),
        _field(response, row, "public", False),
        _field(response, row, "is_upstream", False),
    )


def _access_body(push: Push) -> dict[str, Any]:
    quarantine = {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE": list(push.alternate_object_directories) or None,
        "GIT_OBJECT_DIRECTORY_RELATIVE": push.object_directory,
    }
    body = {
        "action": "git-receive-pack",
        "gl_repository": push.gl_repository,
        "project": push.repository_path.replace("'", ""),
        "changes": _text(push.changes),
        "protocol": push.protocol,
        "relative_path": push.relative_path,
        "env": json.dumps(quarantine, separators=(",", ":")),
        **_identity(push.gl_id),
        "push_options": _options(push),
        "gitaly_client_context_bin": _base64(push.client_context),
    }
    return {name: value for name, value in body.items() if value}


def _identity(gl_id: str) -> dict[str, str]:
    match = _GL_ID.fullmatch(gl_id)
    if match is None:
        raise InvalidGlId(gl_id)
    kind, value = (part for part in match.groups() if part is not None)
    return {_PARAMETERS[kind]: value}


def _text(data: bytes) -> str:
    """JSON has no bytes: what is no UTF-8 becomes a replacement character."""
    return data.decode("utf-8", "replace")


def _options(push: Push) -> list[str]:
    return [_text(option.encode("utf-8", "surrogateescape")) for option in push.push_options]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
