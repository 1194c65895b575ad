"""`trellis irt score`: what ability each student's answers speak for."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.files import ResponseFile
from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import METRIC, ParameterFile
from deploy.cli.irt.pictures import score as pictures
from deploy.cli.refusal import Refused, refusing
from deploy.cli.report import Facts, Part, Section, Text, page
from services.assessment.domain.irt import kernels
from services.assessment.domain.irt.ability import Estimates, Method, Prior, engine_version, estimate
from services.assessment.domain.irt.models import Parameters
from services.assessment.domain.irt.persons import person_fit
from services.assessment.domain.irt.reliability import NoReliability, empirical_reliability
from services.assessment.domain.irt.residuals import Latent
from services.assessment.domain.irt.scale import Rounding, Scale
from services.assessment.domain.irt.sumscores import sum_scores

SHOWN = 20
RAW = ("raw", "theta", "se", "share")
MEANINGS = {
    Method.EAP: "the mean and standard deviation of the posterior",
    Method.MAP: "the highest point of the posterior",
    Method.WLE: "Warm's weighted likelihood",
    Method.ML: "the highest point of the likelihood",
}


def run(
    file: ResponseFile, parameters: ParameterFile, method: Method, kernel: kernels.Name, *,
    bounds: tuple[float, float] | None, persons: bool, scale: Scale | None, raw: bool, json: bool, out: Path | None,
    report: Path | None
) -> None:  # fmt: skip
    """Estimate, and write what was found."""
    items, answers = parameters.matched(file)
    with show.progress() as bar, refusing(file.path):
        bar.show(f"{file.size:,} students are scored")
        found = estimate(
            method,
            answers.responses,
            items,
            prior=Prior(parameters.mean, parameters.sd),
            kernel=kernels.kernel(kernel),
            bounds=bounds,
        )
    engine = engine_version(kernel) if method is Method.EAP else f"{method.value}-2"
    made = as_json(file, parameters, method, engine, found)
    columns = _columns(file, found)
    if scale is not None:
        made["scale"] = asdict(scale)
        columns |= {"scaled": scale.scores(found.theta).tolist(), "scaled_se": scale.errors(found.se).tolist()}
    if raw:
        made["raw_scores"] = _raw_scores(items, parameters)
    if persons:
        with refusing(file.path):
            fits = person_fit(answers.rows(), items, latent=Latent(parameters.mean, parameters.sd), names=file.items)
        columns |= {"lz": fits.lz.tolist(), "infit": fits.infit.tolist(), "outfit": fits.outfit.tolist()}
    for said in _remarks(made):
        show.message(said)
    if report is not None:
        report.write_text(_report(file, parameters, method, found, made), encoding="utf-8")
    if out is not None and out.suffix == ".csv":
        _write_csv(out, columns)
        out = None
    if json or out is not None:
        names = tuple(columns)
        made["scores"] = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        output.write(made, json=json, out=out)
    if not json:
        show.facts(_facts(file, parameters, made), title="Abilities")
        headings = ("student", *(name for name in columns if name != "student"))
        first = [
            [file.name_of(student), *(_cell(columns[name][student]) for name in headings[1:])]
            for student in range(min(SHOWN, file.size))
        ]
        if raw:
            table = [[one["raw"], *(shown(one[of], 4) for of in RAW[1:])] for one in made["raw_scores"]]
            output.table("Raw scores (EAPsum)", RAW, table)
        output.table(
            "" if file.size <= SHOWN else f"The first {SHOWN}",
            headings,
            first,
        )


def as_json(
    file: ResponseFile, parameters: ParameterFile, method: Method, engine: str, found: Estimates
) -> dict[str, Any]:
    """What `--json` prints, but for the scores."""
    known = np.isfinite(found.theta) & np.isfinite(found.se)
    try:
        reliability = empirical_reliability(found.theta, found.se) if method is Method.EAP else None
    except NoReliability:
        reliability = None
    with file.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "method": method.value,
        "metric": METRIC,
        "engine": engine,
        "parameters": {"file": parameters.path.name, "sha256": parameters.sha256},
        "responses": {"file": file.path.name, "sha256": digest},
        "prior": {"mean": parameters.mean, "sd": parameters.sd} if method in (Method.EAP, Method.MAP) else None,
        "students": file.size,
        "without_answers": int(np.isnan(found.theta).sum()),
        "infinite": {"low": int((found.theta == -np.inf).sum()), "high": int((found.theta == np.inf).sum())},
        "mean": found.theta[known].mean() if known.any() else None,
        "sd": found.theta[known].std(ddof=1) if known.sum() > 1 else None,
        "mean_se": found.se[known].mean() if known.any() else None,
        "empirical_reliability": reliability,
    }


def read_scale(text: str) -> Scale:
    """The scale written as NAME,SLOPE,INTERCEPT,LOWEST,HIGHEST[,ROUNDING].

    Raises: Refused.
    """
    name, *numbers = text.split(",")
    try:
        slope, intercept, lowest, highest = (float(one) for one in numbers[:4])
        rounding = Rounding(numbers[4].strip()) if len(numbers) > 4 else Rounding.HALF_UP
    except ValueError:
        known = ", ".join(one.value for one in Rounding)
        raise Refused(f"--scale {text!r} is no NAME,SLOPE,INTERCEPT,LOWEST,HIGHEST[,ROUNDING] ({known}).") from None
    with refusing("--scale"):
        return Scale(name.strip(), slope, intercept, lowest, highest, rounding)


def _raw_scores(items: Sequence[Parameters], parameters: ParameterFile) -> list[dict[str, Any]]:
    """What each number of points on all items of the file speaks for (EAPsum); points count categories from 0."""
    found = sum_scores(items, parameters.mean, parameters.sd)
    rows = zip(found.theta, found.se, found.frequency, strict=True)
    return [{"raw": raw, "theta": theta, "se": se, "share": share} for raw, (theta, se, share) in enumerate(rows)]


def _columns(file: ResponseFile, found: Estimates) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {} if file.students is None else {"student": list(file.students)}
    return columns | {"theta": found.theta.tolist(), "se": found.se.tolist(), "answers": file.answered.tolist()}


def _write_csv(out: Path, columns: dict[str, list[Any]]) -> None:
    """The scores as CSV; what is unknown or infinite is an empty cell."""
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow("" if isinstance(one, float) and not np.isfinite(one) else one for one in row)


def _cell(value: Any) -> str:
    return shown(value) if isinstance(value, float) else str(value)


def _remarks(made: dict[str, Any]) -> list[str]:
    said = []
    if made["without_answers"]:
        said.append(f"Students without answers, and so without an ability: {made['without_answers']:,}.")
    if infinite := made["infinite"]["low"] + made["infinite"]["high"]:
        said.append(f"Students with an infinite ability (all right, or all wrong), null in JSON: {infinite:,}.")
    return said


def _facts(file: ResponseFile, parameters: ParameterFile, made: dict[str, Any]) -> dict[str, object]:
    facts: dict[str, object] = {
        "responses": file.path.name,
        "parameters": parameters.path.name,
        "method": f"{made['method']}, {MEANINGS[Method(made['method'])]}",
        "engine": made["engine"],
        "students": f"{made['students']:,}",
        "mean ability": shown(made["mean"]),
        "sd of abilities": shown(made["sd"]),
        "mean SE": shown(made["mean_se"]),
    }
    if made["empirical_reliability"] is not None:
        facts["empirical reliability"] = shown(made["empirical_reliability"])
    return facts


def _report(
    file: ResponseFile, parameters: ParameterFile, method: Method, found: Estimates, made: dict[str, Any]
) -> str:
    known = np.isfinite(found.theta) & np.isfinite(found.se)
    summary: list[Part] = [Facts(_facts(file, parameters, made)), *(Text(said) for said in _remarks(made))]
    summary.append(
        Text("Abilities are in logits. The interval of 1.96 standard errors about an estimate holds 95 % of the doubt.")
    )
    drawn: list[Part] = [Text("Nobody has an ability to be drawn.")]
    if known.any():
        drawn = [
            pictures.distribution(found.theta[known], parameters if method in (Method.EAP, Method.MAP) else None),
            pictures.errors(found.theta[known], found.se[known], file.answered[known]),
        ]
    return page("Abilities", [Section("Summary", summary), Section("Pictures", drawn)], subtitle=file.path.name)
