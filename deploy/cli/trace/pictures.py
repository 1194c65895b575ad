"""Pictures of fits and predictions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from deploy.cli.report import Picture, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.mastery.domain.tracing.model import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 25


def calibration(curve: Sequence[dict[str, Any]]) -> Picture:
    """What was expected against what came, with 95 % intervals, and how many responses stand behind each point."""
    expected, observed = [one["expected"] for one in curve], [one["observed"] for one in curve]

    def paint(figure: "Figure") -> None:
        points, bars = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        points.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
        points.errorbar(
            expected,
            observed,
            yerr=[
                [max(0.0, one["observed"] - one["lower"]) for one in curve],
                [max(0.0, one["upper"] - one["observed"]) for one in curve],
            ],
            fmt="o",
            color=SERIES[0],
            markersize=5,
            linewidth=1.2,
        )
        points.set_xlim(0, 1)
        points.set_ylim(0, 1)
        points.set_ylabel("share right")
        bars.bar(expected, [one["rows"] for one in curve], width=0.04, color=SERIES[0])
        bars.set_ylabel("responses")
        bars.set_xlabel("expected probability of a right answer")

    worst = max((abs(one["expected"] - one["observed"]) for one in curve), default=0.0)
    return picture(
        paint,
        alt=f"Share of right answers by expected probability in {len(curve)} bins; the farthest is {worst:.3f} off.",
        caption="Expected and observed shares of right answers, with 95 % intervals; the line is perfect calibration.",
        height=4.6,
    )


def parameters(skills: Sequence[dict[str, Any]]) -> Picture:
    """How each parameter is spread over the fitted skills."""
    fitted = [one for one in skills if one["status"] == "fitted"]

    def paint(figure: "Figure") -> None:
        for axes, name in zip(figure.subplots(1, len(NAMES)), NAMES, strict=True):
            axes.hist([one[name] for one in fitted], bins=_BINS, color=SERIES[0])
            axes.set_title(name)

    return picture(
        paint,
        alt=f"Histograms of {', '.join(NAMES)} over {len(fitted)} fitted skills.",
        caption=f"The parameters of {len(fitted)} fitted skills.",
        height=2.4,
    )
