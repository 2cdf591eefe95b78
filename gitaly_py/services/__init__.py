"""The handlers: a package a gRPC service, a module a subject."""

from __future__ import annotations

from collections.abc import Mapping

from gitaly_py.rpc.service import Rpc, Service


def registry() -> list[Service]:
    """Every service that has handlers; importing their modules registers them."""
    from gitaly_py.services import (  # noqa: PLC0415 - so that importing one service does not import all
        analysis,
        blob,
        commit,
        conflicts,
        diff,
        health,
        hook,
        ref,
        reflection,
        repository,
        server,
        smarthttp,
        ssh,
        transaction,
    )

    return [
        repository.service,
        ref.service,
        commit.service,
        blob.service,
        diff.service,
        conflicts.service,
        analysis.service,
        smarthttp.service,
        ssh.service,
        hook.service,
        server.service,
        transaction.service,
        health.service,
        *reflection.services,
    ]


def handlers() -> Mapping[str, Rpc]:
    """Every RPC that has a handler, by its path."""
    return {path: rpc for service in registry() for path, rpc in service.rpcs.items()}
