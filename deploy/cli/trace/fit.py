"""`trellis trace fit`: parameters of every skill, with standard errors and the reason where there are none."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.output import shown
from deploy.cli.refusal import refusing
from deploy.cli.report import Facts, Part, Section, Table, Text, page
from deploy.cli.trace import pictures
from deploy.cli.trace.files import TraceFile
from deploy.cli.trace.material import Expanded, Items, difficulty_of, expanded, indicators, responses_of
from services.mastery.domain.tracing.cold import beginnings, priors_by_group
from services.mastery.domain.tracing.evidence import Responses, sequences_of
from services.mastery.domain.tracing.fit import FITTED, Fit, SkillFit, fit
from services.mastery.domain.tracing.model import NAMES
from services.mastery.domain.tracing.predict import parameters_of
from services.mastery.domain.tracing.skill import PROBABILITY, Floats, Ints, KernelName, Skill, Skills, model_version
from services.mastery.domain.tracing.students import StudentPrior, fit_student_prior

COLUMNS = ("skill", "responses", "students", *NAMES, "status")
Heard = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: `covariates` and `grade` are names of columns."""

    difficulty: bool
    starts: int
    seed: int
    kernel: KernelName
    separator: str | None
    covariates: tuple[str, ...]
    grade: str | None
    student_prior: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fit with the names that belong to it. `difficulty` (pairs,) is of each pair of item and skill; `priors`
    (skills, grades) of each grade, where grades were given; `student` where students' own priors were asked for."""

    file: TraceFile
    wish: Wish
    rows: Expanded
    fit: Fit
    items: Items | None
    difficulty: Floats
    levels: dict[str, list[str]]
    priors: Floats | None
    student: StudentPrior | None

    @property
    def version(self) -> str:
        """The model version that every statement from these parameters would carry."""
        named = {name: one.skill for name, one in zip(self.rows.names, self.fit.skills, strict=True)}
        return model_version({**named, "": self.fit.pooled}, self.wish.kernel)

    @property
    def skills(self) -> Skills:
        """The skills' parameters in columns, the pooled ones last."""
        return Skills.of(self.fit.parameters())


def fitted(file: TraceFile, wish: Wish, heard: Heard) -> Fitted:
    """Fit the file."""
    rows = expanded(file, wish.separator)
    known = difficulty_of(file, rows) if wish.difficulty else None
    levels = {
        name: sorted(file.extra[name].names) for name in (*wish.covariates, *([wish.grade] if wish.grade else []))
    }
    covariates = covariates_of(file, rows, wish, levels)
    none = np.zeros(len(rows.row))
    responses = responses_of(file, rows, rows.skill, known[1].of_response if known else none, covariates)
    with refusing(file.path):
        found = fit(
            responses,
            len(rows.names),
            rng=np.random.default_rng(wish.seed),
            kernel=wish.kernel,
            starts=wish.starts,
            heard=heard,
        )
    made = Fitted(
        file,
        wish,
        rows,
        found,
        known[0] if known else None,
        known[1].of_item if known else np.empty(0),
        levels,
        _priors(file, wish, rows, responses, found, levels),
        None,
    )
    if not wish.student_prior:
        return made
    start = start_of(made, responses, grades_of(made, file, rows))
    return replace(made, student=fit_student_prior(responses, made.skills, found.covariates, start, rows.row))


def covariates_of(file: TraceFile, rows: Expanded, wish: Wish, levels: dict[str, list[str]]) -> Floats:
    """Columns of 0 and 1 for the levels of every covariate."""
    columns = [indicators(file.extra[name], levels[name])[rows.row] for name in wish.covariates]
    return np.concatenate([np.empty((len(rows.row), 0)), *columns], axis=1)


def _priors(
    file: TraceFile, wish: Wish, rows: Expanded, responses: Responses, found: Fit, levels: dict[str, list[str]]
) -> Floats | None:
    """Priors by grade: the one at which a student first meets the skill."""
    if wish.grade is None:
        return None
    sequences = sequences_of(responses)
    each = parameters_of(responses, sequences, Skills.of(found.parameters()), found.covariates)
    at = sequences.rows
    began = beginnings(sequences.lengths, sequences.days, responses.credit[at], responses.difficulty[at], each)
    grades = levels[wish.grade]
    group = sequences.skill * len(grades) + grade_of(file, rows, wish.grade, grades)[sequences.first]
    usual = np.repeat(np.array([one.skill.prior for one in found.skills]), len(grades))
    return priors_by_group(began, group, len(usual), usual).reshape(-1, len(grades))


def grade_of(file: TraceFile, rows: Expanded, column: str, grades: Sequence[str]) -> Ints:
    """The place of each response's grade among `grades`, -1 for one that is not there."""
    places = {name: place for place, name in enumerate(grades)}
    codes = np.array([places.get(name, -1) for name in file.extra[column].names], dtype=np.int64)
    return codes[file.extra[column].codes][rows.row]


def grades_of(made: Fitted, file: TraceFile, rows: Expanded) -> Ints | None:
    """The place of each response's grade among those fitted, where grades are given."""
    if made.wish.grade is None:
        return None
    return grade_of(file, rows, made.wish.grade, made.levels[made.wish.grade])


def start_of(made: Fitted, responses: Responses, grade: Ints | None) -> Floats | None:
    """Where each sequence begins: at the prior of the grade of its first response, where grades are given.

    Skills are numbered as in the fit, those it does not have from there on.
    """
    if grade is None or made.priors is None:
        return None
    sequences = sequences_of(responses)
    first = grade[sequences.first]
    usual = made.skills.prior[PROBABILITY, np.minimum(sequences.skill, len(made.priors))]
    known = (first >= 0) & (sequences.skill < len(made.priors))
    return np.where(known, made.priors[np.where(known, sequences.skill, 0), np.where(known, first, 0)], usual)


