"""Adaptive tests: how short, how right, and who sees which item."""

import argparse
import time
from pathlib import Path

import numpy as np

from services.assessment.domain.irt.adaptive import Rules
from services.assessment.domain.irt.models import Floats, Model, Parameters
from services.assessment.domain.irt.simulation import Simulated, simulate
from tests.studies import PAGES, table, write

ITEMS, LIMIT, FORM = 300, 0.25, 40
AREAS = ("number", "algebra", "geometry", "statistics")
SHARES = {"number": 0.35, "algebra": 0.3, "geometry": 0.2, "statistics": 0.15}
NODES = np.linspace(-6, 6, 61)
PICTURE = "adaptive-exposure.svg"


def banks(rng: np.random.Generator) -> dict[str, list[Parameters]]:
    """Banks of 300 2PL items, by what they are like."""
    drawn = {
        "slopes U(.5, 2), difficulties N(0, 1.5²)": (rng.uniform(0.5, 2, ITEMS), rng.normal(0, 1.5, ITEMS)),
        "slopes U(.5, 2), difficulties U(−3, 3)": (rng.uniform(0.5, 2, ITEMS), rng.uniform(-3, 3, ITEMS)),
        "slopes lognormal(.1, .3), difficulties N(0, 1)": (rng.lognormal(0.1, 0.3, ITEMS), rng.normal(0, 1, ITEMS)),
        "a weaker bank: slopes lognormal(0, .25), difficulties N(0, 1)": (
            rng.lognormal(0, 0.25, ITEMS),
            rng.normal(0, 1, ITEMS),
        ),
    }
    return {
        name: [Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in zip(*values, strict=True)]
        for name, values in drawn.items()
    }


def rules(content: tuple[str, ...]) -> dict[str, Rules]:
    """The rules compared."""
    return {
        "to SE .30": Rules(),
        "content balanced": Rules(content=content, shares=SHARES),
        "exposure held to .25": Rules(exposure=LIMIT),
        "exposure held to .25, content balanced": Rules(exposure=LIMIT, content=content, shares=SHARES),
    }


def random_form(bank: list[Parameters], true: Floats, rng: np.random.Generator) -> float:
    """RMSE of EAP from 40 items drawn at random, others for every student."""
    slopes, difficulties = (np.array([pick(item) for item in bank]) for pick in (lambda i: i.a, lambda i: i.b[0]))
    error = np.empty(len(true))
    for student, theta in enumerate(true):
        given = rng.choice(len(bank), FORM, replace=False)
        a, b = slopes[given], difficulties[given]
        right = rng.random(FORM) < 1 / (1 + np.exp(-a * (theta - b)))
        z = np.where(right, -1.0, 1.0)[:, np.newaxis] * a[:, np.newaxis] * (NODES - b[:, np.newaxis])
        logs = -np.logaddexp(0.0, z).sum(axis=0) - 0.5 * NODES**2
        weights = np.exp(logs - logs.max())
        error[student] = weights @ NODES / weights.sum() - theta
    return float(np.sqrt(np.mean(error**2)))


