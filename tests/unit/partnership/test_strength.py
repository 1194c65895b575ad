"""Strength adjusted for context: planted truth is found again, shrunk, with intervals that cover it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from services.partnership.domain.strength import BadResults, NotEnoughSchools, Results, counted, log_odds, strengths

NYC = Path(__file__).parents[4] / "shared" / "data" / "schools" / "nyc_2016_school_explorer.csv"
GRADES = range(3, 9)


def _names(size: int) -> list[str]:
    return [f"school {number}" for number in range(size)]


def _planted(rng: np.random.Generator, schools: int = 300) -> tuple[Results, np.ndarray, np.ndarray]:
    """Results in four grades: need and its square, English learners, grades, and a true strength of sd 0.6."""
    context = np.stack([rng.uniform(0, 1, schools), rng.beta(1, 6, schools)], axis=1)
    true = rng.normal(0, 0.6, schools)
    school, stratum = np.repeat(np.arange(schools), 4), np.tile(np.arange(4), schools)
    keep = rng.random(len(school)) < 0.8
    school, stratum = school[keep], stratum[keep]
    variance = rng.uniform(0.02, 0.4, len(school))
    mean = 0.3 * stratum - 2 * context[school, 0] - 1.5 * context[school, 0] ** 2 - 2 * context[school, 1]
    value = mean + true[school] + rng.normal(0, np.sqrt(0.1 + variance))
    return Results(school, stratum, value, variance, np.full(len(school), 40)), context, true


def test_intervals_cover_the_planted_strength_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    inside: list[bool] = []

    for _ in range(20):
        results, context, true = _planted(rng)
        found = strengths(results, context, _names(len(true)))
        seen = np.isfinite(found.strength)
        inside += ((found.lower <= true) & (true <= found.upper))[seen].tolist()

    assert 0.93 <= float(np.mean(inside)) <= 0.97


def test_variances_are_found_again() -> None:
    results, context, _ = _planted(np.random.default_rng(3), schools=2_000)

    found = strengths(results, context, _names(2_000))

    assert found.between_schools == pytest.approx(0.6, abs=0.05)
    assert found.within_schools == pytest.approx(np.sqrt(0.1), abs=0.05)


def test_what_rests_on_less_is_shrunk_more_and_less_sure() -> None:
    results, context, _ = _planted(np.random.default_rng(5))
    wide = np.where(results.school == 7, results.variance * 50, results.variance)

    sure = strengths(results, context, _names(300))
    unsure = strengths(
        Results(results.school, results.stratum, results.value, wide, results.tested), context, _names(300)
    )

    assert abs(unsure.strength[7]) < abs(sure.strength[7])
    assert unsure.standard_error[7] > sure.standard_error[7]
    assert unsure.reliability[7] < sure.reliability[7]


def test_schools_that_differ_by_context_alone_have_the_same_strength() -> None:
    rng = np.random.default_rng(1)
    need = rng.uniform(0, 1, 200)
    results = Results(np.arange(200), np.zeros(200, np.int64), 1 - 3 * need, np.full(200, 1e-4), np.full(200, 100))

    found = strengths(results, need[:, None], _names(200))

    assert np.corrcoef(results.value, need)[0, 1] < -0.99
    assert np.abs(found.strength).max() < 1e-3
    assert np.allclose(found.expected, results.value, atol=1e-3)


def test_with_one_result_for_each_school_what_schools_differ_by_beyond_chance_is_theirs() -> None:
    rng = np.random.default_rng(6)
    true, context = rng.normal(0, 0.6, 400), rng.uniform(0, 1, (400, 1))
    value = true - context[:, 0] + rng.normal(0, 0.4, 400)
    once = np.arange(400)

    found = strengths(Results(once, 0 * once, value, np.full(400, 0.16), np.full(400, 50)), context, _names(400))

    assert found.within_schools == 0
    assert found.between_schools == pytest.approx(0.6, abs=0.05)
    assert float(np.mean((found.lower <= true) & (true <= found.upper))) == pytest.approx(0.95, abs=0.03)


def test_need_is_the_opposite_of_strength_and_the_share_rises_with_it() -> None:
    results, context, _ = _planted(np.random.default_rng(2))

    found = strengths(results, context, _names(300))
    order = np.argsort(found.strength / np.hypot(found.between_schools, found.standard_error))

    assert np.array_equal(found.need, -found.strength)
    assert (np.diff(found.share[order]) >= 0).all()
    assert 0 < found.share.min() < 0.5 < found.share.max() < 1


def test_not_enough_data_is_an_answer() -> None:
    results, context, _ = _planted(np.random.default_rng(4))
    results = Results(
        results.school,
        results.stratum,
        results.value,
        results.variance,
        np.where(results.school == 3, 2, results.tested),
    )
    context[5] = np.nan
    gone = results.school != 9
    results = Results(*(getattr(results, name)[gone] for name in ("school", "stratum", "value", "variance", "tested")))

    found = strengths(results, context, _names(300))

    assert "fewer than 30" in found.why_not[3]
    assert found.why_not[5] == "context not known"
    assert found.why_not[9] == "no results"
    assert not found.enough[[3, 5, 9]].any()
    assert found.enough.sum() > 250


def test_too_few_schools_is_said_and_not_guessed() -> None:
    results, context, _ = _planted(np.random.default_rng(4), schools=12)

    with pytest.raises(NotEnoughSchools, match="12 schools"):
        strengths(results, context, _names(12))


def test_a_result_that_is_no_number_names_its_school() -> None:
    results, context, _ = _planted(np.random.default_rng(4))
    value = results.value.copy()
    value[results.school == 8] = np.nan

    with pytest.raises(BadResults, match="school 8: "):
        strengths(
            Results(results.school, results.stratum, value, results.variance, results.tested), context, _names(300)
        )


def test_more_reached_than_tested_names_the_school() -> None:
    one = np.array([0, 1])

    with pytest.raises(BadResults, match="school 1: 11 of 10"):
        counted(one, one, np.array([3, 11]), np.array([10, 10]), _names(2))


def test_log_odds_of_half_are_zero_and_known_to_four_over_n() -> None:
    value, variance = log_odds(np.array([5_000]), np.array([10_000]))

    assert value[0] == 0
    assert variance[0] == pytest.approx(4 / 10_000, rel=1e-3)


class City:
    """Mathematics in New York City: students at level 4 by grade, and who goes to each school."""

    def __init__(self) -> None:
        with NYC.open(encoding="utf-8-sig") as file:
            self.rows = list(csv.DictReader(file))
        self.names = [row["School Name"] for row in self.rows]
        need = [_number(row["Economic Need Index"]) for row in self.rows]
        learners = [_number(row["Percent ELL"].rstrip("%")) for row in self.rows]
        cells = [
            (at, grade, int(_number(row[f"Grade {grade} Math 4s - All Students"])), tested)
            for at, row in enumerate(self.rows)
            for grade in GRADES
            if (tested := int(_number(row[_tested(grade, row)]))) > 0
        ]
        self.school, self.grade, self.reached, self.tested = np.array(cells, np.int64).T
        size = np.log(np.maximum(np.bincount(self.school, self.tested, minlength=len(self.rows)), 1))
        self.context = np.stack([need, learners, size], axis=1)

    def of(self, grades: Sequence[int]) -> Results:
        chosen = np.isin(self.grade, grades)
        columns = (each[chosen] for each in (self.school, self.grade, self.reached, self.tested))
        return counted(*columns, self.names)


def _number(cell: str) -> float:
    return float(cell) if cell.strip() not in ("", "N/A") else float("nan")


def _tested(grade: int, row: dict[str, str]) -> str:
    return next(name for name in row if name.lower() == f"grade {grade} math - all students tested")


@pytest.mark.skipif(not NYC.exists(), reason="needs the schools' file")
def test_in_new_york_halves_of_the_grades_agree_and_every_fifth_by_need_has_hosts() -> None:
    city = City()

    odd = strengths(city.of((3, 5, 7)), city.context, city.names, least_tested=10)
    even = strengths(city.of((4, 6, 8)), city.context, city.names, least_tested=10)
    whole = strengths(city.of(GRADES), city.context, city.names)

    both = np.isfinite(odd.strength) & np.isfinite(even.strength)
    assert float(np.corrcoef(odd.strength[both], even.strength[both])[0, 1]) >= 0.6
    told = np.flatnonzero(whole.enough)
    fifth = np.argsort(np.argsort(city.context[told, 0])) * 5 // len(told)
    hosts = np.argsort(-whole.strength[told])[: len(told) // 4]
    assert np.bincount(fifth[hosts], minlength=5).min() >= 0.1 * len(hosts)
