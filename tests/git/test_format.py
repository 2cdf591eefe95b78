"""Object format and reference backend, read from the config file (repository.md A4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.errors import ConfigUnreadable, UnknownObjectFormat, UnknownReferenceBackend
from gitaly_py.git.format import object_format, reference_backend
from tests.support.repositories import Repo


def configured(path: Path, text: str) -> str:
    (path / "config").write_text(text)
    return str(path)


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_repositories_of_git_are_recognised(tmp_path: Path, name: str) -> None:
    repo = Repo.init(tmp_path / "r.git", name)
    assert object_format(repo.path) == repo.format
    assert reference_backend(repo.path) == "files"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "sha1"),
        ("[extensions]\n\tObjectFormat = sha256\n\tobjectformat = sha1\n", "sha256"),
        ("this is [no config\nobjectformat=sha256", "sha256"),
        ("\txobjectformat = sha256\n", "sha1"),
    ],
    ids=["absent", "first wins", "broken", "other key"],
)
def test_the_first_line_that_names_a_format_decides(tmp_path: Path, text: str, name: str) -> None:
    assert object_format(configured(tmp_path, text)).name == name


@pytest.mark.parametrize("value", ["blake2b", "sha256 ", "sha256 # comment", "SHA1"])
def test_other_formats_are_unknown(tmp_path: Path, value: str) -> None:
    with pytest.raises(UnknownObjectFormat) as caught:
        object_format(configured(tmp_path, f"objectformat = {value}\n"))
    assert str(caught.value) == f'unknown object format: "{value}"'


def test_backends_are_told_apart(tmp_path: Path) -> None:
    assert reference_backend(configured(tmp_path, "refStorage = reftable\n")) == "reftable"
    with pytest.raises(UnknownReferenceBackend, match=r'^unknown reference backend: "rocks"$'):
        reference_backend(configured(tmp_path, "refstorage = rocks\n\n"))


def test_a_changed_file_is_read_again_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert object_format(configured(tmp_path, "objectformat = sha256\n")).name == "sha256"
    assert object_format(configured(tmp_path, "objectformat = sha1\n")).name == "sha1"
    (tmp_path / "config").unlink()
    with pytest.raises(ConfigUnreadable, match=r"no such file or directory$"):
        object_format(str(tmp_path))
