"""Turns the record of a test run into a page: `python -m tests.report RUN.xml [AGAIN.xml …] PAGE.md`.

Of a test that was run again, the last record counts, and the page says so.
"""

import os
import platform
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

_PRINTED = re.compile(r"^.*(?:seed|killed).*$", re.IGNORECASE | re.MULTILINE)


def page_of(runs: Sequence[Path], now: datetime) -> str:
    """The page for JUnit records: the machine, the counts, and every test with its time and what it printed."""
    suites = [_suite(run) for run in runs]
    last = {
        (case.get("classname", ""), case.get("name", "")): case for suite in suites for case in suite.iter("testcase")
    }
    cases = [last[name] for name in sorted(last)]
    outcomes = Counter(_outcome(case) for case in cases)
    again = sum(len(suite.findall("testcase")) for suite in suites) - len(cases)
    lines = [
        "# What the long tests found",
        "",
        "Made by `make test-all`: the sizes and repetitions that `make test` and `make test-kafka` leave out.",
        "",
        f"* {now:%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}",
        f"* {outcomes['passed']} passed, {outcomes['failure'] + outcomes['error']} failed, "
        f"{outcomes['skipped']} skipped in {sum(float(suite.get('time', 0)) for suite in suites):.0f} s",
        *([f"* {again} of them were run again, and are told as the last time"] if again else []),
        "",
        "| test | outcome | seconds |",
        "| --- | --- | --- |",
    ]
    said = []
    for case in cases:
        name = (case.get("name") or "").replace("|", "\\|")
        lines.append(f"| {name} | {_outcome(case)} | {float(case.get('time', 0)):.0f} |")
        printed = case.find("system-out")
        if printed is not None and printed.text and (found := _PRINTED.findall(printed.text)):
            said += [f"* {name}: {'; '.join(line.strip() for line in found)}"]
    if said:
        lines += ["", "What they printed:", "", *said]
    return "\n".join(lines) + "\n"


def _suite(run: Path) -> ET.Element:
    suite = ET.parse(run).getroot().find("testsuite")  # noqa: S314  # our own file
    if suite is None:
        raise SystemExit(f"{run} holds no test suite")
    return suite


def _outcome(case: ET.Element) -> str:
    return next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")


def _processor() -> str:
    try:
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    *records, page = map(Path, sys.argv[1:])
    page.write_text(page_of(records, datetime.now(UTC)))
