"""RepositoryService/FindLicense (repository.md)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from grpc import StatusCode

from gitaly_py.pb.repository_pb2 import FindLicenseRequest, FindLicenseResponse
from gitaly_py.pb.repository_pb2_grpc import RepositoryServiceStub
from tests.support.daemon import Daemon
from tests.support.repositories import Entry, Repo
from tests.support.status import refused

COMMON = Path("/usr/share/common-licenses")
"""Where Debian keeps the texts that many packages are under."""
MIT = (Path(__file__).parents[3] / "LICENSE").read_bytes()
CLAUSE = (
    b"\nThe Software must not be used by anyone who counts clauses, nor by those who count their words.\n"
)
APACHE_NOTICE = (
    b"# Others' work\n\nSee <https://www.apache.org/licenses/LICENSE-2.0> for most of it.\n" + b"-" * 99
)

IS_MIT = FindLicenseResponse(
    license_short_name="mit",
    license_name="MIT License",
    license_url="https://opensource.org/licenses/MIT",
    license_path="LICENSE",
)
IS_APACHE = FindLicenseResponse(
    license_short_name="apache-2.0",
    license_name="Apache License 2.0",
    license_url="https://www.apache.org/licenses/LICENSE-2.0",
    license_path="LICENSE",
)
IS_OTHER = FindLicenseResponse(
    license_short_name="other", license_name="Other", license_path="LICENSE", license_nickname="LICENSE"
)
NONE = FindLicenseResponse()

needs_common_licenses = pytest.mark.skipif(
    not COMMON.is_dir(), reason="Debian's license texts are not installed"
)


def at(path: str, found: FindLicenseResponse) -> FindLicenseResponse:
    """The same license found in another file."""
    moved = FindLicenseResponse()
    moved.CopyFrom(found)
    moved.license_path = path
    return moved


async def found(daemon: Daemon, repo: Repo) -> FindLicenseResponse:
    request = FindLicenseRequest(repository=repo.message)
    response: FindLicenseResponse = await daemon.stub(RepositoryServiceStub).FindLicense(request)
    return response


async def license_of(daemon: Daemon, repo: Repo, files: Mapping[str | bytes, Entry]) -> FindLicenseResponse:
    """The answer for a fresh commit on HEAD's branch that has these files."""
    repo.commit("x\n", files, ref="refs/heads/main")
    return await found(daemon, repo)


