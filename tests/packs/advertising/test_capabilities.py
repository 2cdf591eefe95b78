"""What a conversation of protocol version 2 begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitaly_py.git.process import Git
from gitaly_py.git.repository import GitRepository
from gitaly_py.git.settings import GitSettings
from gitaly_py.packs.advertising.advertiser import Advertiser
from gitaly_py.storage.repository import Repository
from tests.packs.advertising.conftest import NewRepo
from tests.support.advertising import Advertised, Counted, EarlyPieces, ls_refs_request, upload_pack
from tests.support.repositories import ENVIRONMENT
from tests.support.smarthttp import FLUSH

RAILS = [("uploadpack.allowFilter", "true"), ("uploadpack.allowAnySHA1InWant", "true")]
ADVERTISE = ("--stateless-rpc", "--advertise-refs")


async def everything(
    advertiser: Advertiser, repository: Repository, options: list[tuple[str, str]]
) -> list[bytes | None]:
    """What all three methods say."""
    listed = await advertiser.ls_refs(repository, options, ls_refs_request(["peel"]), EarlyPieces())
    return [
        await advertiser.capabilities(repository, options),
        None if listed is None else b"".join(listed),
        await advertiser.references(repository, options, protocol="", stateless=True),
    ]


async def test_transports_with_and_without_state_are_told_the_same_in_git_as_well(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    repo.history(1, "refs/heads/main")

    told = await advertised.advertiser.capabilities(advertised.repository(repo), [])

    assert told == upload_pack(repo, *ADVERTISE).stdout == upload_pack(repo, stdin=FLUSH).stdout
    assert told.startswith(b"000eversion 2\n")


async def test_git_is_asked_once_for_each_object_format(advertised: Advertised, make_repo: NewRepo) -> None:
    repos = [make_repo(), make_repo(), make_repo(object_format="sha256"), make_repo(object_format="sha256")]
    counted = Counted()

    for repo in repos:
        told = await advertised.advertiser.capabilities(advertised.repository(repo), RAILS)
        assert told == upload_pack(repo, *ADVERTISE).stdout

    assert counted.since == {"started": 2}


@pytest.mark.parametrize(
    "options",
    [
        [("uploadpack.allowFilter", "false")],
        [("uploadpack.allowFilter", "yes")],
        [*RAILS, ("transfer.hideRefs", "!refs")],
        [("uploadpack.x.allowFilter", "true")],
        [("gc.auto", "0")],
        [("no key", "true")],
    ],
    ids=str,
)
async def test_an_option_that_is_no_default_is_for_git(
    advertised: Advertised, make_repo: NewRepo, options: list[tuple[str, str]]
) -> None:
    repo = make_repo()

    assert await everything(advertised.advertiser, advertised.repository(repo), options) == [None] * 3


async def test_what_rails_asks_for_is_the_default(advertised: Advertised, make_repo: NewRepo) -> None:
    repository = advertised.repository(make_repo())
    spelled = [("UploadPack.allowfilter", "true"), ("uploadpack.advertiseBundleURIs", "false")]

    found = await everything(advertised.advertiser, repository, [])

    assert None not in found
    assert await everything(advertised.advertiser, repository, RAILS) == found
    assert await everything(advertised.advertiser, repository, spelled) == found


async def test_objects_in_quarantine_are_for_git(advertised: Advertised, make_repo: NewRepo) -> None:
    path = advertised.repository(make_repo())
    for git in (
        GitRepository(path.path, object_directory=f"{path.path}/objects"),
        GitRepository(path.path, alternate_object_directories=(f"{path.path}/objects",)),
    ):
        repository = Repository("default", "", "", git, path.readers)
        assert await everything(advertised.advertiser, repository, []) == [None] * 3


async def test_a_config_file_that_changes_is_read_again(advertised: Advertised, make_repo: NewRepo) -> None:
    repo = make_repo()
    repository = advertised.repository(repo)
    assert None not in await everything(advertised.advertiser, repository, [])

    repo.git("config", "uploadpack.hideRefs", "refs/heads")
    assert await everything(advertised.advertiser, repository, []) == [None] * 3
    repo.git("config", "--unset", "uploadpack.hideRefs")
    assert None not in await everything(advertised.advertiser, repository, [])
    Path(repo.git_dir, "config").write_text("this is no configuration\n")
    assert await everything(advertised.advertiser, repository, []) == [None] * 3


@pytest.mark.parametrize(
    ("pair", "harmless"),
    [
        (("pack.threads", "1"), True),
        (("core.fsync", "none"), True),
        (("http.https://example.com.proxy", "x"), True),
        (("uploadpack.hideRefs", "refs/heads"), False),
        (("lsrefs.unborn", "ignore"), False),
        (("core.useReplaceRefs", "true"), False),
        (("include.path", "/etc/gitconfig"), False),
        (("protocol.version", "0"), False),
    ],
    ids=str,
)
async def test_what_the_administrator_configures_counts_as_well(
    advertised: Advertised, make_repo: NewRepo, pair: tuple[str, str], harmless: bool
) -> None:
    repository = advertised.repository(make_repo())
    git = Git(GitSettings(environment=ENVIRONMENT, config=(pair,)))

    found = await everything(Advertiser(git), repository, [])

    assert found == [None] * 3 if not harmless else None not in found
    await git.close()


async def test_when_git_fails_it_is_for_the_caller_to_find_out(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    repo = make_repo()
    Path(repo.git_dir, "HEAD").write_text("no reference\n")

    assert await everything(advertised.advertiser, advertised.repository(repo), []) == [None] * 3


async def test_reftables_are_for_git_and_not_mistaken_for_files(
    advertised: Advertised, make_repo: NewRepo
) -> None:
    plain, repo = make_repo(), make_repo()
    await advertised.advertiser.capabilities(advertised.repository(plain), [])
    text = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\trefStorage = reftable\n"
    Path(repo.git_dir, "config").write_text(text)

    found = await everything(advertised.advertiser, advertised.repository(repo), [])

    # git before 2.45 does not know them; later ones find no tables.
    assert found == [None] * 3
