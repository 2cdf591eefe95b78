"""What calls are said to cost (daemon.md 4.3)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gitaly_py.interceptors.cost import TRAILER, Cost
from gitaly_py.rpc.methods import methods

MIB = 1024 * 1024


def cost(method: str, request_bytes: int, response_bytes: int) -> int:
    call: Any = SimpleNamespace(
        method=methods()[f"/gitaly.{method}"],
        request_bytes=request_bytes,
        response_bytes=response_bytes,
        trailers=[],
    )
    Cost().leave(call)
    [(name, value)] = call.trailers
    assert name == TRAILER
    return int(value)


@pytest.mark.parametrize(
    ("method", "request_bytes", "response_bytes", "expected"),
    [
        pytest.param("CommitService/FindCommit", 100, 5 * MIB, 2, id="unary: the response is not sent yet"),
        pytest.param("RepositoryService/ObjectsSize", MIB, 2, 3, id="client stream: its answer counts"),
        pytest.param("CommitService/ListCommits", 100, 2 * MIB, 9, id="server stream"),
        pytest.param("CommitService/CheckObjectsExist", MIB, MIB, 3, id="both ways, exactly full"),
        pytest.param("RefService/UpdateReferences", 1, 0, 6, id="mutator"),
        pytest.param("ServerService/ServerInfo", 0, 0, 0, id="free"),
    ],
)
def test_the_static_cost_and_one_for_each_mebibyte(
    method: str, request_bytes: int, response_bytes: int, expected: int
) -> None:
    assert cost(method, request_bytes, response_bytes) == expected
