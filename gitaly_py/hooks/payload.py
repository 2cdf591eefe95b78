"""What a hook must know of its push, carried by an environment variable (transport.md 8.1)."""

from __future__ import annotations

import base64
import enum
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel

from gitaly_py.hooks.errors import PayloadInvalid, PayloadMissing
from gitaly_py.hooks.go_base64 import decode
from gitaly_py.pb.shared_pb2 import Repository

VARIABLE = "GITALY_HOOKS_PAYLOAD"


class Hook(enum.IntFlag):
    """Hooks of git, as bits of `requested_hooks`."""

    REFERENCE_TRANSACTION = 1
    UPDATE = 2
    PRE_RECEIVE = 4
    POST_RECEIVE = 8
    PACK_OBJECTS = 16
    PROC_RECEIVE = 32

    @property
    def filename(self) -> str:
        """The name git knows a single hook by."""
        return (self.name or "").lower().replace("_", "-")


_ALL_BUT_PROC_RECEIVE = Hook(31)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        """Null is the same as absent, as Go and protojson have it."""
        if not isinstance(value, dict):
            return value
        return {name: member for name, member in value.items() if member is not None}


class HookRepository(_Document):
    """A repository as the API names it; directories of objects are relative to it."""

    model_config = ConfigDict(alias_generator=to_camel)

    storage_name: str = ""
    relative_path: str = ""
    git_object_directory: str = ""
    git_alternate_object_directories: tuple[str, ...] = ()
    gl_repository: str = ""
    gl_project_path: str = ""

    @classmethod
    def of(cls, message: Repository) -> HookRepository:
        """The same from a message of the API."""
        return cls(
            storage_name=message.storage_name,
            relative_path=message.relative_path,
            git_object_directory=message.git_object_directory,
            git_alternate_object_directories=tuple(message.git_alternate_object_directories),
            gl_repository=message.gl_repository,
            gl_project_path=message.gl_project_path,
        )


class UserDetails(_Document):
    """Who pushes. userid: Rails' name, such as `user-3`. protocol: `http`, `ssh` or `web`."""

    username: str = ""
    userid: str = ""
    protocol: str = ""
    remote_ip: str = ""


class Transaction(_Document):
    """A vote of several nodes about one push; only the primary runs hooks."""

    backchannel_id: int = 0
    id: int = 0
    node: str = ""
    primary: bool = False


class FeatureFlag(_Document):
    """A switch's name and the value it has by default."""

    name: str = ""
    on_by_default: bool = False


class FeatureFlagValue(_Document):
    """A switch as the caller set it."""

    flag: FeatureFlag = FeatureFlag()
    enabled: bool = False


def _requested(value: object) -> object:
    return value or _ALL_BUT_PROC_RECEIVE


def _repository(value: object) -> object:
    return HookRepository.model_validate_json(value) if isinstance(value, str) else value


def _repository_text(value: HookRepository) -> str:
    return value.model_dump_json(by_alias=True, exclude_defaults=True)


def _bytes(value: object, info: ValidationInfo) -> object:
    return decode(value) if info.mode == "json" and isinstance(value, str) else value


def _bytes_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


class Payload(_Document):
    """The document inside `GITALY_HOOKS_PAYLOAD`.

    requested_hooks: those that have work to do. internal_socket: where a hook reaches the daemon;
    internal_socket_token: a secret that lets it in. gitaly_client_context: metadata of the call by that
    name (`gitaly-client-context-bin`).
    """

    requested_hooks: Annotated[Hook, BeforeValidator(_requested)] = _ALL_BUT_PROC_RECEIVE
    feature_flags_with_value: tuple[FeatureFlagValue, ...] = ()
    repository: Annotated[HookRepository, BeforeValidator(_repository), PlainSerializer(_repository_text)]
    object_format: Literal["sha1", "sha256"] = "sha1"
    runtime_dir: str = ""
    internal_socket: str = ""
    internal_socket_token: str = Field(default="", repr=False)
    transaction: Transaction | None = None
    user_details: UserDetails | None = None
    transaction_id: int = 0
    gitaly_client_context: Annotated[bytes, BeforeValidator(_bytes), PlainSerializer(_bytes_text)] = b""

    def encode(self) -> str:
        """The value of the variable."""
        optional = ("feature_flags_with_value", "transaction_id", "gitaly_client_context")
        absent = {name for name in optional if not getattr(self, name)}
        return base64.b64encode(self.model_dump_json(exclude=absent).encode()).decode()

    @classmethod
    def decode(cls, value: str) -> Payload:
        """The payload in a variable's value. Raises PayloadInvalid."""
        document = decode(value)
        try:
            return cls.model_validate_json(document)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise PayloadInvalid(f"{place}: {first['msg']}" if place else first["msg"]) from None

    @classmethod
    def from_environment(cls, variables: Iterable[str]) -> Payload:
        """The payload in `NAME=value` strings, the first if there are several.

        Raises PayloadMissing, PayloadInvalid.
        """
        for variable in variables:
            name, _, value = variable.partition("=")
            if name == VARIABLE:
                return cls.decode(value)
        raise PayloadMissing

    @property
    def is_secondary(self) -> bool:
        """Whether another node runs the hooks of this push."""
        return self.transaction is not None and not self.transaction.primary
