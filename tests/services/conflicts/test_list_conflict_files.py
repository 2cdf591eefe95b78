"""ConflictsService/ListConflictFiles (diff-conflicts.md 10)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from grpc import StatusCode

from gitaly_py.pb.conflicts_pb2 import ListConflictFilesRequest, ListConflictFilesResponse
from gitaly_py.pb.conflicts_pb2_grpc import ConflictsServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import collect, refused

PIECE = 131_072

Files = dict[str | bytes, Entry]


class Conflict(NamedTuple):
    """A conflict as the client puts it together."""

    our_path: bytes
    their_path: bytes
    ancestor_path: bytes
    our_mode: int
    content: bytes


class Sides(NamedTuple):
    """Two commits with a common ancestor; the branches `ours` and `theirs`."""

    ours: str
    theirs: str


def sides(repo: Repo, base: Files, ours: Files, theirs: Files) -> Sides:
    ancestor = repo.commit("base\n", base)
    return Sides(
        repo.commit("ours\n", ours, [ancestor], ref="refs/heads/ours"),
        repo.commit("theirs\n", theirs, [ancestor], ref="refs/heads/theirs"),
    )


async def responses(
    daemon: Daemon, repo: Repo, ours: str = "ours", theirs: str = "theirs", **fields: Any
) -> list[ListConflictFilesResponse]:
    fields.setdefault("repository", repo.message)
    request = ListConflictFilesRequest(our_commit_oid=ours, their_commit_oid=theirs, **fields)
    return await collect(daemon.stub(ConflictsServiceStub).ListConflictFiles(request))


async def conflicts(daemon: Daemon, repo: Repo, *revisions: str, **fields: Any) -> list[Conflict]:
    found: list[Conflict] = []
    for message in await responses(daemon, repo, *revisions, **fields):
        for file in message.files:
            if file.HasField("header"):
                header = file.header
                assert header.commit_oid == (revisions[0] if revisions else "ours")
                assert not file.content
                paths = (header.our_path, header.their_path, header.ancestor_path)
                found.append(Conflict(*paths, header.our_mode, b""))
            else:
                assert 0 < len(file.content) <= PIECE
                found[-1] = found[-1]._replace(content=found[-1].content + file.content)
    return found


def marked(ours: str, our_text: bytes, theirs: str, their_text: bytes) -> bytes:
    return b"<<<<<<< %s\n%s=======\n%s>>>>>>> %s\n" % (ours.encode(), our_text, their_text, theirs.encode())


def objects(repo: Repo) -> set[Path]:
    return {path for path in Path(repo.path, "objects").rglob("*") if path.is_file()}


async def test_both_sides_stand_in_the_file_with_its_name(daemon: Daemon, any_format_repo: Repo) -> None:
    made = sides(
        any_format_repo,
        {"a": b"1\n2\n3\n", "other": b"x"},
        {"a": b"1\nours\n3\n", "other": b"x"},
        {"a": b"1\ntheirs\n3\n", "other": b"y"},
    )
    before = objects(any_format_repo)

    [conflict] = await conflicts(daemon, any_format_repo, *made)

    content = b"1\n" + marked("a", b"ours\n", "a", b"theirs\n") + b"3\n"
    assert conflict == Conflict(b"a", b"a", b"a", 0o100644, content)
    assert objects(any_format_repo) == before
    assert list(Path(daemon.storage, "+gitaly/tmp").glob("quarantine-*")) == []
    short = (made.ours[:5], made.theirs[:5])
    assert await conflicts(daemon, any_format_repo, *short) == [conflict]
    assert await conflicts(daemon, any_format_repo) == [conflict]


async def test_every_occurrence_of_the_ids_becomes_a_path(daemon: Daemon, repo: Repo) -> None:
    first = sides(repo, {"a": b"1\n"}, {"a": b"2\n"}, {"a": b"3\n"})
    # A later merge of the same commits, whose file speaks of them.
    text = f"{first.ours} {first.theirs}{first.theirs}\n".encode()
    ours = repo.commit(files={"a": b"2\n" + text}, parents=[first.ours])
    theirs = repo.commit(files={"a": b"3\n" + text}, parents=[first.theirs])

    [conflict] = await conflicts(daemon, repo, ours, theirs)

    assert text in conflict.content
    [conflict] = await conflicts(daemon, repo, first.ours, theirs)
    assert conflict.content == marked("a", b"2\n", "a", b"3\n" + text.replace(first.ours.encode(), b"a"))


async def test_a_renamed_file_has_one_name_and_markers_two(daemon: Daemon, any_format_repo: Repo) -> None:
    text = b"".join(b"%d\n" % number for number in range(20))
    sides(
        any_format_repo,
        {"z": text},
        {"z": text + b"ours\n"},
        {"sub/new": text + b"theirs\n"},
    )

    [conflict] = await conflicts(daemon, any_format_repo)

    content = text + marked("sub/new:z", b"ours\n", "sub/new:sub/new", b"theirs\n")
    assert conflict == Conflict(b"sub/new", b"sub/new", b"sub/new", 0o100644, content)


async def test_a_file_that_both_sides_added_has_no_ancestor(daemon: Daemon, any_format_repo: Repo) -> None:
    sides(
        any_format_repo,
        {},
        {"sub/a": ("100755", b"ours\n")},
        {"sub/a": ("100755", b"theirs\n")},
    )

    [conflict] = await conflicts(daemon, any_format_repo)

    content = marked("sub/a", b"ours\n", "sub/a", b"theirs\n")
    assert conflict == Conflict(b"sub/a", b"sub/a", b"", 0o100755, content)


async def test_histories_without_a_common_ancestor_may_conflict(
    daemon: Daemon, any_format_repo: Repo
) -> None:
    ours = any_format_repo.commit(files={"a": b"ours\n"})
    theirs = any_format_repo.commit(files={"a": b"theirs\n"})

    [conflict] = await conflicts(daemon, any_format_repo, ours, theirs)

    assert conflict == Conflict(b"a", b"a", b"", 0o100644, marked("a", b"ours\n", "a", b"theirs\n"))


async def test_names_are_raw_bytes(daemon: Daemon, any_format_repo: Repo) -> None:
    names = sorted(
        [b"tab\there", b"new\nline", b"not\xffutf-8", b'"quoted"', b"dir/\xf0\x9f\x90\x98", b":(x)"]
    )
    sides(
        any_format_repo,
        dict.fromkeys(names, b"1\n"),
        dict.fromkeys(names, b"2\n"),
        dict.fromkeys(names, b"3\n"),
    )

    found = await conflicts(daemon, any_format_repo)

    assert [conflict.our_path for conflict in found] == names
    for name, conflict in zip(names, found, strict=True):
        assert conflict[:3] == (name, name, name)
        assert conflict.content == b"<<<<<<< %s\n2\n=======\n3\n>>>>>>> %s\n" % (name, name)


async def test_what_git_merges_is_no_conflict(daemon: Daemon, any_format_repo: Repo) -> None:
    made = sides(any_format_repo, {"a": b"1"}, {"a": b"1", "b": b"2"}, {"a": b"3"})

    assert await responses(daemon, any_format_repo) == []
    assert await responses(daemon, any_format_repo, made.ours, made.ours) == []


async def test_a_conflict_without_files_is_no_message(daemon: Daemon, any_format_repo: Repo) -> None:
    sides(
        any_format_repo,
        {"d/a": b"a\n", "d/b": b"b\n"},
        {"d/a": b"a\n", "d/b": b"b\n", "d/c": b"c"},
        {"e/a": b"a\n", "f/b": b"b\n"},
    )

    assert await responses(daemon, any_format_repo) == []


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        ({"a": b"1\n"}, {"a": b"2\n"}, {}),
        ({"a": b"1\n"}, {}, {"a": b"2\n"}),
        ({"a": b"1\n"}, {"a": b"2\n"}, {"a/b": b"3\n"}),
        ({"a": b"1\n" * 9}, {"b": b"1\n" * 9}, {"c": b"1\n" * 9}),
    ],
    ids=["deleted by them", "deleted by us", "file and folder", "renamed to two names"],
)
async def test_a_missing_side_is_refused(
    daemon: Daemon, any_format_repo: Repo, base: Files, ours: Files, theirs: Files
) -> None:
    sides(any_format_repo, base, ours, theirs)

    async with refused(StatusCode.FAILED_PRECONDITION, "conflict side missing"):
        await conflicts(daemon, any_format_repo)
    async with refused(StatusCode.FAILED_PRECONDITION, "conflict side missing"):
        await conflicts(daemon, any_format_repo, skip_content=True)


async def test_tree_conflicts_are_listed_when_they_are_allowed(daemon: Daemon, any_format_repo: Repo) -> None:
    text = b"".join(b"%d\n" % number for number in range(20))
    made = sides(
        any_format_repo,
        {"by them": b"1\n", "by us": b"1\n", "folder": b"1\n", "moved": text},
        {"by them": b"2\n", "folder": b"2\n", "moved to one": text},
        {"by us": b"3\n", "folder/file": b"3\n", "moved to two": text},
    )

    found = await conflicts(daemon, any_format_repo, allow_tree_conflicts=True)

    aside = f"folder~{made.ours}".encode()
    assert found == [
        Conflict(b"by them", b"", b"by them", 0o100644, b"2\n"),
        Conflict(b"", b"by us", b"by us", 0, b"3\n"),
        Conflict(aside, b"", aside, 0o100644, b"2\n"),
        Conflict(b"", b"", b"moved", 0, b""),
        Conflict(b"moved to one", b"", b"", 0o100644, text),
        Conflict(b"", b"moved to two", b"", 0, text),
    ]


async def test_a_binary_file_that_is_text_to_us_is_ours(daemon: Daemon, any_format_repo: Repo) -> None:
    sides(any_format_repo, {"a": b"\0one"}, {"a": b"\0ours"}, {"a": b"\0theirs"})

    [conflict] = await conflicts(daemon, any_format_repo)

    assert conflict.content == b"\0ours"


@pytest.mark.parametrize(
    "ours", [b"\xff\n", b"\0\xe2\x82", b"ok\n" * 100_000 + b"\xe2\x82", b"\xed\xa0\x80\n", b"\xc3\n\xa4\n"]
)
async def test_other_encodings_are_refused(daemon: Daemon, any_format_repo: Repo, ours: bytes) -> None:
    sides(any_format_repo, {"a": b"1\n"}, {"a": ours}, {"a": b"2\n"})

    async with refused(StatusCode.FAILED_PRECONDITION, "unsupported encoding"):
        await conflicts(daemon, any_format_repo)
    assert len(await conflicts(daemon, any_format_repo, skip_content=True)) == 1


async def test_a_submodule_has_no_content(daemon: Daemon, any_format_repo: Repo) -> None:
    digits = any_format_repo.format.hex_length
    one, two, three = (("160000", str(number) * digits) for number in (1, 2, 3))
    sides(any_format_repo, {"sub": one}, {"sub": two}, {"sub": three})

    async with refused(StatusCode.FAILED_PRECONDITION, "getting objectreader: object not found"):
        await conflicts(daemon, any_format_repo)
    [conflict] = await conflicts(daemon, any_format_repo, skip_content=True)
    assert conflict == Conflict(b"sub", b"sub", b"sub", 0o160000, b"")


async def test_links_and_modes_conflict(daemon: Daemon, any_format_repo: Repo) -> None:
    sides(
        any_format_repo,
        {"link": ("120000", b"one"), "mode": b"1\n"},
        {"link": ("120000", b"ours"), "mode": ("100755", b"2\n")},
        {"link": ("120000", b"theirs"), "mode": b"3\n"},
    )

    link, mode = await conflicts(daemon, any_format_repo)

    assert link == Conflict(b"link", b"link", b"link", 0o120000, b"ours")
    assert mode[:4] == (b"mode", b"mode", b"mode", 0o100755)


async def test_contents_are_cut_and_put_together(daemon: Daemon, any_format_repo: Repo) -> None:
    """Large content comes in pieces; a piece that fills a message is its last one."""
    made = sides(
        any_format_repo,
        {"a": b"1\n", "b": b"", "c": b"1\n"},
        {"a": b"x" * 100 + b"\n", "b": b"", "c": b"small\n"},
        {"a": b"y" * 900_000 + b"\n", "b": b"", "c": b"3\n"},
    )

    messages = await responses(daemon, any_format_repo)

    kinds = [[file.WhichOneof("conflict_file_payload") for file in message.files] for message in messages]
    assert kinds[0] == ["header", "content"]
    assert kinds[1:-1] == [["content"]] * 5
    assert kinds[-1] == ["content", "header", "content"]
    assert all(len(message.files[-1].content) == PIECE for message in messages[:-1])
    large, small = await conflicts(daemon, any_format_repo, *made)
    assert large.content == marked("a", b"x" * 100 + b"\n", "a", b"y" * 900_000 + b"\n")
    assert small.content == marked("c", b"small\n", "c", b"3\n")


async def test_an_id_on_a_border_is_found_in_large_content(daemon: Daemon, any_format_repo: Repo) -> None:
    first = sides(any_format_repo, {"a": b""}, {"a": b"ours\n"}, {"a": b"theirs\n"})
    text = b"".join(b"%s%s" % (b"." * number, first.ours.encode()) for number in range(4000))[:2_000_000]
    theirs = any_format_repo.commit(files={"a": text + b"\n"}, parents=[first.theirs])

    [conflict] = await conflicts(daemon, any_format_repo, first.ours, theirs)

    assert conflict.content == marked("a", b"ours\n", "a", text.replace(first.ours.encode(), b"a") + b"\n")


async def test_content_has_no_limit(daemon: Daemon, repo: Repo) -> None:
    """Not even that of what git calls a big file."""
    large = b"x" * (51 << 20) + b"\n"
    sides(repo, {"a": b"1\n"}, {"a": large}, {"a": b"3\n"})

    messages = await responses(daemon, repo)

    content = b"".join(file.content for message in messages for file in message.files)
    assert content == marked("a", large, "a", b"3\n")
    assert all(message.ByteSize() <= 2 * PIECE for message in messages)


async def test_only_headers_are_one_message(daemon: Daemon, any_format_repo: Repo) -> None:
    names: list[str | bytes] = [f"{number:03}" for number in range(300)]
    made = sides(
        any_format_repo,
        dict.fromkeys(names, b"1\n"),
        dict.fromkeys(names, b"2\n"),
        dict.fromkeys(names, b"\xff\n"),
    )

    [message] = await responses(daemon, any_format_repo, skip_content=True)

    assert [file.header.our_path.decode() for file in message.files] == names
    assert all(file.header.commit_oid == "ours" and not file.content for file in message.files)
    assert made.ours != made.theirs


async def test_attributes_of_head_are_heeded(daemon: Daemon, any_format_repo: Repo) -> None:
    sides(
        any_format_repo,
        {"list": b"1\n", "sub/list": b"1\n", "sub/text": b"1\n"},
        {"list": b"2\n", "sub/list": b"2\n", "sub/text": b"2\n"},
        {"list": b"3\n", "sub/list": b"3\n", "sub/text": b"3\n"},
    )
    assert len(await conflicts(daemon, any_format_repo)) == 3
    any_format_repo.commit(
        files={".gitattributes": b"/list merge=union\n", "sub/.gitattributes": b"list merge=union\n"},
        ref="refs/heads/main",
    )

    [conflict] = await conflicts(daemon, any_format_repo)

    assert conflict.our_path == b"sub/text"


@pytest.mark.parametrize(
    ("ours", "theirs", "code", "text"),
    [
        ("", "theirs", StatusCode.INVALID_ARGUMENT, "empty OurCommitOid"),
        ("ours", "", StatusCode.INVALID_ARGUMENT, "empty TheirCommitOid"),
        (
            "nope",
            "theirs",
            StatusCode.FAILED_PRECONDITION,
            "could not lookup 'our' OID: reference not found",
        ),
        (
            "ours^{tree}",
            "theirs",
            StatusCode.FAILED_PRECONDITION,
            "could not lookup 'our' OID: reference not found",
        ),
        (
            "ours",
            "f" * 40,
            StatusCode.FAILED_PRECONDITION,
            "could not lookup 'their' OID: reference not found",
        ),
        (
            "ours",
            "--all",
            StatusCode.FAILED_PRECONDITION,
            "could not lookup 'their' OID: reference not found",
        ),
    ],
)
async def test_what_is_no_commit_is_refused(
    daemon: Daemon, any_format_repo: Repo, ours: str, theirs: str, code: StatusCode, text: str
) -> None:
    sides(any_format_repo, {"a": b"1"}, {"a": b"2"}, {"a": b"3"})

    async with refused(code, text):
        await conflicts(daemon, any_format_repo, ours, theirs)


async def test_a_tag_stands_for_its_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    made = sides(any_format_repo, {"a": b"1\n"}, {"a": b"2\n"}, {"a": b"3\n"})
    any_format_repo.tag("ours-tag", made.ours)

    [conflict] = await conflicts(daemon, any_format_repo, "ours-tag", "theirs")

    assert conflict.content == marked("a", b"2\n", "a", b"3\n")


async def test_a_merge_that_fails_is_an_internal_error(daemon: Daemon, any_format_repo: Repo) -> None:
    made = sides(any_format_repo, {"a": b"1\n"}, {"a": b"2\n"}, {"a": b"3\n"})
    blob = any_format_repo.git("rev-parse", f"{made.theirs}:a")
    Path(any_format_repo.path, "objects", blob[:2], blob[2:]).unlink()

    with pytest.raises(Exception, match="couldn't find conflict: ") as raised:
        await conflicts(daemon, any_format_repo)

    error: Any = raised.value
    assert error.code() is StatusCode.INTERNAL
    assert list(Path(daemon.storage, "+gitaly/tmp").glob("quarantine-*")) == []


async def test_objects_in_quarantine_are_merged(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    made = sides(repo, {"a": b"1\n"}, {"a": b"2\n"}, {"a": b"3\n"})
    Path(repo.path, "objects").rename(Path(repo.path, "pushed"))
    Path(repo.path, "objects").mkdir()
    message = Repository()
    message.CopyFrom(repo.message)
    message.git_object_directory = "pushed"
    message.git_alternate_object_directories.append("objects")

    [conflict] = await conflicts(daemon, repo, *made, repository=message)

    assert conflict.content == marked("a", b"2\n", "a", b"3\n")
    assert objects(repo) == set()
