"""Every reader resolves as git does."""

from __future__ import annotations

import subprocess

import pytest

from gitaly_py.git.reading.errors import AmbiguousRevision, ObjectUnreadable, RevisionHasNul
from gitaly_py.git.reading.interface import Reader
from tests.support.repositories import ENVIRONMENT, GIT, Repo

REVISIONS = [
    b"main", b"HEAD", b"@", b"heads/main", b"refs/heads/main", b"both", b"tags/both", b"origin",
    b"origin/x", b"caf\xc3\xa9", b"caf\xe9", b"feature/deep/er", b"feature", b"unknown", b"refs/heads",
    b"config", b"objects", b"main^{commit}", b"main^{tree}", b"main^{blob}", b"main^{}", b"main^{object}",
    b"main^0", b"main^{tag}", b"v1", b"v1^{}", b"v1^{tag}", b"v1^{commit}", b"v1^{tree}", b"nested",
    b"nested^{}", b"nested^{commit}", b"v1^{}^{tree}", b"to-blob", b"to-blob^{}", b"to-blob^{commit}",
    b"light-tree", b"light-tree:file", b"main~1", b"main^", b"main^2", b"main~9", b"main^1^{tree}",
    b"v1~1", b"main@{upstream}", b"main@{0}", b"main:", b"main:file", b"main:dir", b"main:dir/",
    b"main:dir/file", b"main:dir//file", b"main:/", b"main:file/", b"main:dir/deep/er/x",
    b"main:dir/missing", b"main:./file", b"main:../file", b"main:dir/../file", b"main:.", b"main:sub",
    b"main:sub/", b"main:sub/x", b"main~1:sub", b"v1:dir/file", b"main^{tree}:dir/file",
    b"main:with space", b"main:new\nline", b"missing\nline", b"main:caf\xe9", b"main:a:b", b"main:x~1",
    b"main:x^{tree}", b"main:x-gabcdef0", b"x-gabcdef0", b"", b"-x", b"--all", b"^main", b"main..v1",
    b"main...v1", b":/subject", b":file", b"main ", b" main", b"main^{/first}", b"ma*n", b"0000", b"dead",
    b"dangling", b"unborn", b"refs/heads/../main",
]  # fmt: skip

FATAL = [b"main@{upstream}"]


@pytest.fixture
def repo(repo: Repo) -> Repo:
    """One of everything a revision may name."""
    sub = repo.commit("not here\n", {"y": b"y"})
    first = repo.commit("first\n", {"file": b"old\n", "sub": ("160000", sub)})
    second = repo.commit(
        "subject\n",
        {
            "file": b"new\n", "dir/file": b"f\n", "dir/deep/er/x": b"x\n", "with space": b"s\n",
            "new\nline": b"n\n",
            b"caf\xe9": b"latin\n", "a:b": b"colon\n", "x~1": b"tilde\n", "x^{tree}": b"peel\n",
            "x-gabcdef0": b"described\n", "sub": ("160000", sub),
        },
        [first],
        "refs/heads/main",
    )  # fmt: skip
    for name in ("refs/tags/both", "refs/remotes/origin/x", b"refs/heads/caf\xc3\xa9", b"refs/heads/caf\xe9"):
        repo.ref(name, first)
    for name in ("refs/heads/both", "refs/heads/feature/deep/er"):
        repo.ref(name, second)
    repo.symref("refs/remotes/origin/HEAD", "refs/remotes/origin/x")
    repo.symref("refs/heads/dangling", "refs/heads/unborn")
    tag = repo.tag("v1", second)
    repo.tag("nested", tag, kind="tag")
    repo.tag("to-blob", repo.blob(b"data\n"), kind="blob")
    repo.ref("refs/tags/light-tree", repo.tree({"file": b"f\n"}))
    return repo


def resolved_by_git(repo: Repo, revision: bytes) -> str | None:
    line = [GIT, "--git-dir", repo.path, "rev-parse", "--verify", "--quiet", revision]
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=False)
    printed = done.stdout.decode().strip()
    return printed if done.returncode == 0 and len(printed) == repo.format.hex_length else None


def type_of(repo: Repo, oid: str | None) -> str | None:
    if oid is None:
        return None
    done = repo.git("cat-file", "--batch-check=%(objecttype)", stdin=oid)
    return None if done.endswith(" missing") else done


