"""CommitService/FilterShasWithSignatures (commit.md 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import FilterShasWithSignaturesRequest, FilterShasWithSignaturesResponse
from gitaly_py.pb.commit_pb2_grpc import CommitServiceStub
from gitaly_py.pb.shared_pb2 import Repository
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.status import collect, refused

Requests = Sequence[FilterShasWithSignaturesRequest]


async def responses(daemon: Daemon, requests: Requests) -> list[FilterShasWithSignaturesResponse]:
    return await collect(daemon.stub(CommitServiceStub).FilterShasWithSignatures(iter(requests)))


async def filtered(daemon: Daemon, repo: Repo, *messages: Sequence[str | bytes]) -> list[list[bytes]]:
    """The ids that come back for each message; only the first one names the repository."""
    requests = [
        FilterShasWithSignaturesRequest(
            repository=None if number else repo.message,
            shas=[sha.encode() if isinstance(sha, str) else sha for sha in shas],
        )
        for number, shas in enumerate(messages)
    ]
    return [list(response.shas) for response in await responses(daemon, requests)]


def header(first_line: str, name: str = "gpgsig") -> bytes:
    return f"{name} {first_line}\n abc\n =xyz\n".encode()


async def test_signed_commits_of_every_kind_are_kept(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    signed = [
        repo.commit("m\n", headers=header(f"-----BEGIN {kind}-----"))
        for kind in ("PGP SIGNATURE", "PGP MESSAGE", "SIGNED MESSAGE", "SSH SIGNATURE")
    ]
    signed.append(repo.commit("m\n", headers=header("-----BEGIN PGP SIGNATURE-----", "gpgsig-sha256")))
    unsigned = [
        repo.commit("m\n", headers=header("-----BEGIN SOMETHING-----")),
        repo.commit("m\n", headers=header("-----BEGIN PGP SIGNATURE-----", "gpgsig-garbage")),
        repo.commit("gpgsig -----BEGIN PGP SIGNATURE-----\n", ref="refs/heads/main"),
    ]
    tree = repo.git("rev-parse", "main^{tree}")
    others = ["nope", "", "f" * repo.format.hex_length, tree, b"\xff"]

    mixed = [*reversed(signed), *unsigned, *others, signed[0]]
    expected = [sha.encode() for sha in (*reversed(signed), signed[0])]
    assert await filtered(daemon, repo, mixed) == [expected]


async def test_names_are_repeated_as_they_were_sent(daemon: Daemon, repo: Repo) -> None:
    oid = repo.commit("m\n", headers=header("-----BEGIN SSH SIGNATURE-----"), ref=b"refs/heads/\xff")
    repo.tag("v1", oid)

    names = [b"\xff", b"v1", oid[:9].encode(), oid.upper().encode()]
    assert await filtered(daemon, repo, names) == [names]


async def test_each_message_has_its_answer_even_an_empty_one(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    plain = repo.commit("m\n")
    signed = repo.commit("m\n", headers=header("-----BEGIN PGP SIGNATURE-----"))

    assert await filtered(daemon, repo, [], [signed], [plain], [plain, signed], []) == [
        [],
        [signed.encode()],
        [],
        [signed.encode()],
        [],
    ]


async def test_an_answer_comes_before_the_next_question(daemon: Daemon, repo: Repo) -> None:
    signed = repo.commit("m\n", headers=header("-----BEGIN PGP SIGNATURE-----"))
    call = daemon.stub(CommitServiceStub).FilterShasWithSignatures()

    for number in range(3):
        message = None if number else repo.message
        await call.write(FilterShasWithSignaturesRequest(repository=message, shas=[signed.encode()]))
        assert (await call.read()).shas == [signed.encode()]
    await call.done_writing()


async def test_a_call_without_a_message_is_an_error(daemon: Daemon) -> None:
    async with refused(StatusCode.INTERNAL, "EOF"):
        await responses(daemon, [])


async def test_the_repository_of_the_first_message_counts(daemon: Daemon, repo: Repo) -> None:
    elsewhere = Repository(storage_name="nowhere", relative_path="x.git")
    first = FilterShasWithSignaturesRequest(repository=repo.message)

    assert len(await responses(daemon, [first, FilterShasWithSignaturesRequest(repository=elsewhere)])) == 2


async def test_a_name_with_a_nul_byte_is_refused(daemon: Daemon, any_format_repo: Repo) -> None:
    async with refused(StatusCode.INVALID_ARGUMENT, "revision must not contain NUL bytes"):
        await filtered(daemon, any_format_repo, [b"a\0b"])


async def test_a_short_id_of_several_commits_is_left_out(daemon: Daemon, any_format_repo: Repo) -> None:
    found: set[str] = set()
    tree = any_format_repo.format.empty_tree
    signature = header("-----BEGIN PGP SIGNATURE-----")
    while (short := any_format_repo.commit("x\n", tree=tree, headers=signature)[:4]) not in found:
        found.add(short)

    assert await filtered(daemon, any_format_repo, [short]) == [[]]
