"""What pre-receive, update and post-receive do (transport.md 8.4), whoever runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gitaly_py.git.wire.errors import InvalidObjectId
from gitaly_py.git.wire.objects import OBJECT_FORMATS
from gitaly_py.git.wire.oids import parse_oid
from gitaly_py.hooks.call import HookCall
from gitaly_py.hooks.custom import CustomHooks
from gitaly_py.hooks.errors import ApiFailed, Declined, InvalidHookCall, InvalidMessage, NotAllowed
from gitaly_py.hooks.payload import Hook, HookRepository, UserDetails
from gitaly_py.rails.errors import InternalApiError, RateLimited, UnknownMessageType
from gitaly_py.rails.messages import printed
from gitaly_py.rails.push import PostReceiveAnswer, Push
from gitaly_py.rails.stand_alone import NoInternalApi

if TYPE_CHECKING:
    # Its libraries are large, and a daemon that stands alone needs none of them.
    from gitaly_py.rails.client import InternalApi


RECEIVE_HOOKS = (Hook.PRE_RECEIVE, Hook.UPDATE, Hook.POST_RECEIVE)


class ReceiveHooks:
    """The three hooks of a push. Every method raises HookError."""

    def __init__(self, api: InternalApi | NoInternalApi, custom: CustomHooks) -> None:
        self._api = api
        self._custom = custom

    def needed(self, path: str) -> Hook:
        """The hooks that have work to do for a push to the repository at `path`."""
        hooks = Hook.PRE_RECEIVE | Hook.POST_RECEIVE if self._api.enabled else Hook(0)
        for hook in RECEIVE_HOOKS:
            if self._custom.find(path, hook):
                hooks |= hook
        return hooks

    async def pre_receive(self, call: HookCall) -> None:
        """Asks Rails, then the custom hooks; references are not changed unless it returns."""
        if call.payload.is_secondary:
            return
        repository = _quarantined(call)
        _require(call.stdin, "hook got no reference updates")
        if self._api.enabled:
            _require(repository.gl_repository, "repository not set")
        user = _user(call)
        if self._api.enabled:
            _require(user.userid, "user ID not set")
            _require(user.protocol, "protocol not set")
        push = _push(call, repository, user)
        await self._ask(push)
        await self._custom.run(call, Hook.PRE_RECEIVE, user)
        # After the custom hooks: what they refuse must not count as a running push.
        with _api_failures("calling pre_receive endpoint"):
            counted = await self._api.pre_receive(push)
        if not counted:
            raise Declined

    async def update(self, call: HookCall, reference: bytes, old: str, new: str) -> None:
        """Runs the custom hooks for one reference, whose objects are in the repository by now."""
        if call.payload.is_secondary:
            return
        _require(reference, "hook got no reference")
        _require_oid(call, "old", old)
        _require_oid(call, "new", new)
        await self._custom.run(call, Hook.UPDATE, _user(call), [os.fsdecode(reference), old, new])

    async def post_receive(self, call: HookCall) -> None:
        """Tells Rails, prints what it has to say, and runs the custom hooks; the push stands in any case."""
        if call.payload.is_secondary:
            return
        _require(call.stdin, "hook got no reference updates")
        user = _user(call)
        if self._api.enabled:
            _require(user.userid, "user ID not set")
            _require(call.repository.gl_repository, "repository not set")
        with _api_failures("GitLab"):
            answer = await self._api.post_receive(_push(call, call.repository, user))
        await _print(call, answer)
        if not answer.decreased:
            raise Declined
        await self._custom.run(call, Hook.POST_RECEIVE, user)

    async def _ask(self, push: Push) -> None:
        try:
            access = await self._api.allowed(push)
        except InternalApiError as error:
            refusal = NotAllowed(str(error), push.gl_id, push.protocol, push.changes)
            refusal.rate_limited = isinstance(error, RateLimited)
            raise refusal from error
        if not access.allowed:
            raise NotAllowed(access.message, push.gl_id, push.protocol, push.changes)


def _quarantined(call: HookCall) -> HookRepository:
    """The repository with git's quarantine, if the process git started has one, relative to its real path."""
    objects = call.environment.get("GIT_OBJECT_DIRECTORY")
    alternates = call.environment.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")
    if not objects or not alternates:
        return call.repository
    top = os.path.realpath(call.path)

    def relative(directory: str) -> str:
        return os.path.relpath(os.path.join(top, directory), top)

    return call.repository.model_copy(
        update={
            "git_object_directory": relative(objects),
            "git_alternate_object_directories": tuple(map(relative, alternates.split(":"))),
        }
    )


def _user(call: HookCall) -> UserDetails:
    if call.payload.user_details is None:
        raise InvalidHookCall("payload has no receive hooks info")
    return call.payload.user_details


def _push(call: HookCall, repository: HookRepository, user: UserDetails) -> Push:
    return Push(
        gl_repository=repository.gl_repository,
        gl_id=user.userid,
        protocol=user.protocol,
        changes=call.stdin,
        repository_path=call.path,
        relative_path=repository.relative_path,
        object_directory=repository.git_object_directory,
        alternate_object_directories=repository.git_alternate_object_directories,
        push_options=tuple(call.push_options),
        client_context=call.payload.gitaly_client_context,
        remote_ip=user.remote_ip,
    )


def _require(value: object, text: str) -> None:
    if not value:
        raise InvalidHookCall(text)


def _require_oid(call: HookCall, which: str, value: str) -> None:
    try:
        parse_oid(os.fsencode(value), OBJECT_FORMATS[call.payload.object_format])
    except InvalidObjectId as error:
        raise InvalidHookCall(f"hook got invalid {which} value: {error}") from error


async def _print(call: HookCall, answer: PostReceiveAnswer) -> None:
    try:
        for text in printed(answer.messages):
            await call.output.stdout(text)
    except UnknownMessageType as error:
        raise InvalidMessage(error) from error


@contextmanager
def _api_failures(prefix: str) -> Iterator[None]:
    try:
        yield
    except InternalApiError as error:
        raise ApiFailed(prefix, error, rate_limited=isinstance(error, RateLimited)) from error
