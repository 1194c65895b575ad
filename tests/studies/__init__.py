"""Studies: what the numbers are worth, on simulated and on real data. Each module writes a page of docs/studies/."""

from collections.abc import Iterable, Sequence
from pathlib import Path

PAGES = Path(__file__).parents[2] / "docs" / "studies"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write(name: str, text: str) -> None:
    """Write docs/studies/<name>.md."""
    PAGES.mkdir(exist_ok=True)
    (PAGES / f"{name}.md").write_text(text.strip() + "\n", encoding="utf-8")
