"""The adapter: order of everything around a handler, for all four kinds of RPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest
import structlog
from grpc import StatusCode

from gitaly_py.pb.commit_pb2 import (
    CheckObjectsExistRequest,
    CheckObjectsExistResponse,
    FindCommitRequest,
    FindCommitResponse,
    ListCommitsRequest,
)
from gitaly_py.pb.ref_pb2 import UpdateReferencesRequest, UpdateReferencesResponse
from gitaly_py.pb.shared_pb2 import GitCommit, Repository
from gitaly_py.rpc.adapter import READ_AGAIN_BYTES
from gitaly_py.rpc.checks import early, some
from gitaly_py.rpc.service import Service
from gitaly_py.rpc.status import ABORTED_TEXT, Aborted, NotFound
from gitaly_py.rpc.steps import Step, Steps
from tests.support.exchange import HandMadeExchange, frame_of

REPOSITORY = Repository(storage_name="default", relative_path="a.git")


class Undecided(Exception):
    """An error of ours that leaves the code to the RPC."""


def find_commit_service(outcome: Any) -> Service:
    service = Service("CommitService")

    @service.rpc(some("revision", otherwise="empty revision"))
    async def find_commit(call: Any, request: FindCommitRequest) -> FindCommitResponse:
        if isinstance(outcome, Exception):
            raise outcome
        return FindCommitResponse(commit=GitCommit(id=outcome))

    return service


async def serve(
    service: Service, *requests: Any, path: str = "/gitaly.CommitService/FindCommit", **options: Any
) -> Any:
    frame = frame_of(service, **options)
    exchange = HandMadeExchange(requests)
    return await frame.serve(frame.rpcs[path], exchange), exchange


async def test_unary_call_answers_with_its_message() -> None:
    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    outcome, _ = await serve(find_commit_service("abc"), request)
    assert FindCommitResponse.FromString(outcome.response).commit.id == "abc"
    assert outcome.status.code is StatusCode.OK


async def test_checks_refuse_before_the_handler_runs() -> None:
    outcome, _ = await serve(
        find_commit_service(AssertionError("ran")), FindCommitRequest(repository=REPOSITORY)
    )
    assert (outcome.status.code, outcome.status.message) == (StatusCode.INVALID_ARGUMENT, "empty revision")


async def test_an_unknown_exception_is_a_panic() -> None:
    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    with structlog.testing.capture_logs() as logs:
        outcome, _ = await serve(find_commit_service(KeyError("boom")), request)
    assert (outcome.status.code, outcome.status.message) == (StatusCode.INTERNAL, "panic: 'boom'")
    (entry,) = logs
    assert (entry["event"], entry["log_level"], entry["error"]) == ("grpc panic", "error", "'boom'")
    assert entry["method"] == "/gitaly.CommitService/FindCommit"
    assert "KeyError" in entry["backtrace"]
    assert "in find_commit" in entry["backtrace"]


async def test_an_undecided_error_is_internal_with_its_own_text() -> None:
    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    outcome, _ = await serve(find_commit_service(Undecided("why")), request, codes={Undecided: None})
    assert (outcome.status.code, outcome.status.message) == (StatusCode.INTERNAL, "why")


async def test_aborted_hides_its_text_from_the_client_only() -> None:
    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    outcome, _ = await serve(find_commit_service(Aborted("lock held")), request)
    assert (outcome.status.message, outcome.status.original) == (ABORTED_TEXT, "lock held")


async def test_a_repository_that_cannot_be_resolved_takes_the_rpcs_code() -> None:
    def resolve(*_: Any) -> None:
        raise Undecided("validate git directory: not a directory")

    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    outcome, _ = await serve(find_commit_service("x"), request, codes={Undecided: None}, resolve=resolve)
    assert outcome.status.code is StatusCode.INVALID_ARGUMENT


async def test_early_checks_come_before_the_repository() -> None:
    service = Service("CommitService")

    @service.rpc(early(some("revision", otherwise="early")))
    async def find_commit(call: Any, request: FindCommitRequest) -> FindCommitResponse:
        raise AssertionError("must not run")

    def resolve(*_: Any) -> None:
        raise NotFound("late")

    outcome, _ = await serve(service, FindCommitRequest(), resolve=resolve)
    assert outcome.status.message == "early"


async def test_a_passed_deadline_beats_every_code() -> None:
    service = find_commit_service(NotFound("too late"))
    frame = frame_of(service)
    exchange = HandMadeExchange([FindCommitRequest(repository=REPOSITORY, revision=b"x")], deadline=-1)
    outcome = await frame.serve(frame.rpcs["/gitaly.CommitService/FindCommit"], exchange)
    assert (outcome.status.code, outcome.status.message) == (StatusCode.DEADLINE_EXCEEDED, "too late")


async def test_a_client_stream_is_read_from_its_first_message_on() -> None:
    service = Service("RefService")
    seen: list[int] = []

    @service.rpc()
    async def update_references(
        call: Any, requests: AsyncIterator[UpdateReferencesRequest]
    ) -> UpdateReferencesResponse:
        seen.extend([len(request.updates) async for request in requests])
        return UpdateReferencesResponse()

    messages = [UpdateReferencesRequest(repository=REPOSITORY), UpdateReferencesRequest(updates=[{}, {}])]
    outcome, _ = await serve(service, *messages, path="/gitaly.RefService/UpdateReferences")
    assert (outcome.status.code, seen) == (StatusCode.OK, [0, 2])


async def test_a_client_stream_without_messages_is_an_internal_error() -> None:
    service = Service("RefService")

    @service.rpc()
    async def update_references(
        call: Any, requests: AsyncIterator[UpdateReferencesRequest]
    ) -> UpdateReferencesResponse:
        raise AssertionError("must not run")

    outcome, _ = await serve(service, path="/gitaly.RefService/UpdateReferences")
    assert outcome.status.message == "receiving initial request: EOF"
    assert outcome.status.code is StatusCode.INTERNAL


async def test_a_bidirectional_stream_answers_while_it_reads() -> None:
    service = Service("CommitService")

    @service.rpc()
    async def check_objects_exist(
        call: Any, requests: AsyncIterator[CheckObjectsExistRequest]
    ) -> AsyncIterator[CheckObjectsExistResponse.RevisionExistence]:
        async for request in requests:
            for name in request.revisions:
                yield CheckObjectsExistResponse.RevisionExistence(name=name, exists=True)

    messages = [
        CheckObjectsExistRequest(repository=REPOSITORY, revisions=[b"a"]),
        CheckObjectsExistRequest(revisions=[b"b"]),
    ]
    outcome, exchange = await serve(service, *messages, path="/gitaly.CommitService/CheckObjectsExist")
    names = [
        each.name for sent in exchange.sent for each in CheckObjectsExistResponse.FromString(sent).revisions
    ]
    assert (outcome.status.code, names) == (StatusCode.OK, [b"a", b"b"])


async def test_on_a_hang_up_the_handler_ends_before_the_steps_around_it() -> None:
    order: list[str] = []

    class Around(Step):
        def enter(self, _: Any) -> None:
            order.append("enter")

        def leave(self, _: Any) -> None:
            order.append("leave")

    class Report:
        def begin(self, _: Any) -> None:
            order.append("begin")

        def end(self, call: Any) -> None:
            order.append(f"report {call.status.code.name}")

    service = Service("CommitService")

    @service.rpc()
    async def list_commits(call: Any, request: ListCommitsRequest) -> AsyncIterator[GitCommit]:
        try:
            while True:
                yield GitCommit(body=b"x" * (1 << 20))
        finally:
            order.append("handler closed")

    frame = frame_of(service, steps=Steps(reporters=(Report(),), handling=lambda _: (Around(),)))
    exchange = HandMadeExchange([ListCommitsRequest(repository=REPOSITORY)])
    exchange.reading.clear()
    serving = asyncio.get_running_loop().create_task(
        frame.serve(frame.rpcs["/gitaly.CommitService/ListCommits"], exchange)
    )
    await asyncio.sleep(0.01)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    frame.report()
    assert order == ["begin", "enter", "handler closed", "leave", "report CANCELLED"]


class Around(Step):
    """A step that says what it does. refusal: what it raises; waits: not before others had their turn."""

    def __init__(self, name: str, order: list[str], refusal: Exception | None = None, *, waits: bool = False):
        self._name = name
        self._order = order
        self._refusal = refusal
        self._waits = waits

    def enter(self, _: Any) -> Awaitable[None] | None:
        self._order.append(f"enter {self._name}")
        return self._wait() if self._waits else self._decide()

    def leave(self, _: Any) -> None:
        self._order.append(f"leave {self._name}")

    async def _wait(self) -> None:
        await asyncio.sleep(0)
        self._order.append(f"{self._name} has waited")
        self._decide()

    def _decide(self) -> None:
        if self._refusal is not None:
            raise self._refusal


@pytest.mark.parametrize("waits", [False, True])
async def test_a_step_that_refuses_leaves_those_entered_before_it(waits: bool) -> None:
    order: list[str] = []
    second = Around("second", order, NotFound("no"), waits=waits)
    around = (Around("first", order), second, Around("third", order))
    outcome, _ = await serve(
        find_commit_service("x"), FindCommitRequest(), steps=Steps(handling=lambda _: around)
    )
    waited = ["second has waited"] if waits else []
    assert order == ["enter first", "enter second", *waited, "leave first"]
    assert outcome.status.code is StatusCode.NOT_FOUND


async def test_the_handler_runs_once_a_step_has_waited() -> None:
    order: list[str] = []
    steps = Steps(handling=lambda _: (Around("one", order, waits=True), Around("other", order)))
    request = FindCommitRequest(repository=REPOSITORY, revision=b"main")
    outcome, _ = await serve(find_commit_service("x"), request, steps=steps)
    assert order == ["enter one", "one has waited", "enter other", "leave other", "leave one"]
    assert outcome.status.code is StatusCode.OK


class Waiting(Step):
    """A step in which calls wait until they may go on. seen: the requests that calls have meanwhile."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.may_go_on = asyncio.Event()

    async def enter(self, call: Any) -> None:
        await asyncio.sleep(0)
        self.seen.append(call.first)
        await self.may_go_on.wait()

    def leave(self, call: Any) -> None:
        self.seen.append(call.first)


