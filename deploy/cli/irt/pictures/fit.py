"""Pictures of item fit."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deploy.cli.irt.files import ResponseFile
from deploy.cli.irt.parameters import ParameterFile
from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.models import expected_score
from services.assessment.domain.irt.packing import pack
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.responses import Responses
from services.assessment.domain.irt.tables import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORST = 12
NODES = 21
STUDENTS = 20_000
"""Enough for small errors; the picture of a million students is the same."""


def mean_squares(items: Sequence[dict[str, Any]]) -> Picture:
    """Infit and outfit of every item."""
    drawn = list(items)[::-1] if len(items) <= 60 else sorted(items, key=lambda one: abs(math.log(one["outfit"])))[-60:]

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.axvspan(0.7, 1.3, color=MUTED, alpha=0.12, linewidth=0)
        axes.axvline(1, color=MUTED, linewidth=0.8)
        rows = range(len(drawn))
        axes.plot([one["infit"] for one in drawn], rows, "o", color=SERIES[0], markersize=5, label="infit")
        axes.plot([one["outfit"] for one in drawn], rows, "D", color=SERIES[1], markersize=4.5, label="outfit")
        axes.set_yticks(rows, [one["item"] for one in drawn])
        axes.set_ylim(-0.7, len(drawn) - 0.3)
        axes.set_xlabel("mean square")
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside upper right", ncols=2)

    outside = [one["item"] for one in drawn if not (0.7 <= one["infit"] <= 1.3 and 0.7 <= one["outfit"] <= 1.3)]
    return picture(
        paint,
        alt=f"Infit and outfit of {len(drawn)} items; outside 0.7 to 1.3: {', '.join(outside) or 'none'}.",
        caption="Infit and outfit; the band is 0.7 to 1.3."
        + (f" The {len(drawn)} farthest from 1." if len(items) > 60 else ""),
        height=max(2.0, 0.9 + 0.22 * len(drawn)),
    )


def observed(file: ResponseFile, parameters: ParameterFile, items: Sequence[dict[str, Any]]) -> Picture:
    """Mean scores by ability beside the expected curves, for the items that fit worst.

    Each student counts at every ability as much as the answers make it likely (Bock & Aitkin 1981, the expected counts
    of the E-step): if the model holds, the points lie on the curve.
    """
    worst = sorted(items, key=lambda one: one["p"] if math.isfinite(one["p"]) else 2.0)[:WORST]
    codes = file.rows()[:STUDENTS]
    known = dict(zip(parameters.names, parameters.items, strict=True))
    models = [known[name] for name in file.items]
    nodes = equally_spaced(NODES, parameters.mean, parameters.sd, 5.0)
    table = tables(models, nodes, log_normal_weights(nodes, parameters.mean, parameters.sd)[np.newaxis])
    counts = kernel("numpy").expected(pack(Responses(codes), table.categories), table).counts
    first = np.concatenate([[0], np.cumsum(table.categories)])
    grid = np.linspace(nodes[0], nodes[-1], 121)

    def paint(figure: "Figure") -> None:
        columns = min(4, len(worst))
        rows = -(-len(worst) // columns)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, one in zip(panels, worst, strict=False):
            item, place = known[one["item"]], file.items.index(one["item"])
            here = counts[first[place] : first[place + 1]]
            mass = here.sum(axis=0)
            drawn = mass >= 5
            mean = (np.arange(len(here)) @ here)[drawn] / mass[drawn]
            axes.plot(grid, expected_score(item, grid), color=SERIES[0])
            axes.scatter(nodes[drawn], mean, s=4 + 40 * mass[drawn] / mass.max(), color=SERIES[1], zorder=3, alpha=0.8)
            axes.set_title(one["item"])
            axes.set_ylim(-0.05 * len(item.b), 1.05 * len(item.b))
        for axes in panels[len(worst) :]:
            axes.set_visible(False)
        figure.supxlabel("ability θ (logits)", fontsize=9)
        figure.supylabel("score", fontsize=9)

    return picture(
        paint,
        alt=f"Observed mean scores by ability beside expected curves of {len(worst)} items: "
        + ", ".join(one["item"] for one in worst),
        caption=f"The {len(worst)} items with the smallest p: curves as the model expects, points as observed. A "
        "student counts at every ability as much as the answers make it likely; larger points stand for more students.",
        height=0.6 + 1.7 * -(-len(worst) // min(4, len(worst))),
    )
