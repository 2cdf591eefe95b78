"""CommitService/FindCommit (commit.md 2, 3.1)."""

from __future__ import annotations

import os
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FindCommitRequest
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import CommitAuthor, GitCommit, SignatureType
from tests.support.daemon import Daemon
from tests.support.repositories import EPOCH, Repo
from tests.support.status import refused

IMPOSSIBLE = 9223371974719179007
NAMES = [b"main", b"HEAD", b"refs/heads/main", b"refs/heads/main~0", b"@", b"v1", b"v1^{}", b"odd/\xff"]


async def commit_of(daemon: Daemon, repo: Repo, revision: bytes | str, **fields: Any) -> GitCommit | None:
    name = revision.encode() if isinstance(revision, str) else revision
    request = FindCommitRequest(repository=repo.message, revision=name, **fields)
    response = await daemon.stub(CommitServiceStub).FindCommit(request)
    return response.commit if response.HasField("commit") else None


def person(seconds: int, name: bytes = b"A U Thor", email: bytes = b"author@example.com") -> CommitAuthor:
    return CommitAuthor(name=name, email=email, date={"seconds": seconds}, timezone=b"+0000")


@pytest.mark.parametrize("revision", NAMES, ids=repr)
async def test_every_name_of_a_commit_finds_it(
    daemon: Daemon, any_format_repo: Repo, revision: bytes
) -> None:
    repo = any_format_repo
    parents = repo.history(2)
    oid = repo.commit("subject\r\n\nmore\n", parents=parents, ref="refs/heads/main", time=EPOCH)
    repo.tag("v1", oid)
    repo.ref(b"refs/heads/odd/\xff", oid)

    assert await commit_of(daemon, repo, revision) == GitCommit(
        id=oid,
        tree_id=repo.git("rev-parse", oid + "^{tree}"),
        parent_ids=parents,
        author=person(EPOCH),
        committer=person(EPOCH),
        subject=b"subject",
        body=b"subject\r\n\nmore\n",
        body_size=15,
    )


async def test_ids_short_and_long_are_revisions(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2, ref="refs/heads/main")

    for revision in (second, second.upper(), second[:10], second + "^0", "main~0"):
        found = await commit_of(daemon, any_format_repo, revision)
        assert found is not None
        assert found.id == second
    parent = await commit_of(daemon, any_format_repo, "main^")
    assert parent is not None
    assert parent.id == first


async def test_a_full_id_wins_over_the_branch_of_that_name(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2, ref="refs/heads/main")
    any_format_repo.ref(f"refs/heads/{first}", second)

    found = await commit_of(daemon, any_format_repo, first)

    assert found is not None
    assert found.id == first


async def test_what_is_no_commit_is_not_found(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit("x\n", {"file": b"content"}, ref="refs/heads/main")
    blob, tree = repo.git("rev-parse", "main:file"), repo.git("rev-parse", "main^{tree}")
    repo.tag("of-blob", blob, kind="blob")

    for revision in (blob, tree, "of-blob", "nope", "main..main", "f" * len(oid), oid + "0", "main~9"):
        assert await commit_of(daemon, repo, revision) is None, revision


async def test_a_short_id_of_several_commits_finds_none(daemon: Daemon, any_format_repo: Repo) -> None:
    found: set[str] = set()
    while (short := any_format_repo.commit("x\n", tree=any_format_repo.format.empty_tree)[:4]) not in found:
        found.add(short)

    assert await commit_of(daemon, any_format_repo, short) is None


async def test_an_empty_repository_has_no_commit(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await commit_of(daemon, any_format_repo, "HEAD") is None


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (b"", "empty revision"),
        (b"-main", "revision can't start with '-'"),
        (b"--all", "revision can't start with '-'"),
        (b"main\0", "revision can't contain NUL"),
        (b"ma in", "revision can't contain whitespace"),
        (b"main\n", "revision can't contain whitespace"),
        (b"main:file", "revision can't contain ':'"),
        (b"main\\", "revision can't contain '\\'"),
    ],
)
async def test_bad_revisions_are_refused(daemon: Daemon, repo: Repo, revision: bytes, text: str) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await commit_of(daemon, repo, revision)


