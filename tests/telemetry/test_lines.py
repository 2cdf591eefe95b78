"""Lines of several processes in one file."""

from __future__ import annotations

import os
import select
import threading

from gitaly_py.telemetry.lines import Lines


def received(fd: int) -> bytes:
    data = b""
    while piece := os.read(fd, 1 << 20):
        data += piece
    return data


def test_nothing_is_written_before_it_is_asked_for() -> None:
    ours, theirs = os.pipe()
    lines = Lines(theirs)
    lines.write("one\n")
    assert select.select([ours], [], [], 0)[0] == []

    lines.write("two\n")
    lines.flush()
    os.close(theirs)

    assert received(ours) == b"one\ntwo\n"
    os.close(ours)


def test_much_is_written_by_itself() -> None:
    ours, theirs = os.pipe()
    lines = Lines(theirs)
    reader: list[bytes] = []
    thread = threading.Thread(target=lambda: reader.append(received(ours)))
    thread.start()

    for _ in range(3000):
        lines.write("x" * 99 + "\n")
    os.close(theirs)
    thread.join()

    assert len(reader[0]) > 3000 * 100 - 2 * 64 * 1024
    assert len(reader[0]) % 100 == 0
    os.close(ours)


def test_lines_of_several_writers_stay_whole() -> None:
    ours, theirs = os.pipe()
    reader: list[bytes] = []
    reading = threading.Thread(target=lambda: reader.append(received(ours)))
    reading.start()

    def write(mark: str) -> None:
        lines = Lines(theirs)
        for number in range(400):
            lines.write(mark * (number % 997 + 1) + "\n")
            if number % 23 == 0:
                lines.flush()
        lines.flush()

    writers = [threading.Thread(target=write, args=(mark,)) for mark in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    os.close(theirs)
    reading.join()

    found = reader[0].decode().splitlines()
    for mark in "abcd":
        own = [line for line in found if line[0] == mark]
        assert own == [mark * (number % 997 + 1) for number in range(400)]
    os.close(ours)


def test_a_line_longer_than_a_pipe_takes_at_once_is_written_whole() -> None:
    ours, theirs = os.pipe()
    lines = Lines(theirs)
    lines.write("a\n" + "b" * (2 * select.PIPE_BUF) + "\nc\n")
    lines.flush()
    os.close(theirs)

    assert received(ours) == b"a\n" + b"b" * (2 * select.PIPE_BUF) + b"\nc\n"
    os.close(ours)


def test_what_is_no_text_costs_no_entry() -> None:
    ours, theirs = os.pipe()
    lines = Lines(theirs)
    lines.write("\udcff\n")
    lines.flush()
    os.close(theirs)

    assert received(ours) == b"\\udcff\n"
    os.close(ours)
