"""The report of a matching: a map, the pairs with their reasons, who has no partner, profiles."""

from typing import TYPE_CHECKING

import numpy as np

from deploy.cli.match import output
from deploy.cli.match.work import Made
from deploy.cli.report import Facts, Picture, Section, Table, Text, page, picture
from deploy.cli.report.palette import MUTED, SERIES
from services.partnership.domain.instance import School
from services.partnership.domain.wording import in_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 500


def report(made: Made) -> str:
    """One HTML file."""
    outcome, titles = made.outcome, dict(made.instance.areas)
    rules = [Text(f"Bound by: {'; '.join(said.says for said in in_words(made.instance))}.")]
    assumed = [Text(said) for said in made.assumptions]
    if not outcome.is_feasible:
        return page(made.programme.title, [Section("No choice is possible", [Text(outcome.explanation or ""), *rules])])
    found, alone = output.pairs(made), output.unmatched(made)
    sections = [
        Section("Summary", [Facts(output.summary(made)), *assumed, *rules, *_certificate(made)]),
        Section("Map", _maps(made)),
        Section(
            "Pairs",
            [
                Table(
                    ("Area", "Host", "Guest", "km", "Rests on", "Why"),
                    [
                        (
                            titles[one["area"]], one["host_name"], one["guest_name"],
                            None if one["distance_km"] is None else f"{one['distance_km']:.1f}",
                            f"{one['host_basis']}, {one['guest_basis']}",
                            f"{one['reason']} {one['alternative'] or ''}",
                        )
                        for one in found[:_MOST]
                    ],
                )
            ],
        ),
        Section(
            "Without a partner",
            [
                Table(
                    ("Area", "School", "Role", "Why"),
                    [
                        (titles[o["area"]], o["name"], o["role"], f"{o['reason']} {o['alternative'] or ''}")
                        for o in alone[:_MOST]
                    ],
                ),
                *([Text(f"{len(alone) - _MOST} more are in the JSON.")] if len(alone) > _MOST else []),
            ],
        ),
        Section("Profiles", _profiles(made)),
    ]  # fmt: skip
    return page(made.programme.title, sections, subtitle=f"{len(found)} pairs of {len(made.file)} schools")


def _certificate(made: Made) -> list[Text]:
    outcome = made.outcome
    if outcome.method == "stable":
        of_best = f" The best choice under the rules weighs {made.best / 1e6:.4f}." if made.best else ""
        return [Text(f"This matching is stable: no two schools would both rather have each other.{of_best}")]
    how = {
        "flow": "it is the best flow in the network of places, and keeps every other rule",
        "linear": "the linear relaxation has a best solution in whole pairs",
        "integer": "by the linear relaxation's bound and an integer program over the pairs that could better it",
    }.get(outcome.method or "", "there was nothing to choose from")
    return [Text(f"Certificate: no choice that keeps the rules weighs more than {outcome.bound / 1e6:.6f}; {how}.")]


def _maps(made: Made) -> list[Picture | Text]:
    placed = [at for row in made.file.rows if (at := _place(row.school)) is not None]
    if not placed:
        return [Text("No school of the file has a location.")]
    places = {row.school.id: _place(row.school) for row in made.file.rows}
    drawn = [(each.area, places[each.host], places[each.guest]) for each in made.outcome.proposals]
    lines = [(area, host, guest) for area, host, guest in drawn if host is not None and guest is not None]
    titles = dict(made.instance.areas)
    areas = [area for area in titles if any(area == one for one, _, _ in lines)]

    def paint(figure: "Figure") -> None:
        axes: Axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.scatter(
            [x for x, _ in placed], [y for _, y in placed], s=3, color=MUTED, alpha=0.35, linewidths=0,
            label="schools",
        )  # fmt: skip
        for area, colour in zip(areas, [SERIES[n % len(SERIES)] for n in range(len(areas))], strict=True):
            mine = [(h, g) for one, h, g in lines if one == area]
            for host, guest in mine:
                axes.plot(
                    [host[0], guest[0]], [host[1], guest[1]], color=colour, linewidth=1.1,
                    alpha=0.8,
                )  # fmt: skip
            axes.scatter(
                [h[0] for h, _ in mine], [h[1] for h, _ in mine], s=18, color=colour, marker="^",
                label=f"hosts, {titles[area]}",
            )  # fmt: skip
            axes.scatter(
                [g[0] for _, g in mine], [g[1] for _, g in mine], s=14, color=colour, marker="o",
                label=f"guests, {titles[area]}",
            )  # fmt: skip
        middle = float(np.mean([y for _, y in placed]))
        axes.set_aspect(1 / max(np.cos(np.radians(middle)), 0.01))
        axes.set_xlabel("longitude")
        axes.set_ylabel("latitude")
        axes.legend(loc="upper left", fontsize=7)

    alt = f"A map of {len(placed)} schools with {len(lines)} lines between partners in {len(areas)} areas."
    missing = len(made.outcome.proposals) - len(lines)
    caption = "Each line is a pair; triangles are hosts, circles guests." + (
        f" {missing} pairs have a school without a location." if missing else ""
    )
    return [picture(paint, alt=alt, caption=caption, width=7.2, height=6.4)]


def _place(school: School) -> tuple[float, float] | None:
    """Longitude and latitude."""
    return None if school.latitude is None or school.longitude is None else (school.longitude, school.latitude)


def _profiles(made: Made) -> list[Text | Table]:
    titles, rows = dict(made.instance.areas), []
    for area, title in titles.items():
        mine = [each for each in made.profiles if each.area == area]
        why: dict[str, int] = {}
        for each in mine:
            if each.why:
                kind = "too few tested students" if "tested" in each.why else each.why
                why[kind] = why.get(kind, 0) + 1
        told = "; ".join(f"{count} {kind}" for kind, count in sorted(why.items()))
        rows.append(
            (
                title, mine[0].measure if mine else None, sum(not each.why for each in mine), told or None,
                sum(each.role == "offers" for each in mine), sum(each.role == "seeks" for each in mine),
            )
        )  # fmt: skip
    return [
        Text(
            "An adjusted strength is what a school achieves beyond schools with like students, with a 95 % interval; "
            "not enough data is an answer. The profile of every school is in the JSON."
        ),
        Table(("Area", "Measure", "Known of", "Not known", "Offer", "Seek"), rows),
    ]
