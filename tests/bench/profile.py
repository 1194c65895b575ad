"""Where the processor's time goes: samples of every Python process of a platform while a bench runs (py-spy)."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import meter
from tests.e2e.harness import Platform

SAMPLER = Path(sys.executable).with_name("py-spy")
SAMPLES_PER_SECOND = 200
LEAST_SHARE = 0.02
MOST_LINES = 14
_OURS = ("services/", "shared/")
_FEWEST_SAMPLES = 50


@contextmanager
def sampled(platform: Platform, folder: Path) -> Iterator[dict[str, Path]]:
    """Samples by process of the platform, in files of folded stacks that are complete when the block has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    samplers = []
    for part, process in meter.parts(platform):
        if "python" not in process.name() or part == "keeper":
            continue
        name = f"{part}, process {process.pid}"
        file = found[name] = folder / f"{name.replace(', ', '-').replace(' ', '-')}.folded"
        command = [str(SAMPLER), "record", "--pid", str(process.pid), "--rate", str(SAMPLES_PER_SECOND)]
        samplers.append(
            subprocess.Popen(
                [*command, "--format", "raw", "--output", str(file), "--nonblocking"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    try:
        yield found
    finally:
        for one in samplers:
            one.send_signal(signal.SIGINT)  # it writes what it has
        for one in samplers:
            one.wait(30)


def told(part: str, file: Path) -> str:
    """The functions of ours in which a part spends most of its busy time, those they call included, as Markdown."""
    inclusive: Counter[str] = Counter()
    total = 0
    for line in file.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rsplit(":", 1)[0] for frame in stack.split(";")]
        if any("threading.py" in frame for frame in frames[-2:]):
            continue  # a thread that waits for work
        total += int(count)
        for frame in set(frames):
            inclusive[frame] += int(count)
    if total < _FEWEST_SAMPLES:
        return ""
    lines = [f"**{part}**, {total} samples", "", "| share | function |", "| ---: | --- |"]
    ours = [(frame, count) for frame, count in inclusive.most_common() if any(place in frame for place in _OURS)]
    for frame, count in ours[:MOST_LINES]:
        if count / total >= LEAST_SHARE:
            lines.append(f"| {count / total:.0%} | `{frame.replace(' (', '` in `').rstrip(')')}` |")
    return "\n".join(lines) + "\n"
