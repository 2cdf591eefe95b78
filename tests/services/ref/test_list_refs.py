"""RefService/ListRefs (ref-blob.md 5.14)."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode

from gitaly_py.pb.ref_pb2 import ListRefsRequest, ListRefsResponse, RefExistsRequest
from gitaly_py.pb.ref_pb2_grpc import RefServiceStub
from gitaly_py.pb.shared_pb2 import PaginationParameter, SortDirection
from tests.support.daemon import Daemon
from tests.support.fixtures import repository_in
from tests.support.references import Listed, for_each_ref, varied, write
from tests.support.repositories import Repo
from tests.support.status import collect, refused

SortBy = ListRefsRequest.SortBy
PAGE_TOKEN = "invalid page token: sending lines: could not find page token"


@pytest.fixture
def refs(daemon: Daemon) -> RefServiceStub:
    return daemon.stub(RefServiceStub)


@pytest.fixture(
    scope="module", params=itertools.product(["sha1", "sha256"], ["packed", "loose", "mixed"]), ids=" ".join
)
def full_repo(daemon: Daemon, request: pytest.FixtureRequest) -> Repo:
    """A repository that no test changes."""
    object_format, packed = request.param
    repo = repository_in(daemon.storage, object_format=object_format)
    return varied(repo, packed={"packed": True, "loose": False, "mixed": None}[packed])


async def messages(refs: RefServiceStub, repo: Repo, **fields: Any) -> list[ListRefsResponse]:
    fields.setdefault("patterns", [b"refs/"])
    return await collect(refs.ListRefs(ListRefsRequest(repository=repo.message, **fields)))


async def listed(refs: RefServiceStub, repo: Repo, **fields: Any) -> list[Listed]:
    return [
        Listed(each.name, each.target, each.peeled_target)
        for message in await messages(refs, repo, **fields)
        for each in message.references
    ]


async def names(refs: RefServiceStub, repo: Repo, **fields: Any) -> list[bytes]:
    return [each.name for each in await listed(refs, repo, **fields)]


def unpeeled(references: list[Listed]) -> list[Listed]:
    return [each._replace(peeled="") for each in references]


@pytest.mark.parametrize(
    "patterns",
    [
        pytest.param([b"refs/"], id="everything"),
        pytest.param([b"refs/heads/"], id="branches"),
        pytest.param([b"refs/heads"], id="without a slash"),
        pytest.param([b"refs/heads/dir"], id="folder"),
        pytest.param([b"refs/heads/d"], id="no folder"),
        pytest.param([b"refs/heads/main/"], id="slash behind a reference"),
        pytest.param([b"refs/heads/main", b"refs/tags/v1.0"], id="two names"),
        pytest.param([b"refs/tags/", b"refs/heads/main", b"refs/tags/v*"], id="overlapping"),
        pytest.param([b"refs/heads/*"], id="star"),
        pytest.param([b"refs/**/main"], id="two stars"),
        pytest.param([b"refs/heads/v1.[1]?"], id="set"),
        pytest.param([b"main"], id="short name"),
        pytest.param([b"**/main"], id="glob before refs"),
        pytest.param([b"refs/heads/not-utf8-\xff"], id="not utf-8"),
        pytest.param([b"refs/absent/"], id="nothing"),
    ],
)
async def test_patterns_select_what_git_selects(
    refs: RefServiceStub, full_repo: Repo, patterns: list[bytes]
) -> None:
    assert await listed(refs, full_repo, patterns=patterns) == unpeeled(for_each_ref(full_repo, *patterns))


async def test_tags_are_peeled_to_the_end(refs: RefServiceStub, full_repo: Repo) -> None:
    assert await listed(refs, full_repo, peel_tags=True) == for_each_ref(full_repo)


@pytest.mark.parametrize("direction", SortDirection.keys())
@pytest.mark.parametrize("key", SortBy.Key.keys())
@pytest.mark.parametrize("ignore_case", [False, True], ids=["cased", "caseless"])
async def test_sorting_is_gits(
    refs: RefServiceStub, full_repo: Repo, key: str, direction: str, ignore_case: bool
) -> None:
    sort = ("-" if direction == "DESCENDING" else "") + key.lower()
    flags = ["--ignore-case"] if ignore_case else []

    found = await listed(
        refs, full_repo, sort_by=SortBy(key=key, direction=direction), ignore_case=ignore_case
    )

    assert found == unpeeled(for_each_ref(full_repo, f"--sort={sort}", *flags))


async def test_odd_dates_sort_as_git_sorts_them(refs: RefServiceStub, any_format_repo: Repo) -> None:
    repo = any_format_repo
    tree = repo.tree({})
    for number, ident in enumerate(
        [
            b"A <a@x> 5 +0000",
            b"A <a@x>",
            b"A",
            b"A <a@x> nonsense",
            b"A <a@x> 99999999999999999999999 +0000",
            b"> 9 <a@x> 7 +0000",
            b"A <a> b> 3 +0000",
            b"A <a@x>    4",
            b"A <a@x>6 +0000",
            b"A <a@x> 2147483648 +0000",
        ]
    ):
        head = b"tree %s\nauthor %s\ncommitter %s\n" % (tree.encode(), ident, ident)
        repo.ref(f"refs/heads/{number}", repo.object("commit", head + b"\ncommitter 8\n"))

    found = await names(refs, repo, sort_by=SortBy(key="COMMITTERDATE"))

    assert found == [each.name for each in for_each_ref(repo, "--sort=committerdate")]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b"refs/heads/DIR", id="prefix stays cased"),
        pytest.param(b"refs/heads/DIR/*", id="glob"),
        pytest.param(b"refs/heads/upper", id="whole name"),
    ],
)
async def test_ignore_case_matches_as_git_does(refs: RefServiceStub, full_repo: Repo, pattern: bytes) -> None:
    expected = for_each_ref(full_repo, "--ignore-case", "--sort=refname", pattern)

    assert await listed(refs, full_repo, patterns=[pattern], ignore_case=True) == unpeeled(expected)


@pytest.mark.parametrize(
    ("exclude", "prefix"),
    [
        pytest.param(b"refs/heads/", b"refs/heads/", id="namespace"),
        pytest.param(b"refs/heads/dir", b"refs/heads/dir/", id="folder"),
        pytest.param(b"refs/tags/v*", b"refs/tags/v", id="glob"),
        pytest.param(b"refs/elsewhere/", b"refs/elsewhere/", id="nothing"),
    ],
)
async def test_excluded_references_are_left_out(
    refs: RefServiceStub, full_repo: Repo, exclude: bytes, prefix: bytes
) -> None:
    found = await names(refs, full_repo, exclude_patterns=[exclude])

    assert found == [each.name for each in for_each_ref(full_repo) if not each.name.startswith(prefix)]


async def test_head_comes_first(refs: RefServiceStub, full_repo: Repo) -> None:
    oid = full_repo.git("rev-parse", "HEAD")

    found = await listed(refs, full_repo, patterns=[b"refs/tags/"], head=True)

    assert found == [Listed(b"HEAD", oid), *unpeeled(for_each_ref(full_repo, "refs/tags/"))]


async def test_head_is_free_of_limit_filters_and_cursors(refs: RefServiceStub, repo: Repo) -> None:
    varied(repo)
    page = PaginationParameter(limit=1, page_token="refs/heads/dirt")

    found = await names(refs, repo, head=True, exclude_patterns=[b"refs/heads/main"], pagination_params=page)

    assert found == [b"HEAD", b"refs/heads/feature-1"]


async def test_a_detached_head_is_listed(refs: RefServiceStub, any_format_repo: Repo) -> None:
    repo = any_format_repo
    oid = repo.commit(ref="refs/heads/main")
    write(repo, "HEAD", oid + "\n")

    assert await listed(refs, repo, head=True) == [Listed(b"HEAD", oid), Listed(b"refs/heads/main", oid)]


async def test_an_unborn_head_is_left_out(refs: RefServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/heads/other")

    assert await names(refs, repo, head=True) == [b"refs/heads/other"]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"patterns": [b"refs/absent/"]}, id="nothing matches"),
        pytest.param({"pagination_params": PaginationParameter()}, id="limit 0"),
    ],
)
async def test_head_is_never_alone(refs: RefServiceStub, repo: Repo, fields: dict[str, Any]) -> None:
    repo.commit(ref="refs/heads/main")

    assert await messages(refs, repo, head=True, **fields) == []


async def test_an_empty_repository_has_no_message(refs: RefServiceStub, any_format_repo: Repo) -> None:
    assert await messages(refs, any_format_repo, head=True) == []


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        pytest.param("refs/tags/v1.0", None, id="commit"),
        pytest.param("refs/tags/annotated", [b"annotated", b"nested", b"twice-nested"], id="tag"),
        pytest.param("refs/tags/nested", [b"nested", b"twice-nested"], id="nested tag"),
        pytest.param("refs/tags/blob", [b"annotated-blob", b"blob"], id="blob"),
        pytest.param("refs/tags/tree", [b"tree"], id="tree"),
    ],
)
async def test_references_to_an_object_include_those_whose_tags_lead_to_it(
    refs: RefServiceStub, full_repo: Repo, revision: str, expected: list[bytes] | None
) -> None:
    oid = full_repo.git("rev-parse", revision)

    found = await names(refs, full_repo, pointing_at_oids=[oid.encode()])

    if expected is None:
        assert found == [each.name for each in for_each_ref(full_repo) if oid in each]
    else:
        assert found == [b"refs/tags/" + name for name in expected]


async def test_references_to_several_revisions_are_united(refs: RefServiceStub, full_repo: Repo) -> None:
    revisions = [b"refs/heads/old", full_repo.git("rev-parse", "refs/tags/blob")[:12].encode()]

    found = await names(refs, full_repo, pointing_at_oids=revisions, exclude_patterns=[b"refs/remotes/"])

    assert set(found) >= {
        b"refs/heads/old",
        b"refs/heads/symbolic",
        b"refs/tags/annotated-blob",
        b"refs/tags/blob",
    }
    assert found == sorted(found)
    assert not [name for name in found if name.startswith(b"refs/remotes/")]


async def test_references_to_an_object_can_be_sorted_and_paged(refs: RefServiceStub, repo: Repo) -> None:
    oid = varied(repo).git("rev-parse", "refs/tags/v1.0")
    expected = [each.name for each in for_each_ref(repo, "--sort=-refname") if oid in each]

    found = await names(
        refs,
        repo,
        pointing_at_oids=[oid.encode()],
        sort_by=SortBy(direction="DESCENDING"),
        pagination_params=PaginationParameter(limit=3, page_token=expected[1].decode()),
    )

    assert found == expected[2:5]


async def test_nothing_points_at_an_absent_object(refs: RefServiceStub, any_format_repo: Repo) -> None:
    repo = any_format_repo
    repo.commit(ref="refs/heads/main")

    assert await names(refs, repo, pointing_at_oids=[b"1" * repo.format.hex_length]) == []


async def test_pointing_at_a_revision_that_does_not_resolve_fails(refs: RefServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")

    async with refused(StatusCode.INTERNAL, "listing failed with exit code 129"):
        await names(refs, repo, pointing_at_oids=[b"absent"])


@pytest.mark.parametrize("direction", SortDirection.keys())
@pytest.mark.parametrize("key", SortBy.Key.keys())
@pytest.mark.parametrize("limit", [1, 7])
async def test_pages_follow_each_other_by_their_cursors(
    refs: RefServiceStub, any_format_repo: Repo, key: str, direction: str, limit: int
) -> None:
    repo = varied(any_format_repo)
    sort_by = SortBy(key=key, direction=direction)
    whole = await names(refs, repo, sort_by=sort_by)

    found: list[bytes] = []
    page = PaginationParameter(limit=limit)
    while page.limit:
        responses = await messages(refs, repo, sort_by=sort_by, pagination_params=page)
        references = [each.name for message in responses for each in message.references]
        assert len(references) == min(limit, len(whole) - len(found))
        found += references
        cursor = responses[-1].pagination_cursor.next_cursor
        page = PaginationParameter(limit=limit if cursor else 0, page_token=cursor)

    assert found == whole


async def test_the_cursor_names_the_last_reference(refs: RefServiceStub, repo: Repo) -> None:
    for name in "abc":
        repo.commit(ref=f"refs/heads/{name}")

    [message] = await messages(refs, repo, pagination_params=PaginationParameter(limit=2))

    cursor = base64.b64encode(b'{"ref_name":"refs/heads/b"}').decode()
    assert message.pagination_cursor.next_cursor == cursor


@pytest.mark.parametrize("limit", [3, 4, -1])
async def test_the_last_page_has_no_cursor(refs: RefServiceStub, repo: Repo, limit: int) -> None:
    for name in "abc":
        repo.commit(ref=f"refs/heads/{name}")

    [message] = await messages(refs, repo, pagination_params=PaginationParameter(limit=limit))

    assert len(message.references) == 3
    assert not message.HasField("pagination_cursor")


async def test_the_page_beyond_the_last_reference_is_empty(refs: RefServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    page = PaginationParameter(limit=5, page_token="refs/heads/main")

    assert await messages(refs, repo, pagination_params=page) == []


@pytest.mark.parametrize(
    ("page", "sort_by"),
    [
        pytest.param(PaginationParameter(limit=1, page_token="refs/heads/absent"), SortBy(), id="absent"),
        pytest.param(PaginationParameter(limit=1, page_token="refs/tags/v1.0"), SortBy(), id="not selected"),
        pytest.param(PaginationParameter(limit=1, page_token="refs/heads/old"), SortBy(), id="excluded"),
        pytest.param(PaginationParameter(limit=1, page_token="refs/heads/dangling"), SortBy(), id="dangling"),
        pytest.param(PaginationParameter(limit=1, page_token="HEAD"), SortBy(), id="HEAD"),
        pytest.param(PaginationParameter(page_token="refs/heads/main"), SortBy(), id="limit 0"),
        pytest.param(
            PaginationParameter(limit=1, page_token="refs/heads/absent"),
            SortBy(key="COMMITTERDATE"),
            id="absent, sorted by date",
        ),
    ],
)
async def test_a_token_that_is_not_listed_is_refused(
    refs: RefServiceStub, repo: Repo, page: PaginationParameter, sort_by: SortBy
) -> None:
    varied(repo)

    async with refused(StatusCode.INVALID_ARGUMENT, PAGE_TOKEN):
        await names(
            refs,
            repo,
            patterns=[b"refs/heads/", b"HEAD"],
            exclude_patterns=[b"refs/heads/old"],
            pagination_params=page,
            sort_by=sort_by,
        )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({"patterns": []}, "patterns must have at least one entry", id="no pattern"),
        pytest.param({"sort_by": SortBy(key=100)}, 'sorting key "100" is not supported', id="sort key"),
        pytest.param(
            {"sort_by": SortBy(direction=100)}, "sorting direction is not supported", id="direction"
        ),
        pytest.param({"exclude_patterns": [b"refs/a", b""]}, "empty exclude pattern", id="empty exclusion"),
        pytest.param(
            {"exclude_patterns": [b"refs/heads/\0evil"]},
            'exclude pattern contains null byte: "refs/heads/\\x00evil"',
            id="NUL in an exclusion",
        ),
        pytest.param(
            {"exclude_patterns": [b"main"]},
            'exclude pattern must start with "refs/": "main"',
            id="exclusion elsewhere",
        ),
    ],
)
async def test_requests_that_break_a_rule_are_refused(
    refs: RefServiceStub, repo: Repo, fields: dict[str, Any], text: str
) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, text):
        await names(refs, repo, **fields)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param(b"-x", "positional arg \"-x\" cannot start with dash '-': invalid argument", id="dash"),
        pytest.param(b"a\0b", 'detected null byte in command argument "a\\x00b"', id="NUL"),
    ],
)
async def test_a_pattern_that_can_be_no_argument_fails(
    refs: RefServiceStub, repo: Repo, pattern: bytes, text: str
) -> None:
    async with refused(StatusCode.INTERNAL, text):
        await names(refs, repo, patterns=[pattern])


async def test_a_reference_to_a_missing_object_is_listed_while_nobody_needs_the_object(
    refs: RefServiceStub, any_format_repo: Repo
) -> None:
    repo = any_format_repo
    oid = "1" * repo.format.hex_length
    write(repo, "refs/heads/broken", oid + "\n")

    assert await listed(refs, repo) == [Listed(b"refs/heads/broken", oid)]
    for fields in ({"peel_tags": True}, {"sort_by": SortBy(key="COMMITTERDATE")}):
        async with refused(StatusCode.INTERNAL, "object not found"):
            await names(refs, repo, **fields)


@pytest.mark.parametrize("limit", [1024, 4096, 19_999, 20_000])
async def test_many_references_arrive_whole(refs: RefServiceStub, any_format_repo: Repo, limit: int) -> None:
    repo = any_format_repo
    oid = repo.commit()
    expected = [b"refs/heads/branch-%05d" % number for number in range(20_000)]
    lines = [f"{oid} {name.decode()}\n" for name in expected]
    write(repo, "packed-refs", "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines))

    *others, last = await messages(refs, repo, pagination_params=PaginationParameter(limit=limit))

    found = [each.name for message in (*others, last) for each in message.references]
    assert found == expected[:limit]
    assert not any(message.HasField("pagination_cursor") for message in others)
    assert last.HasField("pagination_cursor") == (limit < len(expected))
    assert all(message.ByteSize() < 2 * 1024 * 1024 for message in (*others, last))


async def test_links_that_lead_round_in_a_circle_are_no_references(refs: RefServiceStub, repo: Repo) -> None:
    repo.commit(ref="refs/heads/main")
    for link, target in (("one", "other"), ("other", "one")):
        Path(repo.path, "refs/heads", link).symlink_to(target)

    assert repo.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]
    assert await names(refs, repo) == [b"refs/heads/main"]
    exists = await refs.RefExists(RefExistsRequest(repository=repo.message, ref=b"refs/heads/one"))
    assert not exists.value


async def test_dates_are_read_as_by_git(refs: RefServiceStub, repo: Repo) -> None:
    tree = repo.tree({})
    for name, date in (("plus", "+42"), ("tab", "\t60"), ("usual", "50"), ("none", "x"), ("blanks", "  55")):
        raw = f"tree {tree}\nauthor a <a@x> {date} +0000\ncommitter c <c@x> {date} +0000\n\nm\n"
        commit = repo.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw.encode())
        repo.ref(f"refs/heads/{name}", commit)

    for key, option in ((SortBy.COMMITTERDATE, "committerdate"), (SortBy.AUTHORDATE, "authordate")):
        by_git = repo.git_bytes("for-each-ref", f"--sort={option}", "--format=%(refname)").splitlines()
        assert await names(refs, repo, sort_by=SortBy(key=key)) == by_git
