"""Turns the Repository message of a request into the repository that a handler works on."""

from __future__ import annotations

from gitaly_py.pb.shared_pb2 import Repository as RepositoryMessage
from gitaly_py.rpc.service import RepositoryRule
from gitaly_py.services.app import App
from gitaly_py.storage.errors import RepositoryNotSet
from gitaly_py.storage.repository import Repository


def resolve(app: App, message: RepositoryMessage | None, rule: RepositoryRule) -> Repository:
    """The repository that `message` names, after the checks of `rule` (repository.md A2).

    Raises the errors of `storage.errors`.
    """
    if message is None:
        raise RepositoryNotSet
    return app.storages.repository(
        message.storage_name,
        message.relative_path,
        object_directory=message.git_object_directory,
        alternates=message.git_alternate_object_directories,
        gl_repository=message.gl_repository,
        gl_project_path=message.gl_project_path,
        existing=rule is RepositoryRule.EXISTING,
    )
