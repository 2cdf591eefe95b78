from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import InfoRefsRequest
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from tests.support.advertising import upload_pack
from tests.support.daemon import Daemon
from tests.support.repositories import Repo
from tests.support.smarthttp import FLUSH, pack_references, packets, pkt
from tests.support.stamps import settle_all
from tests.support.status import collect, refused

_calls = itertools.count()

SERVICES = pytest.mark.parametrize("service", ["upload-pack", "receive-pack"])


def advertise(daemon: Daemon, service: str, repo: Repo, call_id: str = "", **fields: Any) -> Any:
    stub: Any = daemon.stub(SmartHTTPServiceStub)
    rpc = stub.InfoRefsUploadPack if service == "upload-pack" else stub.InfoRefsReceivePack
    metadata = [("x-gitlab-correlation-id", call_id)] if call_id else []
    return rpc(InfoRefsRequest(repository=repo.message, **fields), metadata=metadata)


async def advertised(daemon: Daemon, service: str, repo: Repo, **fields: Any) -> bytes:
    return b"".join([message.data async for message in advertise(daemon, service, repo, **fields)])


async def with_processes(daemon: Daemon, service: str, repo: Repo, **fields: Any) -> tuple[bytes, int]:
    """The advertisement without its header, and how many processes it took."""
    call_id = f"advertised-{next(_calls)}"
    got = await advertised(daemon, service, repo, call_id=call_id, **fields)
    method = "InfoRefsUploadPack" if service == "upload-pack" else "InfoRefsReceivePack"
    entry = await daemon.access_entry(method, correlation_id=call_id)
    return got.removeprefix(pkt(f"# service=git-{service}\n") + FLUSH), entry.get("command.count", 0)


def names(advertisement: bytes) -> list[str]:
    """The references, without the capabilities that follow the first."""
    lines = [line for line in packets(advertisement) if line and not line.startswith(b"#")]
    return [line.partition(b"\0")[0].split(b" ", 1)[1].decode().strip() for line in lines]


def capabilities(advertisement: bytes) -> set[str]:
    first = next(line for line in packets(advertisement) if line and b"\0" in line)
    return set(first.partition(b"\0")[2].decode().split())


@SERVICES
async def test_the_header_comes_in_messages_of_its_own(daemon: Daemon, repo: Repo, service: str) -> None:
    repo.history(1, "refs/heads/main")

    messages = [message.data for message in await collect(advertise(daemon, service, repo))]

    assert messages[:2] == [pkt(f"# service=git-{service}\n"), FLUSH]
    assert b"".join(messages[2:]).endswith(FLUSH)


@SERVICES
async def test_what_follows_is_gits_own_advertisement(
    daemon: Daemon, any_format_repo: Repo, service: str
) -> None:
    repo = any_format_repo
    commits = repo.history(2, "refs/heads/main")
    repo.tag("v1", commits[0])
    repo.ref("refs/merge-requests/1/head", commits[0])
    repo.ref("refs/keep-around/1", commits[0])

    got = await advertised(daemon, service, repo)

    shown = ["HEAD", "refs/heads/main", "refs/merge-requests/1/head", "refs/tags/v1", "refs/tags/v1^{}"]
    assert names(got) == (shown if service == "upload-pack" else ["refs/heads/main", "refs/tags/v1"])
    assert f"object-format={repo.format.name}" in capabilities(got)
    assert got.endswith(FLUSH)


