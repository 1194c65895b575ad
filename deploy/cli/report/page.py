"""A page of text, tables and pictures as one HTML file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import assert_never

from deploy.cli.report.palette import DARK, LIGHT, declared

NUMBER = re.compile(r"[−+<>≥≤~]?\s?[\d.,]+\s?%?|–")


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; None is a dash. A column in which every cell is a number is set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing; `alt` says in words what is to be seen."""

    svg: str
    alt: str
    caption: str = ""


Part = Text | Facts | Table | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    heading: str
    parts: Sequence[Part] = field(default_factory=tuple)


def page(title: str, sections: Sequence[Section], *, subtitle: str = "") -> str:
    """One HTML file that needs nothing else: no script, no network, light and dark, fit for print."""
    below = f'<p class="subtitle">{escape(subtitle)}</p>' if subtitle else ""
    body = "\n".join(_section(section, number) for number, section in enumerate(sections, start=1))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<header><h1>{escape(title)}</h1>{below}</header>
{body}
</main>
</body>
</html>
"""


def _section(section: Section, number: int) -> str:
    parts = "\n".join(_part(part) for part in section.parts)
    name = f"section-{number}"
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{escape(section.heading)}</h2>\n{parts}\n</section>'


def _part(part: Part) -> str:
    match part:
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Facts(facts):
            rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{_cell(one)}</dd></div>" for name, one in facts.items())
            return f"<dl>{rows}</dl>"
        case Table():
            return _table(part)
        case Picture(svg, alt, caption):
            below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
            return f'<figure><div role="img" aria-label="{escape(alt)}">{svg}</div>{below}</figure>'
        case _:
            assert_never(part)


def _table(table: Table) -> str:
    numeric = [
        bool(table.rows) and all(NUMBER.fullmatch(_plain(row[place])) for row in table.rows)
        for place in range(len(table.columns))
    ]
    right = ["" if not one else ' class="number"' for one in numeric]
    head = "".join(
        f'<th scope="col"{side}>{escape(name)}</th>' for name, side in zip(table.columns, right, strict=True)
    )
    body = "\n".join(
        "<tr>" + "".join(f"<td{side}>{_cell(cell)}</td>" for cell, side in zip(row, right, strict=True)) + "</tr>"
        for row in table.rows
    )
    label = escape(table.caption or ", ".join(table.columns))
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="table" role="region" aria-label="{label}" tabindex="0"><table>{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _plain(cell: object) -> str:
    return "–" if cell is None else str(cell)


def _cell(cell: object) -> str:
    return escape(_plain(cell))


_STYLE = f"""
:root {{ {declared(LIGHT)}; }}
@media (prefers-color-scheme: dark) {{ :root {{ {declared(DARK)}; }} }}
@media print {{ :root {{ {declared(LIGHT)}; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
main {{ max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 0; }}
h2 {{ font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--grid); }}
p {{ max-width: 44rem; margin: .5rem 0; }}
.subtitle, figcaption, caption {{ color: var(--muted); }}
dl {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .25rem 1.5rem;
  margin: .75rem 0; }}
dl div {{ border-bottom: 1px solid var(--grid); padding: .3rem 0; }}
dt {{ color: var(--muted); font-size: .85rem; }}
dd {{ margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
figure {{ margin: 1rem 0 1.5rem; break-inside: avoid; }}
figure svg {{ display: block; width: 100%; height: auto; }}
figcaption {{ font-size: .875rem; max-width: 44rem; margin-top: .25rem; }}
.table {{ overflow-x: auto; margin: .75rem 0 1.25rem; }}
table {{ border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; padding-bottom: .35rem; }}
th, td {{ text-align: left; padding: .3rem .75rem; border-bottom: 1px solid var(--grid); white-space: nowrap; }}
th {{ color: var(--muted); font-weight: 600; }}
th:first-child, td:first-child {{ padding-left: 0; }}
.number {{ text-align: right; }}
tbody tr:hover {{ background: var(--soft); }}
:focus-visible {{ outline: 2px solid var(--series-1); outline-offset: 2px; }}
@media print {{ main {{ max-width: none; padding: 0; }} .table {{ overflow: visible; }} tr {{ break-inside: avoid; }} }}
"""
