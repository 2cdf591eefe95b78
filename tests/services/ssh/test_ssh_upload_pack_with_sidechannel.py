from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from grpc import StatusCode

from gitaly_py.pb.ssh_pb2 import SSHUploadPackWithSidechannelRequest
from gitaly_py.transport.client import ClientSidechannel, MultiplexedConnection
from gitaly_py.transport.framing import framed
from tests.support.daemon import Daemon
from tests.support.fixtures import NewRepo
from tests.support.mux import read_all
from tests.support.repositories import Repo
from tests.support.smarthttp import (
    DELIM,
    FLUSH,
    Fetched,
    Talk,
    noisy,
    packets,
    pkt,
    sending,
    sending_raw,
    wants,
)
from tests.support.ssh import bands, failure_of, fetch_over_ssh

METHOD = "SSHUploadPackWithSidechannel"
ABSENT = "1" * 40
CANCELED = (StatusCode.CANCELLED, "running upload-pack: user canceled the request")


async def fetch(connection: MultiplexedConnection, repo: Repo, talk: Talk, **fields: Any) -> Fetched:
    request = SSHUploadPackWithSidechannelRequest(repository=repo.message, **fields)
    return await fetch_over_ssh(connection, request, talk)


def statistics(fetched: Fetched) -> dict[str, Any]:
    assert fetched.error is None
    assert fetched.response.HasField("packfile_negotiation_statistics")
    return MessageToDict(fetched.response.packfile_negotiation_statistics, preserving_proto_field_name=True)


def git_failed(stderr: str) -> tuple[StatusCode, str]:
    """What a call ends with when git says `stderr`, in Go's quotes, and fails."""
    text = f'running upload-pack: cmd wait: exit status 128, stderr: "{stderr}\\n"'
    return StatusCode.INTERNAL, text


def v2(*arguments: str, command: str = "fetch") -> bytes:
    """A request of protocol version 2."""
    lines = b"".join(pkt(f"{line}\n") for line in arguments)
    return pkt(f"command={command}\n") + pkt("object-format=sha1\n") + DELIM + lines + FLUSH


async def test_a_fetch_brings_the_advertisement_and_a_pack(
    connection: MultiplexedConnection, any_format_repo: Repo, tmp_path: Path
) -> None:
    repo = any_format_repo
    commits = repo.history(3, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(wants(commits[-1])))

    advertised, nak, pack = bands(fetched.answer)[1].partition(FLUSH + b"0008NAK\n")
    assert f"{commits[-1]} refs/heads/main\n".encode() in list(packets(advertised))
    target = Repo.init(tmp_path / "target.git", repo.format.name)
    target.git("index-pack", "--strict", "--stdin", stdin=pack)
    assert nak
    assert target.git("rev-list", commits[-1]).split() == commits[::-1]


