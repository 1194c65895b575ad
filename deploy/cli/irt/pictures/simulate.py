"""Pictures of simulated adaptive tests."""

from typing import TYPE_CHECKING

import numpy as np

from deploy.cli.irt.output import shown
from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.simulation import Simulated

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 1500
BINS = 20


def accuracy(true: Floats, found: Simulated) -> Picture:
    """Estimates beside true abilities, and the standard errors stated beside the errors made."""
    part = slice(0, MOST_POINTS)
    edges = np.quantile(true, np.linspace(0, 1, min(BINS, max(1, len(true) // 20)) + 1))
    place = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, len(edges) - 2)
    count = np.bincount(place, minlength=len(edges) - 1)
    middle = np.bincount(place, true) / np.maximum(count, 1)
    made = np.sqrt(np.bincount(place, (found.theta - true) ** 2) / np.maximum(count, 1))
    stated = np.bincount(place, found.se) / np.maximum(count, 1)

    def paint(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        ends = [float(true.min()), float(true.max())]
        left.plot(ends, ends, color=MUTED, linewidth=0.8)
        left.plot(true[part], found.theta[part], ".", color=SERIES[0], markersize=3, alpha=0.5)
        left.set(xlabel="true ability (logits)", ylabel="estimate (logits)", title="Estimates")
        right.plot(middle, made, "o-", color=SERIES[1], markersize=3.5, label="error made (RMSE)")
        right.plot(middle, stated, color=SERIES[0], label="error stated (mean SE)")
        right.set(xlabel="true ability (logits)", title="Errors (logits)")
        right.set_ylim(bottom=0)
        right.legend()

    worst = int(np.argmax(made))
    return picture(
        paint,
        alt=f"Left: estimates by true ability. Right: the error made by true ability, at most "
        f"{shown(made[worst], 2)} near {shown(middle[worst], 1)}, beside the standard error stated.",
        caption=f"Left: the first {min(MOST_POINTS, len(true)):,} students. Right: all students, in {len(made)} groups "
        "of true ability.",
        height=3.4,
    )


def lengths(true: Floats, found: Simulated) -> Picture:
    """How many items tests had, and for whom."""
    values, counts = np.unique(found.length, return_counts=True)

    def paint(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        left.bar(values, counts, width=0.9, color=SERIES[0])
        left.set(xlabel="items", ylabel="students", title="Length of the tests")
        left.grid(axis="x", visible=False)
        right.plot(true[:MOST_POINTS], found.length[:MOST_POINTS], ".", color=SERIES[0], markersize=3, alpha=0.5)
        right.set(xlabel="true ability (logits)", ylabel="items", title="Length by ability")
        right.set_ylim(bottom=0)

    return picture(
        paint,
        alt=f"Lengths of the tests: {found.length.min()} to {found.length.max()} items, on average "
        f"{shown(found.length.mean(), 1)}; left as a histogram, right by true ability.",
        caption=f"{shown(found.length.mean(), 1)} items on average.",
        height=3.2,
    )


def exposure(rates: Floats, limit: float | None) -> Picture:
    """The part of the students that saw each item, the most used first."""
    ordered = np.sort(rates)[::-1]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.fill_between(np.arange(1, len(ordered) + 1), ordered, step="mid", color=SERIES[0], linewidth=0)
        if limit is not None:
            axes.axhline(limit, color=SERIES[1], linestyle="--", label=f"limit {limit:g}")
            axes.legend()
        axes.set(xlabel="items, the most used first", ylabel="part of the students")
        axes.set_ylim(bottom=0)
        axes.grid(axis="x", visible=False)

    return picture(
        paint,
        alt=f"Exposure of {len(ordered)} items in falling order, the highest {shown(ordered[0], 2)}; "
        f"{int((ordered == 0).sum())} items were never used.",
        caption=f"The most used item was seen by {shown(100 * ordered[0], 0)} % of the students; "
        f"{int((ordered == 0).sum())} items were never used.",
        height=2.8,
    )
