"""Lists of references, byte for byte those of git, from wherever they come."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.pktline import FLUSH
from tests.packs.advertising.conftest import NewRepo
from tests.support.advertising import (
    EVERYTHING,
    USUAL,
    Advertised,
    Counted,
    EarlyPieces,
    listed_by_git,
    ls_refs_request,
)
from tests.support.referenced import REPOSITORIES, broken, healthy, many, missing_objects
from tests.support.references import write
from tests.support.repositories import Repo
from tests.support.stamps import settle_all

REQUESTS = {
    "clone": USUAL,
    "ls-remote": EVERYTHING,
    "bare": (),
    "old": ("peel", "symrefs", "ref-prefix refs/heads/"),
    "no peel": ("symrefs", "unborn"),
    "no symrefs": ("peel", "unborn"),
    "one": ("peel", "ref-prefix refs/heads/main"),
    "part of a name": ("peel", "symrefs", "ref-prefix refs/heads/d", "ref-prefix refs/tags/v1."),
    "not there": ("peel", "ref-prefix refs/heads/none/", "ref-prefix refs/none"),
    "hidden": ("peel", "ref-prefix refs/remotes/", "ref-prefix refs/tmp", "ref-prefix refs/keep-around"),
    "all but HEAD": ("peel", "ref-prefix refs/"),
    "HEAD": ("peel", "symrefs", "unborn", "ref-prefix HEAD"),
    "overlapping": ("symrefs", "ref-prefix refs/heads/d", "ref-prefix refs/heads/", "ref-prefix refs/heads/"),
    "by a runner": (
        "peel",
        "symrefs",
        "ref-prefix refs/pipelines/1",
        "ref-prefix refs/refs/pipelines/1",
        "ref-prefix refs/heads/refs/pipelines/1",
        "ref-prefix refs/remotes/refs/pipelines/1/HEAD",
        "ref-prefix refs/tags/",
    ),
    "empty prefix": ("peel", "ref-prefix "),
    "beyond": ("peel", "ref-prefix HEADS", "ref-prefix x", "ref-prefix refs/heads/main/"),
    "glob": ("peel", "ref-prefix refs/heads/d*", "ref-prefix refs/heads/ma"),
}


@pytest.mark.parametrize("fill", REPOSITORIES, ids=lambda fill: fill.__name__)
async def test_an_answer_is_gits_own_to_the_byte(
    advertised: Advertised, make_repo: NewRepo, fill: Callable[[Repo], None]
) -> None:
    repo = make_repo()
    fill(repo)

    for request in REQUESTS.values():
        said = listed_by_git(repo, request)
        # What git complains about, over SSH the user is to see.
        expected = None if said.stderr else said.stdout
        for _ in range(2):
            assert await advertised.listed(repo, request) == expected


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_healthy_repository_needs_no_process(
    advertised: Advertised, make_repo: NewRepo, request_: tuple[str, ...]
) -> None:
    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    counted = Counted()

    first = await advertised.listed(repo, request_)
    again = await advertised.listed(repo, request_)

    assert first == again == listed_by_git(repo, request_).stdout
    assert counted.since == {"process": 1, "memory": 1}


async def test_parts_are_shared_by_those_who_ask_for_different_things(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    healthy(repo)
    settle_all(repo.git_dir)
    await advertised.listed(repo, USUAL)
    counted = Counted()

    for prefixes in (["refs/tags/"], ["refs/heads/", "HEAD"], ["refs/tags/", "refs/heads/"]):
        request = ["peel", "symrefs", "unborn", *(f"ref-prefix {prefix}" for prefix in prefixes)]
        assert await advertised.listed(repo, request) == listed_by_git(repo, request).stdout

    assert counted.since == {"memory": 3}


async def test_a_push_to_a_branch_leaves_the_tags_alone(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    many(repo)
    settle_all(repo.git_dir)
    tags = ("peel", "ref-prefix refs/tags/")
    await advertised.listed(repo, tags)

    repo.ref("refs/heads/new", repo.commit("new\n"))
    counted = Counted()

    assert await advertised.listed(repo, tags) == listed_by_git(repo, tags).stdout
    assert counted.since == {"memory": 1}


async def test_what_git_had_to_list_is_kept_as_well(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    many(repo)
    settle_all(repo.git_dir)
    expected = listed_by_git(repo).stdout
    counted = Counted()

    assert [await advertised.listed(repo) for _ in range(3)] == [expected] * 3

    assert counted.since == {"git": 1, "memory": 2, "started": 1}


async def test_all_who_ask_at_once_wait_for_the_same_answer(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    many(repo)
    settle_all(repo.git_dir)
    expected = listed_by_git(repo).stdout
    counted = Counted()

    first = asyncio.ensure_future(advertised.listed(repo))
    others = [asyncio.ensure_future(advertised.listed(repo)) for _ in range(20)]
    while counted.since == {}:
        await asyncio.sleep(0)
    assert set(await asyncio.gather(first, *others)) == {expected}

    assert counted.since["started"] == 1


async def test_who_waits_is_not_hurt_when_the_first_hangs_up(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    many(repo)
    settle_all(repo.git_dir)
    counted = Counted()
    first = asyncio.ensure_future(advertised.listed(repo))
    second = asyncio.ensure_future(advertised.listed(repo))
    while "started" not in counted.since:
        await asyncio.sleep(0)

    first.cancel()

    assert await second == listed_by_git(repo).stdout
    assert first.cancelled()


async def test_a_repository_with_broken_references_is_left_to_git_and_kept_if_it_may_be(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    broken(repo)
    for name in ("to-bad", "to-file", "spaced", "to-itself"):
        Path(repo.git_dir, "refs/heads", name).unlink()
    settle_all(repo.git_dir)
    counted = Counted()
    await advertised.listed(repo)
    await advertised.listed(repo)
    assert counted.since == {"git": 1, "memory": 1, "started": 1}

    # Where this leads is git's to say, and may change without a sign.
    write(repo, "refs/heads/to-file", "ref: config\n")
    settle_all(repo.git_dir)
    counted = Counted()
    await advertised.listed(repo)
    await advertised.listed(repo)
    assert counted.since == {"git": 2, "started": 2}


async def test_an_object_that_was_missing_is_seen_when_it_comes(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo, other = make_repo(), make_repo()
    repo.history(1, "refs/heads/main")
    tag = other.tag("v1", other.history(1)[0])
    write(repo, "refs/tags/v1", tag + "\n")
    settle_all(repo.git_dir)
    before = await advertised.listed(repo)
    assert before == listed_by_git(repo).stdout

    alternates = Path(repo.git_dir, "objects/info/alternates")
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{other.git_dir}/objects\n")

    assert await advertised.listed(repo) == listed_by_git(repo).stdout != before


async def test_what_git_complains_about_is_left_to_the_caller(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    missing_objects(repo)
    counted = Counted()

    assert await advertised.listed(repo) is None

    assert counted.since == {"declined": 1, "started": 1}


async def test_sha256_and_objects_of_alternates_are_listed_as_well(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    pool, fork, other_hash = make_repo(), make_repo(), make_repo(object_format="sha256")
    tag = pool.tag("v1", pool.history(1, "refs/heads/main")[0])
    alternates = Path(fork.git_dir, "objects/info/alternates")
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_text(f"{pool.git_dir}/objects\n")
    write(fork, "refs/tags/v2", tag + "\n")
    other_hash.tag("v1", other_hash.history(1, "refs/heads/main")[0])
    settle_all(other_hash.git_dir)
    counted = Counted()

    assert await advertised.listed(fork) == listed_by_git(fork).stdout
    assert counted.since == {"process": 1}
    for _ in range(2):
        assert await advertised.listed(other_hash) == listed_by_git(other_hash).stdout
    assert counted.since == {"process": 1, "git": 1, "memory": 1, "started": 1}


components = st.lists(st.sampled_from(["a", "b", "-", "{", "a.b", "é"]), min_size=1, max_size=3).map("".join)
names = st.lists(components, min_size=1, max_size=3).map(lambda parts: "/".join(parts).encode())
folders = st.sampled_from([b"refs/heads/", b"refs/tags/", b"refs/", b"refs/tmp/", b"refs/heads/ab/"])
references = st.builds(bytes.__add__, folders, names)
prefixes = st.builds(lambda name, length: name[:length], references, st.integers(1, 20)) | folders


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(references, st.booleans(), max_size=12),
    st.lists(st.lists(prefixes, max_size=4), min_size=1, max_size=2),
    st.sets(st.sampled_from(["peel", "symrefs", "unborn"])),
)
async def test_any_names_and_prefixes_give_what_git_gives(
    advertised: Advertised,
    make_repo: NewRepo,
    chosen: dict[bytes, bool],
    asked: list[list[bytes]],
    flags: set[str],
) -> None:
    repo = make_repo()
    commit = repo.history(1)[0]
    tag = repo.object("tag", f"object {commit}\ntype commit\ntag t\n\n".encode())
    lines = {commit: "{} {}\n", tag: "{} {}\n^" + commit + "\n"}
    packed = "# pack-refs with: peeled fully-peeled sorted \n"
    for (name, is_packed), value in zip(_without_conflicts(chosen), itertools.cycle(lines)):
        if is_packed:
            packed += lines[value].format(value, name.decode())
        else:
            path = Path(repo.git_dir, name.decode())
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
    write(repo, "packed-refs", packed)

    for some in asked:
        request = [*flags, *(b"ref-prefix " + prefix for prefix in some)]
        assert await advertised.listed(repo, request) == listed_by_git(repo, request).stdout


def _without_conflicts(chosen: dict[bytes, bool]) -> Iterator[tuple[bytes, bool]]:
    """The references in order, without those that would be within another."""
    for name in sorted(chosen):
        parts = name.split(b"/")
        if not any(b"/".join(parts[:length]) in chosen for length in range(2, len(parts))):
            yield name, chosen[name]


async def test_some_dozens_of_prefixes_are_answered_and_more_are_left_to_git(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    healthy(repo)
    some = [f"ref-prefix refs/heads/{number:05}" for number in range(31)]

    for request in ([*some, "ref-prefix HEAD"], [*some, *some, "ref-prefix refs/heads/main"]):
        assert await advertised.listed(repo, request) == listed_by_git(repo, request).stdout
    assert await advertised.listed(repo, [*some, "ref-prefix HEAD", "ref-prefix refs/heads/main"]) is None
    assert await advertised.listed(repo, ["ref-prefix " + "x" * 1000] * 40) is None


def request_of(*lines: bytes, arguments: bytes = b"") -> bytes:
    packets = b"".join(b"%04x%b" % (len(line) + 4, line) for line in lines)
    return packets + b"0001" + arguments + FLUSH


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        FLUSH,
        ls_refs_request(["peel"])[:-1],
        ls_refs_request(["peel"]) + FLUSH,
        ls_refs_request(["peel"], "sha256"),
        ls_refs_request(["unheard-of"]),
        ls_refs_request([b"ref-prefix refs/\0heads/"]),
        ls_refs_request(["ref-prefix refs/heads/../../"]),
        ls_refs_request(["ref-prefix refs/heads/../../../other.git/x"]),
        request_of(b"command=fetch"),
        request_of(b"command=ls-refs", b"server-option=x"),
        request_of(b"command=ls-refs", b"session-id=x"),
    ],
    ids=[
        "nothing", "flush", "incomplete", "more behind it", "another hash", "argument", "NUL",
        "out of the repository", "into another", "fetch", "server option", "session id",
    ],
)  # fmt: skip
async def test_what_is_not_plain_is_left_to_git(
    advertised: Advertised, make_repo: NewRepo, request_: bytes
) -> None:
    repo = make_repo()
    repo.history(1, "refs/heads/main")
    counted = Counted()

    found = await advertised.advertiser.ls_refs(advertised.repository(repo), [], request_, EarlyPieces())

    assert found is None
    assert counted.since == {"declined": 1}
