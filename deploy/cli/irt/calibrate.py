"""`trellis irt calibrate`: item parameters with their errors, from responses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.cli import show
from deploy.cli.irt import output
from deploy.cli.irt.files import ResponseFile
from deploy.cli.irt.itemmap import read_item_map
from deploy.cli.irt.output import shown
from deploy.cli.irt.parameters import METRIC, ParameterFile, item_as_json, threshold_names
from deploy.cli.irt.pictures import calibrate as pictures
from deploy.cli.refusal import Refused, refusing
from deploy.cli.report import Facts, Part, Section, Table, Text, page
from services.assessment.domain.irt import kernels
from services.assessment.domain.irt.calibration import Acceleration, Calibration, Free, Iteration, calibrate, prior
from services.assessment.domain.irt.models import Model, Parameters

EVERYBODY = "all"
"""What the only group is called where the file has no groups."""


@dataclass(frozen=True, slots=True)
class How:
    """How to search."""

    kernel: kernels.Name
    nodes: int
    acceleration: Acceleration
    tolerance: float
    iterations: int
    errors: bool
    covariance: bool


def models_of(file: ResponseFile, model: str | None, models: Path | None) -> list[Model]:
    """Each item's model: as `models` says, else `model`.

    Raises: Refused when an item has none or an unknown one.
    """
    said = {} if models is None else read_item_map(models, "model", file.items)
    found = []
    for name in file.items:
        one = said.get(name, model)
        if one is None:
            raise Refused(f"{models}: item {name!r} has no model there; --model says the one of all others.")
        try:
            found.append(Model(one.lower()))
        except ValueError:
            known = ", ".join(each.value for each in Model)
            raise Refused(f"{models}: item {name!r} has model {one!r}; models are {known}.") from None
    return found


def anchored(file: ResponseFile, anchors: ParameterFile | None) -> tuple[ResponseFile, dict[int, Parameters]]:
    """The file in the categories of its anchors, and the anchors by position.

    Raises: Refused when no item is an anchor, or an answer is outside an anchor's categories.
    """
    if anchors is None:
        return file, {}
    place = {name: position for position, name in enumerate(anchors.names)}
    found = {position: place[name] for position, name in enumerate(file.items) if name in place}
    if not found:
        raise Refused(f"{anchors.path}: none of its items is in {file.path}, so nothing is anchored.")
    targets = [
        anchors.categories[found[position]] if position in found else own
        for position, own in enumerate(file.categories)
    ]
    return file.recoded(targets), {position: anchors.items[one] for position, one in found.items()}


def labels_of(file: ResponseFile) -> list[str] | None:
    """Each student's group. Raises: Refused when somebody has none."""
    if file.grouping is None:
        return None
    if (file.grouping.codes < 0).any():
        student = int(np.argmax(file.grouping.codes < 0))
        raise Refused(
            f"{file.path}, {file.place_of(student, 0)}, column {file.grouping.column!r}: the group is missing."
        )
    labels = file.grouping.labels
    return [labels[code] for code in file.grouping.codes.tolist()]


def run(
    file: ResponseFile, models: list[Model], anchors: ParameterFile | None, priors: Sequence[str], how: How, *,
    json: bool, out: Path | None, report: Path | None
) -> None:  # fmt: skip
    """Calibrate, and write what was found."""
    file, fixed = anchored(file, anchors)
    models = [fixed[place].model if place in fixed else model for place, model in enumerate(models)]
    with refusing("--prior"):
        densities = [prior(one) for one in priors]
    with show.progress() as bar, refusing(file.path):

        def watch(step: Iteration) -> None:
            bar.show(f"iteration {step.number} ({step.kind}), log-likelihood {step.log_likelihood:,.3f}")

        found = calibrate(
            file.responses,
            models,
            categories=[len(one) for one in file.categories],
            kernel=kernels.kernel(how.kernel),
            names=file.items,
            groups=labels_of(file),
            anchors=fixed,
            priors=densities,
            nodes=how.nodes,
            acceleration=how.acceleration,
            tolerance=how.tolerance,
            errors=how.errors,
            iterations=how.iterations,
            watch=watch,
        )
    made = as_json(file, found, fixed, priors, how)
    if found.silent:
        show.message(f"Students without answers, who count nowhere: {found.silent:,}.")
    if not found.converged:
        show.message(f"NOT CONVERGED: {found.remark}.")
    if report is not None:
        report.write_text(_report(file, found, made), encoding="utf-8")
    output.write(made, json=json, out=out)
    if not json:
        show.facts(_facts(file, made), title="Calibration")
        output.table(f"Items, a(θ − b), {METRIC}", _columns(made), _rows(made))


