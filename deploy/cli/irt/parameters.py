"""PARAMETERS.json: items' parameters and the latent distribution they were estimated on."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from deploy.cli.irt.files import ResponseFile
from deploy.cli.refusal import Refused
from services.assessment.domain.irt.linking import CannotLink, Covariance
from services.assessment.domain.irt.models import DICHOTOMOUS, Model, Parameters

METRIC = "logistic, D = 1"
SLOPE_IS_ONE = frozenset({Model.RASCH, Model.PCM})


@dataclass(frozen=True, slots=True)
class ParameterFile:
    """What a parameters file says."""

    path: Path
    sha256: str
    mean: float
    sd: float
    names: tuple[str, ...]
    items: tuple[Parameters, ...]
    categories: tuple[tuple[int, ...], ...]
    covariance: Covariance | None

    def matched(self, file: ResponseFile) -> tuple[tuple[Parameters, ...], ResponseFile]:
        """The parameters of a file's items in the file's order, and its answers in their categories.

        Raises: Refused when an item of the file has no parameters, or an answer is outside an item's categories.
        """
        place = {name: position for position, name in enumerate(self.names)}
        unknown = [name for name in file.items if name not in place]
        if unknown:
            more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
            raise Refused(
                f"{file.path}: column {unknown[0]!r}{more} has no parameters in {self.path}; "
                "if it is no item, name it by --id, --groups or --ignore."
            )
        places = [place[name] for name in file.items]
        return tuple(self.items[one] for one in places), file.recoded([self.categories[one] for one in places])


def read_parameters(path: Path) -> ParameterFile:
    """The file's latent distribution and items.

    Raises: Refused, naming item and field.
    """
    content = path.read_bytes()
    try:
        said = json.loads(content.decode("utf-8-sig"), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8.") from None
    except ValueError as wrong:
        raise Refused(f"{path} is no JSON: {wrong}.") from None
    if not isinstance(said, dict) or not isinstance(said.get("items"), list) or not said["items"]:
        raise Refused(f'{path} has no items: {{"latent": …, "items": [{{"item": …, "model": …}}]}} is expected.')
    mean, sd = _latent(path, said.get("latent"))
    names: dict[str, int] = {}
    items, categories = [], []
    for position, one in enumerate(said["items"]):
        if not isinstance(one, dict) or not isinstance(one.get("item"), str) or not one["item"]:
            raise Refused(f"{path}, items[{position}]: an item has a name, {{'item': 'NAME', …}}.")
        if one["item"] in names:
            raise Refused(f"{path}: item {one['item']!r} stands twice, items[{names[one['item']]}] and [{position}].")
        names[one["item"]] = position
        parameters, scores = _Reader(path, one).item()
        items.append(parameters)
        categories.append(scores)
    return ParameterFile(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        mean=mean,
        sd=sd,
        names=tuple(names),
        items=tuple(items),
        categories=tuple(categories),
        covariance=_covariance(path, said.get("covariance"), dict(zip(names, items, strict=True))),
    )


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number in JSON; unknown is null")


def _latent(path: Path, said: object) -> tuple[float, float]:
    if said is None:
        return 0.0, 1.0
    if not isinstance(said, Mapping):
        raise Refused(f'{path}: latent is {{"mean": …, "sd": …}}.')
    mean, sd = said.get("mean", 0.0), said.get("sd", 1.0)
    for name, value in (("mean", mean), ("sd", sd)):
        if not _is_number(value):
            raise Refused(f"{path}: latent {name} is {json.dumps(value)}, and no number.")
    if sd <= 0:
        raise Refused(f"{path}: latent sd is {sd}; it is above 0.")
    return float(mean), float(sd)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class _Reader:
    """One item of a parameters file."""

    def __init__(self, path: Path, said: Mapping[str, Any]) -> None:
        self._path = path
        self._said = said

    def item(self) -> tuple[Parameters, tuple[int, ...]]:
        said = self._said
        try:
            model = Model(str(said.get("model")).lower())
        except ValueError:
            models = ", ".join(one.value for one in Model)
            raise self._wrong(f"model {said.get('model')!r} is none of {models}") from None
        b = self._thresholds(model)
        a = self._slope(model)
        c = self._asymptote(model)
        if model is Model.GRM and any(a * high <= a * low for low, high in pairwise(b)):
            raise self._wrong(f"thresholds {list(b)} of a graded item rise (with a negative a they fall)")
        return Parameters(model, b, a, c), self._categories(len(b) + 1)

    def _thresholds(self, model: Model) -> tuple[float, ...]:
        b = self._said.get("b")
        if b is None:
            raise self._wrong("b is unknown")
        listed = b if isinstance(b, list) else [b]
        if not listed or not all(_is_number(one) for one in listed):
            raise self._wrong(f"b is {json.dumps(b)}; it is a number, or a list of them for more than two categories")
        if model in DICHOTOMOUS and len(listed) != 1:
            raise self._wrong(f"model {model.value} has one b, not {len(listed)}")
        return tuple(float(one) for one in listed)

    def _slope(self, model: Model) -> float:
        a = self._said.get("a", 1.0 if model in SLOPE_IS_ONE else None)
        if a is None:
            raise self._wrong("a is unknown")
        if not _is_number(a) or a == 0:
            raise self._wrong(f"a is {json.dumps(a)}; it is a number and not 0")
        if model in SLOPE_IS_ONE and a != 1:
            raise self._wrong(f"model {model.value} has a = 1, not {a} (a common slope is model 1pl, or gpcm)")
        return float(a)

    def _asymptote(self, model: Model) -> float:
        c = self._said.get("c")
        if c is None and model is not Model.THREE_PL:
            return 0.0
        if not _is_number(c) or not 0 <= c < 1:
            raise self._wrong(f"c is {json.dumps(c)}; it is a number from 0 to below 1")
        if c and model is not Model.THREE_PL:
            raise self._wrong(f"model {model.value} has c = 0, not {c}")
        return float(c)

    def _categories(self, count: int) -> tuple[int, ...]:
        said = self._said.get("categories")
        if said is None:
            return tuple(range(count))
        if (
            not isinstance(said, list)
            or not all(isinstance(one, int) and not isinstance(one, bool) for one in said)
            or any(low >= high for low, high in pairwise(said))
        ):
            raise self._wrong(f"categories {json.dumps(said)} are whole numbers that rise")
        if len(said) != count:
            raise self._wrong(f"{len(said)} categories need {len(said) - 1} b, not {count - 1}")
        return tuple(said)

    def _wrong(self, what: str) -> Refused:
        return Refused(f"{self._path}, item {self._said['item']!r}: {what}.")


def _covariance(path: Path, said: object, items: Mapping[str, Parameters]) -> Covariance | None:
    """The covariances of items' parameters, when they are there and known; those of groups are of no use elsewhere."""
    if not isinstance(said, Mapping) or said.get("matrix") is None:
        return None
    try:
        order = [(one.get("item"), one.get("group"), str(one["parameter"])) for one in said["order"]]
        kept = [place for place, (_, group, _) in enumerate(order) if group is None]
        matrix = np.array(said["matrix"], dtype=np.float64)
        if matrix.shape != (len(order), len(order)):
            raise ValueError
        names = tuple(_as_linking_has_it(order[place][0], order[place][2], items) for place in kept)
        return Covariance(names, matrix[np.ix_(kept, kept)]) if np.isfinite(matrix).all() else None
    except CannotLink as wrong:
        raise Refused(f"{path}: {wrong}.") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise Refused(
            f'{path}: covariance is {{"order": [{{"item", "group", "parameter"}}, …], "matrix": [[…], …]}}, square.'
        ) from None


def _as_linking_has_it(item: str | None, name: str, items: Mapping[str, Parameters]) -> tuple[str | None, str]:
    """The only step of a graded or partial credit item is its b1."""
    if name == "b" and item is not None and item in items and items[item].model not in DICHOTOMOUS:
        return item, "b1"
    return item, name


def threshold_names(count: int) -> tuple[str, ...]:
    """What an item's thresholds are called: `b`, or `b1`, `b2`, … when there are several."""
    return ("b",) if count == 1 else tuple(f"b{step}" for step in range(1, count + 1))


def item_as_json(name: str, parameters: Parameters, categories: Sequence[int]) -> dict[str, Any]:
    """An item as it stands in a parameters file."""
    return {
        "item": name,
        "model": parameters.model.value,
        "categories": list(categories),
        "a": parameters.a,
        "b": parameters.b[0] if len(parameters.b) == 1 else list(parameters.b),
        "c": parameters.c,
    }
