"""Long answers go out while git still writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.process import Git
from gitaly_py.git.settings import GitSettings
from gitaly_py.packs.advertising.asking import Asking
from gitaly_py.packs.errors import AnswerEnded
from tests.packs.advertising.conftest import NewRepo
from tests.support.advertising import USUAL, Advertised, Counted, EarlyPieces, listed_by_git, ls_refs_request
from tests.support.repositories import ENVIRONMENT, GIT, Repo
from tests.support.stamps import settle_all

PACKET = b"0100" + b"x" * 251 + b"\n"
PACKETS = 2_000


def crowded(repo: Repo) -> None:
    """So many branches that git takes a while; the tags are few."""
    oid = repo.commit("one\n", ref="refs/heads/main")
    tag = repo.tag("v1", oid)
    lines = [f"{oid} refs/heads/b{number:06}\n" for number in range(60_000)]
    lines += [f"{tag} refs/tags/v2\n^{oid}\n"]
    Path(repo.git_dir, "packed-refs").write_text(
        "# pack-refs with: peeled fully-peeled sorted \n" + "".join(lines)
    )
    settle_all(repo.git_dir)


async def asked(advertised: Advertised, repo: Repo, early: EarlyPieces) -> bytes:
    """What follows what went out early."""
    rest = await advertised.advertiser.ls_refs(advertised.repository(repo), [], ls_refs_request(USUAL), early)
    assert rest is not None
    return b"".join(rest)


async def test_a_long_answer_begins_before_git_has_ended(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    crowded(repo)
    expected = listed_by_git(repo).stdout
    early, later = EarlyPieces(), EarlyPieces()
    counted = Counted()

    rest = await asked(advertised, repo, early)
    again = await asked(advertised, repo, later)

    assert 0 < early.given <= len(expected)
    assert b"".join([*early.pieces, rest]) == expected
    assert again == expected
    assert not later.given
    assert counted.since == {"git": 1, "memory": 1, "started": 1}


async def test_its_parts_are_kept_for_those_who_ask_for_less(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    crowded(repo)
    await asked(advertised, repo, EarlyPieces())
    counted = Counted()

    for prefix in ("refs/tags/", "refs/heads/", "HEAD"):
        request = ["peel", "symrefs", "unborn", f"ref-prefix {prefix}"]
        assert await advertised.listed(repo, request) == listed_by_git(repo, request).stdout

    assert counted.since == {"memory": 3}


def git_that(tmp_path: Path, *commands: str) -> Asking:
    """Asks a git whose upload-pack does this, after it has written PACKETS."""
    program = tmp_path / "git"
    packets = tmp_path / "packets"
    packets.write_bytes(PACKET * PACKETS)
    lines = [
        "#!/bin/sh",
        f'case " $* " in *" upload-pack "*) ;; *) exec {GIT} "$@" ;; esac',
        f"cat {packets}",
        "sleep 0.3",
        *commands,
    ]
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return Asking(Git(GitSettings(binary=str(program), environment=ENVIRONMENT)))


@pytest.mark.parametrize(
    ("commands", "status", "stderr"),
    [
        (["echo fatal: damaged >&2", "exit 128"], 128, b"fatal: damaged\n"),
        (["printf 0000", "echo warning: strange >&2"], 0, b"warning: strange\n"),
        (["kill -9 $$"], -9, b""),
        ([], 0, b""),
    ],
    ids=["fails", "complains", "is killed", "is cut off"],
)
async def test_a_git_that_fails_in_the_middle_fails_the_answer(
    tmp_path: Path, make_repo: NewRepo, commands: list[str], status: int, stderr: bytes
) -> None:
    asking = git_that(tmp_path, *commands)
    early = EarlyPieces()

    with pytest.raises(AnswerEnded) as raised:
        await asking.answer(make_repo().repository, b"0000", early)

    found = b"".join([*early.pieces, raised.value.rest])
    assert found.removesuffix(b"0000") == PACKET * PACKETS
    assert (raised.value.status, raised.value.stderr) == (status, stderr)


async def test_a_git_that_fails_is_left_to_the_caller_while_nothing_is_given_out(
    tmp_path: Path, make_repo: NewRepo
) -> None:
    asking = git_that(tmp_path, "exit 1")

    assert await asking.answer(make_repo().repository, b"0000") is None
