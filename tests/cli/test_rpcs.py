from __future__ import annotations

from gitaly_py.rpc.methods import all_methods
from gitaly_py.services import handlers
from tests.support.commands import gitaly_py


def rows(*arguments: str) -> list[list[str]]:
    status, stdout, stderr = gitaly_py("rpcs", *arguments)
    assert (status, stderr) == (0, "")
    return [line.split() for line in stdout.splitlines()]


def test_every_rpc_is_listed_with_its_facts() -> None:
    heading, *table = rows()

    assert heading == ["SERVICE", "RPC", "KIND", "OPERATION", "PRESENT"]
    assert [row[:2] for row in table] == [[method.service, method.name] for method in all_methods()]
    assert [f"/{row[0]}/{row[1]}" for row in table if row[4] == "yes"] == [
        method.path for method in all_methods() if method.path in handlers()
    ]
    assert ["gitaly.RepositoryService", "SetCustomHooks", "client_stream", "mutator"] in [
        row[:4] for row in table
    ]


def test_those_that_are_missing_can_be_listed_alone() -> None:
    _, *missing = rows("--missing")

    assert [row[:2] for row in missing] == [
        [method.service, method.name] for method in all_methods() if method.path not in handlers()
    ]
