"""Reports: one file, nothing fetched, nothing run, readable by everyone."""

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from deploy.cli.report import Facts, Section, Table, Text, page, picture
from deploy.cli.report.palette import DARK, LIGHT, VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def paint(figure: "Figure") -> None:
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], label="$a_1$ & <b>")
    axes.fill_between([0, 1], [0, 1])
    axes.legend()


@pytest.fixture(scope="module")
def html() -> str:
    parts = [
        Text("a < b & c"),
        Facts({"Students": "1,000", "<script>": None}),
        Table(("item", "a"), [("<i>", "−0.12"), ("y", None)], "Items"),
        picture(paint, alt='A "line" from 0 to 1', caption="The caption"),
        picture(paint, alt="The same line"),
    ]
    return page("Title & more", [Section("First", parts), Section("Second")], subtitle="below")


def test_a_page_needs_nothing_else(html: str) -> None:
    assert "<script" not in html
    assert not re.search(r"<(link|iframe|object|img)\b", html)
    assert not re.search(r"""(src|href)=["']https?:""", html)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html


def test_what_is_written_is_text(html: str) -> None:
    assert "a &lt; b &amp; c" in html
    assert "&lt;script&gt;" in html
    assert "<td>&lt;i&gt;</td>" in html
    assert "$a_1$ &amp; &lt;b&gt;" in html


def test_every_picture_has_words_and_is_well_formed(html: str) -> None:
    figures = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)

    assert len(figures) == 2
    assert 'role="img" aria-label="A &quot;line&quot; from 0 to 1"' in figures[0]
    for figure in figures:
        ElementTree.fromstring(figure)  # noqa: S314  # our own page


def test_no_two_elements_share_an_identifier(html: str) -> None:
    names = re.findall(r'\bid="([^"]+)"', html)

    assert len(names) == len(set(names))
    assert {one[1:] for one in re.findall(r'xlink:href="([^"]+)"', html)} <= set(names)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(names)


def test_colours_are_the_pages_own_in_light_and_dark(html: str) -> None:
    assert not any(stand_in in html for stand_in in VARIABLES)
    assert set(VARIABLES.values()) <= set(LIGHT)
    assert set(LIGHT) == set(DARK)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("role", "least"), [("--ink", 7.0), ("--muted", 4.5), *((f"--series-{n}", 3.0) for n in range(1, 7))]
)
def test_contrast_is_enough_to_read(theme: dict[str, str], role: str, least: float) -> None:
    one, other = sorted((luminance(theme[role]), luminance(theme["--paper"])))

    assert (other + 0.05) / (one + 0.05) >= least


def test_numbers_are_set_to_the_right_and_names_are_not(html: str) -> None:
    assert '<th scope="col">item</th><th scope="col" class="number">a</th>' in html
    assert '<td class="number">−0.12</td>' in html


def test_the_same_drawing_gives_the_same_bytes_but_for_its_identifiers() -> None:
    one, other = (re.sub(r"p\d+-", "", picture(paint, alt="x").svg) for _ in range(2))

    assert one == other
