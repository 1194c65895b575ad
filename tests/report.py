"""Turns the record of a test run into a page: `python -m tests.report RUN.xml PAGE.md`."""

import os
import platform
import re
import sys
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import psutil

_PRINTED = re.compile(r"^.*(?:seed|killed).*$", re.IGNORECASE | re.MULTILINE)


def page_of(run: Path, now: datetime) -> str:
    """The page for a JUnit record: the machine, the counts, and every test with its time and what it printed."""
    suite = ET.parse(run).getroot().find("testsuite")  # noqa: S314  # our own file
    if suite is None:
        raise SystemExit(f"{run} holds no test suite")
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    lines = [
        "# What the long tests found",
        "",
        "Made by `make test-all`: the sizes and repetitions that `make test` and `make test-kafka` leave out.",
        "",
        f"* {now:%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()}, Python {platform.python_version()}",
        f"* {total - failed - skipped} passed, {failed} failed, {skipped} skipped "
        f"in {float(suite.get('time', 0)):.0f} s",
        "",
        "| test | outcome | seconds |",
        "| --- | --- | --- |",
    ]
    said = []
    for case in sorted(suite.iter("testcase"), key=lambda case: (case.get("classname", ""), case.get("name", ""))):
        bad = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
        name = (case.get("name") or "").replace("|", "\\|")
        lines.append(f"| {name} | {bad[0] if bad else 'passed'} | {float(case.get('time', 0)):.0f} |")
        printed = case.find("system-out")
        if printed is not None and printed.text and (found := _PRINTED.findall(printed.text)):
            said += [f"* {name}: {'; '.join(line.strip() for line in found)}"]
    if said:
        lines += ["", "What they printed:", "", *said]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    try:
        names = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(page_of(Path(sys.argv[1]), datetime.now(UTC)))
