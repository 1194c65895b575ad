"""How a form is read: what each of its items says of each of its competencies, in tables made beforehand.

Whatever needs an exponential is in these tables; those who read by them, a batch of sheets as well as the replay of a
ledger, only multiply, divide, add and compare.
"""

from dataclasses import dataclass, replace

import numpy as np

from services.mastery.domain import exact
from services.mastery.domain.ledger import NOT_PRESENTED, OMITTED, Form
from services.mastery.domain.model import Model
from services.mastery.domain.tracing.skill import LANES, Floats, Ints, Skills
from services.mastery.domain.tracing.update import HARDEST, likelihoods

BYTES = NOT_PRESENTED + 1
_MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """The pairs of an item and a competency it is evidence for, in steps; the competencies with most items come first.

    `steps` are slices of the pairs: step k has the k-th item of the first so many competencies. `items` (pairs,) and
    `columns` (pairs,) say which item and which competency a pair is. The tables (3, pairs * 256), by lane, say how
    probable each score byte is from those who know and from those who do not; for bytes that are no evidence both are
    1. `skills` and `daily`, what a day without evidence leaves of a belief, are columns of the competencies.
    """

    competencies: tuple[bytes, ...]
    skills: Skills
    daily: Floats
    steps: tuple[slice, ...]
    items: Ints
    columns: Ints
    if_known: Floats
    if_unknown: Floats

    @classmethod
    def of(cls, form: Form, model: Model) -> "Reading":
        items: dict[bytes, list[int]] = {}
        for item, competency in zip(form.aligned_items.tolist(), form.aligned_competencies, strict=True):
            items.setdefault(competency, []).append(item)
        order = sorted(items, key=lambda competency: (-len(items[competency]), competency))
        longest = len(items[order[0]]) if order else 0
        pairs: list[tuple[int, int]] = []
        steps = []
        for step in range(longest):
            begins = len(pairs)
            pairs += [(items[one][step], column) for column, one in enumerate(order) if step < len(items[one])]
            steps.append(slice(begins, len(pairs)))
        positions, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        skills = model.skills(order)
        tables = _tables(form, positions, skills.take(columns))
        return cls(tuple(order), skills, daily(skills), tuple(steps), positions, columns, *tables)


def daily(skills: Skills) -> Floats:
    """What a day without evidence leaves of a belief, (skills,): exp(-decay)."""
    return np.array([exact.exp(-decay) for decay in skills.decay.tolist()])


def kept(a_day: Floats, since: Ints, until: Ints) -> Floats:
    """What is left of beliefs after the time without evidence, elementwise (all broadcast); `a_day` leaves so much.

    Time counts in whole days, from the day (UTC) of the last evidence to the day of this one, so that the days of
    several gaps add up to those of one. `since` and `until`, never earlier, are microseconds since 1970 UTC.
    """
    return exact.powers(a_day, until // _MICROSECONDS_A_DAY - since // _MICROSECONDS_A_DAY)


def _tables(form: Form, items: Ints, skills: Skills) -> tuple[Floats, Floats]:
    """Both tables of these items; `skills` are parallel to them."""
    points = np.arange(int(form.maxima.max()) + 1)
    credit = np.minimum(points / form.maxima[items, np.newaxis], 1.0)
    guess, slip = _at_difficulty(form.difficulties[items], skills)
    no_more = np.zeros((len(items), 1))
    here = replace(skills, guess=guess[:, :, np.newaxis], slip=slip[:, :, np.newaxis], weight=no_more)
    if_known, if_unknown = likelihoods(credit, no_more, here)
    return _by_byte(if_known), _by_byte(if_unknown)


def _at_difficulty(difficulty: Floats, skills: Skills) -> tuple[Floats, Floats]:
    """Guess and slip, by lane, at items of these difficulties: `update.at_difficulty` with exact exponentials."""
    shift = (skills.weight * np.clip(difficulty, -HARDEST, HARDEST)).tolist()
    easier, harder = (np.array([exact.exp(sign * one) for one in shift]) for sign in (-1, 1))
    return _moved(skills.guess, easier), _moved(skills.slip, harder)


def _moved(chance: Floats, odds: Floats) -> Floats:
    return np.asarray(chance * odds / (1 + 2 * chance * (odds - 1)))


def _by_byte(likelihood: Floats) -> Floats:
    """From likelihoods by points, (3, items, points), to a table by score byte, (3, items * 256)."""
    table = np.ones((*likelihood.shape[:2], BYTES))
    table[:, :, : likelihood.shape[2]] = likelihood
    table[:, :, OMITTED] = likelihood[:, :, 0]
    return table.reshape(LANES, -1)
