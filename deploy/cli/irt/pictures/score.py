"""Pictures of scored students."""

from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import ParameterFile
from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.assessment.domain.irt.models import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 3000


def distribution(theta: Floats, prior: ParameterFile | None) -> Picture:
    """How abilities are distributed, beside the prior where there is one."""

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        bins = min(60, max(5, round(2 * len(theta) ** (1 / 3))))
        _, edges, _ = axes.hist(theta, bins=bins, color=SERIES[0], label="students")
        if prior is not None:
            grid = np.linspace(min(edges[0], prior.mean - 3 * prior.sd), max(edges[-1], prior.mean + 3 * prior.sd), 200)
            density = np.exp(-0.5 * ((grid - prior.mean) / prior.sd) ** 2) / (prior.sd * np.sqrt(2 * np.pi))
            axes.plot(grid, density * len(theta) * (edges[1] - edges[0]), color=SERIES[1], label="prior")
            axes.legend()
        axes.set(xlabel="ability θ (logits)", ylabel="students")
        axes.grid(axis="x", visible=False)

    low, middle, high = (shown(one, 2) for one in np.quantile(theta, [0.05, 0.5, 0.95]))
    shrunken = " Expected and maximum a posteriori abilities vary less than the prior." if prior is not None else ""
    return picture(
        paint,
        alt=f"Histogram of {len(theta):,} abilities: median {middle}, nine in ten from {low} to {high}.",
        caption=f"Median {middle}; nine in ten students are between {low} and {high}.{shrunken}",
        height=3.0,
    )


def errors(theta: Floats, se: Floats, answers: "np.ndarray[Any, np.dtype[np.int64]]") -> Picture:
    """Standard errors by ability."""
    part = np.linspace(0, len(theta) - 1, min(MOST_POINTS, len(theta))).astype(int)
    best = int(np.argmin(se))

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot(theta[part], se[part], ".", color=SERIES[0], markersize=3.5, alpha=0.5)
        axes.axhline(float(se.mean()), color=MUTED, linewidth=0.8, linestyle="--")
        axes.set(xlabel="ability θ (logits)", ylabel="standard error (logits)")
        axes.set_ylim(0, float(np.quantile(se, 0.999)) * 1.15)

    return picture(
        paint,
        alt=f"Standard errors by ability: on average {shown(se.mean(), 2)}, smallest {shown(se[best], 2)} near ability "
        f"{shown(theta[best], 2)}.",
        caption=f"Dashed: the mean, {shown(se.mean(), 2)}. Students gave {answers.min()} to {answers.max()} answers."
        + (f" {len(part):,} of {len(theta):,} students are drawn." if len(part) < len(theta) else ""),
        height=3.0,
    )