async def test_the_text_of_a_license_is_told(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await license_of(daemon, any_format_repo, {"LICENSE": MIT, "a.rb": b"x\n"}) == IS_MIT


@needs_common_licenses
async def test_names_nicknames_and_references_are_spdx_own(daemon: Daemon, repo: Repo) -> None:
    gpl2 = (COMMON / "GPL-2").read_bytes()
    gpl3 = (COMMON / "GPL-3").read_bytes()
    is_gpl2 = FindLicenseResponse(
        license_short_name="gpl-2.0",
        license_name="GNU General Public License v2.0 only",
        license_url="https://www.gnu.org/licenses/old-licenses/gpl-2.0-standalone.html",
        license_path="LICENSE",
        license_nickname="GNU GPLv2",
    )
    is_gpl3 = FindLicenseResponse(
        license_short_name="gpl-3.0+",
        license_name="GNU General Public License v3.0 or later",
        license_url="https://www.gnu.org/licenses/gpl-3.0-standalone.html",
        license_path="LICENSE",
    )
    is_later_gpl2 = FindLicenseResponse(
        license_short_name="gpl-2.0+",
        license_name="GNU General Public License v2.0 or later",
        license_url=is_gpl2.license_url,
        license_path="COPYING",
    )
    note = b"NOTE! This does not cover user programs that use kernel services.\n\n\t\tA Kernel Author\n\n"
    later = b"This program is free software under version 3, or (at your option) any later version.\n\n"

    assert await license_of(daemon, repo, {"LICENSE": gpl2}) == is_gpl2
    assert await license_of(daemon, repo, {"LICENSE": later + gpl3}) == is_gpl3
    assert await license_of(daemon, repo, {"COPYING": note + b"-" * 40 + b"\n\n" + gpl2}) == is_later_gpl2
    assert await license_of(daemon, repo, {"LICENSE": (COMMON / "Apache-2.0").read_bytes()}) == IS_APACHE


@needs_common_licenses
@pytest.mark.parametrize(
    ("text", "short_name", "nickname"),
    [
        ("LGPL-2.1", "lgpl-2.1", "GNU LGPLv2.1"),
        ("LGPL-3", "lgpl-3.0", "GNU LGPLv3"),
        ("MPL-2.0", "mpl-2.0", ""),
        ("CC0-1.0", "cc0-1.0", ""),
        ("BSD", "bsd-3-clause", ""),
        ("Artistic", "artistic-1.0-perl", ""),
    ],
)
async def test_other_licenses_are_told_as_well(
    daemon: Daemon, repo: Repo, text: str, short_name: str, nickname: str
) -> None:
    answer = await license_of(daemon, repo, {"COPYING": (COMMON / text).read_bytes()})

    assert (answer.license_short_name, answer.license_nickname) == (short_name, nickname)


async def test_layout_spelling_and_owners_do_not_matter(daemon: Daemon, repo: Repo) -> None:
    text = MIT.decode().replace("MIT License", "The MIT Licence (MIT)").replace('"', "\u201d")
    lines = ["Copyright © 1999-2024 Somebody Else <x@example.com>", *text.upper().split()]

    assert await license_of(daemon, repo, {"LICENSE": "\n   * ".join(lines).encode()}) == IS_MIT


async def test_a_license_with_a_clause_more_is_still_told(daemon: Daemon, repo: Repo) -> None:
    assert await license_of(daemon, repo, {"LICENSE": MIT + CLAUSE}) == IS_MIT


async def test_markup_is_no_part_of_the_text(daemon: Daemon, repo: Repo) -> None:
    paragraphs = MIT.decode().split("\n\n")
    markdown = "# " + "\n\n".join(f"**{each.strip()}**" for each in paragraphs)
    html = "<html><head><style>p { color: red }</style></head><body>"
    html += "".join(f"<p><em>{each}</em></p>" for each in paragraphs)
    rst = "MIT License\n===========\n\n.. note: this\n\n" + "\n\n".join(f"*{each}*" for each in paragraphs)

    for name, text in {"LICENSE.md": markdown, "LICENSE.html": html, "LICENSE.rst": rst}.items():
        assert await license_of(daemon, repo, {name: text.encode()}) == at(name, IS_MIT), name


async def test_other_files_are_not_looked_at(daemon: Daemon, any_format_repo: Repo) -> None:
    files: Mapping[str | bytes, Entry] = {
        "README": MIT,
        "readme.md": MIT,
        "LICENSE-README.md": MIT,
        "License guidelines": MIT,
        "licensed.txt": MIT,
        "submit": MIT,
        "main.c": MIT,
        "LICENSES/MIT.txt": MIT,
        "docs/LICENSE": MIT,
        "COPYING": ("160000", "1" * any_format_repo.format.hex_length),
    }

    assert await license_of(daemon, any_format_repo, files) == NONE


async def test_without_a_license_there_is_none(daemon: Daemon, any_format_repo: Repo) -> None:
    assert await found(daemon, any_format_repo) == NONE
    assert await license_of(daemon, any_format_repo, {"a.rb": b"x\n"}) == NONE


async def test_a_text_nobody_knows_is_another_license(daemon: Daemon, repo: Repo) -> None:
    own = b"Do what your mother would let you do.\n" * 9

    assert await license_of(daemon, repo, {"LICENSE": own, "MIT.txt": own}) == IS_OTHER
    assert await license_of(daemon, repo, {"LICENSE": b""}) == IS_OTHER
    assert await license_of(daemon, repo, {b"LICENSE.\xff": own}) == at("LICENSE.\ufffd", IS_OTHER)


async def test_a_file_may_point_to_the_one_that_is_meant(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    by_text: dict[str | bytes, Entry] = {"LICENSE": b" mit.txt\n", "mit.txt": MIT}
    by_link: dict[str | bytes, Entry] = {"LICENSE": ("120000", b"docs/text"), "docs/text": MIT}

    assert await license_of(daemon, repo, by_text) == at("mit.txt", IS_MIT)
    assert await license_of(daemon, repo, by_link) == at("docs/text", IS_MIT)
    for target in (b"docs", b"nowhere", b"../LICENSE", b"/etc/passwd", b"./docs/text", b"x\0y", b"\n"):
        files: dict[str | bytes, Entry] = {"LICENSE": target, "docs/text": MIT}
        assert await license_of(daemon, repo, files) == IS_OTHER, target
    long = b"x" * 128
    assert await license_of(daemon, repo, {"LICENSE": long[1:], long[1:]: MIT}) == at("x" * 127, IS_MIT)
    assert await license_of(daemon, repo, {"LICENSE": long, long: MIT}) == IS_OTHER


async def test_a_reference_is_enough_where_there_is_no_text(daemon: Daemon, repo: Repo) -> None:
    name = "LICENSE-3RD-PARTY.md"

    assert await license_of(daemon, repo, {name: APACHE_NOTICE}) == at(name, IS_APACHE)


async def test_the_usual_name_goes_before_the_better_match(daemon: Daemon, repo: Repo) -> None:
    files: Mapping[str | bytes, Entry] = {"LICENSE": MIT + CLAUSE, "LICENSE-3RD-PARTY.md": APACHE_NOTICE}

    assert await license_of(daemon, repo, files) == IS_MIT


@needs_common_licenses
async def test_of_files_with_usual_names_the_better_match_wins(daemon: Daemon, repo: Repo) -> None:
    apache = (COMMON / "Apache-2.0").read_bytes()
    files: dict[str | bytes, Entry] = {"COPYING": MIT + CLAUSE, "LICENSE": apache}

    assert await license_of(daemon, repo, files) == IS_APACHE
    files = {"LICENSE-APACHE": apache + CLAUSE, "LICENSE-MIT": MIT}
    assert await license_of(daemon, repo, files) == at("LICENSE-MIT", IS_MIT)


async def test_it_is_heads_commit_that_counts(daemon: Daemon, any_format_repo: Repo) -> None:
    repo = any_format_repo
    assert await license_of(daemon, repo, {"LICENSE": MIT}) == IS_MIT
    other = repo.commit("x\n", {"LICENSE": b"mine\n" * 99}, ref="refs/heads/other")

    repo.symref("HEAD", "refs/heads/other")
    assert await found(daemon, repo) == IS_OTHER
    Path(repo.path, "HEAD").write_text(repo.git("rev-parse", "main") + "\n")
    assert await found(daemon, repo) == IS_MIT
    repo.symref("HEAD", "refs/heads/unborn")
    assert await found(daemon, repo) == NONE
    assert repo.git("rev-parse", "other") == other


async def test_a_head_whose_commit_is_missing_has_none(daemon: Daemon, any_format_repo: Repo) -> None:
    missing = "1" * any_format_repo.format.hex_length
    Path(any_format_repo.path, "refs/heads/main").parent.mkdir(exist_ok=True)
    Path(any_format_repo.path, "refs/heads/main").write_text(missing + "\n")

    assert await found(daemon, any_format_repo) == NONE


@pytest.mark.parametrize("head", ["", "nothing\n", "ref: refs/heads/a..b\n"], ids=["empty", "text", "name"])
async def test_a_head_that_is_broken_has_none(daemon: Daemon, repo: Repo, head: str) -> None:
    assert await license_of(daemon, repo, {"LICENSE": MIT + CLAUSE}) != NONE
    Path(repo.path, "HEAD").write_text(head)

    assert await found(daemon, repo) == NONE


async def test_a_damaged_repository_says_nothing_for_others(
    daemon: Daemon, repo: Repo, tmp_path: Path
) -> None:
    repo.commit("x\n", {"LICENSE": MIT, "only": b"here"}, ref="refs/heads/main")
    tree = repo.git("rev-parse", "main^{tree}")
    file = Path(repo.path, "objects", tree[:2], tree[2:])
    file.rename(tmp_path / "tree")

    async with refused(StatusCode.INTERNAL, "object not found"):
        await found(daemon, repo)
    (tmp_path / "tree").rename(file)
    assert await found(daemon, repo) == IS_MIT


async def test_a_file_that_points_to_a_lost_one_stands_for_itself(daemon: Daemon, repo: Repo) -> None:
    repo.commit("x\n", {"LICENSE": b"docs/terms\n", "docs/terms": MIT}, ref="refs/heads/main")
    blob = repo.git("rev-parse", "main:docs/terms")
    Path(repo.path, "objects", blob[:2], blob[2:]).unlink()

    assert await found(daemon, repo) == IS_OTHER


async def test_what_was_found_is_known_without_the_files(daemon: Daemon, repo: Repo) -> None:
    assert await license_of(daemon, repo, {"LICENSE": MIT}) == IS_MIT
    blob = repo.git("rev-parse", "main:LICENSE")
    shutil.rmtree(Path(repo.path, "objects", blob[:2]))

    assert await found(daemon, repo) == IS_MIT


async def test_large_texts_and_very_many_parts_are_looked_through(daemon: Daemon, repo: Repo) -> None:
    parts = b"".join(b"%d words of no license\n======\n" % number for number in range(5000))

    assert await license_of(daemon, repo, {"LICENSE": b"\n====\n" + MIT + b"\n====\n" + parts}) == IS_MIT
