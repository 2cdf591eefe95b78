from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.json_format import MessageToDict
from grpc import StatusCode

from gitaly_py.pb.smarthttp_pb2 import (
    PostUploadPackWithSidechannelRequest,
)
from gitaly_py.pb.smarthttp_pb2_grpc import SmartHTTPServiceStub
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from gitaly_py.transport.framing import framed
from gitaly_py.transport.sidechannel import METADATA_KEY
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.mux import read_all
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    DELIM,
    FLUSH,
    Fetched,
    Talk,
    fetch_with,
    pkt,
    sending,
    sending_raw,
    wants,
)
from tests.support.status import refused

METHOD = "PostUploadPackWithSidechannel"
ABSENT = "1" * 40
FAILED = "running upload-pack: waiting for upload-pack: exit status 128"


async def fetch(connection: MultiplexedConnection, repo: Repo, talk: Talk, **fields: Any) -> Fetched:
    request = PostUploadPackWithSidechannelRequest(repository=repo.message, **fields)
    return await fetch_with(connection, request, talk)


def statistics(fetched: Fetched) -> dict[str, Any]:
    assert fetched.error is None
    assert fetched.response.HasField("packfile_negotiation_statistics")
    return MessageToDict(fetched.response.packfile_negotiation_statistics, preserving_proto_field_name=True)


def failure(fetched: Fetched) -> tuple[StatusCode, str | None]:
    assert fetched.error is not None
    return fetched.error.code(), fetched.error.details()


async def test_a_fetch_brings_a_pack_of_what_was_wanted(
    connection: MultiplexedConnection, any_format_repo: Repo, tmp_path: Path
) -> None:
    repo = any_format_repo
    commits = repo.history(3, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(wants(commits[-1])))

    assert fetched.answer.startswith(b"0008NAK\nPACK")
    target = Repo.init(tmp_path / "target.git", repo.format.name)
    target.git("unpack-objects", "-q", stdin=fetched.answer[8:])
    assert target.git("rev-list", commits[-1]).split() == commits[::-1]