def as_json(
    file: ResponseFile, found: Calibration, fixed: Mapping[int, Parameters], priors: Sequence[str], how: How
) -> dict[str, Any]:
    """What `--json` prints."""
    models = {item.model.value for item in found.items}
    first = found.groups[0]
    return {
        "model": models.pop() if len(models) == 1 else "mixed",
        "metric": METRIC,
        "engine": f"mml-em:{found.kernel}",
        "students": found.students,
        "students_without_answers": found.silent,
        "log_likelihood": found.log_likelihood,
        "log_posterior": found.log_posterior if priors else None,
        "free_parameters": len(found.free),
        "converged": found.converged,
        "remark": found.remark,
        "iterations": found.iterations,
        "priors": list(priors),
        "anchors": [file.items[place] for place in sorted(fixed)],
        "latent": {"mean": first.mean, "sd": first.sd},
        "groups": [
            {
                "name": group.name or EVERYBODY,
                "mean": group.mean,
                "sd": group.sd,
                "se": _both(found.group_errors(place)),
                "students": group.students,
            }
            for place, group in enumerate(found.groups)
        ],
        "items": [
            item_as_json(name, item, categories) | {"se": _errors(item, found.standard_errors(place))}
            for place, (name, item, categories) in enumerate(zip(file.items, found.items, file.categories, strict=True))
        ],
        "covariance": _covariance(file, found) if how.covariance else None,
    }


def _both(errors: Mapping[str, float]) -> dict[str, float | None]:
    return {name: errors.get(name) for name in ("mean", "sd")}


def _errors(item: Parameters, errors: Mapping[str, float]) -> dict[str, Any]:
    steps = [errors.get(name) for name in threshold_names(len(item.b))]
    return {"a": errors.get("a"), "b": steps[0] if len(steps) == 1 else steps, "c": errors.get("c")}


def _covariance(file: ResponseFile, found: Calibration) -> dict[str, Any] | None:
    """The matrix, and what its rows and columns are."""
    if found.covariance is None:
        return None

    def named(free: Free) -> dict[str, str | None]:
        return {
            "item": None if free.item is None else file.items[free.item],
            "group": None if free.group is None else found.groups[free.group].name or EVERYBODY,
            "parameter": free.name,
        }

    return {"order": [named(free) for free in found.free], "matrix": found.covariance}


def _facts(file: ResponseFile, made: dict[str, Any]) -> dict[str, object]:
    facts: dict[str, object] = {
        "file": file.path.name,
        "students": f"{made['students']:,}",
        "items": len(file.items),
        "model": made["model"],
        "log-likelihood": shown(made["log_likelihood"]),
        "free parameters": made["free_parameters"],
        "converged": f"{'yes' if made['converged'] else 'NO'}, {made['iterations']} iterations",
        "engine": made["engine"],
    }
    for group in made["groups"]:
        name = "ability" if len(made["groups"]) == 1 else f"ability of {group['name']}"
        facts[name] = f"mean {shown(group['mean'])}, sd {shown(group['sd'])}"
    return facts


def _columns(made: dict[str, Any]) -> list[str]:
    steps = max(len(_listed(one["b"])) for one in made["items"])
    names = [heading for name in ("a", *threshold_names(steps)) for heading in (name, "SE")]
    guessing = ["c", "SE"] if any(one["model"] == Model.THREE_PL for one in made["items"]) else []
    return ["item", "model", *names, *guessing]


def _rows(made: dict[str, Any]) -> list[list[object]]:
    steps = max(len(_listed(one["b"])) for one in made["items"])
    guessing = any(one["model"] == Model.THREE_PL for one in made["items"])
    rows = []
    for one in made["items"]:
        pairs = [(one["a"], one["se"]["a"]), *zip(_listed(one["b"]), _listed(one["se"]["b"]), strict=True)]
        pairs += [(None, None)] * (steps - len(_listed(one["b"])))
        if guessing:
            pairs.append((one["c"], one["se"]["c"]) if one["model"] == Model.THREE_PL else (None, None))
        rows.append([one["item"], one["model"], *(shown(number) for pair in pairs for number in pair)])
    return rows


def _listed(value: Any) -> list[float | None]:
    return list(value) if isinstance(value, list) else [value]


def _report(file: ResponseFile, found: Calibration, made: dict[str, Any]) -> str:
    latent = [(group.name or EVERYBODY, group.mean, group.sd) for group in found.groups]
    summary: list[Part] = [Facts(_facts(file, made))]
    if not found.converged:
        summary.append(Text(f"Not converged: {found.remark}. These numbers are where the search ended, not estimates."))
    if found.silent:
        summary.append(Text(f"Students without answers, who count nowhere: {found.silent:,}."))
    summary.append(Text(f"Parameters are in the logistic metric a(θ − b) with D = 1; {_scale(found, made)}"))
    return page(
        "Calibration",
        [
            Section("Summary", summary),
            Section("Items and abilities on one scale", [pictures.wright(file.items, found.items, latent)]),
            Section("Information", [pictures.information(found.items, latent)]),
            Section("Item curves", [pictures.curves(file.items, found.items)]),
            Section("Table", [Table(_columns(made), _rows(made))]),
        ],
        subtitle=file.path.name,
    )


def _scale(found: Calibration, made: dict[str, Any]) -> str:
    if made["anchors"]:
        return f"the scale is that of the {len(made['anchors'])} anchors."
    if len(found.groups) > 1:
        return f"abilities of the group {found.groups[0].name} have mean 0" + (
            " and standard deviation 1." if found.groups[0].sd == 1 else "; slopes of 1 set the unit."
        )
    return "abilities have mean 0" + (" and standard deviation 1." if found.groups[0].sd == 1 else ", slopes are 1.")
