"""Pictures of a link."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deploy.cli.irt.output import shown
from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.assessment.domain.irt.linking import Link
from services.assessment.domain.irt.models import Parameters, expected_score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 40


def common(before: Mapping[str, Parameters], after: Mapping[str, Parameters], found: Link) -> Picture:
    """Thresholds of the common items on both scales, and the line that links them."""
    points = [(x, y, name) for name in found.common for x, y in zip(before[name].b, after[name].b, strict=True)]
    away = max(abs(found.A * x + found.B - y) for x, y, _ in points)

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        line = np.array([min(x for x, _, _ in points), max(x for x, _, _ in points)])
        axes.plot(line, found.A * line + found.B, color=MUTED, label="θ_TO = A θ_FROM + B")
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o", color=SERIES[0], label="thresholds")
        for x, y, name in points[:NAMED]:
            axes.annotate(name, (x, y), xytext=(5, -3), textcoords="offset points", fontsize=7.5, color=MUTED)
        axes.set(xlabel="threshold b, FROM scale (logits)", ylabel="threshold b, TO scale (logits)")
        axes.legend(loc="upper left")

    return picture(
        paint,
        alt=f"Thresholds of {len(found.common)} common items on both scales; the farthest is "
        f"{shown(away, 2)} from the line.",
        caption=f"The farthest threshold is {shown(away, 2)} logits from the line.",
        height=4.2,
    )


def curves(before: Mapping[str, Parameters], after: Mapping[str, Parameters], found: Link) -> Picture:
    """Expected scores on the common items, FROM moved to the TO scale."""
    theta = np.linspace(-4, 4, 161)
    moved = sum(expected_score(found.item(before[name]), theta) for name in found.common)
    other = sum(expected_score(after[name], theta) for name in found.common)
    gap = float(np.abs(moved - other).max())

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot(theta, other, color=SERIES[0], label="TO")
        axes.plot(theta, moved, color=SERIES[1], linestyle="--", label="FROM, moved")
        axes.set(xlabel="ability θ on the TO scale (logits)", ylabel="expected score")
        axes.legend(loc="upper left")

    return picture(
        paint,
        alt=f"Expected scores on the common items by ability; the two curves differ by at most {shown(gap, 2)} points.",
        caption=f"Expected score on the common items: at most {shown(gap, 2)} points apart.",
    )
