"""Pictures of differential item functioning."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploy.cli.irt.output import shown
from deploy.cli.report import Part, Text, picture
from deploy.cli.report.palette import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 60
COLOURS = {"A": MUTED, "B": SERIES[1], "C": SERIES[5]}
MARKERS = {"A": "o", "B": "s", "C": "D"}


def deltas(items: Sequence[dict[str, Any]], focal: str) -> Part:
    """Every item's delta with its 95 % interval, the largest at the top."""
    known = [one for one in items if one["class"] is not None and math.isfinite(one["delta"])]
    known.sort(key=lambda one: -abs(one["delta"]))
    drawn = known[:MOST][::-1]
    if not drawn:
        return Text("No item has a delta to be drawn.")

    def paint(figure: "Figure") -> None:
        axes = figure.subplots()
        for edge, dashes in ((1.0, "--"), (1.5, ":")):
            for side in (-edge, edge):
                axes.axvline(side, color=MUTED, linewidth=0.8, linestyle=dashes)
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for name, colour in COLOURS.items():
            rows = [row for row, one in enumerate(drawn) if one["class"] == name]
            if rows:
                axes.errorbar(
                    [drawn[row]["delta"] for row in rows],
                    rows,
                    xerr=[1.96 * drawn[row]["se"] for row in rows],
                    fmt=MARKERS[name],
                    color=colour,
                    markersize=5,
                    linewidth=1.2,
                    label=f"class {name}",
                )
        axes.set_yticks(range(len(drawn)), [one["item"] for one in drawn])
        axes.set_ylim(-0.7, len(drawn) - 0.3)
        axes.set_xlabel(f"delta: harder for the focal group ({focal}) to the left, easier to the right")
        axes.grid(axis="y", visible=False)
        figure.legend(loc="outside upper right", ncols=3)

    largest = known[0]
    return picture(
        paint,
        alt=f"Delta of {len(drawn)} items with 95 % intervals; the largest is {largest['item']}, "
        f"{shown(largest['delta'], 2)}, class {largest['class']}.",
        caption="Mantel-Haenszel delta with its 95 % interval. Dashed lines at 1, dotted at 1.5, the edges of classes."
        + (f" The {MOST} largest of {len(known)}." if len(known) > MOST else ""),
        height=max(2.0, 0.9 + 0.22 * len(drawn)),
    )
