"""Ruby's grpc: the core of another release than grpcio's, which threads share."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import pytest_asyncio
from google.rpc import status_pb2

from gitaly_py.pb.errors_pb2 import ReferenceStateMismatchError
from gitaly_py.pb.ref_pb2 import UpdateReferencesError
from tests.support.peers import Served, run
from tests.support.repositories import Repo
from tests.support.ruby import SCRIPTS, needs_ruby
from tests.support.smarthttp import packets

pytestmark = needs_ruby

BIG = os.urandom(700_000)
DEADLINE_EXCEEDED, CANCELLED, SERVING = 4, 1, "SERVING"


class Talk:
    """What a script has done. answer: what it printed; oid: of the commit it found."""

    def __init__(self, served: Served, repo: Repo, oid: str) -> None:
        self.served = served
        self.repo = repo
        self.oid = oid
        self.correlation = uuid.uuid4().hex
        self.answer: dict[str, Any] = {}

    async def run(self, stubs: Path) -> None:
        """Has it done."""
        message = self.repo.message
        place = [self.served.target("unix"), message.storage_name, message.relative_path]
        finished = await run("ruby", SCRIPTS / "streams.rb", stubs, *place, self.correlation)
        assert finished.status == 0, finished.stderr
        self.answer = json.loads(finished.stdout)


@pytest_asyncio.fixture(scope="module")
async def talk(served: Served, ruby_stubs: Path) -> Talk:
    """One for all tests, which look at parts of it."""
    repo = served.repo()
    talk = Talk(served, repo, repo.commit("x\n", {"big": BIG}, ref="refs/heads/main"))
    served.rails.requests.clear()
    await talk.run(ruby_stubs)
    return talk


async def test_metadata_goes_both_ways(talk: Talk) -> None:
    entry = await talk.served.daemon.access_entry("FindCommit", correlation_id=talk.correlation)

    assert entry["username"] == "rosa"
    assert "user_id" not in entry
    assert int(talk.answer["cost"]) > 0


def test_binary_metadata_arrives_as_it_was_sent(talk: Talk) -> None:
    (allowed,) = talk.served.rails.asked("/allowed")

    assert base64.b64decode(allowed.body["gitaly_client_context_bin"]) == bytes(range(256))


def test_streams_of_requests_and_both_ways_do_their_work(talk: Talk) -> None:
    report = [packet.decode() for packet in packets(talk.answer["report"].encode()) if packet]

    assert report == ["unpack ok\n", "ok refs/heads/0\n"]
    assert set(talk.repo.references()) == {b"refs/heads/main", b"refs/heads/1", b"refs/heads/2"}
    assert talk.answer["pack"] > len(BIG)


def test_an_error_has_its_text_and_details(talk: Talk) -> None:
    mismatch = talk.answer["mismatch"]
    status = status_pb2.Status.FromString(base64.b64decode(mismatch["details"]))
    detail = UpdateReferencesError()

    assert mismatch["message"].endswith("The operation could not be completed. Please try again.")
    assert status.details[0].Unpack(detail)
    assert detail == UpdateReferencesError(
        reference_state_mismatch=ReferenceStateMismatchError(
            reference_name=b"refs/heads/1",
            expected_object_id=b"1" * 40,
            actual_object_id=talk.oid.encode(),
        )
    )


def test_deadlines_and_cancellations_end_streams(talk: Talk) -> None:
    assert talk.answer["watched"] == [SERVING]
    assert (talk.answer["deadline"], talk.answer["cancelled"]) == (DEADLINE_EXCEEDED, CANCELLED)


def test_eight_threads_share_a_stub(talk: Talk) -> None:
    assert talk.answer["answers"] == [[talk.oid, hashlib.sha256(BIG).hexdigest(), 200]]
