"""A school's share in an area: means of what is published, and a comparison with schools that have like students."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from services.partnership.domain.figures import Figure, share, shares_in_context


def _city(schools: int = 120) -> tuple[dict[UUID, Sequence[Figure]], dict[UUID, tuple[float, ...]], np.ndarray]:
    """Mastery falls with need, and beyond that by each school's own doing, in two competencies."""
    rng = np.random.default_rng(3)
    need, own = rng.uniform(0, 1, schools), rng.normal(0, 0.7, schools)
    figures: dict[UUID, Sequence[Figure]] = {}
    for at in range(schools):
        odds = np.exp(1 - 3 * need[at] + own[at] + rng.normal(0, 0.2, 2))
        strengths = zip("ab", (odds / (1 + odds)).tolist(), strict=True)
        figures[UUID(int=at)] = [Figure(200, round(each, 2), 0.5, competency) for competency, each in strengths]
    return figures, {UUID(int=at): (float(need[at]),) for at in range(schools)}, own


def test_means_are_weighted_by_learners_and_leave_out_what_is_hidden() -> None:
    figures = [Figure(100, 0.5, 0.3), Figure(300, 0.9, 0.1), Figure(None, None, None)]

    assert share("offers", figures) == pytest.approx(0.8)
    assert share("seeks", figures) == pytest.approx(0.15)
    assert share("seeks", [Figure(None, None, None)]) is None


def test_a_school_is_compared_with_schools_that_have_like_students() -> None:
    figures, context, own = _city()

    found = shares_in_context(dict.fromkeys(figures, "offers"), figures, context)

    shares = np.array([found[UUID(int=at)] for at in range(len(own))])
    assert np.corrcoef(shares, own)[0, 1] > 0.9
    assert abs(np.corrcoef(shares, [context[UUID(int=at)][0] for at in range(len(own))])[0, 1]) < 0.2


def test_who_seeks_has_the_rest_of_the_share_it_would_have_offering() -> None:
    figures, context, _ = _city()

    offering = shares_in_context(dict.fromkeys(figures, "offers"), figures, context)
    seeking = shares_in_context(dict.fromkeys(figures, "seeks"), figures, context)

    assert seeking == {school: pytest.approx(1 - value) for school, value in offering.items()}


def test_few_schools_or_none_of_known_context_are_not_compared() -> None:
    figures, context, _ = _city(8)

    assert shares_in_context(dict.fromkeys(figures, "offers"), figures, context) == {}
    assert shares_in_context(dict.fromkeys(figures, "offers"), figures, {}) == {}


def test_a_school_whose_figures_are_hidden_is_left_out() -> None:
    figures, context, _ = _city()
    figures[UUID(int=4)] = [Figure(None, None, None)] * 2

    assert UUID(int=4) not in shares_in_context(dict.fromkeys(figures, "offers"), figures, context)