def as_json(made: Fitted) -> dict[str, Any]:
    """What `--json` prints and `--out` keeps."""
    found = made.fit
    return {
        "model": made.version,
        "log_likelihood": found.log_likelihood,
        "converged": all(one.converged is not False for one in found.skills),
        "responses": found.responses,
        "users": len(made.file.user.names),
        "distinct_beginnings": found.distinct,
        "starts": found.starts,
        "seed": made.wish.seed,
        "elapsed_time": made.file.has_time,
        "weight": found.weight if made.items is not None else None,
        "decay_per_day": found.decay if made.file.has_time else None,
        "student_prior": None if made.student is None else asdict(made.student),
        "pooled": _parameters(found.pooled),
        "skills": [
            _skill(name, one, None if made.priors is None else made.priors[place], made)
            for place, (name, one) in enumerate(zip(made.rows.names, found.skills, strict=True))
        ],
        "covariates": _covariates(made),
        "items": _items(made),
    }


def _parameters(skill: Skill) -> dict[str, Any]:
    return {name: getattr(skill, name) for name in NAMES} | {"half_width": asdict(skill.spread)}


def _skill(name: str, one: SkillFit, priors: Floats | None, made: Fitted) -> dict[str, Any]:
    grades = (
        {} if priors is None else {"prior_by_grade": dict(zip(made.levels[made.wish.grade or ""], priors, strict=True))}
    )
    return {
        "skill": name,
        "status": one.status,
        "responses": one.responses,
        "students": one.students,
        **_parameters(one.skill),
        "se": one.errors,
        "strength": one.strength,
        "log_likelihood": one.log_likelihood,
        "converged": one.converged,
        **grades,
    }


def _covariates(made: Fitted) -> list[dict[str, Any]]:
    named = [(name, level) for name in made.wish.covariates for level in made.levels[name][1:]]
    return [
        {"column": name, "value": level, "guess": guess, "slip": slip, "kept": bool(guess or slip)}
        for (name, level), (guess, slip) in zip(named, made.fit.covariates.tolist(), strict=True)
    ]


def _items(made: Fitted) -> list[dict[str, Any]]:
    if made.items is None or made.file.item is None:
        return []
    number = np.bincount(made.items.of_response, minlength=len(made.items.pairs))
    return [
        {
            "item": made.file.item.names[item],
            "skill": made.rows.names[skill],
            "difficulty": difficulty,
            "responses": int(seen),
        }
        for (item, skill), difficulty, seen in zip(
            made.items.pairs.tolist(), made.difficulty.tolist(), number, strict=True
        )
    ]


def run(file: TraceFile, wish: Wish, heard: Heard, *, json: bool, out: Path | None, report: Path | None) -> None:
    """Fit, and write what was found."""
    made = fitted(file, wish, heard)
    found = as_json(made)
    if report is not None:
        report.write_text(_report(found, file), encoding="utf-8")
    output.write(found, json=json, out=out)
    if not json:
        show.facts(facts(found))
        output.table("", COLUMNS, table_rows(found["skills"]))
    for sentence in remarks(found):
        show.message(sentence)


def facts(found: dict[str, Any]) -> dict[str, object]:
    """What holds of the whole fit, for people."""
    return {
        "responses": f"{found['responses']:,} of {found['users']:,} users",
        "log-likelihood": f"{found['log_likelihood']:,.1f}",
        "weight of difficulty": shown(found["weight"]),
        "decay per day": shown(found["decay_per_day"], 4),
        "students' own priors": student_prior_shown(found["student_prior"]),
        "model": found["model"],
    }


def student_prior_shown(found: dict[str, Any] | None) -> str:
    """How far students' own priors lie from the skills', for people."""
    if found is None:
        return "not asked for"
    if found["strength"] == 0:
        return "no better than the skills'"
    return f"{found['strength']:.1f} logits × mean deviation, drawn to 0 by {found['shrinkage']:g} responses"


def table_rows(skills: Sequence[dict[str, Any]]) -> list[list[object]]:
    """A line for each skill, those with most responses first."""
    ordered = sorted(skills, key=lambda one: -one["responses"])
    return [
        [one["skill"], f"{one['responses']:,}", f"{one['students']:,}", *(shown(one[n]) for n in NAMES), one["status"]]
        for one in ordered
    ]


def remarks(found: dict[str, Any]) -> list[str]:
    """What must not be overlooked, in sentences."""
    stand_in = [one["skill"] for one in found["skills"] if one["status"] != FITTED]
    moving = [one["skill"] for one in found["skills"] if one["converged"] is False]
    said = []
    if stand_in:
        said.append(
            f"{len(stand_in)} of {len(found['skills'])} skills have the pooled parameters; their status says why."
        )
    if moving:
        said.append(f"Not at a maximum yet: {', '.join(moving[:10])}.")
    if not found["elapsed_time"]:
        said.append("Timestamps are taken as an order alone: no forgetting over elapsed time (see --time).")
    return said


def _report(found: dict[str, Any], file: TraceFile) -> str:
    parts: list[Part] = [Facts(facts(found)), *(Text(sentence) for sentence in remarks(found))]
    return page(
        "Knowledge tracing: fitted skills",
        [
            Section("The fit", parts),
            Section("Parameters of the skills", [pictures.parameters(found["skills"])]),
            Section("Every skill", [Table(COLUMNS, table_rows(found["skills"]))]),
        ],
        subtitle=file.path.name,
    )