async def test_capabilities_say_what_clients_may_ask_for(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    fetching = capabilities(await advertised(daemon, "upload-pack", repo))
    pushing = capabilities(await advertised(daemon, "receive-pack", repo))

    assert {"allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "filter", "shallow"} <= fetching
    assert {"push-options", "atomic", "delete-refs", "report-status-v2"} <= pushing


@SERVICES
async def test_an_empty_repository_has_nothing_to_advertise(
    daemon: Daemon, any_format_repo: Repo, service: str
) -> None:
    got = await advertised(daemon, service, any_format_repo)

    assert names(got) == ([] if service == "upload-pack" else ["capabilities^{}"])
    assert got.endswith(FLUSH)


async def test_a_pool_shows_none_of_its_tips_to_a_push(daemon: Daemon, new_repo: Any) -> None:
    pool, fork = new_repo(), new_repo()
    tip = pool.history(1, "refs/heads/main")[0]
    Path(fork.git_dir, "objects/info").mkdir(exist_ok=True)
    Path(fork.git_dir, "objects/info/alternates").write_text(f"{pool.git_dir}/objects\n")

    assert tip.encode() not in await advertised(daemon, "receive-pack", fork)


@pytest.mark.parametrize(
    ("protocol", "first"),
    [("version=1", b"version 1\n"), ("version=2", b"version 2\n"), ("", b""), ("version=3", b""), ("2", b"")],
)
async def test_the_protocol_version_is_gits_to_honour(
    daemon: Daemon, repo: Repo, protocol: str, first: bytes
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    got = list(packets(await advertised(daemon, "upload-pack", repo, git_protocol=protocol)))

    assert got[2] == (first or f"{oid} HEAD".encode() + got[2][len(oid) + 5 :])


async def test_options_override_the_defaults(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/keep-around/1", oid)

    hidden = await advertised(daemon, "upload-pack", repo, git_config_options=["transfer.hideRefs=refs"])
    shown = await advertised(daemon, "upload-pack", repo, git_config_options=["transfer.hideRefs=!refs"])

    assert oid.encode() not in hidden.replace(f"{oid} HEAD".encode(), b"")
    assert "refs/keep-around/1" in names(shown)


@SERVICES
async def test_an_option_without_a_value_is_refused(daemon: Daemon, repo: Repo, service: str) -> None:
    async with refused(StatusCode.INTERNAL, 'cannot convert invalid config key: "a\\"b"'):
        await advertised(daemon, service, repo, git_config_options=["a.b=c", 'a"b'])


@SERVICES
@pytest.mark.parametrize("option", ["nodot=1", "=1", ".a=1", "a.=1", "a.b c=1"])
async def test_an_option_with_a_bad_key_is_refused_when_git_starts(
    daemon: Daemon, repo: Repo, service: str, option: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await advertised(daemon, service, repo, git_config_options=[option])

    assert raised.value.code() is StatusCode.INTERNAL
    assert str(raised.value.details()).startswith("cmd: invalid configuration key")


@SERVICES
async def test_a_failure_of_git_comes_after_the_header(daemon: Daemon, repo: Repo, service: str) -> None:
    Path(repo.path, "config").write_text("this is no configuration\n")
    got = b""

    async with refused(StatusCode.INTERNAL, "wait: exit status 128"):
        async for message in advertise(daemon, service, repo):
            got += message.data

    assert got == pkt(f"# service=git-{service}\n") + FLUSH


async def test_a_long_advertisement_comes_in_messages_of_128_kib(daemon: Daemon, repo: Repo) -> None:
    oid = repo.history(1)[0]
    pack_references(repo, {f"refs/heads/{n:0200}": oid for n in range(2000)})

    messages = [message.data for message in await collect(advertise(daemon, "upload-pack", repo))]

    assert max(map(len, messages)) <= 128 * 1024
    assert len(names(b"".join(messages))) == 2000


async def test_version_2_is_advertised_without_a_process(daemon: Daemon, new_repo: Any) -> None:
    rails = ["uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true"]
    for options in ([], rails):
        repo = new_repo()
        expected = upload_pack(repo, "--stateless-rpc", "--advertise-refs").stdout

        await advertised(daemon, "upload-pack", repo, git_protocol="version=2", git_config_options=options)
        again = await with_processes(
            daemon, "upload-pack", repo, git_protocol="version=2", git_config_options=options
        )

        assert again == (expected, 0)


@SERVICES
@pytest.mark.parametrize("protocol", ["", "version=1"])
async def test_older_versions_need_a_process_only_when_something_has_changed(
    daemon: Daemon, repo: Repo, service: str, protocol: str
) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    settle_all(repo.git_dir)

    first = await with_processes(daemon, service, repo, git_protocol=protocol)
    again = await with_processes(daemon, service, repo, git_protocol=protocol)
    repo.ref("refs/heads/new", commit)
    changed = await with_processes(daemon, service, repo, git_protocol=protocol)

    assert (first[1], again) == (1, (first[0], 0))
    assert changed[1] == 1
    assert f"{commit} refs/heads/new".encode() in changed[0]


async def test_every_option_that_may_matter_is_for_git(daemon: Daemon, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    for _ in range(2):
        for protocol in ("", "version=2"):
            options = {"git_protocol": protocol, "git_config_options": ["uploadpack.allowFilter=false"]}
            got, processes = await with_processes(daemon, "upload-pack", repo, **options)
            assert (b"filter" in got, processes) == (False, 1)
