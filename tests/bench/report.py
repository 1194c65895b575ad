"""Puts a bench's figures into docs/performance.md: `python -m tests.bench.report NAME FILE.jsonl`.

Each bench has a place of its own on the page, between two comments; only that is written anew.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.figures import machine

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def shown(value: float) -> str:
    """One decimal; four significant digits of what is small."""
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.4g}"


def table(figures: Sequence[Mapping[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = ["| figure | value | unit | against | | ratio |", "| --- | ---: | --- | --- | ---: | ---: |"]
    for one in figures:
        other = "" if one["other"] is None else f"{one['other']:,}"
        against = "" if one["against"] == "none" else one["against"]
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        lines.append(f"| {one['figure']} | {shown(one['value'])} | {one['unit']} | {against} | {other} | {ratio} |")
    return "\n".join(lines)


def placed(page: str, name: str, text: str) -> str:
    """The page with this text in the place of that name. LookupError when it has no such place."""
    begin, end = f"<!-- {name}: written by make -->", f"<!-- end of {name} -->"
    changed, places = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n{text}\n{end}", page, flags=re.DOTALL
    )
    if not places:
        raise LookupError(f"the page has no place for {name}")
    return changed


def main(name: str, file: str) -> None:
    """Write the figures in the file into the page."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    figures = [json.loads(line) for line in lines if line.startswith("{")]
    said = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n\n{table(figures)}"
    PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), name, said), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
