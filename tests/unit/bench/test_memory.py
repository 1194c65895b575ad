"""What the bench of memory counts, and the files it loads."""

import csv
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.bench.material import write
from tests.bench.memory import Sampled, cut, proportional


def holding(megabytes: int) -> "subprocess.Popen[bytes]":
    """A process that holds so much, and says so."""
    program = f"held = bytes({megabytes}) * 1_000_000; print('.', flush=True); input()"
    return subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_the_highest_sum_of_all_processes_is_kept() -> None:
    with holding(40) as first, holding(30) as second:
        assert first.stdout
        assert second.stdout
        first.stdout.read(1)
        second.stdout.read(1)
        sampled = Sampled()

        sampled.take([psutil.Process(first.pid), psutil.Process(second.pid)])
        both = sampled.peak
        sampled.take([psutil.Process(second.pid)])

        first.communicate(b"\n")
        second.communicate(b"\n")
    assert both > 70
    assert sampled.peak == both
    assert len(sampled.by_process) == 2


def test_a_process_that_ended_counts_nothing() -> None:
    with holding(1) as process:
        found = psutil.Process(process.pid)
        process.communicate(b"\n")

    assert proportional(found) is None


def test_postgresql_counts_nothing(tmp_path: Path) -> None:
    named = tmp_path / "postgres"
    named.symlink_to("/bin/sleep")
    with subprocess.Popen([str(named), "60"]) as process:
        found = psutil.Process(process.pid)

        counted = found.name(), proportional(found)
        process.kill()

    assert counted == ("postgres", None)


def test_a_file_of_answers_is_cut_into_files_of_different_sheets(tmp_path: Path) -> None:
    whole = write(tmp_path, sheets=300, items=40, seed=1).answers
    lines = whole.read_bytes().splitlines()
    header = lines[:1]

    first, second = cut(whole, [5_000, 15_000])

    rows = [part.read_bytes().splitlines() for part in (first, second)]
    assert rows[0] + rows[1][len(header) :] == lines[: len(rows[0]) + len(rows[1]) - len(header)]
    assert rows[1][: len(header)] == header
    longest = max(map(len, lines)) + 1
    assert [5_000 <= first.stat().st_size < 5_000 + longest, 15_000 <= second.stat().st_size < 15_000 + longest] == [
        True,
        True,
    ]


def test_more_than_there_is_cannot_be_cut(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text("a,b\n1,2\n")

    with pytest.raises(AssertionError, match="too few sheets"):
        list(cut(file, [100]))
    assert list(csv.reader(file.read_text().splitlines())) == [["a", "b"], ["1", "2"]]
