"""The bench of memory runs to its end at a very small size; what it measures then says nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def test_the_bench_of_memory_prints_a_line_for_each_of_its_figures() -> None:
    sizes = ["--students", "120", "--megabytes", "0.02", "0.05", "--seconds", "2"]

    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.memory", *sizes], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["figure"] for line in lines][:3] == [
        "memory.embedded.mb",
        "memory.load_0.02mb.growth_mb",
        "memory.load_0.05mb.growth_mb",
    ]
    assert all(line["against"] == "limit" and line["unit"] for line in lines)
    assert lines[0]["value"] > 0
