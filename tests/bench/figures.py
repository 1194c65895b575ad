"""How a bench says what it found: one JSON object on a line of standard output for each figure."""

import json
import platform
import sys
from pathlib import Path

import psutil


def figure(name: str, value: float, unit: str, against: str, other: float | None, *, higher_is_better: bool) -> None:
    """Print a figure beside what it is held against; the ratio is above 1 where the figure is the better one.

    `against` says what `other` is: a floor, a peer or a limit. Without an `other` the figure is only reported.
    """
    ratio = None
    if other is not None:
        better, worse = (value, other) if higher_is_better else (other, value)
        ratio = round(better / worse, 4) if worse else None
    line = {"figure": name, "value": round(value, 4), "unit": unit, "against": against, "other": other, "ratio": ratio}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line for whoever watches."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def machine() -> str:
    """Processor, cores, memory and Python, for the page that keeps the figures."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = psutil.virtual_memory().total / 2**30
    return f"{model}, {psutil.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"
