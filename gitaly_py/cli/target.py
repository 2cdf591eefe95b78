"""The options `--config`, `--storage` and `--repository`, and the daemon and repository they name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import grpc
from google.protobuf.message import Message

from gitaly_py.cli.client import UnsupportedAddress, daemon_address, dial
from gitaly_py.cli.commands import Failure
from gitaly_py.config import Config, LoadError, load
from gitaly_py.pb.shared_pb2 import Repository
from gitaly_py.rpc.methods import methods

Command = Callable[..., Any]


def config_option(command: Command) -> Command:
    return click.option("-c", "--config", default="", metavar="FILE", help="Configuration of the daemon.")(
        command
    )


def repository_options(command: Command) -> Command:
    """`--storage`, `--repository` and `--config`."""
    storage = click.option("--storage", default="", help="Name of the storage, if there are several.")
    repository = click.option("--repository", default="", help="Path of the repository in its storage.")
    return storage(repository(config_option(command)))


def require(**flags: str) -> None:
    """Raises Failure that names the flags which are empty."""
    missing = [name for name, value in flags.items() if not value]
    if len(missing) == 1:
        raise Failure(f'Required flag "{missing[0]}" not set')
    if missing:
        raise Failure(f'Required flags "{", ".join(missing)}" not set')


def loaded(path: str) -> Config:
    """The configuration in `path`; raises Failure."""
    try:
        return load(path)
    except LoadError as error:
        raise Failure(f'loading configuration "{path}": {error}') from error


def repository_message(config: Config, storage: str, path: str) -> Repository:
    """The repository that the flags name; raises Failure when the storage is not clear."""
    if not storage:
        if len(config.storage) != 1:
            raise Failure("multiple storages configured: use --storage to target storage explicitly")
        storage = config.storage[0].name
    return Repository(storage_name=storage, relative_path=path)


def call(config: Config, path: str, request: Message | Iterator[Message]) -> None:
    """Makes the daemon that runs with `config` serve the RPC `path`; raises Failure when that fails."""
    method = methods()[path]
    try:
        with dial(daemon_address(config), config.auth.secret) as channel:
            multi_callable: Any = channel.stream_unary if method.client_streaming else channel.unary_unary
            multi_callable(
                path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )(request)
    except UnsupportedAddress as error:
        raise Failure("the configuration has no address of the daemon") from error
    except grpc.RpcError as error:
        raise Failure(_described(error)) from error


def _described(error: Any) -> str:
    code = error.code().name.title().replace("_", "")
    return f"rpc error: code = {code} desc = {error.details()}"
