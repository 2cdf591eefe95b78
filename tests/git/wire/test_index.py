"""git's index file, read by git."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitaly_py.git.wire.index import IndexEntry, encode_index
from tests.support.repositories import Repo

NAMES = st.binary(min_size=1, max_size=20).filter(lambda name: not {0, ord("/"), ord(".")} & set(name))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: b"/".join([*names, b".gitattributes"]))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(paths=st.lists(PATHS, unique=True, max_size=8))
def test_git_finds_the_entries(
    tmp_path_factory: pytest.TempPathFactory, object_format: str, paths: list[bytes]
) -> None:
    root = tmp_path_factory.mktemp("index")
    repo = Repo.init(root / "repo.git", object_format)
    oid = repo.blob(b"content")
    (root / "index").write_bytes(
        encode_index([IndexEntry(path, 0o100644, oid) for path in paths], repo.format)
    )

    listed = repo.git_bytes("ls-files", "-z", "--stage", env={"GIT_INDEX_FILE": str(root / "index")})

    assert listed == b"".join(b"100644 %s 0\t%s\0" % (oid.encode(), path) for path in sorted(paths))


def test_paths_longer_than_their_length_field_are_found(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo.git")
    path = b"/".join([b"x" * 200] * 30)
    index = tmp_path / "index"
    index.write_bytes(encode_index([IndexEntry(path, 0o100755, repo.blob(b""))], repo.format))

    assert repo.git_bytes("ls-files", "-z", env={"GIT_INDEX_FILE": str(index)}) == path + b"\0"
