from __future__ import annotations

import pytest

from gitaly_py.storage.snapshot import shared_config

CORE = "[core]\n\trepositoryformatversion = 0\n"


@pytest.mark.parametrize(
    ("config", "shared"),
    [
        ("", ""),
        (CORE + "\tfilemode = true\n\tbare = true\n", CORE),
        (CORE + '[remote "origin"]\n\turl = https://user:secret@example.com/\n', CORE),
        ("[user]\n\tname = x\n" + CORE + "[core]\n\tbare = true\n", CORE + "[core]\n"),
        ("[Core]\n RepositoryFormatVersion=1", "[Core]\n RepositoryFormatVersion=1\n"),
        ("[core] repositoryformatversion = 1\n", "[core]\n repositoryformatversion = 1\n"),
        ("[core] bare = true\n", "[core]\n"),
        (
            '[extensions]\n\t; why\n\tobjectFormat = sha256\n[EXTENSIONS "x"]\n\ta = b\n',
            '[extensions]\n\t; why\n\tobjectFormat = sha256\n[EXTENSIONS "x"]\n\ta = b\n',
        ),
        ('[extensions "x\\"]"] a = b\n[http]\nproxy = p\n', '[extensions "x\\"]"] a = b\n'),
        ("[extensions]\na = b\n[http \nproxy = p\n", "[extensions]\na = b\n"),
        ("[corevalues]\n\trepositoryformatversion = 0\n", ""),
        ("repositoryformatversion = 0\n", ""),
        ("# [core]\nrepositoryformatversion = 0\n", ""),
        ("[core]\n\trepositoryformatversionx = 0\n", "[core]\n"),
    ],
)
def test_only_the_format_of_the_repository_is_shared(config: str, shared: str) -> None:
    assert shared_config(config.encode()) == shared.encode()