@pytest.mark.parametrize(
    ("revision", "kept"), [(b"main", False), (b"x" * READ_AGAIN_BYTES, True)], ids=["small", "large"]
)
async def test_a_call_in_line_keeps_a_small_request_as_it_came(revision: bytes, kept: bool) -> None:
    waiting = Waiting()
    request = FindCommitRequest(repository=REPOSITORY, revision=revision)
    steps = Steps(handling=lambda _: (waiting,))
    serving = asyncio.create_task(serve(find_commit_service("x"), request, steps=steps))
    await asyncio.sleep(0.01)
    waiting.may_go_on.set()
    outcome, _ = await serving
    assert outcome.status.code is StatusCode.OK
    assert waiting.seen == [request if kept else None, request]


async def test_a_call_that_is_cancelled_in_line_is_reported_with_its_repository() -> None:
    targets: list[Any] = []

    class Report:
        def begin(self, _: Any) -> None:
            pass

        def end(self, call: Any) -> None:
            targets.append(call.target)

    frame = frame_of(
        find_commit_service("x"), steps=Steps(reporters=(Report(),), handling=lambda _: (Waiting(),))
    )
    exchange = HandMadeExchange([FindCommitRequest(repository=REPOSITORY, revision=b"main")])
    serving = asyncio.create_task(frame.serve(frame.rpcs["/gitaly.CommitService/FindCommit"], exchange))
    await asyncio.sleep(0.01)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    frame.report()
    assert targets == [REPOSITORY]


