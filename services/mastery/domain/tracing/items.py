"""How difficult an item is for those who work on its skill, from the responses themselves, in logits."""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.tracing.skill import Floats, Ints
from services.mastery.domain.tracing.update import HARDEST

STRENGTH = 3.0
"""An item is believed to be like its skill as if so many more responses had said so."""

FOLDS = 5
"""A fit sees each student's items as difficult as the students of the other folds found them."""


@dataclass(frozen=True, slots=True)
class Difficulties:
    """`of_item` (pairs,): difficulty of each pair of item and skill; `of_response` (responses,): cross-fitted.

    A response must not tell how difficult its own item is, or difficulty seems to explain more than it does: for the
    fit, each student's responses get difficulties from the students of the other folds (Chernozhukov et al. 2018 on
    cross-fitting).
    """

    of_item: Floats
    of_response: Floats


def difficulties(pair: Ints, skill_of_pair: Ints, user: Ints, credit: Floats) -> Difficulties:
    """Difficulties of items relative to their skill: logit of the skill's mean credit less the item's, shrunken.

    `pair` (responses,) numbers pairs of item and skill, `skill_of_pair` (pairs,) is the skill of each; 0 is the average
    of the skill, above 0 harder. Students are dealt to the folds by their number.
    """
    fold = user % FOLDS
    of_response = np.empty(len(pair))
    for each in range(FOLDS):
        others, here = fold != each, fold == each
        of_response[here] = _relative(pair[others], skill_of_pair, credit[others])[pair[here]]
    return Difficulties(_relative(pair, skill_of_pair, credit), of_response)


def _relative(pair: Ints, skill_of_pair: Ints, credit: Floats) -> Floats:
    pairs = len(skill_of_pair)
    right, seen = np.bincount(pair, credit, minlength=pairs), np.bincount(pair, minlength=pairs)
    skills = int(skill_of_pair.max(initial=-1)) + 1
    # one right and one wrong more keep a mean inside 0 and 1
    mean = (np.bincount(skill_of_pair, right, minlength=skills) + 1) / (
        np.bincount(skill_of_pair, seen, minlength=skills) + 2
    )
    expected = mean[skill_of_pair]
    shrunken = (right + STRENGTH * expected) / (seen + STRENGTH)
    return np.clip(_logit(expected) - _logit(shrunken), -HARDEST, HARDEST)


def _logit(chance: Floats) -> Floats:
    return np.asarray(np.log(chance) - np.log1p(-chance))
