"""The bench of the class page works: a tiny class, a moment of load, and the two figures as scripts read them."""

import json
import subprocess
import sys

import pytest

from tests.e2e.harness import ROOT, environment

pytestmark = pytest.mark.long
TINY = ["--students", "3", "--competencies", "2", "--seconds", "0.6", "--modes", "embedded"]


def test_the_bench_says_its_figures_as_json_lines_against_the_peer() -> None:
    command = [sys.executable, "-m", "tests.bench.class_page", *TINY]

    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["figure"] for line in lines] == ["class_page.embedded.requests_per_s", "class_page.embedded.p99_ms"]
    assert all(line["against"] == "peer" and line["value"] > 0 and line["ratio"] > 0 for line in lines)
