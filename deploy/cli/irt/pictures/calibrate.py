"""Pictures of a calibration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deploy.cli.irt.output import shown
from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import INK, MUTED, SERIES
from services.assessment.domain.irt.models import Floats, Parameters, probabilities
from services.assessment.domain.irt.models import information as item_information

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PANELS = 40
COLUMNS = 5
NAMED = 45

Latent = Sequence[tuple[str, float, float]]
"""Name, mean and standard deviation of each group."""


def wright(names: Sequence[str], items: Sequence[Parameters], latent: Latent) -> Picture:
    """Abilities on the left, thresholds on the right, on one scale (Wright & Stone 1979)."""
    thresholds = sorted(
        (b, name if len(item.b) == 1 else f"{name} {step}")
        for name, item in zip(names, items, strict=True)
        for step, b in enumerate(item.b, start=1)
    )
    low = min([mean - 3.2 * sd for _, mean, sd in latent])
    high = max([mean + 3.2 * sd for _, mean, sd in latent])
    inside = [(b, name) for b, name in thresholds if low - 1.5 <= b <= high + 1.5]
    outside = len(thresholds) - len(inside)
    low, high = min([low, *(b for b, _ in inside)]), max([high, *(b for b, _ in inside)])
    grid = np.linspace(low, high, 241)

    def paint(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
        for (name, mean, sd), colour in zip(latent, SERIES * len(latent), strict=False):
            density = np.exp(-0.5 * ((grid - mean) / sd) ** 2) / sd
            left.fill_betweenx(grid, -density, 0, color=colour, alpha=0.35, linewidth=0)
            left.plot(-density, grid, color=colour, label=name)
        if len(latent) > 1:
            left.legend(loc="lower left")
        left.set(title="Abilities", ylabel="logits")
        left.set_xticks([])
        places = _side_by_side([b for b, _ in inside], (high - low) / 30)
        right.plot(places, [b for b, _ in inside], "_", color=SERIES[1], markersize=9, markeredgewidth=2)
        longest = max(4, round(62 / (max(places, default=0) + 1.5)) - 2)
        if len(inside) <= NAMED:
            for (b, name), place in zip(inside, places, strict=True):
                short = name if len(name) <= longest else f"{name[: longest - 1]}…"
                right.annotate(short, (place, b), xytext=(7, -3), textcoords="offset points", fontsize=7.5, color=INK)
        right.set_title("Thresholds of the items")
        right.set_xticks([])
        right.set_xlim(-0.5, max(places, default=0) + 1.5)
        right.spines["left"].set_visible(False)
        right.tick_params(axis="y", left=False)

    easiest, hardest = thresholds[0], thresholds[-1]
    return picture(
        paint,
        alt=f"Distribution of abilities beside {len(thresholds)} thresholds, from {easiest[1]} at "
        f"{shown(easiest[0], 2)} to {hardest[1]} at {shown(hardest[0], 2)} logits.",
        caption="Wright map: a student as far up as a threshold has an even chance of passing it (without guessing)."
        + (f" Outside the picture: {outside} of {len(thresholds)} thresholds." if outside else ""),
        height=4.6,
    )


def _side_by_side(heights: Sequence[float], apart: float) -> list[int]:
    """The first column in which each mark is clear of the one below it."""
    tops: list[float] = []
    places = []
    for height in heights:
        place = next((one for one, top in enumerate(tops) if height - top >= apart), len(tops))
        tops[place : place + 1] = [height]
        places.append(place)
    return places


def information(items: Sequence[Parameters], latent: Latent) -> Picture:
    """Information of the whole test, and the standard error of measurement it leaves."""
    reach = max(4.0, *(abs(mean) + 3 * sd for _, mean, sd in latent))
    theta = np.linspace(-reach, reach, 201)
    told: Floats = np.sum([item_information(item, theta) for item in items], axis=0)
    error = 1 / np.sqrt(np.maximum(told, 1e-12))
    best = int(np.argmax(told))

    def paint(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2)
        left.plot(theta, told)
        left.set(title="Test information", xlabel="ability θ (logits)", ylabel="per squared logit")
        left.set_ylim(bottom=0)
        right.plot(theta, error, color=SERIES[1])
        right.set(title="Standard error of measurement", xlabel="ability θ (logits)", ylabel="logits")
        right.set_ylim(0, min(float(error.max()) * 1.05, 4 * float(error.min())))
        for axes in (left, right):
            for _, mean, _ in latent:
                axes.axvline(mean, color=MUTED, linewidth=0.8, linestyle=":")

    return picture(
        paint,
        alt=f"Test information by ability, highest ({shown(told[best], 1)}) at {shown(theta[best], 1)}, and the "
        f"standard error of measurement, smallest ({shown(error[best], 2)}) there.",
        caption="For a student who was presented every item. Dotted: mean ability.",
        height=3.0,
    )


def curves(names: Sequence[str], items: Sequence[Parameters]) -> Picture:
    """The probability of each score by ability, a panel an item."""
    drawn = list(zip(names, items, strict=True))[:MOST_PANELS]
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    theta = np.linspace(-4, 4, 97)

    def paint(figure: "Figure") -> None:
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes, (name, item) in zip(panels, drawn, strict=False):
            chances = probabilities(item, theta)
            for score, line in enumerate(chances):
                if len(chances) > 2 or score == 1:
                    axes.plot(theta, line, color=SERIES[(score - (len(chances) == 2)) % len(SERIES)], linewidth=1.3)
            axes.set_title(name, fontsize=8.5)
            axes.set_ylim(-0.03, 1.03)
            axes.set_xticks([-4, -2, 0, 2, 4])
            axes.tick_params(labelsize=7)
        for axes in panels[len(drawn) :]:
            axes.set_visible(False)
        figure.supxlabel("ability θ (logits)", fontsize=9)
        figure.supylabel("probability", fontsize=9)

    return picture(
        paint,
        alt=f"Item characteristic curves of {len(drawn)} items; their parameters are in the table below.",
        caption="The probability of a right answer by ability; of items with more than two scores, of every score."
        + (f" The first {MOST_PANELS} of {len(items)} items." if len(items) > MOST_PANELS else ""),
        height=0.5 + 1.35 * rows,
    )
