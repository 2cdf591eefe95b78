"""Which config files make no difference: only what is certain, and what git can read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gitaly_py.packs.advertising.configuration import Configurations, Facts, facts_of
from tests.support.repositories import Repo
from tests.support.stamps import settle

BARE = b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
SHA1 = Facts("sha1", "files")

HARMLESS = {
    "as git makes it": (BARE, SHA1),
    "nothing": (b"", SHA1),
    "comments and blanks": (b"# a\n\n ; b\n\t\n" + BARE, SHA1),
    "the name of a project": (BARE + b"[gitlab]\n\tfullpath = group/pro-ject.x\n", SHA1),
    "a remote": (BARE + b'[remote "origin"]\n\turl = https://x.example/a?b=c\n\tmirror = true\n', SHA1),
    "a quoted name": (b'[remote "a \\"b\\" c"]\n  url = "x # y"\n', SHA1),
    "other spelling": (b"[CORE]\nBare=TRUE\n[Gc]\nauto = 0\n", SHA1),
    "lines as in DOS": (BARE.replace(b"\n", b"\r\n"), SHA1),
    "a variable alone": (b"[core]\nbare\n", SHA1),
    "sha256": (
        b"[core]\nrepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n",
        Facts("sha256", "files"),
    ),
    "reftable": (
        b"[core]\nrepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n",
        Facts("sha1", "reftable"),
    ),
    "Rails' options": (b"[uploadpack]\nallowFilter = true\nallowAnySHA1InWant = true\n", SHA1),
}

UNCERTAIN = {
    "hidden references": b"[uploadpack]\nhideRefs = refs/heads\n",
    "hidden references of both kinds": b"[transfer]\nhideRefs = refs/heads\n",
    "no filters": b"[uploadpack]\nallowFilter = false\n",
    "unborn": b"[lsrefs]\nunborn = ignore\n",
    "another file": b"[include]\npath = /etc/gitconfig\n",
    "another file for some": b'[includeIf "gitdir:/"]\npath = /etc/gitconfig\n',
    "a promisor": b'[remote "origin"]\npromisor = true\n',
    "an extension": b"[extensions]\npartialClone = origin\n",
    "a later format": b"[core]\nrepositoryformatversion = 2\n",
    "another tree": b"[core]\nworktree = /tmp\n",
    "no boolean": b"[core]\nbare = perhaps\n",
    "no configuration": b"this is no configuration\n",
    "a variable before any section": b"bare = true\n",
    "a line that goes on": b"[gc]\nauto = 1\\\n0\n",
    "an open quote": b'[gc]\nauto = "0\n',
    "an escape": b'[gc]\nauto = "\\n"\n',
    "a value beside its section": b"[core] bare = true\n",
    "a section without its end": b"[core\nbare = true\n",
    "a mark of byte order": b"\xef\xbb\xbf" + BARE,
}


@pytest.mark.parametrize(("text", "facts"), HARMLESS.values(), ids=HARMLESS)
def test_what_makes_no_difference_says_what_the_repository_is(text: bytes, facts: Facts) -> None:
    assert facts_of(text) == facts


@pytest.mark.parametrize("text", UNCERTAIN.values(), ids=UNCERTAIN)
def test_anything_else_is_for_git(text: bytes) -> None:
    assert facts_of(text) is None


@pytest.mark.parametrize("text", [text for text, _ in HARMLESS.values()], ids=HARMLESS)
def test_git_can_read_what_counts_as_harmless(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "config").write_bytes(text)

    listed = subprocess.run(["git", "config", "--list", "--file", str(tmp_path / "config")], check=False)

    assert listed.returncode == 0


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    repo = Repo.init(tmp_path / "repo.git")
    settle(f"{repo.git_dir}/config")
    known = Configurations()
    assert known.facts(repo.git_dir) == known.facts(repo.git_dir) == SHA1

    for text, expected in ((UNCERTAIN["unborn"], None), (BARE, SHA1), (UNCERTAIN["no boolean"], None)):
        Path(repo.git_dir, "config").write_bytes(text)
        assert known.facts(repo.git_dir) == expected


def test_a_file_that_is_not_there_or_is_very_long_is_for_git(tmp_path: Path) -> None:
    assert Configurations().facts(str(tmp_path)) is None
    (tmp_path / "config").write_bytes(BARE + b"# comment\n" * 10_000)
    assert Configurations().facts(str(tmp_path)) is None
