"""Which worker has which pack; lives where all workers can ask.

The first that asks for a pack leads: it makes the pack, in a file that others follow. What a worker leads is
gone when that worker is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gitaly_py.packs.leases.messages import (
    UNKNOWN,
    Began,
    Completed,
    Follow,
    Followed,
    Follows,
    FromWorker,
    Gone,
    Lead,
    Left,
    Seek,
    ToWorker,
)


@dataclass(eq=False)
class _Lease:
    """A pack. path: empty until its leader has a file. seekers: who has asked before, and their questions."""

    leader: Reader
    path: str = ""
    size: int = UNKNOWN
    followers: set[Reader] = field(default_factory=set)
    seekers: list[tuple[Reader, int]] = field(default_factory=list)


class Ledger:
    """The packs of all workers, by key."""

    def __init__(self) -> None:
        self._leases: dict[str, _Lease] = {}

    def __len__(self) -> int:
        return len(self._leases)

    def reader(self, answer: Callable[[ToWorker], None]) -> Reader:
        """A worker. answer: sends a message there."""
        return Reader(self, answer)

    def seek(self, reader: Reader, number: int, key: str) -> None:
        """Answers a question, as soon as there is a file to be read."""
        lease = self._leases.get(key)
        if lease is None or lease.leader is reader:
            self._leases[key] = _Lease(reader)
            reader.answer(Lead(number))
        elif lease.path:
            self._follow(lease, reader, number, key)
        else:
            lease.seekers.append((reader, number))

    def began(self, reader: Reader, key: str, path: str) -> None:
        """Lets those follow who have asked meanwhile.

        A pack that nobody has asked for is one of a former ledger.
        """
        lease = self._leases.setdefault(key, _Lease(reader))
        if lease.leader is reader:
            lease.path = path
            seekers, lease.seekers = lease.seekers, []
            for seeker, number in seekers:
                self._follow(lease, seeker, number, key)

    def completed(self, reader: Reader, key: str, size: int) -> None:
        """Tells those who follow."""
        lease = self._led(reader, key)
        if lease is not None:
            lease.size = size
            for follower in lease.followers:
                follower.answer(Completed(key, size))

    def gone(self, reader: Reader, key: str) -> None:
        """Tells those who follow; of those who wait for a file the first one leads."""
        lease = self._led(reader, key)
        if lease is None:
            return
        del self._leases[key]
        for follower in lease.followers:
            follower.answer(Gone(key))
        for seeker, number in lease.seekers:
            self.seek(seeker, number, key)

    def follows(self, reader: Reader, key: str) -> None:
        """Goes on with what a former ledger has answered."""
        lease = self._leases.get(key)
        if lease is None or not lease.path or lease.leader is reader:
            reader.answer(Gone(key))
            return
        lease.followers.add(reader)
        lease.leader.answer(Followed(key, len(lease.followers)))
        if lease.size != UNKNOWN:
            reader.answer(Completed(key, lease.size))

    def left(self, reader: Reader, key: str) -> None:
        """Tells the leader how many still follow."""
        lease = self._leases.get(key)
        if lease is not None and reader in lease.followers:
            lease.followers.discard(reader)
            lease.leader.answer(Followed(key, len(lease.followers)))

    def forget(self, reader: Reader) -> None:
        """A worker has ended."""
        for key, lease in list(self._leases.items()):
            self.left(reader, key)
            lease.seekers = [seeker for seeker in lease.seekers if seeker[0] is not reader]
            self.gone(reader, key)

    def _led(self, reader: Reader, key: str) -> _Lease | None:
        lease = self._leases.get(key)
        return lease if lease is not None and lease.leader is reader else None

    def _follow(self, lease: _Lease, reader: Reader, number: int, key: str) -> None:
        lease.followers.add(reader)
        reader.answer(Follow(number, lease.path, lease.size))
        lease.leader.answer(Followed(key, len(lease.followers)))


class Reader:
    """A worker, as the ledger knows it. answer: sends a message there."""

    def __init__(self, ledger: Ledger, answer: Callable[[ToWorker], None]) -> None:
        self._ledger = ledger
        self.answer = answer

    def receive(self, message: FromWorker) -> None:
        """Takes a message of the worker."""
        match message:
            case Seek(number, key):
                self._ledger.seek(self, number, key)
            case Began(key, path):
                self._ledger.began(self, key, path)
            case Completed(key, size):
                self._ledger.completed(self, key, size)
            case Gone(key):
                self._ledger.gone(self, key)
            case Follows(key):
                self._ledger.follows(self, key)
            case Left(key):
                self._ledger.left(self, key)

    def close(self) -> None:
        """The worker has ended."""
        self._ledger.forget(self)
