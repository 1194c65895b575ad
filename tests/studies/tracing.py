"""What knowledge tracing is worth: predictions of two published files, recovery of planted parameters, single answers.

python -m tests.studies.tracing [--data ../shared/data/kt] [--replications 40]
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.fit import FITTED, fit
from services.mastery.domain.tracing.level import LEVELS, level
from services.mastery.domain.tracing.model import NAMES
from services.mastery.domain.tracing.predict import calibration_curve, predict, quality
from services.mastery.domain.tracing.replay import replay
from services.mastery.domain.tracing.skill import DEFAULT, Floats, Skill, Skills
from services.mastery.domain.tracing.students import fit_student_prior, predict_students
from tests.bench.knowledge import Split, assist09, assist2015
from tests.bench.trace import responses_of, with_difficulty
from tests.studies import PAGES, table, write
from tests.unit.mastery.tracing.simulated import simulated

DATA = Path(__file__).parents[3] / "shared" / "data" / "kt"
PICTURE = "tracing-calibration.svg"
PLANTED = (
    Skill(0.40, 0.20, 0.010, 0.20, 0.10, 0.0, 0.0),
    Skill(0.60, 0.10, 0.020, 0.30, 0.15, 0.0, 0.0),
    Skill(0.25, 0.30, 0.005, 0.15, 0.08, 0.0, 0.0),
)
LENGTH = 10
PUBLISHED = {
    "assist09": "DKT .75, SAKT .75, Best-LR .765, Elo with item terms .758, PFA .712, IRT .69",
    "assist2015": "DKT .73, SAKT .73, Best-LR .685, PFA .678",
}
Drawn = tuple[str, Floats, Floats]


def variants(name: str, train: Responses, test: Responses, skills: int) -> list[tuple[list[object], Drawn]]:
    """For a model without students' own priors and with them, a line of the table and predictions for the picture."""
    found = fit(train, skills, rng=np.random.default_rng(1), kernel="numba")
    columns = Skills.of(found.parameters())
    plain = predict(test, columns, found.covariates).expected
    student = fit_student_prior(train, columns, found.covariates)
    own = predict_students(test, columns, found.covariates, student).expected
    fitted = sum(skill.status == FITTED for skill in found.skills)
    made: list[tuple[list[object], Drawn]] = []
    for label, expected in ((name, plain), (f"{name}, students' own priors", own)):
        one = quality(test.credit, expected)
        curve = calibration_curve(test.credit, expected)
        off = float(np.abs(curve.expected - curve.observed) @ curve.number / curve.number.sum())
        cells = (one.auc, one.rmse, one.log_loss, off)
        made.append(
            ([label, *(f"{cell:.4f}" for cell in cells), f"{fitted} of {skills}"], (label, test.credit, expected))
        )
    return made


def of_file(split: Split) -> tuple[str, list[Drawn]]:
    """The table of one file."""
    names = np.unique(split.train.skill)
    train, test = (responses_of(rows, names) for rows in (split.train, split.test))
    base = float(train.credit.mean())
    lines: list[list[object]] = []
    mean = quality(test.credit, np.full(len(test), base))
    lines.append(["the mean of all answers", ".5", f"{mean.rmse:.4f}", f"{mean.log_loss:.4f}", "", ""])
    pooled = variants("one skill for all", *(replace(one, skill=np.zeros_like(one.skill)) for one in (train, test)), 1)
    made = [pooled[0], *variants("with forgetting", train, test, len(names))]
    if split.train.item is not None:
        made += variants("and item difficulty", *with_difficulty(split, names), len(names))
    lines += [line for line, _ in made]
    header = ["model", "AUC", "RMSE", "log loss", "mean miscalibration", "skills fitted"]
    text = f"{len(train):,} responses to fit, {len(test):,} to predict, {len(names)} skills.\n\n{table(header, lines)}"
    return f"{text}\n\nPublished on the same split: {PUBLISHED[split.name]}.", [drawn for _, drawn in made[1:]]