async def test_a_long_message_is_cut_and_its_size_told(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(b"s" * 11_000 + b"\n")

    found = await commit_of(daemon, repo, oid)

    assert found is not None
    assert (len(found.subject), found.body, found.body_size) == (11_000, b"s" * 10_240, 11_001)


@pytest.mark.parametrize(
    ("message", "subject"),
    [(b"", b""), (b"\nbody\n", b""), (b"no end", b"no end"), (b"\xff\xfe\n", b"\xff\xfe")],
)
async def test_messages_are_bytes_as_stored(
    daemon: Daemon, repo: Repo, message: bytes, subject: bytes
) -> None:
    oid = repo.commit(message, headers=b"encoding windows-1250\n")

    found = await commit_of(daemon, repo, oid)

    assert found is not None
    assert (found.subject, found.body, found.body_size) == (subject, message, len(message))
    assert found.encoding == "windows-1250"


@pytest.mark.parametrize(
    ("first_line", "expected"),
    [
        (b"-----BEGIN PGP SIGNATURE-----", SignatureType.PGP),
        (b"-----BEGIN PGP MESSAGE-----", SignatureType.PGP),
        (b"-----BEGIN SIGNED MESSAGE-----", SignatureType.X509),
        (b"-----BEGIN SSH SIGNATURE-----", SignatureType.SSH),
        (b"garbage", SignatureType.NONE),
    ],
)
@pytest.mark.parametrize("header", [b"gpgsig", b"gpgsig-sha256"])
async def test_the_kind_of_a_signature_is_told(
    daemon: Daemon, repo: Repo, header: bytes, first_line: bytes, expected: int
) -> None:
    oid = repo.commit("signed\n", headers=b"%s %s\n abc\n -----END\n" % (header, first_line))

    found = await commit_of(daemon, repo, oid)

    assert found is not None
    assert (found.signature_type, found.body) == (expected, b"signed\n")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (b"hpa <hpa>", CommitAuthor(name=b"hpa", email=b"hpa")),
        (b"no address 1 +0000", CommitAuthor(name=b"no address 1 +0000")),
        (b"open <end 1 +0000", CommitAuthor(name=b"open")),
        (b"x <y> 12", CommitAuthor(name=b"x", email=b"y", date={"seconds": 12})),
        (b"x <y> 12 +51800", CommitAuthor(name=b"x", email=b"y", date={"seconds": 12}, timezone=b"+51800")),
        (b"x <y> 12 a b", CommitAuthor(name=b"x", email=b"y", date={"seconds": 12})),
        (
            b"x <y> -1 +0000",
            CommitAuthor(name=b"x", email=b"y", date={"seconds": IMPOSSIBLE}, timezone=b"+0000"),
        ),
        (b"x <y> 1e3", CommitAuthor(name=b"x", email=b"y", date={"seconds": IMPOSSIBLE})),
        (b"x <y> 9007199254740993", CommitAuthor(name=b"x", email=b"y", date={"seconds": IMPOSSIBLE})),
    ],
)
async def test_odd_identities_are_read_leniently(
    daemon: Daemon, repo: Repo, stored: bytes, expected: CommitAuthor
) -> None:
    oid = repo.object("commit", b"tree %s\nauthor %s\n\nx" % (repo.format.empty_tree.encode(), stored))

    found = await commit_of(daemon, repo, oid)

    assert found is not None
    assert found.author == expected
    assert not found.HasField("committer")


async def test_a_commit_that_ends_in_its_headers_is_found(daemon: Daemon, any_format_repo: Repo) -> None:
    tree = any_format_repo.format.empty_tree
    oid = any_format_repo.object("commit", b"tree %s\nauthor a <b> 1\n" % tree.encode())

    author = CommitAuthor(name=b"a", email=b"b", date={"seconds": 1})
    assert await commit_of(daemon, any_format_repo, oid) == GitCommit(id=oid, tree_id=tree, author=author)


async def test_replace_references_change_nothing(daemon: Daemon, any_format_repo: Repo) -> None:
    first, second = any_format_repo.history(2, ref="refs/heads/main")
    any_format_repo.ref(f"refs/replace/{second}", first)

    found = await commit_of(daemon, any_format_repo, "main")

    assert found is not None
    assert (found.id, found.subject) == (second, b"commit 1")