async def test_a_revision_means_what_it_means_to_git(reader: Reader, repo: Repo) -> None:
    expected = {revision: resolved_by_git(repo, revision) for revision in REVISIONS}
    expected |= {b"-x": None, b"--all": None}

    assert {revision: await reader.resolve(revision) for revision in REVISIONS} == expected
    repo.git("pack-refs", "--all")
    repo.git("repack", "-adq")
    assert {revision: await reader.resolve(revision) for revision in REVISIONS} == expected
    assert sum(oid is not None for oid in expected.values()) > 50


async def test_what_exists_is_told_with_its_type(reader: Reader, repo: Repo) -> None:
    revisions = [revision for revision in REVISIONS if revision not in FATAL]
    oids = {revision: await reader.resolve(revision) for revision in revisions}
    types = {revision: type_of(repo, oid) for revision, oid in oids.items()}

    infos = [info async for info in reader.info_each(revisions)]

    assert infos == [await reader.info(revision) for revision in revisions]
    assert {revision: info and info.type for revision, info in zip(revisions, infos, strict=True)} == types
    assert all(
        info is None or info.oid == oids[revision] for revision, info in zip(revisions, infos, strict=True)
    )


async def test_a_revision_that_ends_git_is_an_error_and_hurts_no_other(reader: Reader) -> None:
    for revision in FATAL:
        with pytest.raises(ObjectUnreadable, match="fatal: no upstream configured"):
            await reader.info(revision)
    assert await reader.info(b"main~1") is not None


async def test_the_reason_of_a_failure_is_its_own(reader: Reader, repo: Repo) -> None:
    short = _ambiguous(repo)
    for _ in range(2):
        # git says on its standard error which objects there are.
        with pytest.raises(AmbiguousRevision):
            await reader.info(short)
        with pytest.raises(ObjectUnreadable, match=r"^reading object main@\{u\}: fatal: no upstream"):
            await reader.info(b"main@{u}")


async def test_a_full_id_is_itself_in_either_case_and_even_if_missing(reader: Reader, repo: Repo) -> None:
    oid = repo.git("rev-parse", "main")
    missing = "1" * repo.format.hex_length
    repo.ref(b"refs/heads/" + missing.encode(), oid)

    assert await reader.resolve(oid.upper().encode()) == oid
    assert await reader.resolve(missing.encode()) == missing
    assert await reader.info(missing.encode()) is None
    assert await reader.resolve(missing.encode() + b"^{object}") is None
    assert (await reader.read(oid.upper().encode() + b"^{commit}")).oid == oid


async def test_short_ids_resolve_unless_ambiguous(reader: Reader, repo: Repo) -> None:
    oid = repo.git("rev-parse", "main")
    ambiguous = _ambiguous(repo)

    assert (await reader.info(oid[:12].encode())).oid == oid
    assert (await reader.info(oid[:12].encode() + b"^{tree}")).type == "tree"
    with pytest.raises(AmbiguousRevision):
        await reader.info(ambiguous)
    assert await reader.resolve(ambiguous) is None
    assert await reader.info(ambiguous + b"^{commit}") is None
    assert (await reader.info(b"main")).oid == oid


async def test_nul_is_refused_everywhere(reader: Reader) -> None:
    for look_up in (reader.resolve, reader.info, reader.read):
        with pytest.raises(RevisionHasNul, match="revision must not contain NUL bytes"):
            await look_up(b"main\0")
    with pytest.raises(RevisionHasNul):
        [info async for info in reader.info_each([b"main", b"x\0"])]


async def test_a_revision_that_looks_like_a_reply_is_just_unknown(reader: Reader, repo: Repo) -> None:
    oid = repo.git("rev-parse", "main")
    forged = f"{oid} commit 5\nx".encode()

    assert await reader.info(forged) is None
    assert [info and info.oid async for info in reader.info_each([forged, b"main", b"a\nb", b"main"])] == [
        None, oid, None, oid,
    ]  # fmt: skip


def _ambiguous(repo: Repo) -> bytes:
    """Four digits with which the ids of two blobs begin."""
    seen: set[str] = set()
    for number in range(2000):
        short = repo.blob(b"%d" % number)[:4]
        if short in seen:
            return short.encode()
        seen.add(short)
    raise AssertionError("no two ids begin alike")
