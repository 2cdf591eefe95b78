"""Repositories with references of every kind that ls-refs may have to list."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.support.references import varied, write
from tests.support.repositories import Repo
from tests.support.smarthttp import pack_references


def empty(repo: Repo) -> None:
    pass


def one_branch(repo: Repo) -> None:
    repo.history(2, "refs/heads/main")


def mixed(repo: Repo) -> None:
    varied(repo)


def packed(repo: Repo) -> None:
    varied(repo, packed=True)


def loose(repo: Repo) -> None:
    varied(repo, packed=False)


def healthy(repo: Repo) -> None:
    """Nothing that only git knows what to make of."""
    varied(repo)
    repo.git("symbolic-ref", "--delete", "refs/heads/dangling")
    Path(repo.git_dir, "refs/heads/garbage").unlink()
    repo.git("pack-refs", "--all")
    commit = repo.commit("young\n")
    repo.ref("refs/heads/main", commit)
    repo.ref("refs/heads/zz/new", commit)
    repo.ref("refs/pipelines/1", commit)
    repo.ref("refs/pipelines/10", commit)
    repo.tag("loose", commit)
    repo.tag("loose-nested", repo.tag("inner", commit), kind="tag")
    repo.symref("refs/heads/second", "refs/heads/symbolic")
    repo.symref("refs/heads/dangling", "refs/heads/absent")
    repo.git("update-ref", "-d", "refs/heads/old")


def detached(repo: Repo) -> None:
    commits = repo.history(2, "refs/heads/main")
    Path(repo.git_dir, "HEAD").write_text(repo.tag("v1", commits[0]) + "\n")


def unborn(repo: Repo) -> None:
    repo.history(1, "refs/heads/other")


def far_head(repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    for number in range(3):
        repo.symref(f"refs/heads/{number}", f"refs/heads/{number + 1}")
    repo.symref("refs/heads/3", "refs/heads/main")
    repo.symref("HEAD", "refs/heads/1")


def too_far_head(repo: Repo) -> None:
    far_head(repo)
    repo.symref("HEAD", "refs/heads/0")


def hidden(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    for name in ("tmp", "tmpfile", "keep-around-not", "remotes/origin/main", "keep-around/1", "a", "z"):
        repo.ref("refs/" + name, commit)
    repo.git("pack-refs", "--all")
    for name in ("remotes/origin/other", "keep-around/2", "tmpfile2"):
        repo.ref("refs/" + name, commit)
    repo.symref("refs/heads/to-hidden", "refs/remotes/origin/other")


def missing_objects(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    write(repo, "refs/heads/missing", "1234567890" * 4 + "\n")
    write(repo, "refs/heads/zero", "0" * 40 + "\n")
    tag = repo.tag("to-nothing", "1234567890" * 4)
    repo.tag("lies", commit, kind="tree")
    repo.tag("to-lies", tag, kind="commit")


def broken(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    for name, text in {
        "empty": "",
        "garbage": "garbage",
        "short": commit[:39],
        "long": commit + "0" * 24 + "\n",
        "blank": f"  {commit}\n",
        "upper": commit.upper(),
        "more": f"{commit} and more\n",
        "bad..name": f"{commit}\n",
        "with space": f"{commit}\n",
        "kept.lock": f"{commit}\n",
        ".dot": f"{commit}\n",
        "to-bad": "ref: refs/heads/bad..name\n",
        "to-file": "ref: config\n",
        "spaced": "ref:   refs/heads/main  \n",
        "to-itself": "ref: refs/heads/to-itself\n",
    }.items():
        write(repo, f"refs/heads/{name}", text)


def ids_of_another_hash(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    write(repo, "refs/heads/long", commit + "0" * 24 + "\n")
    repo.symref("refs/heads/to-long", "refs/heads/long")


def broken_packed(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    names = ("refs/heads/a b", "refs/heads/a..b", "refs/heads/b.lock", "refs/heads/c")
    pack_references(repo, dict.fromkeys(names, commit))


def unpeeled_packed(repo: Repo) -> None:
    commit = repo.history(1, "refs/heads/main")[0]
    pack_references(repo, {"refs/tags/v1": repo.tag("v1", commit), "refs/heads/b": commit})
    Path(repo.git_dir, "refs/tags/v1").unlink()


def links(repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    elsewhere = Path(repo.git_dir, "elsewhere")
    elsewhere.mkdir()
    (elsewhere / "x").write_text(repo.references()[b"refs/heads/main"] + "\n")
    os.symlink("refs/heads/main", Path(repo.git_dir, "refs/heads/link"))
    os.symlink("../../elsewhere/x", Path(repo.git_dir, "refs/heads/other-link"))
    os.symlink("../elsewhere", Path(repo.git_dir, "refs/folder"))


def linked_heads(repo: Repo) -> None:
    repo.history(1, "refs/heads/main")
    Path(repo.git_dir, "refs/heads").rename(Path(repo.git_dir, "elsewhere"))
    os.symlink("../elsewhere", Path(repo.git_dir, "refs/heads"))


def many(repo: Repo) -> None:
    commits = repo.history(3)
    tag = repo.tag("v", commits[0])
    names = {f"refs/heads/{'x' * (1 + n % 40)}/{n:05}": commits[n % 3] for n in range(4500)}
    pack_references(repo, names | {f"refs/tags/{n:05}": tag for n in range(500)})
    repo.git("pack-refs", "--all")
    for n in range(120):
        write(repo, f"refs/heads/new-{n}", commits[1] + "\n")


REPOSITORIES: list[Callable[[Repo], None]] = [
    empty, one_branch, mixed, packed, loose, healthy, detached, unborn, far_head, too_far_head, hidden,
    missing_objects, broken, ids_of_another_hash, broken_packed, unpeeled_packed, links, linked_heads, many,
]  # fmt: skip
