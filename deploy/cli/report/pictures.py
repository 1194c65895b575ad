"""Pictures: drawn by matplotlib, written as SVG that takes its colours from the page."""

import io
import re
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from deploy.cli.report.page import Picture
from deploy.cli.report.palette import GRID, INK, MUTED, PAPER, SERIES, VARIABLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_numbers = count(1)
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def picture(
    paint: "Callable[[Figure], None]", *, alt: str, caption: str = "", width: float = 7.2, height: float = 3.6
) -> Picture:
    """What `paint` draws on a figure of this size in inches. `alt` says in words what is to be seen."""
    from cycler import cycler
    from matplotlib import rc_context  # here only: half a second that most commands need not wait
    from matplotlib.figure import Figure

    with rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "trellis",
            "font.family": "DejaVu Sans",
            "font.size": 9.0,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": MUTED,
            "axes.titlesize": 9.5,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlecolor": INK,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.linewidth": 0.8,
            "axes.prop_cycle": cycler(color=list(SERIES)),
            "grid.color": GRID,
            "grid.linewidth": 0.8,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": MUTED,
            "ytick.labelcolor": MUTED,
            "legend.frameon": False,
            "legend.labelcolor": INK,
            "lines.linewidth": 1.6,
            "patch.edgecolor": PAPER,
            "text.parse_math": False,
        }
    ):
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Picture(_for_page(stream.getvalue(), next(_numbers)), alt, caption)


def _for_page(svg: str, number: int) -> str:
    """The bare `<svg>`: colours by variable, no metadata, identifiers that no other picture has."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for stand_in, variable in VARIABLES.items():
        svg = svg.replace(stand_in, f"var({variable})")
    svg = re.sub(r"""(\bid="|url\(#|xlink:href="#)""", rf"\1p{number}-", svg)
    svg = re.sub(r"'DejaVu Sans'(, sans-serif)?", FONTS, svg)
    head = svg.index(">")
    opening = re.sub(r'\s(width|height)="[^"]*pt"', "", svg[:head])
    return f'{opening} aria-hidden="true" focusable="false"{svg[head:]}'
