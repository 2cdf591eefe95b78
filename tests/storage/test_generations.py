from __future__ import annotations

from gitaly_py.storage.generations import Generations, OwnTable
from gitaly_py.storage.removal import remove
from gitaly_py.storage.repository import Repository


def test_a_raised_generation_is_one_that_was_not_there_before() -> None:
    generations = Generations()
    seen = {generations.of("/a")}
    for _ in range(3):
        generations.raise_of("/a")
        assert generations.of("/a") not in seen
        seen.add(generations.of("/a"))


def test_other_repositories_keep_their_generation() -> None:
    generations = Generations()
    before = generations.of("/b")

    generations.raise_of("/a")

    assert generations.of("/b") == before


def test_forgetting_repositories_brings_no_former_generation_back() -> None:
    generations = Generations(OwnTable(known=2))
    seen: dict[str, set[int]] = {path: {generations.of(path)} for path in ("/a", "/b", "/c")}
    for path in ("/a", "/b", "/c", "/a", "/c", "/b", "/a"):
        generations.raise_of(path)
        assert generations.of(path) not in seen[path]
        for each, numbers in seen.items():
            numbers.add(generations.of(each))


def test_everyone_who_asked_is_told_of_a_raised_generation() -> None:
    generations = Generations()
    told: list[tuple[str, str]] = []
    generations.subscribe(lambda path: told.append(("first", path)))
    generations.subscribe(lambda path: told.append(("second", path)))

    generations.raise_of("/a")

    assert told == [("first", "/a"), ("second", "/a")]


async def test_removing_a_repository_ends_its_generation(repository: Repository) -> None:
    generations = Generations()
    before = generations.of(repository.path)

    await remove(repository, generations)

    assert generations.of(repository.path) != before