async def test_trailers_are_given_when_asked_for(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    message = "subject\n\nbody\n\nKey: value\nSigned-off-by: A <a@b>\nKey:  folded\n  line\nEmpty:\n"
    oid = repo.commit(message)

    with_trailers = await commit_of(daemon, repo, oid, trailers=True)
    without = await commit_of(daemon, repo, oid)

    assert with_trailers is not None
    assert without is not None
    assert [(each.key, each.value) for each in with_trailers.trailers] == [
        (b"Key", b"value"),
        (b"Signed-off-by", b"A <a@b>"),
        (b"Key", b"folded line"),
        (b"Empty", b""),
    ]
    assert not without.trailers


async def test_trailers_of_another_encoding_are_re_encoded(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit(b"subject\n\nReviewed-by: J\xfcrgen\n", headers=b"encoding ISO-8859-1\n")

    found = await commit_of(daemon, repo, oid, trailers=True)

    assert found is not None
    assert [(each.key, each.value) for each in found.trailers] == [(b"Reviewed-by", "Jürgen".encode())]
    assert found.body.endswith(b"J\xfcrgen\n")


async def test_trailers_come_only_when_asked_for(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("subject\n\nKey: value\n")

    found = [await commit_of(daemon, repo, oid, trailers=trailers) for trailers in (False, True, False)]

    assert [each and len(each.trailers) for each in found] == [0, 1, 0]


async def test_a_comment_in_the_message_is_left_to_git(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("subject\n\nKey: value\n# comment\n")

    found = await commit_of(daemon, repo, oid, trailers=True)

    assert found is not None
    assert [(each.key, each.value) for each in found.trailers] == [(b"Key", b"value")]


async def test_identities_are_mapped_by_the_mailmap_of_head(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    mailmap = b"# people\nNew Name <new@example.com> <OLD@example.com>\n"
    repo.commit("map\n", {".mailmap": mailmap}, ref="refs/heads/main")
    oid = repo.commit("x\n", {}, author="Old <old@example.com>", committer="Other <other@b>", time=EPOCH)

    found = await commit_of(daemon, repo, oid)

    assert found is not None
    assert found.author == person(EPOCH, b"New Name", b"new@example.com")
    assert found.committer == person(EPOCH, b"Other", b"other@b")


async def test_a_changed_mailmap_is_seen_at_once(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("x\n", {}, author="Old <old@example.com>", ref="refs/heads/main")
    names = []
    for name in (None, "First", "Second", None):
        files = {} if name is None else {".mailmap": f"{name} <old@example.com>\n".encode()}
        repo.commit("map\n", files, [oid], ref="refs/heads/main")
        found = await commit_of(daemon, repo, oid)
        assert found is not None
        names.append(found.author.name)

    assert names == [b"Old", b"First", b"Second", b"Old"]


async def test_a_quarantine_shows_only_its_own_objects(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    old = repo.commit("old\n", {".mailmap": b"Mapped <author@example.com>\n"}, ref="refs/heads/main")
    quarantine = os.path.join(repo.path, "objects", "incoming")
    os.mkdir(quarantine)
    tree = repo.git("mktree", env={"GIT_OBJECT_DIRECTORY": quarantine})
    new = repo.git("commit-tree", "-m", "new", tree, env={"GIT_OBJECT_DIRECTORY": quarantine})
    assert await commit_of(daemon, repo, new) is None

    repo.message.git_object_directory = "objects/incoming"
    found = await commit_of(daemon, repo, new)
    assert found is not None
    assert (found.subject, found.author.name) == (b"new", b"A U Thor")
    assert await commit_of(daemon, repo, old) is None

    repo.message.git_alternate_object_directories.append("objects")
    both = [await commit_of(daemon, repo, oid) for oid in (old, new)]
    assert [each.author.name for each in both if each is not None] == [b"Mapped", b"Mapped"]


async def test_a_caller_may_want_no_mailmap(daemon: Daemon, repo: Repo) -> None:
    repo.commit("map\n", {".mailmap": b"New <author@example.com>\n"}, ref="refs/heads/main")
    request = FindCommitRequest(repository=repo.message, revision=b"main")
    names = []
    for metadata in ((), (("gitaly-feature-mailmap-options", "false"),)):
        response = await daemon.stub(CommitServiceStub).FindCommit(request, metadata=metadata)
        names.append(response.commit.author.name)

    assert names == [b"New", b"A U Thor"]
