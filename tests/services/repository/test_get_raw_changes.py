"""RepositoryService/GetRawChanges (repository.md)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import GetRawChangesRequest, GetRawChangesResponse
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import odd_pair
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

RawChange = GetRawChangesResponse.RawChange
OPERATIONS = {
    "A": RawChange.ADDED,
    "C": RawChange.COPIED,
    "D": RawChange.DELETED,
    "M": RawChange.MODIFIED,
    "R": RawChange.RENAMED,
    "T": RawChange.TYPE_CHANGED,
}


class Change(NamedTuple):
    """A RawChange message."""

    blob_id: str
    size: int
    operation: int
    old_mode: int
    new_mode: int
    old_path_bytes: bytes
    new_path_bytes: bytes


async def responses(daemon: Daemon, repo: Repo, old: str, new: str) -> list[GetRawChangesResponse]:
    request = GetRawChangesRequest(repository=repo.message, from_revision=old, to_revision=new)
    return await collect(daemon.stub(RepositoryServiceStub).GetRawChanges(request))


async def changes(daemon: Daemon, repo: Repo, old: str, new: str) -> list[Change]:
    return [
        Change(*(getattr(each, field) for field in Change._fields))
        for message in await responses(daemon, repo, old, new)
        for each in message.raw_changes
    ]


def expected(repo: Repo, old: str, new: str) -> list[Change]:
    fields = repo.git_bytes("diff", "--raw", "-z", "--no-abbrev", old, new).split(b"\0")[:-1]
    sizes = dict(
        line.split(" ")
        for line in repo.git(
            "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objectsize)"
        ).splitlines()
    )
    found = []
    while fields:
        old_mode, new_mode, old_oid, new_oid, status = fields.pop(0).decode()[1:].split(" ")
        source = target = fields.pop(0)
        if status[0] in "RC":
            target = fields.pop(0)
        oid, mode = (old_oid, old_mode) if status == "D" else (new_oid, new_mode)
        if mode == "160000":
            oid = ""
        found.append(
            Change(
                oid,
                int(sizes[oid]) if oid else 0,
                OPERATIONS[status[0]],
                int(old_mode, 8),
                int(new_mode, 8),
                b"" if status == "A" else source,
                b"" if status == "D" else target,
            )
        )
    return found


async def test_every_kind_of_change_is_told_as_git_has_it(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    found = await changes(daemon, any_format_repo, left, "right")

    assert found == expected(any_format_repo, left, right)
    assert {change.operation for change in found} == {
        RawChange.ADDED,
        RawChange.DELETED,
        RawChange.MODIFIED,
        RawChange.RENAMED,
        RawChange.TYPE_CHANGED,
    }
    by_path = {change.new_path_bytes or change.old_path_bytes: change for change in found}
    assert by_path[b"huge line"].size == 300_002
    assert by_path[b"not\xffutf-8"].size == 4
    assert by_path[b"deleted"][:2] == (any_format_repo.blob(b"gone\n"), 5)
    assert by_path[b"module"][:2] == ("", 0)
    assert by_path[b"added empty"].size == 0


async def test_the_zero_id_stands_for_nothing(daemon: Daemon, any_format_repo: Repo) -> None:
    _, right = odd_pair(any_format_repo)
    zero = any_format_repo.format.zero_oid

    created = await changes(daemon, any_format_repo, zero, right)

    assert created == expected(any_format_repo, any_format_repo.format.empty_tree, right)
    assert {change.operation for change in created} == {RawChange.ADDED}
    assert await responses(daemon, any_format_repo, right, zero) == []
    assert await responses(daemon, any_format_repo, zero, zero) == []


async def test_trees_tags_and_folders_may_be_compared(daemon: Daemon, any_format_repo: Repo) -> None:
    first = any_format_repo.commit(files={"d/a": b"1", "e": b"1"}, ref="refs/heads/main")
    second = any_format_repo.commit(files={"d/a": b"22", "e": b"1"}, parents=[first])
    any_format_repo.tag("v2", second)

    [tagged] = await changes(daemon, any_format_repo, "main^{tree}", "v2")
    [folder] = await changes(daemon, any_format_repo, "main:d", "v2:d")

    assert (tagged.old_path_bytes, folder.old_path_bytes) == (b"d/a", b"a")
    assert tagged.size == folder.size == 2
    assert await responses(daemon, any_format_repo, first, first) == []


async def test_many_changes_come_in_messages_of_a_mebibyte(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    name = "n" * 300
    blobs = [repo.blob(b"x" * number) for number in range(50)]
    one: dict[str | bytes, Entry] = {
        f"{name}{number}": ("100644", blobs[number % 50]) for number in range(4000)
    }
    other = {path: ("100644", blobs[number % 49 + 1]) for number, path in enumerate(one)}
    left, right = repo.tree(one), repo.tree(other)

    messages = await responses(daemon, repo, left, right)

    found = [
        Change(*(getattr(each, field) for field in Change._fields))
        for message in messages
        for each in message.raw_changes
    ]
    assert found == expected(repo, left, right)
    assert len(found) > 3900
    assert len(messages) > 1
    assert all(message.ByteSize() <= 1_050_000 for message in messages)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("", "main", "invalid 'from' revision: \"\""),
        ("main", "", "invalid 'to' revision: \"\""),
        ('no"pe', "nope", 'invalid \'from\' revision: "no\\"pe"'),
        ("main", "f" * 40, f"invalid 'to' revision: \"{'f' * 40}\""),
        ("main", "--cached", "invalid 'to' revision: \"--cached\""),
        ("main..main", "main", "invalid 'from' revision: \"main..main\""),
        ("^main", "main", "invalid 'from' revision: \"^main\""),
    ],
)
async def test_both_revisions_must_exist(
    daemon: Daemon, any_format_repo: Repo, old: str, new: str, text: str
) -> None:
    any_format_repo.history(1, ref="refs/heads/main")

    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await changes(daemon, any_format_repo, old, new)


async def test_what_names_no_single_object_is_no_revision(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, ref="refs/heads/main")
    # Their ids begin alike.
    short = repo.blob(b"142")[:4]
    assert repo.blob(b"784")[:4] == short

    for revision in (short, "main@{upstream}"):
        async with refused(StatusCode.INVALID_ARGUMENT, f"invalid 'from' revision: \"{revision}\""):
            await changes(daemon, repo, revision, "main")
        async with refused(StatusCode.INVALID_ARGUMENT, f"invalid 'to' revision: \"{revision}\""):
            await changes(daemon, repo, "main", revision)


async def test_a_damaged_repository_is_an_internal_error(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    blobs = [repo.blob(b"%d" % number) for number in range(100)]
    files: dict[str | bytes, Entry] = {
        f"{number}/file": ("100644", blob) for number, blob in enumerate(blobs)
    }
    few, many = repo.tree({"0": files["0/file"]}), repo.tree(files)
    os.unlink(Path(repo.path, "objects", blobs[0][:2], blobs[0][2:]))

    for tree in (few, many):
        async with refused(StatusCode.INTERNAL, "object not found"):
            await changes(daemon, repo, repo.format.zero_oid, tree)
    folder = repo.git("rev-parse", f"{many}:7")
    os.unlink(Path(repo.path, "objects", folder[:2], folder[2:]))
    async with refused(StatusCode.INTERNAL, "exit status 128"):
        await changes(daemon, repo, few, many)
