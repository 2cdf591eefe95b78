"""Objects for one git process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.updating.throwaway import write_object, write_tree
from tests.support.repositories import Repo


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_git_reads_what_was_written(tmp_path: Path, name: str) -> None:
    repo = Repo.init(tmp_path / "r.git", object_format=name)
    folder = str(tmp_path / "objects")
    environment = {"GIT_OBJECT_DIRECTORY": folder, "GIT_ALTERNATE_OBJECT_DIRECTORIES": f"{repo.path}/objects"}

    empty = write_object(folder, repo.format, "blob", b"")
    text = write_object(folder, repo.format, "blob", b"text\0\n")
    missing = "1" * repo.format.hex_length
    tree = write_tree(
        folder, repo.format, [(0o100644, b"a", empty), (0o120000, b"b\xff", text), (0o160000, b"c", missing)]
    )

    assert empty == repo.git("hash-object", "--stdin")
    assert repo.git_bytes("cat-file", "blob", text, env=environment) == b"text\0\n"
    assert repo.git_bytes("ls-tree", "-z", tree, env=environment).split(b"\0") == [
        b"100644 blob %s\ta" % empty.encode(),
        b"120000 blob %s\tb\xff" % text.encode(),
        b"160000 commit %s\tc" % missing.encode(),
        b"",
    ]
    assert write_tree(folder, repo.format, []) == repo.format.empty_tree
    assert write_object(folder, repo.format, "blob", b"") == empty
