"""`trellis trace evaluate`: how well a fit predicts responses that it has not seen."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.output import shown
from deploy.cli.refusal import Refused
from deploy.cli.report import Facts, Part, Section, Table, Text, page
from deploy.cli.trace import pictures
from deploy.cli.trace.files import Floats, Ints, TraceFile
from deploy.cli.trace.fit import Fitted, Heard, Wish, covariates_of, fitted, grades_of, start_of, student_prior_shown
from deploy.cli.trace.material import Expanded, among, expanded, responses_of
from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.predict import calibration_curve, predict, quality
from services.mastery.domain.tracing.students import predict_students

COLUMNS = ("skill", "rows", "AUC", "RMSE", "log loss", "status")


def run(
    train: TraceFile,
    test: TraceFile,
    wish: Wish,
    heard: Heard,
    *,
    going_on: bool,
    json: bool,
    predictions: Path | None,
    report: Path | None,
) -> None:
    """Fit TRAIN, predict TEST, and write how well."""
    if train.has_time != test.has_time:
        raise Refused(
            f"{train.path} and {test.path}: timestamps of one tell time and of the other only an order; say --time."
        )
    made = fitted(train, wish, heard)
    rows = expanded(test, wish.separator)
    p = predicted(made, test, rows, going_on=going_on)
    found = as_json(made, test, rows, p)
    if predictions is not None:
        with predictions.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write("p\n")
            stream.writelines(f"{value!r}\n" for value in p.tolist())
    if report is not None:
        report.write_text(_report(found, train, test), encoding="utf-8")
    output.write(found, json=json, out=None)
    if not json:
        show.facts(_facts(found))
        output.table("", COLUMNS, _rows(found))
    for sentence in _remarks(found):
        show.message(sentence)


def predicted(made: Fitted, test: TraceFile, rows: Expanded, *, going_on: bool) -> Floats:
    """The probability of a right answer at each row of TEST; of a row with several skills their mean.

    Parameters and difficulties are TRAIN's. Each user begins TEST at the prior, or goes on from TRAIN's rows; what a
    user's own prior is comes from the rows before it, of the same rows.
    """
    known = len(made.rows.names)
    place = among(rows.names, made.rows.names, -1)
    new = np.flatnonzero(place < 0)  # each a skill of its own, with the pooled parameters
    place[new] = known + np.arange(len(new))
    skills = made.skills.take(np.minimum(np.arange(known + len(new)), known))
    skill = place[rows.skill]
    asked = responses_of(
        test,
        rows,
        skill,
        _difficulty(made, test, rows, np.minimum(skill, known)),
        covariates_of(test, rows, made.wish, made.levels),
    )
    grade, event = grades_of(made, test, rows), rows.row
    before = 0
    if going_on:
        asked, grade, before = _joined(made, asked, test, grade)
        event = np.concatenate([made.rows.row, len(made.file) + event])
    start = start_of(made, asked, grade)
    if made.student is None:
        found = predict(asked, skills, made.fit.covariates, start)
    else:
        found = predict_students(asked, skills, made.fit.covariates, made.student, start, event)
    expected = found.expected[before:]
    total = np.bincount(rows.row, expected, minlength=len(test))
    return np.asarray(total / np.bincount(rows.row, minlength=len(test)))


def _difficulty(made: Fitted, test: TraceFile, rows: Expanded, skill: Ints) -> Floats:
    """Difficulties from TRAIN; an item it does not have is of average difficulty."""
    if made.items is None or test.item is None or made.file.item is None:
        return np.zeros(len(rows.row))
    unknown = len(made.file.item.names)
    item = among(test.item.names, made.file.item.names, unknown)[test.item.codes][rows.row]
    size = len(made.rows.names) + 1
    keys = made.items.pairs[:, 0] * size + made.items.pairs[:, 1]  # rising, as the pairs are
    key = item * size + skill
    place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    return np.where(keys[place] == key, made.difficulty[place], 0.0)


def _joined(made: Fitted, asked: Responses, test: TraceFile, grade: Ints | None) -> tuple[Responses, Ints | None, int]:
    """TRAIN's rows before TEST's, users by name; and how many they are."""
    train, rows = made.file, made.rows
    user = among(test.user.names, train.user.names, -1)
    user = np.where(user < 0, len(train.user.names) + np.arange(len(user)), user)
    difficulty = _difficulty(made, train, rows, rows.skill)
    seen = responses_of(train, rows, rows.skill, difficulty, covariates_of(train, rows, made.wish, made.levels))
    both = Responses(
        np.concatenate([seen.user, user[asked.user]]),
        np.concatenate([seen.skill, asked.skill]),
        np.concatenate([seen.credit, asked.credit]),
        None if seen.time is None or asked.time is None else np.concatenate([seen.time, asked.time]),
        np.concatenate([seen.difficulty, asked.difficulty]),
        np.concatenate([seen.covariates, asked.covariates]),
        asked.has_time,
    )
    earlier = grades_of(made, train, rows)
    joined = None if grade is None or earlier is None else np.concatenate([earlier, grade])
    return both, joined, len(seen)


def as_json(made: Fitted, test: TraceFile, rows: Expanded, p: Floats) -> dict[str, Any]:
    """What `--json` prints."""
    whole = quality(test.credit, p)
    curve = calibration_curve(test.credit, p)
    status = dict(zip(made.rows.names, (one.status for one in made.fit.skills), strict=True))
    order = np.argsort(rows.skill, kind="stable")
    cuts = np.searchsorted(rows.skill[order], np.arange(len(rows.names) + 1))
    competencies = []
    for place, name in enumerate(rows.names):
        at = rows.row[order[cuts[place] : cuts[place + 1]]]
        one = quality(test.credit[at], p[at])
        competencies.append(
            {
                "skill": name,
                "rows": one.responses,
                "auc": one.auc,
                "rmse": one.rmse,
                "log_loss": one.log_loss,
                "status": status.get(name, "unknown to TRAIN: pooled parameters"),
            }
        )
    return {
        "auc": whole.auc,
        "rmse": whole.rmse,
        "log_loss": whole.log_loss,
        "rows": whole.responses,
        "users": len(test.user.names),
        "train_rows": len(made.file),
        "model": made.version,
        "weight": made.fit.weight if made.items is not None else None,
        "decay_per_day": made.fit.decay if made.file.has_time else None,
        "student_prior": None if made.student is None else asdict(made.student),
        "elapsed_time": test.has_time,
        "competencies": competencies,
        "calibration": [
            dict(zip(("expected", "observed", "lower", "upper", "rows"), bin_, strict=True))
            for bin_ in zip(*(column.tolist() for column in asdict(curve).values()), strict=True)
        ],
    }


def _facts(found: dict[str, Any]) -> dict[str, object]:
    return {
        "rows": f"{found['rows']:,} of {found['users']:,} users",
        "AUC": shown(found["auc"], 4),
        "RMSE": shown(found["rmse"], 4),
        "log loss": shown(found["log_loss"], 4),
        "weight of difficulty": shown(found["weight"]),
        "decay per day": shown(found["decay_per_day"], 4),
        "students' own priors": student_prior_shown(found["student_prior"]),
        "model": found["model"],
    }


def _rows(found: dict[str, Any]) -> list[list[object]]:
    ordered = sorted(found["competencies"], key=lambda one: -one["rows"])
    return [
        [
            one["skill"],
            f"{one['rows']:,}",
            shown(one["auc"]),
            shown(one["rmse"]),
            shown(one["log_loss"]),
            one["status"],
        ]
        for one in ordered
    ]


def _remarks(found: dict[str, Any]) -> list[str]:
    unknown = [one["skill"] for one in found["competencies"] if one["status"].startswith("unknown")]
    said = []
    if unknown:
        said.append(f"{len(unknown)} skills of TEST are not in TRAIN and were predicted with pooled parameters.")
    if not found["elapsed_time"]:
        said.append("Timestamps are taken as an order alone: no forgetting over elapsed time (see --time).")
    return said


def _report(found: dict[str, Any], train: TraceFile, test: TraceFile) -> str:
    parts: list[Part] = [Facts(_facts(found)), *(Text(sentence) for sentence in _remarks(found))]
    return page(
        "Knowledge tracing: how well it predicts",
        [
            Section("All rows", parts),
            Section("Calibration", [pictures.calibration(found["calibration"])]),
            Section("Every skill", [Table(COLUMNS, _rows(found))]),
        ],
        subtitle=f"fitted to {train.path.name}, predicting {test.path.name}",
    )
