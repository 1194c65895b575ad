"""From files to what the domain computes with: one numbering of users, skills and items over several files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.cli.refusal import Refused
from deploy.cli.trace.files import Coded, Floats, Ints, TraceFile
from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.items import Difficulties, difficulties


@dataclass(frozen=True, slots=True)
class Expanded:
    """A response for each skill of each row: `row` (responses,) says whose row it is, `skill` its place in `names`."""

    row: Ints
    skill: Ints
    names: list[str]


def expanded(file: TraceFile, separator: str | None) -> Expanded:
    """Rows by skill. A skill is the whole cell; only a separator that was asked for makes several of one."""
    if separator is None:
        return Expanded(np.arange(len(file)), file.skill.codes, file.skill.names)
    names: dict[str, int] = {}
    parts = [
        [names.setdefault(part.strip(), len(names)) for part in dict.fromkeys(cell.split(separator)) if part.strip()]
        for cell in file.skill.names
    ]
    for cell, some in zip(file.skill.names, parts, strict=True):
        if not some:
            raise Refused(f"{file.path}, column 'skill': {cell!r} names no skill.")
    number = np.array([len(some) for some in parts])[file.skill.codes]
    row = np.repeat(np.arange(len(file)), number)
    skill = np.concatenate([np.array(parts[code], dtype=np.int64) for code in file.skill.codes.tolist()])
    return Expanded(row, skill, list(names))


def among(names: Sequence[str], known: Sequence[str], otherwise: int) -> Ints:
    """The place of each name among the known ones, or `otherwise`."""
    places = {name: place for place, name in enumerate(known)}
    return np.array([places.get(name, otherwise) for name in names], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Items:
    """Pairs of item and skill: `of_response` numbers them, `pairs` (pairs, 2) are codes of item and skill."""

    of_response: Ints
    pairs: Ints

    @classmethod
    def of(cls, item: Ints, skill: Ints) -> "Items":
        key, inverse = np.unique(item * (int(skill.max(initial=0)) + 1) + skill, return_inverse=True)
        size = int(skill.max(initial=0)) + 1
        return cls(inverse.astype(np.int64), np.stack([key // size, key % size], axis=1))


def difficulty_of(file: TraceFile, rows: Expanded) -> tuple[Items, Difficulties] | None:
    """Difficulties of the items of a file, or None where it names none."""
    if file.item is None:
        return None
    items = Items.of(file.item.codes[rows.row], rows.skill)
    return items, difficulties(items.of_response, items.pairs[:, 1], file.user.codes[rows.row], file.credit[rows.row])


def responses_of(file: TraceFile, rows: Expanded, skill: Ints, difficulty: Floats, covariates: Floats) -> Responses:
    """The file's rows as the domain takes them, in the order of the file."""
    return Responses(
        file.user.codes[rows.row],
        skill,
        file.credit[rows.row],
        file.time[rows.row],
        difficulty,
        covariates,
        file.has_time,
    )


def indicators(column: Coded, levels: Sequence[str]) -> Floats:
    """A column of 0 and 1 for each level but the first, (rows, levels - 1); an unknown level counts as the first."""
    place = among(column.names, levels, 0)[column.codes]
    return np.asarray(place[:, np.newaxis] == np.arange(1, len(levels)), dtype=np.float64)
