"""DiffService/CommitDiff (diff-conflicts.md 2)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.diff_pb2 import CommitDiffRequest, CommitDiffResponse
from gitaly_py.pb.diff_pb2_grpc import DiffServiceStub
from tests.support.daemon import Daemon
from tests.support.diffs import Change, changes, odd_pair
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

WORDS = CommitDiffRequest.WORDDIFF
IGNORE = CommitDiffRequest.WHITESPACE_CHANGES_IGNORE
IGNORE_ALL = CommitDiffRequest.WHITESPACE_CHANGES_IGNORE_ALL

Files = dict[str | bytes, Entry]


def asked(repo: Repo, left: str = "left", right: str = "right", **fields: Any) -> CommitDiffRequest:
    return CommitDiffRequest(
        **{"repository": repo.message, "left_commit_id": left, "right_commit_id": right, **fields}
    )


async def responses(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> list[CommitDiffResponse]:
    return await collect(daemon.stub(DiffServiceStub).CommitDiff(asked(repo, *args, **fields)))


async def files(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> list[CommitDiffResponse]:
    """One message a file."""
    found: list[CommitDiffResponse] = []
    for message in await responses(daemon, repo, *args, **fields):
        if found and not found[-1].end_of_patch:
            assert message == CommitDiffResponse(
                raw_patch_data=message.raw_patch_data, end_of_patch=message.end_of_patch
            )
            found[-1].raw_patch_data += message.raw_patch_data
            found[-1].end_of_patch = message.end_of_patch
        else:
            found.append(message)
    assert all(file.end_of_patch for file in found)
    return found


def change(file: CommitDiffResponse) -> Change:
    return Change(
        file.from_path,
        file.to_path,
        file.from_id,
        file.to_id,
        file.old_mode,
        file.new_mode,
        file.raw_patch_data,
        file.binary,
        file.lines_added,
        file.lines_removed,
    )


async def diff(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> list[Change]:
    return [change(file) for file in await files(daemon, repo, *args, **fields)]


async def patches(daemon: Daemon, repo: Repo, *args: str, **fields: Any) -> dict[bytes, bytes]:
    return {file.to_path: file.raw_patch_data for file in await files(daemon, repo, *args, **fields)}


def pair(repo: Repo, left: Files, right: Files) -> Repo:
    repo.commit("left\n", left, ref="refs/heads/left")
    repo.commit("right\n", right, ref="refs/heads/right")
    return repo


async def test_files_are_told_as_git_tells_them(daemon: Daemon, any_format_repo: Repo) -> None:
    left, right = odd_pair(any_format_repo)

    expected = changes(any_format_repo, left, right)
    assert await diff(daemon, any_format_repo, left, right) == expected
    assert len(expected) > 40
    assert await diff(daemon, any_format_repo, right, left) == changes(any_format_repo, right, left)


async def test_words_are_compared_on_request(daemon: Daemon, repo: Repo) -> None:
    left, right = odd_pair(repo)

    expected = changes(repo, left, right, "--word-diff=porcelain")
    assert await diff(daemon, repo, left, right, diff_mode=WORDS) == expected
    pair(repo, {"f": b"file with multiple words\n"}, {"f": b"file with changed words\n"})
    [file] = await diff(daemon, repo, diff_mode=WORDS)
    assert file.patch == b"@@ -1 +1 @@\n file with \n-multiple\n+changed\n  words\n~\n"
    assert (file.lines_added, file.lines_removed) == (1, 1)
    assert await diff(daemon, repo, diff_mode=7) == await diff(daemon, repo)


WHITE: Files = {
    "a both": b"one\ntwo\n",
    "b amount": b"one  two\n",
    "c leading": b"one\ntwo\n",
    "d mode": b"one two\n",
    "e renamed": b"".join(b"line %d\n" % number for number in range(20)),
    "f type": ("120000", b"a"),
    "[g]* binary": b"\0a b",
    b"h\xff\n": b"one two\nthree four\n",
    "i crlf": b"one\r\n",
}
WHITER: Files = {
    "a both": b"ONE\ntwo \n",
    "b amount": b"one two\n",
    "c leading": b" one\n two\n",
    "d mode": ("100755", b"one   two\n"),
    "e renamed to": b"".join(b"line  %d\n" % number for number in range(20)),
    "f type": b"a",
    "[g]* binary": b"\0a  b",
    b"h\xff\n": b"one  two\nthree  four\n",
    "i crlf": b"one\n",
}


@pytest.mark.parametrize(("choice", "flag"), [(IGNORE, "--ignore-space-change"), (IGNORE_ALL, "-w")])
async def test_files_with_changes_of_white_space_alone_come_last(
    daemon: Daemon, any_format_repo: Repo, choice: int, flag: str
) -> None:
    repo = pair(any_format_repo, WHITE, WHITER)

    ignoring = changes(repo, "left", "right", flag)
    counted = {file.to_path: file for file in changes(repo, "left", "right")}
    alone = [file for file in ignoring if not file.patch and file.old_mode == file.new_mode]
    alone = [file for file in alone if file.from_path == file.to_path]
    expected = [file for file in ignoring if file not in alone]
    expected += [counted[file.to_path]._replace(patch=b"") for file in alone]

    assert await diff(daemon, repo, whitespace_changes=choice) == expected
    names = [file.to_path for file in alone]
    assert b"h\xff\n" in names
    assert (b"c leading" in names) == (choice == IGNORE_ALL)
    limited = await files(
        daemon, repo, whitespace_changes=choice, enforce_limits=True, max_files=len(expected) - len(alone),
        max_lines=1000, max_bytes=10_000, max_patch_bytes=10_000,
    )  # fmt: skip
    assert list(map(change, limited)) == expected
    assert not any(file.overflow_marker for file in limited)
    some = await diff(daemon, repo, whitespace_changes=choice, paths=[b"h*", b"a*"])
    assert [file.to_path for file in some] == [b"a both", b"h\xff\n"]


async def test_nothing_follows_an_overflow_when_white_space_is_ignored(daemon: Daemon, repo: Repo) -> None:
    pair(repo, {"a": b"1\n", "b": b"1 2\n"}, {"a": b"2\n", "b": b"1  2\n"})

    limits = {"enforce_limits": True, "max_files": 9, "max_bytes": 99, "max_patch_bytes": 99}
    assert await files(daemon, repo, whitespace_changes=IGNORE, **limits) == [
        CommitDiffResponse(overflow_marker=True, end_of_patch=True)
    ]


async def test_very_many_files_with_changes_of_white_space_alone_are_counted(
    daemon: Daemon, repo: Repo
) -> None:
    names = [b"%04d" % number + b"x" * 450 for number in range(5000)]
    for branch, text in (("left", b"a b\nc\n"), ("right", b"a  b\nc\n")):
        blob = repo.blob(text)
        tree = repo.raw_tree([("100644", name, blob) for name in names])
        repo.commit("x\n", tree=tree, ref=f"refs/heads/{branch}")

    found = await diff(daemon, repo, whitespace_changes=IGNORE)

    assert [file.to_path for file in found] == names
    assert {(file.patch, file.lines_added, file.lines_removed) for file in found} == {(b"", 1, 1)}


@pytest.mark.parametrize(
    ("size", "messages"), [(5120, [5120]), (5121, [5120, 1]), (3 * 5120, [5120] * 3), (300_000, None)]
)
async def test_a_long_patch_comes_in_pieces(
    daemon: Daemon, repo: Repo, size: int, messages: list[int] | None
) -> None:
    hunk = b"@@ -0,0 +1 @@\n"
    pair(repo, {}, {"f": b"x" * (size - len(hunk) - 2) + b"\n"})

    found = await responses(daemon, repo)

    assert len(b"".join(message.raw_patch_data for message in found)) == size
    if messages is not None:
        assert [len(message.raw_patch_data) for message in found] == messages
    assert [message.end_of_patch for message in found] == [False] * (len(found) - 1) + [True]
    assert [message.to_path for message in found] == [b"f"] + [b""] * (len(found) - 1)


async def test_paths_are_pathspecs(daemon: Daemon, repo: Repo) -> None:
    names = ["a.c", "b.c", "d/a.c", "d/e/f.h", "*"]
    pair(repo, dict.fromkeys(names, b"1\n"), dict.fromkeys(names, b"2\n"))

    async def found(*paths: bytes) -> list[bytes]:
        return list(await patches(daemon, repo, paths=paths))

    assert await found() == [b"*", b"a.c", b"b.c", b"d/a.c", b"d/e/f.h"]
    assert await found(b"*.c") == [b"a.c", b"b.c", b"d/a.c"]
    assert await found(b"d") == [b"d/a.c", b"d/e/f.h"]
    assert await found(b":(literal)*") == [b"*"]
    assert await found(b":(exclude)d", b":(top)") == [b"*", b"a.c", b"b.c"]
    assert await found(b"nothing", b"-x") == []


async def test_revisions_are_whatever_git_takes(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit("one\n", {"d/f": b"1\n"}, ref="refs/heads/main")
    repo.commit("two\n", {"d/f": b"2\n"}, [oid], ref="refs/heads/main")
    repo.tag("v1", oid)

    [change] = await diff(daemon, repo, "v1", "main")
    assert change.patch == b"@@ -1 +1 @@\n-1\n+2\n"
    for left, right in (("main~", "main"), (oid[:12], "HEAD^{tree}"), (":/one", "@")):
        assert await diff(daemon, repo, left, right) == [change]
    [root] = await diff(daemon, repo, repo.format.empty_tree, oid)
    assert (root.old_mode, root.from_id, root.patch) == (0, repo.format.zero_oid, b"@@ -0,0 +1 @@\n+1\n")
    assert await diff(daemon, repo, "main", "main") == []
    [below] = await diff(daemon, repo, "main~:d", "main:d")
    assert below == change._replace(from_path=b"f", to_path=b"f")
    [blobs] = await diff(daemon, repo, repo.blob(b"1\n"), repo.blob(b"2\n"))
    assert blobs.patch == change.patch


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"left": ""}, StatusCode.INVALID_ARGUMENT, "empty LeftCommitId"),
        ({"right": ""}, StatusCode.INVALID_ARGUMENT, "empty RightCommitId"),
        ({"right": "nope"}, StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"),
        ({"left": "0" * 40}, StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"),
        ({"left": "f" * 40}, StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"),
        ({"paths": [b""]}, StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"),
        (
            {"left": "--output=/tmp/x"},
            StatusCode.INTERNAL,
            "eachDiff: cmd: positional arg \"--output=/tmp/x\" cannot start with dash '-': invalid argument",
        ),
        (
            {"right": "-x", "whitespace_changes": IGNORE},
            StatusCode.INTERNAL,
            "eachDiff: cmd: positional arg \"-x\" cannot start with dash '-': invalid argument",
        ),
        (
            {"paths": [b"a\0b"]},
            StatusCode.INTERNAL,
            'eachDiff: cmd: detected null byte in command argument "a\\x00b"',
        ),
    ],
    ids=str,
)
async def test_bad_requests_are_refused(
    daemon: Daemon, repo: Repo, fields: dict[str, Any], code: StatusCode, text: str
) -> None:
    pair(repo, {"f": b"1\n"}, {"f": b"2\n"})

    async with refused(code, text):
        await responses(daemon, repo, **fields)


async def test_files_of_the_machine_are_never_compared(daemon: Daemon, repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one\n")
    (tmp_path / "two").write_text("two\n")

    async with refused(StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"):
        await responses(daemon, repo, str(tmp_path / "one"), str(tmp_path / "two"))


async def test_a_combined_diff_is_an_error(daemon: Daemon, repo: Repo) -> None:
    base = repo.commit("base\n", {"f": b"0\n"})
    one = repo.commit("one\n", {"f": b"1\n"}, [base])
    two = repo.commit("two\n", {"f": b"2\n"}, [base])
    repo.commit("merge\n", {"f": b"3\n"}, [one, two], ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "eachDiff: parse failure: diff header regexp mismatch"):
        await responses(daemon, repo, "main", "main^@")


async def test_a_missing_blob_fails_after_what_could_be_told(daemon: Daemon, repo: Repo) -> None:
    pair(
        repo,
        {"a": b"1\n", "b": b"1\n", "c": ("100644", "1" * 40), "d": b"1\n"},
        {"a": b"2\n", "b": b"2\n", "c": ("100644", "2" * 40), "d": b"2\n"},
    )
    call = daemon.stub(DiffServiceStub).CommitDiff(asked(repo))

    assert (await call.read()).to_path == b"a"
    async with refused(StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"):
        await call.read()


async def test_attributes_of_head_decide_what_is_shown(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    names: list[str | bytes] = ["d/a.txt", "d/e/a.dat", "a.dat", "a.py", "d/only", "shown"]
    left, right = (
        dict[str | bytes, Entry].fromkeys(names, b"def f():\n" + filler + last)
        for filler in [b"".join(b"  %d\n" % number for number in range(9))]
        for last in (b"1\n", b"2\n")
    )
    pair(repo, left, right)
    assert not any(file.binary for file in await files(daemon, repo))
    attributes: Files = {
        ".gitattributes": b"*.txt binary\n*.py diff=python\n",
        "d/.gitattributes": b"*.dat -diff\n/only binary\n",
    }
    repo.commit("attributes\n", attributes, ref="refs/heads/main")

    found = {file.to_path: file for file in await files(daemon, repo)}

    assert {path for path, file in found.items() if file.binary} == {b"d/a.txt", b"d/e/a.dat", b"d/only"}
    assert found[b"d/only"].raw_patch_data == b"Binary files a/d/only and b/d/only differ\n"
    assert found[b"a.py"].raw_patch_data.startswith(b"@@ -8,4 +8,4 @@ def f():\n")
    repo.commit("none\n", {}, ref="refs/heads/main")
    assert not any(file.binary for file in await files(daemon, repo))


async def test_configuration_of_the_repository_breaks_nothing(daemon: Daemon, repo: Repo) -> None:
    left, right = odd_pair(repo)
    expected = changes(repo, left, right)
    for key, value in {
        "diff.noprefix": "true",
        "diff.mnemonicPrefix": "true",
        "diff.external": "false",
        "diff.submodule": "log",
        "diff.suppressBlankEmpty": "true",
        "color.diff": "always",
        "core.quotePath": "false",
        "core.abbrev": "7",
        "diff.renames": "false",
    }.items():
        repo.git("config", key, value)

    assert await diff(daemon, repo, left, right) == expected


async def test_a_very_large_file_is_binary(daemon: Daemon, repo: Repo) -> None:
    pair(repo, {}, {"f": b"\n" * ((50 << 20) + 1), "g": b"\n"})

    assert await patches(daemon, repo) == {
        b"f": b"Binary files /dev/null and b/f differ\n",
        b"g": b"@@ -0,0 +1 @@\n+\n",
    }


async def test_replacements_are_not_heeded(daemon: Daemon, repo: Repo) -> None:
    pair(repo, {"f": b"1\n"}, {"f": b"2\n"})
    repo.git("replace", repo.blob(b"2\n"), repo.blob(b"3\n"))

    assert await patches(daemon, repo) == {b"f": b"@@ -1 +1 @@\n-1\n+2\n"}


async def test_objects_in_a_quarantine_are_seen(daemon: Daemon, repo: Repo) -> None:
    main = repo.commit("left\n", {"f": b"1\n"}, ref="refs/heads/left")
    own = {path for path in Path(repo.path, "objects").rglob("*") if path.is_file()}
    new = repo.commit("right\n", {"f": b"2\n"}, [main])
    for path in Path(repo.path, "objects").rglob("*"):
        if path.is_file() and path not in own:
            moved = Path(repo.path, "quarantine", *path.parts[-2:])
            moved.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, moved)
    async with refused(StatusCode.FAILED_PRECONDITION, "eachDiff: exit status 128"):
        await responses(daemon, repo, "left", new)

    repo.message.git_object_directory = "quarantine"
    repo.message.git_alternate_object_directories.append("objects")

    assert await patches(daemon, repo, "left", new) == {b"f": b"@@ -1 +1 @@\n-1\n+2\n"}


async def test_memory_does_not_grow_with_the_diff(daemon: Daemon, repo: Repo) -> None:
    names = [b"%02d" % number for number in range(40)]
    pair(repo, {}, {name: name + b"some line of a large text file\n" * 32_000 for name in names})
    process = Path(f"/proc/{daemon.worker.pid}")
    (process / "clear_refs").write_text("5")
    before = _peak(process)
    size = count = 0

    async for message in daemon.stub(DiffServiceStub).CommitDiff(asked(repo)):
        size += len(message.raw_patch_data)
        count += message.end_of_patch

    assert (count, size > 40_000_000) == (40, True)
    assert _peak(process) - before < 20_000_000


def _peak(process: Path) -> int:
    """The most memory that a process had, in bytes."""
    [line] = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
