"""Which layer answers a fetch: plan, takeover, pass-through (architecture: the pack path)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import RemoveRepositoryRequest
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from gitaly_py.transport.client import MultiplexedConnection
from tests.support.fetches import (
    SIDE_BAND,
    Counted,
    FetchingDaemon,
    over_http,
    over_ssh,
    pack_in,
    unpacked,
    v2_fetch,
)
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, noisy, pkt, wants

V2 = "version=2"
ABSENT = "1" * 40


def said_by_git(repo: Repo, body: bytes, protocol: str = "") -> bytes:
    """What upload-pack answers."""
    config = ("-c", "uploadpack.allowAnySHA1InWant=true", "-c", "uploadpack.allowFilter=true")
    return repo.git_bytes(
        *config, "upload-pack", "--stateless-rpc", repo.path, stdin=body, env={"GIT_PROTOCOL": protocol}
    )


@pytest.mark.parametrize("protocol", ["", "version=1", V2])
async def test_a_repeated_clone_needs_no_process(
    client: MultiplexedConnection, kept: Repo, counted: Counted, protocol: str, tmp_path: Path
) -> None:
    oid = kept.history(5, "refs/heads/main")[-1]
    body = v2_fetch(f"want {oid}", "done") if protocol == V2 else wants(oid, capabilities=SIDE_BAND)

    who, processes = ("foresight", 1) if protocol == V2 else ("takeover", 2)

    first = await over_http(client, kept, body, protocol=protocol)
    assert (await counted.answered_by(who), await counted.processes()) == (1, processes)
    again = await over_http(client, kept, body, protocol=protocol)

    assert first.error is None
    assert (await counted.answered_by("plan"), await counted.processes()) == (1, processes)
    assert again.answer == first.answer
    prefix = first.answer[: first.answer.index(b"\x01PACK") - 4]
    assert said_by_git(kept, body, protocol).startswith(prefix)
    assert first.answer.endswith(FLUSH)
    assert unpacked(pack_in(first.answer), tmp_path / "clone").git("rev-list", oid)


REPEATED = {
    "incremental": (2, ["thin-pack", "have {0}", "done"]),
    "shallow": (2, ["deepen 2", "done"]),
    "deepened": (2, ["shallow {3}", "have {3}", "deepen 3", "done"]),
    "deepen-since": (2, ["deepen-since 1", "done"]),
    "partial": (2, ["filter blob:none", "done"]),
    "with tags": (1, ["include-tag", "done"]),
}
"""The processes of the first fetch, and its lines."""


@pytest.mark.parametrize(("needed", "lines"), REPEATED.values(), ids=REPEATED)
async def test_repeated_fetches_of_every_kind_need_no_process(
    client: MultiplexedConnection,
    kept: Repo,
    counted: Counted,
    needed: int,
    lines: list[str],
    tmp_path: Path,
) -> None:
    commits = kept.history(6, "refs/heads/main")
    kept.tag("v1", commits[3])
    body = v2_fetch(f"want {commits[-1]}", *(line.format(*commits) for line in lines))

    first = await over_http(client, kept, body, protocol=V2)
    processes = await counted.processes()
    again = await over_http(client, kept, body, protocol=V2)

    assert first.error is None
    assert await counted.processes() == processes == needed
    assert again.answer == first.answer
    pack = pack_in(first.answer)
    prefix, _, _ = first.answer.partition(pkt("packfile\n"))
    assert said_by_git(kept, body, V2).startswith(prefix + pkt("packfile\n"))
    Repo.init(tmp_path / "clone").git("unpack-objects", "-n", stdin=pack)


async def test_whoever_the_client_says_it_is_the_plan_is_the_same(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = kept.history(2, "refs/heads/main")[-1]
    for agent in ("git/2.39.5", "JGit/6.1"):
        fetched = await over_http(client, kept, v2_fetch(f"want {oid}", "done", agent=agent), protocol=V2)
        assert fetched.error is None
    assert await counted.answered_by("plan") == 1


async def test_http_and_ssh_share_their_packs(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = kept.history(3, "refs/heads/main")[-1]
    body = v2_fetch(f"want {oid}", "done")

    http = await over_http(client, kept, body, protocol=V2)
    ssh = await over_ssh(client, kept, body + FLUSH, protocol=V2)
    old = await over_ssh(client, kept, wants(oid, capabilities=SIDE_BAND))

    assert ssh.error is None
    assert ssh.answer.endswith(http.answer)
    assert pack_in(old.answer.partition(b"0008NAK\n")[2]) == pack_in(http.answer)
    assert await counted.more("gitaly_pack_objects_cache_lookups_total", result="hit") == 2
    assert await counted.more("gitaly_pack_objects_cache_lookups_total", result="miss") == 1


async def test_a_client_without_side_band_gets_what_git_sends(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = kept.history(3, "refs/heads/main")[-1]
    for capabilities in ("", "side-band no-progress", "ofs-delta"):
        body = wants(oid, capabilities=capabilities)
        fetched = await over_http(client, kept, body)
        assert fetched.error is None
        # Where a stream is cut into packets is up to the moment.
        content = pack_in if "side-band" in capabilities else bytes
        assert content(fetched.answer) == content(said_by_git(kept, body))
    assert (await over_ssh(client, kept, wants(oid))).error is None
    assert await counted.answered_by("pass_through") == 4
    assert await counted.more("gitaly_pack_objects_cache_lookups_total") == 0


async def test_many_equal_fetches_at_once_share_one_upload_pack_and_one_pack(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = noisy(kept, 3_000_000)
    body = v2_fetch(f"want {oid}", "deepen 1", "done")

    fetched = await asyncio.gather(*(over_http(client, kept, body, protocol=V2) for _ in range(20)))

    assert {each.error for each in fetched} == {None}
    assert len({each.answer for each in fetched}) == 1
    assert await counted.processes() == 2


async def test_a_round_without_a_pack_is_remembered_too(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = kept.history(3, "refs/heads/main")[-1]
    shallow = pkt(f"want {oid} shallow side-band-64k\n") + pkt("deepen 1\n") + FLUSH
    negotiation = wants(oid, haves=[ABSENT], capabilities=SIDE_BAND + " multi_ack_detailed", done=False)
    for body in (shallow, negotiation):
        first = await over_http(client, kept, body)
        processes = await counted.processes()
        again = await over_http(client, kept, body)
        assert (first.error, again.error) == (None, None)
        assert first.answer == again.answer
        assert await counted.processes() == processes


@pytest.mark.parametrize("deepening", [False, True])
async def test_what_is_missing_now_may_yet_come(
    client: MultiplexedConnection, kept: Repo, tmp_path: Path, deepening: bool
) -> None:
    kept.history(1, "refs/heads/main")
    other = Repo.init(tmp_path / "other.git")
    oid = other.history(2, "refs/heads/main")[-1]
    body = v2_fetch(f"want {oid}", *(["deepen 1"] if deepening else []), "done")
    refused = await over_http(client, kept, body, protocol=V2)
    assert refused.answer == pkt(f"ERR upload-pack: not our ref {oid}")

    kept.git("fetch", "--quiet", other.path, "main")
    fetched = await over_http(client, kept, body, protocol=V2)

    assert fetched.error is None
    assert pack_in(fetched.answer).startswith(b"PACK")


async def test_a_repository_that_was_removed_and_made_anew_answers_for_itself(
    client: MultiplexedConnection, keeping: FetchingDaemon, kept: Repo
) -> None:
    oid = kept.history(2, "refs/heads/main")[-1]
    body = v2_fetch(f"want {oid}", "done")
    assert (await over_http(client, kept, body, protocol=V2)).error is None

    stub = keeping.stub(RepositoryServiceStub)  # type: ignore[type-var]
    await stub.RemoveRepository(RemoveRepositoryRequest(repository=kept.message))
    Repo.init(Path(kept.git_dir))
    refused = await over_http(client, kept, body, protocol=V2)

    assert refused.answer == pkt(f"ERR upload-pack: not our ref {oid}")


@pytest.mark.parametrize(
    "option", ["uploadpack.allowAnySHA1InWant=false", "uploadpack.hideRefs=refs/heads/x"]
)
async def test_options_that_matter_are_gits_business_each_time(
    client: MultiplexedConnection, kept: Repo, counted: Counted, option: str
) -> None:
    from gitaly_py.pb.smarthttp_pb2 import PostUploadPackWithSidechannelRequest
    from tests.support.smarthttp import fetch_with, sending

    oid = kept.history(2, "refs/heads/main")[-1]
    request = PostUploadPackWithSidechannelRequest(
        repository=kept.message, git_protocol=V2, git_config_options=[option]
    )
    for _ in range(2):
        body = v2_fetch(f"want {oid}", "done")
        assert (await fetch_with(client, request, sending(body))).error is None
    assert await counted.answered_by("plan") == 0
    assert await counted.more("gitaly_pack_objects_cache_lookups_total", result="hit") == 1


async def test_a_change_of_the_repositorys_config_is_heeded(
    client: MultiplexedConnection, kept: Repo, counted: Counted
) -> None:
    oid = kept.history(2, "refs/heads/main")[-1]
    body = v2_fetch(f"want {oid}", "done")
    await over_http(client, kept, body, protocol=V2)
    kept.git("config", "uploadpack.allowSidebandAll", "true")
    await over_http(client, kept, body, protocol=V2)
    assert await counted.answered_by("plan") == 0


def damage(repo: Repo, *, lose: bool = True) -> str:
    """A commit whose blob is gone, with everything else there."""
    oid = repo.commit("damaged\n", {"file": b"to be lost"}, ref="refs/heads/main")
    blob = repo.git("rev-parse", f"{oid}:file")
    if lose:
        Path(repo.git_dir, "objects", blob[:2], blob[2:]).unlink()
    return oid


async def test_nobody_makes_the_daemon_fetch_what_is_missing(
    client: MultiplexedConnection, kept: Repo, tmp_path: Path
) -> None:
    other = Repo.init(tmp_path / "other.git")
    oid = damage(kept)
    damage(other, lose=False)
    kept.git("config", "core.repositoryFormatVersion", "1")
    kept.git("config", "extensions.partialClone", "origin")
    kept.git("config", "remote.origin.url", other.path)
    kept.git("config", "remote.origin.promisor", "true")
    other.git("config", "uploadpack.allowAnySHA1InWant", "true")
    for lines in (["done"], ["deepen 1", "done"]):
        await over_http(client, kept, v2_fetch(f"want {oid}", *lines), protocol=V2)
        assert list(Path(kept.git_dir, "objects/pack").iterdir()) == []


async def test_a_pack_that_cant_be_made_fails_as_gits_own(client: MultiplexedConnection, kept: Repo) -> None:
    oid = damage(kept)
    body = v2_fetch(f"want {oid}", "done")
    last_words = pkt(b"\x03aborting due to possible repository corruption on the remote side.\0")

    http = await over_http(client, kept, body, protocol=V2)
    ssh = await over_ssh(client, kept, body, protocol=V2)

    for fetched in (http, ssh):
        assert fetched.error is not None
        assert fetched.answer.endswith(last_words)
        assert b"unable to read" in fetched.answer or b"bad object" in fetched.answer
    assert http.error.code() is StatusCode.FAILED_PRECONDITION  # type: ignore[union-attr]
    assert http.error.details() == "running upload-pack: waiting for upload-pack: exit status 128"  # type: ignore[union-attr]
    assert ssh.error.code() is StatusCode.INTERNAL  # type: ignore[union-attr]
    assert ssh.error.details() == (  # type: ignore[union-attr]
        "running upload-pack: cmd wait: exit status 128, stderr: "
        r'"error: git upload-pack: git-pack-objects died with error.\n'
        r"fatal: git upload-pack: aborting due to possible repository corruption on the remote side."
        r'\n"'
    )


async def test_a_very_long_request_is_read_by_git_as_it_comes(
    client: MultiplexedConnection, kept: Repo
) -> None:
    oid = kept.history(2, "refs/heads/main")[-1]
    haves = [f"have {number:040x}" for number in range(1, 360_000)]
    body = v2_fetch(f"want {oid}", *haves, "done")
    assert len(body) > 16 * 1024 * 1024

    http = await over_http(client, kept, body, protocol=V2)
    ssh = await over_ssh(client, kept, body, protocol=V2)

    for fetched in (http, ssh):
        assert fetched.error is None
        assert pack_in(fetched.answer[fetched.answer.index(b"000dpackfile\n") :]).startswith(b"PACK")
