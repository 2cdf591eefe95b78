"""The payload of hooks (transport.md 8.1)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitaly_py.hooks.errors import PayloadInvalid, PayloadMissing
from gitaly_py.hooks.payload import (
    FeatureFlag,
    FeatureFlagValue,
    Hook,
    HookRepository,
    Payload,
    Transaction,
    UserDetails,
)
from gitaly_py.pb.shared_pb2 import Repository

REPOSITORY = HookRepository(storage_name="default", relative_path="a/b.git")
TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=10)
NUMBER = st.integers(min_value=0, max_value=2**63 - 1)

PAYLOADS = st.builds(
    Payload,
    requested_hooks=st.integers(min_value=1, max_value=63).map(Hook),
    feature_flags_with_value=st.lists(
        st.builds(
            FeatureFlagValue,
            flag=st.builds(FeatureFlag, name=TEXT, on_by_default=st.booleans()),
            enabled=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    repository=st.builds(
        HookRepository,
        storage_name=TEXT,
        relative_path=TEXT,
        git_object_directory=TEXT,
        git_alternate_object_directories=st.lists(TEXT, max_size=3).map(tuple),
        gl_repository=TEXT,
        gl_project_path=TEXT,
    ),
    object_format=st.sampled_from(["sha1", "sha256"]),
    runtime_dir=TEXT,
    internal_socket=TEXT,
    internal_socket_token=TEXT,
    transaction=st.none()
    | st.builds(Transaction, backchannel_id=NUMBER, id=NUMBER, node=TEXT, primary=st.booleans()),
    user_details=st.none()
    | st.builds(UserDetails, username=TEXT, userid=TEXT, protocol=TEXT, remote_ip=TEXT),
    transaction_id=NUMBER,
    gitaly_client_context=st.binary(max_size=10),
)


def document(payload: Payload) -> Any:
    return json.loads(base64.b64decode(payload.encode()))


def variable(content: bytes) -> str:
    return "GITALY_HOOKS_PAYLOAD=" + base64.b64encode(content).decode()


@settings(max_examples=100, deadline=None)
@given(PAYLOADS)
def test_a_payload_survives_the_environment(payload: Payload) -> None:
    assert Payload.from_environment(["PATH=/bin", f"GITALY_HOOKS_PAYLOAD={payload.encode()}"]) == payload


def test_the_document_has_the_known_keys() -> None:
    payload = Payload(
        requested_hooks=Hook.UPDATE | Hook.PRE_RECEIVE,
        feature_flags_with_value=(FeatureFlagValue(flag=FeatureFlag(name="x"), enabled=True),),
        repository=REPOSITORY,
        runtime_dir="/run/gitaly-1",
        internal_socket="/run/gitaly-1/sock.d/intern",
        internal_socket_token="token",
        user_details=UserDetails(username="jane", userid="user-3", protocol="ssh", remote_ip="::1"),
        transaction_id=7,
        gitaly_client_context=b"\xfb\xff",
    )

    assert document(payload) == {
        "requested_hooks": 6,
        "feature_flags_with_value": [{"flag": {"name": "x", "on_by_default": False}, "enabled": True}],
        "repository": '{"storageName":"default","relativePath":"a/b.git"}',
        "object_format": "sha1",
        "runtime_dir": "/run/gitaly-1",
        "internal_socket": "/run/gitaly-1/sock.d/intern",
        "internal_socket_token": "token",
        "transaction": None,
        "user_details": {"username": "jane", "userid": "user-3", "protocol": "ssh", "remote_ip": "::1"},
        "transaction_id": 7,
        "gitaly_client_context": "+/8=",
    }


def test_what_is_empty_is_left_out() -> None:
    keys = set(document(Payload(repository=REPOSITORY)))

    assert keys.isdisjoint({"feature_flags_with_value", "transaction_id", "gitaly_client_context"})


@pytest.mark.parametrize("written", [b'"requested_hooks":0,', b'"requested_hooks":null,', b""])
def test_no_requested_hooks_mean_all_but_proc_receive(written: bytes) -> None:
    payload = Payload.from_environment([variable(b"{" + written + b'"repository":"{}"}')])

    assert int(payload.requested_hooks) == 31


def test_the_repository_may_use_either_form_of_names() -> None:
    content = json.dumps({"repository": '{"storage_name":"s","glRepository":"g","unknown":1}'}).encode()

    repository = Payload.from_environment([variable(content)]).repository
    assert (repository.storage_name, repository.gl_repository) == ("s", "g")


def test_the_first_of_several_payloads_counts() -> None:
    other = Payload(repository=HookRepository(storage_name="other"))
    variables = [f"GITALY_HOOKS_PAYLOAD={each.encode()}" for each in (Payload(repository=REPOSITORY), other)]

    assert Payload.from_environment(variables).repository == REPOSITORY


@pytest.mark.parametrize("variables", [[], ["PATH=/bin"], ["XGITALY_HOOKS_PAYLOAD=e30="]])
def test_an_environment_without_payload_is_an_error(variables: list[str]) -> None:
    with pytest.raises(PayloadMissing, match=r"^no hooks payload found in environment$"):
        Payload.from_environment(variables)


def test_bad_base64_is_an_error_with_its_place() -> None:
    with pytest.raises(PayloadInvalid, match=r"^illegal base64 data at input byte 4$"):
        Payload.from_environment(["GITALY_HOOKS_PAYLOAD=e30=?"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"repository":"{"}',
        b'{"repository":"{}","object_format":"md5"}',
        b'{"repository":"{}","user_details":3}',
        b'{"repository":"{}","requested_hooks":"x"}',
    ],
)
def test_another_document_is_an_error(content: bytes) -> None:
    with pytest.raises(PayloadInvalid):
        Payload.from_environment([variable(content)])


@pytest.mark.parametrize(
    ("transaction", "secondary"),
    [(None, False), (Transaction(primary=True), False), (Transaction(node="b"), True)],
)
def test_only_the_primary_of_a_transaction_runs_hooks(
    transaction: Transaction | None, secondary: bool
) -> None:
    assert Payload(repository=REPOSITORY, transaction=transaction).is_secondary is secondary


def test_the_token_is_not_shown() -> None:
    assert "secret" not in repr(Payload(repository=REPOSITORY, internal_socket_token="secret"))


def test_a_repository_is_made_from_the_message_of_the_api() -> None:
    message = Repository(
        storage_name="s",
        relative_path="r.git",
        git_object_directory="objects/q",
        git_alternate_object_directories=["objects"],
        gl_repository="g",
        gl_project_path="p",
    )

    assert HookRepository.of(message) == HookRepository(
        storage_name="s",
        relative_path="r.git",
        git_object_directory="objects/q",
        git_alternate_object_directories=("objects",),
        gl_repository="g",
        gl_project_path="p",
    )
