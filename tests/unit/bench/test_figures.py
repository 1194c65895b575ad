"""A bench's figures: a line of JSON each, and their place on the page."""

import json

import pytest

from tests.bench.figures import figure
from tests.bench.report import placed, table


@pytest.mark.parametrize(
    ("value", "other", "higher_is_better", "ratio"),
    [(5_500.0, 5_000, True, 1.1), (100.0, 150, False, 1.5), (300.0, 150, False, 0.5), (3.0, None, True, None)],
)
def test_a_ratio_above_one_is_better_whichever_way_the_unit_runs(
    capsys: pytest.CaptureFixture[str], value: float, other: float | None, higher_is_better: bool, ratio: float | None
) -> None:
    figure("a.b", value, "x", "limit", other, higher_is_better=higher_is_better)

    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "figure": "a.b", "value": value, "unit": "x", "against": "limit", "other": other, "ratio": ratio,
    }  # fmt: skip


def test_figures_are_written_into_their_own_place_alone() -> None:
    page = "one\n<!-- a: written by make -->\nold\n<!-- end of a -->\ntwo\n<!-- b: written by make --><!-- end of b -->"

    changed = placed(page, "a", "new")

    assert changed == page.replace("old", "new")


def test_a_place_that_is_not_there_is_an_error() -> None:
    with pytest.raises(LookupError):
        placed("nothing", "a", "new")


def test_a_figure_without_another_leaves_its_cells_empty() -> None:
    said = table([{"figure": "a", "value": 1.25, "unit": "ms", "against": "none", "other": None, "ratio": None}])

    assert said.splitlines()[-1] == "| a | 1.25 | ms |  |  |  |"