def recovery(replications: int, students: int) -> str:
    """Bias, error and coverage over replications."""
    errors: dict[str, list[float]] = {name: [] for name in NAMES}
    inside: dict[str, list[bool]] = {name: [] for name in NAMES}
    for seed in range(replications):
        found = fit(
            simulated(list(PLANTED), students, LENGTH, np.random.default_rng(1000 + seed)),
            len(PLANTED),
            rng=np.random.default_rng(seed),
            kernel="numba",
        )
        for one, true in zip(found.skills, PLANTED, strict=True):
            for name in NAMES:
                off = getattr(one.skill, name) - getattr(true, name)
                errors[name].append(off)
                error = one.errors[name]
                if error is not None:
                    inside[name].append(abs(off) <= 1.96 * error)
    rows = [
        [
            name,
            f"{np.mean(errors[name]):+.4f}",
            f"{np.sqrt(np.mean(np.square(errors[name]))):.4f}",
            f"{np.mean(inside[name]):.3f}" if inside[name] else "–",
            f"{1 - len(inside[name]) / len(errors[name]):.2f}",
        ]
        for name in NAMES
    ]
    return table(["parameter", "bias", "RMSE", "coverage of 1.96 SE", "at a bound, no SE"], rows)


def single_answers() -> str:
    """What one error and one lucky guess do, with the default parameters, on easy, average and hard items."""
    stories = {
        "one right answer": [1],
        "three errors, then one right answer": [0, 0, 0, 1],
        "three right answers": [1, 1, 1],
        "thirty right answers": [1] * 30,
        "thirty right answers, then one error": [1] * 30 + [0],
        "thirty right answers, then two errors": [1] * 30 + [0, 0],
        "thirty right answers, one error, one right answer": [1] * 30 + [0, 1],
    }
    rows = []
    skills = Skills.of([DEFAULT])
    for name, answers in stories.items():
        cells: list[object] = [name]
        for difficulty in (-2.0, 0.0, 2.0):
            n = len(answers)
            _, after = replay(
                skills.prior,
                np.array([n]),
                np.zeros(n),
                np.array(answers, dtype=np.float64),
                np.append(np.zeros(n - 1), difficulty),
                skills.take(np.zeros(n, dtype=np.int64)),
            )
            p, low, high = after[:, -1]
            what = LEVELS[int(level(np.array(p), np.array(low), np.array(n)))]
            cells.append(f"{p:.2f} ({low:.2f} to {high:.2f}) {what}")
        rows.append(cells)
    return table(["answers", "the last to an easy item", "to an average one", "to a hard one"], rows)


def draw(files: dict[str, list[Drawn]]) -> None:
    """Calibration curves, a panel a file."""
    with rc_context({"font.size": 9, "svg.hashsalt": "trellis", "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 3.9), layout="constrained")
        for axes, (name, several) in zip(figure.subplots(1, len(files), squeeze=False)[0], files.items(), strict=True):
            axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
            for label, credit, expected in several:
                curve = calibration_curve(credit, expected)
                reach = [np.maximum(curve.observed - curve.lower, 0), np.maximum(curve.upper - curve.observed, 0)]
                axes.errorbar(curve.expected, curve.observed, yerr=reach, fmt="o-", markersize=4, label=label)
            axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="expected probability of a right answer", title=name)
            axes.set_ylabel("share right")
            axes.legend(frameon=False, loc="upper left", fontsize=7)
        path = PAGES.parent / "pictures" / PICTURE
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    svg = path.read_text(encoding="utf-8")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--students", type=int, default=2000)
    asked = parser.parse_args()
    sections, drawn = [], {}
    for title, made in (("ASSISTments 2009–10", assist09), ("ASSISTments 2015", assist2015)):
        text, drawn[title] = of_file(made(asked.data))
        sections.append(f"### {title}\n\n{text}")
    draw(drawn)
    write("tracing", _page(sections, recovery(asked.replications, asked.students), asked))


def _page(sections: list[str], recovered: str, asked: argparse.Namespace) -> str:
    files = "\n\n".join(sections)
    return f"""# Knowledge tracing

Written by `make study NAME=tracing`; the model is described in [tracing.md](../numbers/tracing.md).

## Predicting responses of students never seen

Parameters and item difficulties from the first file; each response of the second predicted from the same student's
earlier responses to the same skill alone or, with *students' own priors*, from their earlier responses to other skills
too, which move where they begin a skill. *Mean miscalibration* is how far, on average over responses, the share of
right answers is from what was expected, in tenths.

{files}

![Calibration curves](../pictures/{PICTURE})

## Planted parameters

{asked.replications} replications of {len(PLANTED)} skills, {asked.students:,} students of {LENGTH} responses each, from
five starts. The draw towards the pooled parameters biases small samples a little; coverage says
whether the standard errors are honest all the same.

{recovered}

## One answer

With the default parameters of the platform; in brackets the lower and the upper end. Every answer but the last is to an
item of average difficulty; easy and hard are 2 logits from it.

{single_answers()}

One lucky guess never gives mastery, and after thirty right answers one error does not take it away, but on an item that
nearly everybody who knows gets right an error says more.
"""


if __name__ == "__main__":
    main()
