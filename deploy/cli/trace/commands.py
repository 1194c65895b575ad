"""The commands' names and options. What computes is imported when a command runs, so that `--help` is at once."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli import show
from deploy.cli.options import Json

if TYPE_CHECKING:
    from deploy.cli.trace.files import TraceFile
    from deploy.cli.trace.fit import Wish


class Time(StrEnum):
    """What timestamps are."""

    AUTO = "auto"
    ORDER = "order"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


class Kernel(StrEnum):
    """What computes."""

    COMPILED = "compiled"
    NUMPY = "numpy"


Difficulty = Annotated[
    bool, typer.Option("--difficulty/--no-difficulty", help="Put the items' difficulty inside guess and slip.")
]
Starts = Annotated[int, typer.Option(min=1, help="From how many starts each skill is searched.")]
Seed = Annotated[int, typer.Option(min=0, help="The same seed draws the same starts.")]
TimeIs = Annotated[
    Time,
    typer.Option(
        "--time",
        help="Numbers in `timestamp`: an order alone, or seconds or milliseconds; auto: an order below 100,000,000.",
    ),
]
Separator = Annotated[
    str | None,
    typer.Option("--skill-separator", help="What stands between several skills of a row; else a cell is one skill."),
]
Covariate = Annotated[
    list[str] | None,
    typer.Option("--covariate", help="A column, such as hint or modality, that may move guess and slip; repeat it."),
]
Grade = Annotated[str | None, typer.Option("--grade", help="The column with grades: each gets its own prior.")]
StudentPriorIs = Annotated[
    bool,
    typer.Option(
        "--student-prior/--no-student-prior",
        help="Begin a skill higher or lower by how the same user did in other skills before.",
    ),
]
KernelIs = Annotated[Kernel, typer.Option("--kernel", help="What computes; both agree to rounding.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write a report with pictures for people.", dir_okay=False, metavar="OUT.html"),
]


def fit(
    file: Annotated[
        Path,
        typer.Argument(
            help="Responses: user,item,skill,correct,timestamp in CSV, TSV or Parquet.",
            exists=True,
            dir_okay=False,
            readable=True,
            show_default=False,
        ),
    ],
    difficulty: Difficulty = True,
    starts: Starts = 5,
    seed: Seed = 1,
    time: TimeIs = Time.AUTO,
    skill_separator: Separator = None,
    covariate: Covariate = None,
    grade: Grade = None,
    student_prior: StudentPriorIs = True,
    kernel: KernelIs = Kernel.COMPILED,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the JSON into this file.", dir_okay=False, metavar="PARAMS.json")
    ] = None,
    report: Report = None,
    json: Json = False,
) -> None:
    """Fit every skill's parameters, with standard errors."""
    from deploy.cli.trace import fit as work

    wish = _wish(difficulty, starts, seed, kernel, skill_separator, covariate, grade, student_prior)
    with show.progress() as bar:
        read = _read(file, time, wish, bar)
        work.run(read, wish, bar.show, json=json, out=out, report=report)


def evaluate(
    train: Annotated[
        Path, typer.Argument(help="Responses to fit.", exists=True, dir_okay=False, readable=True, show_default=False)
    ],
    test: Annotated[
        Path,
        typer.Argument(help="Responses to predict.", exists=True, dir_okay=False, readable=True, show_default=False),
    ],
    predictions: Annotated[
        Path | None,
        typer.Option(help="Write the probability of each row of TEST.", dir_okay=False, metavar="OUT.csv"),
    ] = None,
    going_on: Annotated[
        bool,
        typer.Option(
            "--continue/--afresh",
            help="Users of TEST who are in TRAIN go on from there, or begin afresh: names may be of different people.",
        ),
    ] = False,
    difficulty: Difficulty = True,
    starts: Starts = 5,
    seed: Seed = 1,
    time: TimeIs = Time.AUTO,
    skill_separator: Separator = None,
    covariate: Covariate = None,
    grade: Grade = None,
    student_prior: StudentPriorIs = True,
    kernel: KernelIs = Kernel.COMPILED,
    report: Report = None,
    json: Json = False,
) -> None:
    """Fit TRAIN and predict every row of TEST from that user's earlier rows."""
    from deploy.cli.trace import evaluate as work

    wish = _wish(difficulty, starts, seed, kernel, skill_separator, covariate, grade, student_prior)
    with show.progress() as bar:
        fitting, predicting = (_read(file, time, wish, bar) for file in (train, test))
        work.run(
            fitting,
            predicting,
            wish,
            bar.show,
            going_on=going_on,
            json=json,
            predictions=predictions,
            report=report,
        )


def _wish(
    difficulty: bool,
    starts: int,
    seed: int,
    kernel: Kernel,
    separator: str | None,
    covariates: list[str] | None,
    grade: str | None,
    student_prior: bool,
) -> "Wish":
    from deploy.cli.trace.fit import Wish

    return Wish(
        difficulty,
        starts,
        seed,
        "numba" if kernel is Kernel.COMPILED else "numpy",
        separator or None,
        tuple(dict.fromkeys(covariates or ())),
        grade,
        student_prior,
    )


def _read(file: Path, time: Time, wish: "Wish", bar: show.Bar) -> "TraceFile":
    from deploy.cli.trace import files

    extra = [*wish.covariates, *([wish.grade] if wish.grade and wish.grade not in wish.covariates else [])]
    return files.read(
        file, files.Time(time.value), extra, lambda done, total: bar.show(f"read {file.name}", done, total)
    )
