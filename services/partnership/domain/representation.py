"""Whom a choice of pairs serves: schools of each kind among those in pairs, against all that are willing."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from services.partnership.domain.instance import Instance
from services.partnership.domain.programme import SECTOR
from shared.disclosure.measures import represented


@dataclass(frozen=True, slots=True)
class Represented:
    """Schools with one value of an attribute: how many are willing, how many of them are in pairs.

    `ratio` is their share of the schools in pairs over their share of the willing, above 1 over-represented, with its
    95 % interval for a choice made without regard to the attribute; None where it is not known.
    """

    attribute: str
    value: str
    willing: int
    paired: int
    ratio: float | None
    lower: float | None
    upper: float | None


def representation(instance: Instance, paired: Collection[UUID]) -> list[Represented]:
    """For each attribute that schools have, the sector among them, who is over- and under-represented; by name.

    `paired` are the schools that have a partner.
    """
    schools = {school.id: school for school in instance.schools}
    willing = {each.school for each in instance.willing}
    names = sorted({name for one in willing for name, _ in schools[one].attributes} | {SECTOR})
    found = []
    for name in names:
        found += _rows(name, [(schools[one].value_of(name), one in paired) for one in willing])
    return found


def _rows(attribute: str, held: Sequence[tuple[str | None, bool]]) -> list[Represented]:
    values = sorted({value for value, _ in held if value is not None})
    if len(values) < 2:
        return []
    everyone = np.array([sum(value == each for value, _ in held) for each in values], np.int64)
    chosen = np.array([sum(value == each and is_in for value, is_in in held) for each in values], np.int64)
    if not chosen.sum():
        return []
    found = represented(chosen, everyone)

    def known(number: float) -> float | None:
        return float(number) if np.isfinite(number) else None

    return [
        Represented(
            attribute, value, int(everyone[at]), int(chosen[at]), known(found.value[at]), known(found.lower[at]),
            known(found.upper[at]),
        )
        for at, value in enumerate(values)
    ]  # fmt: skip
