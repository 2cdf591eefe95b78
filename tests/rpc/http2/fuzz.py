"""A fuzz target for HTTP/2 and gRPC requests: `python -m tests.rpc.http2.fuzz --seconds 3600`.

Sessions of well-behaved clients are changed a little and given to the core, in one piece and in many. Inputs
with a new outcome are kept and changed further. Whatever must always hold is checked after each step (see
`Driver.check`), any split must give the same, and no input may take longer than it deserves. A finding is
printed, and saved as a file that `--replay` takes.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

from gitaly_py.rpc.http2.connection import Connection
from gitaly_py.rpc.http2.events import ConnectionFailed, Event
from gitaly_py.rpc.http2.limits import Limits
from gitaly_py.rpc.http2.messages import MessageError, MessageReader, gunzip
from tests.support.http2_driver import MAX_MESSAGE, Driver, Violation, holds
from tests.support.http2_inputs import Octets, cuts, mutated, session

LIMITS = (
    Limits(),
    Limits(stream_window=65535, connection_window=65535),
    Limits(stream_window=65535, connection_window=1 << 20),
    Limits(
        max_streams=3, max_header_list=2000, max_continuations=5, max_frame=16384, resets=20, settings=20,
        empty_frames=50, ping_strikes=3, stream_window=70000, connection_window=100_000,
    ),
)  # fmt: skip
SEEDS = 300
CORPUS = 3000
KEPT_BYTES = 50_000
CPU_SECONDS = 2.0
MEMORY_BYTES = 512 << 20
REPORT_SECONDS = 60.0

Outcome = frozenset[object]


@dataclass
class Input:
    """What is executed. choice: the number that all other decisions follow from."""

    octets: bytes
    choice: int

    def save(self, folder: Path) -> Path:
        """Writes a file for `load`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"http2-{self.choice:08x}-{len(self.octets)}.json"
        path.write_text(json.dumps({"octets": self.octets.hex(), "choice": self.choice}))
        return path

    @classmethod
    def load(cls, path: Path) -> Input:
        """Reads what `save` wrote."""
        saved = json.loads(path.read_text())
        return cls(bytes.fromhex(saved["octets"]), saved["choice"])


def execute(given: Input) -> Outcome:
    """Raises Violation, or whatever else must not happen; returns what tells this input from others."""
    rng = Random(given.choice)
    limits = rng.choice(LIMITS)
    with bounded_time():
        events = compare_splits(rng, limits, given.octets)
        driver = Driver(limits, rng)
        driver.ledger.granted(given.octets)
        seen = []
        for part in cuts(rng, given.octets):
            seen += driver.receive(part)
        driver.finish()
        for parts in driver.bodies.values():
            compare_messages(rng, b"".join(parts))
    return frozenset(map(kind_of, events + seen))


def kind_of(event: Event) -> object:
    """Events of one kind lead along the same ways."""
    return (
        event.reason if isinstance(event, ConnectionFailed) else (type(event), getattr(event, "ended", None))
    )


def compare_splits(rng: Random, limits: Limits, octets: bytes) -> list[Event]:
    """What a connection that nobody drives says and answers, however the octets come."""
    whole, apart = (Connection(limits, clock=lambda: 0.0) for _ in range(2))
    events = whole.receive(octets)
    parts = [event for part in cuts(rng, octets) for event in apart.receive(part)]
    holds(events == parts, "another split gives other events")
    holds(b"".join(whole.take(1 << 30)) == b"".join(apart.take(1 << 30)), "another split gives other answers")
    return events


def compare_messages(rng: Random, body: bytes) -> None:
    """The messages of a body, however it is cut."""
    whole = messages_of([body])
    holds(whole == messages_of(cuts(rng, body)), "another split gives other messages")


def messages_of(parts: Iterator[bytes] | list[bytes]) -> list[object]:
    """The messages up to the first fault, which is the last item then."""
    reader = MessageReader(MAX_MESSAGE, gunzip)
    messages: list[object] = []
    try:
        for part in parts:
            messages.extend(reader.feed(part))
    except MessageError as error:
        messages.append(str(error))
    return messages


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise Violation(f"more than {CPU_SECONDS} seconds for one input")


@contextmanager
def bounded_time() -> Iterator[None]:
    """Raises Violation within what takes longer than any input deserves, by the processor's clock."""
    before = signal.signal(signal.SIGVTALRM, _too_slow)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


class Fuzzer:
    """Executes changed sessions until time is over. findings: where inputs with a finding are saved."""

    def __init__(self, seed: int, findings: Path) -> None:
        self._rng = Random(seed)
        self._findings = findings
        self._corpus: list[Octets] = [session(self._rng) for _ in range(SEEDS)]
        self._seen: set[Outcome] = set()
        self.executions = 0
        self.found: list[Path] = []

    def step(self) -> None:
        """One execution."""
        rng = self._rng
        frames = mutated(rng, rng.choice(self._corpus), rng.choice(self._corpus))
        given = Input(b"".join(frames), rng.getrandbits(32))
        self.executions += 1
        try:
            outcome = execute(given)
        except Exception:
            self.found.append(given.save(self._findings))
            print(f"finding: {self.found[-1]}\n{traceback.format_exc()}", flush=True)
            return
        if outcome not in self._seen:
            self._seen.add(outcome)
            self._keep(frames)
        elif not self.executions % 200:
            self._keep(session(rng))

    def _keep(self, frames: Octets) -> None:
        if sum(map(len, frames)) > KEPT_BYTES:
            return
        if len(self._corpus) < CORPUS:
            self._corpus.append(frames)
        else:
            self._corpus[self._rng.randrange(CORPUS)] = frames

    def run(self, seconds: float) -> None:
        """Steps for so long, and says now and then how far it is."""
        began = reported = time.monotonic()
        while (now := time.monotonic()) - began < seconds:
            for _ in range(100):
                self.step()
            if now - reported >= REPORT_SECONDS:
                reported = now
                print(self.progress(now - began), flush=True)
            if _memory() > MEMORY_BYTES:
                self.found.append(Path("memory"))
                print(f"finding: {_memory()} bytes of memory in use", flush=True)
                break
        print(self.progress(time.monotonic() - began), flush=True)

    def progress(self, seconds: float) -> str:
        """One line."""
        return (
            f"{seconds:.0f} s: {self.executions} executions, {self.executions / seconds:.0f} a second, "
            f"{len(self._seen)} outcomes, {_memory() >> 20} MiB, {len(self.found)} findings"
        )


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description="Fuzzes the HTTP/2 core.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--findings", type=Path, default=Path("var/fuzz"))
    parser.add_argument("--replay", type=Path, default=None, help="a saved finding, executed once")
    options = parser.parse_args()
    if options.replay:
        print(sorted(map(str, execute(Input.load(options.replay)))))
        return 0
    seed = options.seed if options.seed is not None else Random().getrandbits(32)
    print(f"seed {seed}", flush=True)
    fuzzer = Fuzzer(seed, options.findings)
    fuzzer.run(options.seconds)
    return 1 if fuzzer.found else 0


if __name__ == "__main__":
    sys.exit(main())