async def test_a_gate_refuses_a_call_before_its_request_is_read_and_any_step() -> None:
    order: list[str] = []

    def refuse(call: Any) -> None:
        order.append(f"gate, {call.messages_received} received")
        raise NotFound("no")

    steps = Steps(gates=(refuse,), handling=lambda _: (Around("step", order),))
    outcome, _ = await serve(find_commit_service("x"), FindCommitRequest(), steps=steps)
    assert order == ["gate, 0 received"]
    assert outcome.status.code is StatusCode.NOT_FOUND


async def test_the_time_of_a_call_ends_with_the_call_and_not_with_its_report() -> None:
    seconds: list[float] = []

    class Report:
        def begin(self, _: Any) -> None:
            pass

        def end(self, call: Any) -> None:
            seconds.append(call.seconds)
            seconds.append(call.seconds)

    frame = frame_of(find_commit_service("abc"), steps=Steps(reporters=(Report(),)))
    exchange = HandMadeExchange([FindCommitRequest(repository=REPOSITORY, revision=b"main")])
    await frame.serve(frame.rpcs["/gitaly.CommitService/FindCommit"], exchange)
    frame.report()
    assert seconds[0] == seconds[1] >= 0


async def test_a_report_that_fails_costs_no_other_and_is_told_to_the_loop() -> None:
    reported: list[str] = []
    failures: list[dict[str, Any]] = []

    class Failing:
        def begin(self, _: Any) -> None:
            pass

        def end(self, call: Any) -> None:
            reported.append(call.first.revision.decode())
            raise OSError("No space left on device")

    class After(Failing):
        def end(self, call: Any) -> None:
            reported.append("after " + call.first.revision.decode())

    frame = frame_of(find_commit_service("abc"), steps=Steps(reporters=(After(), Failing())))
    for name in (b"one", b"two"):
        exchange = HandMadeExchange([FindCommitRequest(repository=REPOSITORY, revision=name)])
        await frame.serve(frame.rpcs["/gitaly.CommitService/FindCommit"], exchange)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, failure: failures.append(failure))
    frame.report()
    loop.set_exception_handler(None)

    assert reported == ["one", "after one", "two", "after two"]
    assert [str(failure["exception"]) for failure in failures] == ["No space left on device"] * 2