async def test_progress_comes_on_a_band_of_its_own(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = noisy(repo, 2_000_000)

    fetched = await fetch(connection, repo, sending(wants(oid)))

    found = bands(fetched.answer)
    assert b"Enumerating objects" in found[2]
    assert b"Total 3 (delta 0)" in found[2]
    assert found[1].partition(b"NAK\n")[2].startswith(b"PACK")
    assert len(found[1]) > 2_000_000


async def test_a_client_with_a_side_band_gets_progress_inside_it(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(2, "refs/heads/main")[-1]

    fetched = await fetch(connection, repo, sending(wants(oid, capabilities="side-band-64k")))

    found = bands(fetched.answer)
    assert found[2] == b""
    inner = list(packets(found[1].partition(b"NAK\n")[2]))
    assert any(packet and packet[:1] == b"\x02" and b"Enumerating" in packet for packet in inner)


async def test_bulk_comes_in_large_packets(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = noisy(repo, 20_000_000)

    fetched = await fetch(connection, repo, sending(wants(oid, capabilities="side-band-64k no-progress")))

    answer, sizes = fetched.answer, []
    while answer:
        sizes.append(int(answer[:4], 16))
        answer = answer[sizes[-1] :]
    assert max(sizes) == 65520
    assert sum(sizes) / len(sizes) > 16 * 1024


async def test_statistics_of_a_v0_clone(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    fetched = await fetch(connection, repo, sending(wants(oid, capabilities="ofs-delta agent=git/2.39")))

    assert statistics(fetched) == {
        "payload_size": str(len(f"want {oid} ofs-delta agent=git/2.39")),
        "packets": "2",
        "caps": ["ofs-delta", "agent=git/2.39"],
        "wants": "1",
    }


async def test_statistics_of_a_v2_clone_count_both_requests(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    body = v2("peel", command="ls-refs") + v2(f"want {oid}", "done")

    fetched = await fetch(connection, repo, sending(body), git_protocol="version=2")

    answer = bands(fetched.answer)[1]
    assert pkt(f"{oid} refs/heads/main\n") in answer
    assert pkt("packfile\n") in answer
    assert (statistics(fetched)["packets"], statistics(fetched)["wants"]) == ("9", "1")


async def test_statistics_of_a_shallow_filtered_fetch(connection: MultiplexedConnection, repo: Repo) -> None:
    commits = repo.history(5, "refs/heads/main")
    lines = [f"want {commits[4]} filter", f"shallow {commits[1]}", "deepen 2", "filter blob:none"]
    body = b"".join(pkt(f"{line}\n") for line in lines) + FLUSH
    body += pkt(f"have {commits[1]}\n") + pkt("done\n")

    fetched = await fetch(connection, repo, sending(body))

    assert statistics(fetched) == {
        "payload_size": str(len("".join(lines)) + len(f"have {commits[1]}")),
        "packets": "6",
        "caps": ["filter"],
        "wants": "1",
        "haves": "1",
        "shallows": "1",
        "deepen": "deepen 2",
        "filter": "blob:none",
    }


async def test_what_was_counted_before_a_malformed_line_stays(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    body = pkt(f"want {oid} ofs-delta\n") + pkt(f"want {oid} ofs-delta\n") + FLUSH + pkt("done\n")

    fetched = await fetch(connection, repo, sending(body))

    assert (statistics(fetched)["packets"], statistics(fetched)["caps"]) == ("2", ["ofs-delta"])


async def test_a_v2_client_may_leave_without_a_request(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(b""), git_protocol="version=2")

    assert bands(fetched.answer)[1].startswith(pkt("version 2\n"))
    assert statistics(fetched) == {}


async def test_a_v0_client_may_leave_with_a_flush(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(FLUSH))

    assert statistics(fetched) == {"packets": "1"}


async def test_the_negotiation_is_logged(
    connection: MultiplexedConnection, daemon: Daemon, repo: Repo
) -> None:
    commits = repo.history(2, "refs/heads/main")

    await fetch(connection, repo, sending(wants(commits[1], haves=commits[:1])))

    entry = await daemon.access_entry(METHOD, **{"grpc.request.repoPath": repo.message.relative_path})
    assert (entry["negotiation.wants"], entry["negotiation.haves"]) == (1, 1)
    assert (entry["command.count"], entry["grpc.code"]) == (1, "OK")


async def test_an_unknown_object_is_refused_by_git(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(wants(ABSENT)))

    said = f"fatal: git upload-pack: not our ref {ABSENT}"
    assert bands(fetched.answer)[2] == f"{said}\n".encode()
    assert bands(fetched.answer)[1].endswith(pkt(f"ERR upload-pack: not our ref {ABSENT}"))
    assert failure_of(fetched) == git_failed(said)


async def test_a_v0_request_in_a_v2_session_is_refused_by_git(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    fetched = await fetch(connection, repo, sending(wants(oid)), git_protocol="version=2")

    said = f"fatal: unknown capability 'want {oid}'"
    assert bands(fetched.answer)[2] == f"{said}\n".encode()
    assert failure_of(fetched) == git_failed(said)


async def test_a_v2_request_in_a_v0_session_is_refused_by_git(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(v2(f"want {ABSENT}", "done")))

    said = "fatal: git upload-pack: protocol error, expected to get object ID, not 'command=fetch'"
    assert bands(fetched.answer)[2] == f"{said}\n".encode()
    assert failure_of(fetched) == git_failed(said)


async def test_a_broken_repository_is_refused_by_git(connection: MultiplexedConnection, repo: Repo) -> None:
    Path(repo.path, "config").write_text("x y")

    fetched = await fetch(connection, repo, sending(b""))

    assert failure_of(fetched) == git_failed("fatal: bad config line 1 in file ./config")


@pytest.mark.parametrize("sent", [2, 9, 50], ids=["in a length", "in a packet", "behind a packet"])
async def test_a_request_that_breaks_off_was_canceled(
    connection: MultiplexedConnection, repo: Repo, sent: int
) -> None:
    request = wants(repo.history(1, "refs/heads/main")[0])

    fetched = await fetch(connection, repo, sending(request[:sent]))

    assert failure_of(fetched) == CANCELED


async def test_a_packet_that_is_cut_off_was_canceled(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(b"0011agent"))

    assert failure_of(fetched) == CANCELED


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(framed(pkt(f"want {ABSENT}\n")[:-3]), id="no end frame"),
        pytest.param(b"0003", id="reserved length"),
        pytest.param(b"zzzz", id="no length"),
        pytest.param(b"ffff", id="frame too long"),
        pytest.param(b"00", id="half a header"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_a_side_channel_that_breaks_off_was_canceled(
    connection: MultiplexedConnection, repo: Repo, frames: bytes
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending_raw(bytes(frames)))

    assert failure_of(fetched) == CANCELED


async def test_empty_frames_and_what_follows_the_end_are_ignored(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    body = wants(repo.history(1, "refs/heads/main")[0])
    frames = b"0004" + bytes(framed(body[:7])) + b"0004" + bytes(framed(body[7:])) + b"0000" + b"garbage"

    fetched = await fetch(connection, repo, sending_raw(frames))

    assert fetched.error is None
    assert b"PACK" in fetched.answer


async def test_a_request_that_stays_open_does_not_hold_up_the_end(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    oid = repo.history(1, "refs/heads/main")[0]

    async def never_end(channel: ClientSidechannel) -> bytes:
        await channel.write(wants(oid))
        return await read_all(channel)

    fetched = await fetch(connection, repo, never_end)

    assert fetched.error is None
    assert b"PACK" in fetched.answer


async def test_what_git_no_longer_reads_is_taken_all_the_same(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")

    fetched = await fetch(connection, repo, sending(wants(ABSENT) + os.urandom(3_000_000)))

    assert failure_of(fetched)[0] is StatusCode.INTERNAL
    assert b"not our ref" in fetched.answer


async def test_options_may_hide_what_is_there(connection: MultiplexedConnection, repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    oid = repo.commit("not what HEAD names\n", {"other": b"o"}, ref="refs/heads/other")
    options = ["transfer.hideRefs=refs", "uploadpack.allowAnySHA1InWant=false"]

    fetched = await fetch(connection, repo, sending(wants(oid)), git_config_options=options)

    assert failure_of(fetched) == git_failed(f"fatal: git upload-pack: not our ref {oid}")


async def test_hidden_references_may_be_shown(connection: MultiplexedConnection, repo: Repo) -> None:
    oid = repo.history(1, "refs/heads/main")[0]
    repo.ref("refs/keep-around/1", oid)

    hidden = await fetch(connection, repo, sending(FLUSH))
    shown = await fetch(connection, repo, sending(FLUSH), git_config_options=["transfer.hideRefs=!refs"])

    assert b"refs/keep-around/1" not in hidden.answer
    assert b"refs/keep-around/1" in shown.answer


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

    assert fetched.error is None
    assert b"NAK\nPACK" in bands(fetched.answer)[1]


async def test_a_long_complaint_of_git_is_cut_in_the_status_only(
    connection: MultiplexedConnection, repo: Repo
) -> None:
    repo.history(1, "refs/heads/main")
    request = pkt("want " + "é" * 20_000)

    fetched = await fetch(connection, repo, sending(request))

    code, text = failure_of(fetched)
    assert code is StatusCode.INTERNAL
    assert text is not None
    assert text.startswith('running upload-pack: cmd wait: exit status 128, stderr: "')
    assert len(text.encode()) < 8192
    assert bands(fetched.answer)[2].startswith(b"fatal: git upload-pack: protocol error")