def row(name: str, made: Simulated, true: Floats, content: tuple[str, ...], seconds: float) -> list[object]:
    """A line of the table."""
    error = made.theta - true
    area = np.array([*AREAS, ""])[
        np.where(made.items >= 0, np.array([AREAS.index(c) for c in content])[made.items], -1)
    ]
    off = max(float(np.abs((area == name).sum(axis=1) - share * made.length).mean()) for name, share in SHARES.items())
    return [
        name,
        f"{made.length.mean():.1f}",
        f"{np.percentile(made.length, 95):.0f}",
        f"{np.sqrt(np.mean(error**2)):.3f}",
        f"{np.mean(np.abs(error) <= 1.96 * made.se):.3f}",
        f"{made.exposure.max():.3f}",
        f"{100 * np.mean(made.exposure < 0.01):.0f} %",
        f"{off:.2f}",
        f"{len(true) / seconds:,.0f}",
    ]


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=20_000)
    parser.add_argument("--random-forms", type=int, default=4_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    true = rng.normal(size=asked.students)
    sections, pictured = [], {}
    for name, bank in banks(rng).items():
        content = tuple(np.array(AREAS)[rng.choice(4, ITEMS, p=list(SHARES.values()))].tolist())
        simulate(bank, true[:10], Rules(), rng, "compiled")  # compiles, once
        rows = []
        for label, one in rules(content).items():
            began = time.perf_counter()
            made = simulate(bank, true, one, np.random.default_rng(asked.seed), "compiled")
            rows.append(row(label, made, true, content, time.perf_counter() - began))
            if not sections:
                pictured[label] = made.exposure
        forms = random_form(bank, true[: asked.random_forms], rng)
        sections.append(_section(name, rows, forms))
    decided = [_decided(bank, true, asked.seed) for bank in list(banks(np.random.default_rng(asked.seed)).values())[:1]]
    _paint(pictured)
    write("adaptive", _page(asked.students, asked.seed, sections, decided[0]))


def _section(name: str, rows: list[list[object]], forms: float) -> str:
    head = ["rules", "items", "95th percentile", "RMSE", "coverage", "highest rate", "hardly seen", "off", "students/s"]
    return f"""### {name}

{table(head, rows)}

{FORM} items drawn at random give an RMSE of {forms:.3f}.
"""


def _decided(bank: list[Parameters], true: Floats, seed: int) -> str:
    rows = []
    for cuts in ((0.5,), (-0.5, 0.8)):
        for decide in ("interval", "sprt"):
            asked = Rules(se=None, longest=50, cuts=cuts, decide=decide)
            made = simulate(bank, true, asked, np.random.default_rng(seed), "compiled")
            right = made.level == np.searchsorted(cuts, true)
            sure = made.stop == 2
            rows.append(
                [
                    ", ".join(map(str, cuts)),
                    decide,
                    f"{made.length.mean():.1f}",
                    f"{100 * sure.mean():.0f} %",
                    f"{100 * right[sure].mean():.1f} %",
                    f"{100 * right.mean():.1f} %",
                ]
            )
    return table(["cuts", "rule", "items", "decided within 50", "of these right", "all right"], rows)


def _paint(exposure: dict[str, Floats]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    for label, rates in exposure.items():
        axes.plot(np.arange(1, ITEMS + 1), np.sort(rates)[::-1], label=label, linewidth=1.4)
    axes.axhline(LIMIT, color="0.5", linewidth=0.8, linestyle="--")
    axes.grid(visible=True, color="0.9", linewidth=0.6)
    axes.set(xlabel="items, the most seen first", ylabel="part of students who see it", xlim=(1, ITEMS), ylim=(0, 1.02))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path: Path = PAGES.parent / "pictures" / PICTURE
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    svg = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def _page(students: int, seed: int, sections: list[str], decided: str) -> str:
    return f"""# Adaptive tests

Written by `make study NAME=adaptive` (seed {seed}; {students:,} students, abilities N(0, 1); 300 items; rules as in
[adaptive.md](../numbers/adaptive.md)). A test ends at a standard error of .30, after 60 items at the latest. *Coverage*
is the part of students whose ability lies inside 1.96 SE; *highest rate* the part of students who see the item seen
most; *hardly seen* the part of the bank seen by fewer than 1 %; *off* by how many items an average test misses its
share of an area, in the area where that is most (shares {", ".join(f"{n} {s:.2f}" for n, s in SHARES.items())}).
Students per second are with the compiled kernel, on one core that others may have been using too.

## To a standard error

{chr(10).join(sections)}
A published peer needed 16.5 items on its bank, with an RMSE of .296 and a coverage of .949; a random form of 40 items
gave .359. How many items a test takes depends on the bank; what a limit on exposure costs depends on how much better
the best items are than the rest and how many of them lie where the students are: little where a bank is good in the
middle, a quarter of the test or more where slopes or places are spread widely. The weaker bank shows what that means:
no rule makes a short test of items that tell little.

![Exposure of the items, most seen first](../pictures/{PICTURE})

Without a limit the first item is seen by everybody and most of the bank by hardly anyone. With it no item is above a
quarter, and the bank is used further down.

## To a decision

First bank, 95 % confidence, at most 50 items; *sprt* with an indifference region of .3 on either side of a cut.

{decided}
"""


if __name__ == "__main__":
    main()