async def test_statistics_of_a_v0_clone(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    fetched = await fetch(connection, repo, sending(wants(oid, capabilities="ofs-delta agent=git/2.39")))

    assert statistics(fetched) == {
        "payload_size": str(len(f"want {oid} ofs-delta agent=git/2.39")),
        "packets": "2",
        "caps": ["ofs-delta", "agent=git/2.39"],
        "wants": "1",
    }


async def test_statistics_of_a_v2_clone(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    lines = ["command=fetch", "agent=git/1.2", "object-format=sha1"]
    body = b"".join(pkt(f"{line}\n") for line in lines) + DELIM
    body += pkt(f"want {oid}\n") + pkt("done\n") + FLUSH

    fetched = await fetch(connection, repo, sending(body), git_protocol="version=2")

    assert fetched.answer.startswith(pkt("packfile\n"))
    assert statistics(fetched) == {
        "payload_size": str(len("".join(lines)) + len(f"want {oid}")),
        "packets": "5",
        "wants": "1",
    }


async def test_statistics_of_a_shallow_filtered_fetch(connection: MultiplexedConnection, repo: Repo) -> None:
    commits = repo.history(5, "refs/heads/main")
    lines = [
        f"want {commits[4]} filter",
        f"want {commits[3]}",
        f"shallow {commits[1]}",
        "deepen 2",
        "filter blob:none",
    ]
    body = b"".join(pkt(f"{line}\n") for line in lines) + FLUSH
    body += pkt(f"have {commits[1]}\n") + pkt("done\n")

    fetched = await fetch(connection, repo, sending(body))

    assert statistics(fetched) == {
        "payload_size": str(len("".join(lines)) + len(f"have {commits[1]}")),
        "packets": "7",
        "caps": ["filter"],
        "wants": "2",
        "haves": "1",
        "shallows": "1",
        "deepen": "deepen 2",
        "filter": "blob:none",
    }


async def test_the_first_round_of_a_shallow_clone_succeeds_though_git_fails(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    commits = repo.history(3, "refs/heads/main")
    body = pkt(f"want {commits[-1]} shallow\n") + pkt("deepen 1\n") + FLUSH

    fetched = await fetch(connection, repo, sending(body))

    assert fetched.answer == pkt(f"shallow {commits[-1]}") + FLUSH
    assert statistics(fetched)["deepen"] == "deepen 1"


async def test_the_request_and_its_numbers_are_logged(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    commits = repo.history(2, "refs/heads/main")
    body = wants(commits[1], haves=commits[:1])

    fetched = await fetch(connection, repo, sending(body))

    entry = await daemon.access_entry(METHOD, **{"grpc.request.repoPath": repo.message.relative_path})
    assert entry["request_sha"] == hashlib.sha1(body).hexdigest()
    assert entry["response_bytes"] == len(fetched.answer)
    assert (entry["negotiation.wants"], entry["negotiation.haves"]) == (1, 1)
    assert entry["command.count"] == 1


async def test_what_git_refuses_is_said_before_the_call_fails(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(wants(ABSENT)))

    assert fetched.answer == pkt(f"ERR upload-pack: not our ref {ABSENT}")
    assert failure(fetched) == (StatusCode.FAILED_PRECONDITION, FAILED)


async def test_options_may_hide_what_is_there(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    oid = repo.commit("not what HEAD names\n", {"other": b"o"}, ref="refs/heads/other")
    options = ["transfer.hideRefs=refs", "uploadpack.allowAnySHA1InWant=false"]

    fetched = await fetch(connection, repo, sending(wants(oid)), git_config_options=options)

    assert fetched.answer == pkt(f"ERR upload-pack: not our ref {oid}")
    assert failure(fetched) == (StatusCode.FAILED_PRECONDITION, FAILED)


async def test_an_object_in_a_quarantine_may_be_fetched(
    connection: MultiplexedConnection, new_repo: NewRepo
) -> None:
    repo, other = new_repo(), new_repo()
    repo.history(1, "refs/heads/main")
    quarantined = other.commit("quarantined\n", {"q": b"q"})
    Path(other.git_dir, "objects").rename(Path(repo.git_dir, "quarantine"))
    repo.message.git_object_directory = "quarantine"
    repo.message.git_alternate_object_directories.append("objects")

    fetched = await fetch(connection, repo, sending(wants(quarantined)))

    assert fetched.answer.startswith(b"0008NAK\nPACK")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no pkt-line", id="garbage"),
        pytest.param(b"00", id="length cut off"),
        pytest.param(pkt(f"want {ABSENT}\n")[:-4], id="packet cut off"),
        pytest.param(b"fffe" + bytes(65530), id="packet too long"),
        pytest.param(pkt("wamt\n") + FLUSH, id="no such line"),
        pytest.param(pkt(f"want {ABSENT} shallow\n") + pkt("deepen 1\n") + b"00", id="deepening, cut off"),
    ],
)
async def test_a_request_that_git_cannot_read_fails_the_call(
    connection: MultiplexedConnection, repo: Repo, body: bytes
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(body))

    assert failure(fetched) == (StatusCode.FAILED_PRECONDITION, FAILED)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(framed(pkt(f"want {ABSENT}\n")), id="no end frame"),
        pytest.param(b"0003", id="reserved length"),
        pytest.param(b"zzzz", id="no length"),
        pytest.param(b"ffff", id="frame too long"),
        pytest.param(b"00", id="half a header"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_side_channel_that_breaks_off_fails_the_call(
    connection: MultiplexedConnection, repo: Repo, frames: bytes
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending_raw(bytes(frames)))

    assert failure(fetched) == (StatusCode.FAILED_PRECONDITION, FAILED)


async def test_empty_frames_and_what_follows_the_end_are_ignored(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    body = wants(oid)
    frames = b"0004" + bytes(framed(body[:7])) + b"0004" + bytes(framed(body[7:])) + b"0000" + b"garbage"

    fetched = await fetch(connection, repo, sending_raw(frames))

    assert fetched.error is None
    assert b"PACK" in fetched.answer


async def test_an_option_without_a_value_is_refused_before_the_side_channel(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    fetched = await fetch(connection, repo, sending(b""), git_config_options=["a.b=c", "novalue"])

    assert failure(fetched) == (StatusCode.INVALID_ARGUMENT, 'cannot convert invalid config key: "novalue"')
    assert fetched.answer == b""


async def test_an_option_with_a_bad_key_fails_the_start_of_git(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    fetched = await fetch(connection, repo, sending(b""), git_config_options=["nodot=1"])

    code, text = failure(fetched)
    assert code is StatusCode.FAILED_PRECONDITION
    assert str(text).startswith("running upload-pack: spawning upload-pack: invalid configuration key")


async def post(channel: grpc.aio.Channel, repo: Repo, *metadata: tuple[str, str]) -> Any:
    stub: Any = SmartHTTPServiceStub(channel)  # type: ignore[no-untyped-call]
    request = PostUploadPackWithSidechannelRequest(repository=repo.message)
    return await stub.PostUploadPackWithSidechannel(request, metadata=metadata, timeout=60)


async def test_a_call_must_name_its_side_channel(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    text = "open sidechannel: sidechannel: sidechannel-id not found in incoming metadata"
    for channel in (connection.channel(), daemon.channel):
        async with refused(StatusCode.INTERNAL, text):
            await post(channel, repo)


async def test_a_plain_connection_has_no_side_channels(daemon: Daemon, repo: Repo) -> None:
    text = "open sidechannel: sidechannel: fail to extract mux session: non-multiplexed connection"
    async with refused(StatusCode.INTERNAL, text):
        await post(daemon.channel, repo, (METADATA_KEY, "0"))


@pytest.mark.parametrize("number", ["999999999", "-1", "no number"])
async def test_an_unknown_side_channel_may_be_tried_again(
    connection: MultiplexedConnection, repo: Repo, number: str
) -> None:
    async with refused(StatusCode.UNAVAILABLE, "open sidechannel: sidechannel: EOF"):
        await post(connection.channel(), repo, (METADATA_KEY, number))


async def test_the_last_of_several_ids_counts(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    answers: list[bytes] = []

    async def callback(channel: ClientSidechannel) -> None:
        await channel.write(wants(ABSENT))
        await channel.close_write()
        answers.append(await read_all(channel))

    with connection.register(callback) as waiter:
        async with refused(StatusCode.FAILED_PRECONDITION, FAILED):
            await post(connection.channel(), repo, (METADATA_KEY, "999999999"), waiter.metadata)
        await waiter.wait()

    assert answers == [pkt(f"ERR upload-pack: not our ref {ABSENT}")]
