"""Did it work: a planted effect is found, none is claimed where there is none, and the data may not be able to tell."""

import numpy as np
import pytest

from services.partnership.domain.outcome import COMPARED, CannotCompare, compare

PARTNERS = 25


def _city(
    seed: int, effect: float = 0.0, *, drift: float = 0.0, schools: int = 300, noise: float = 0.15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four years, partners from the third on, chosen among the weak by what the first two years showed."""
    rng = np.random.default_rng(seed)
    context = rng.uniform(0, 1, (schools, 2))
    level = -1.5 * context[:, 0] + rng.normal(0, 0.4, schools)
    results = level[:, None] + 0.05 * np.arange(4) * (1 - context[:, :1]) + rng.normal(0, noise, (schools, 4))
    weak = np.argsort(results[:, :2].mean(axis=1))[:100]
    partner = np.zeros(schools, bool)
    partner[rng.choice(weak, PARTNERS, replace=False)] = True
    results[partner, 2:] += effect
    results[partner] += drift * np.arange(4)
    return results, partner, context


def test_a_planted_effect_is_found_and_said() -> None:
    results, partner, context = _city(1, effect=0.3)

    found = compare(results, 2, partner, context, np.random.default_rng(0))

    assert found.effect.estimate == pytest.approx(0.3, abs=3 * found.effect.standard_error)
    assert found.is_claimed
    assert "gained" in found.sentence("mathematics")


def test_where_there_is_no_effect_at_most_one_in_twenty_is_claimed() -> None:
    claimed = 0

    for seed in range(120):
        results, partner, context = _city(seed)
        claimed += compare(results, 2, partner, context, np.random.default_rng(seed), placebos=99).is_claimed

    assert claimed <= 11  # a rate of .05 goes beyond 11 of 120 once in forty times


def test_intervals_cover_the_planted_effect() -> None:
    inside = 0

    for seed in range(150):
        results, partner, context = _city(seed, effect=0.2)
        effect = compare(results, 2, partner, context, np.random.default_rng(seed), placebos=1).effect
        inside += effect.lower <= 0.2 <= effect.upper

    assert 0.92 <= inside / 150 <= 0.98


def test_schools_chosen_after_a_bad_year_do_not_seem_to_gain() -> None:
    plain, matched = [], []

    for seed in range(40):
        results, partner, context = _city(seed, noise=0.5)
        change = results[:, 2:].mean(axis=1) - results[:, :2].mean(axis=1)
        plain.append(change[partner].mean() - change[~partner].mean())
        matched.append(compare(results, 2, partner, context, np.random.default_rng(0), placebos=1).effect.estimate)

    assert np.mean(plain) > 0.1
    assert abs(np.mean(matched)) < 0.04


def test_schools_that_moved_apart_before_make_no_claim() -> None:
    results, partner, context = _city(2, drift=0.5)

    found = compare(results, 2, partner, context, np.random.default_rng(0))

    assert found.before is not None
    assert found.before.is_clear
    assert not found.is_claimed
    assert "already moving apart before" in found.sentence("mathematics")


def test_the_sentence_is_honest_when_the_data_cannot_tell() -> None:
    results, partner, context = _city(3, noise=0.6)

    found = compare(results, 2, partner, context, np.random.default_rng(0))

    assert not found.is_claimed
    assert "cannot tell" in found.sentence("mathematics")


def test_few_partners_claim_nothing_however_large_the_difference() -> None:
    results, partner, context = _city(4)
    partner &= np.cumsum(partner) <= 3
    results[partner, 2:] += 5

    found = compare(results, 2, partner, context, np.random.default_rng(0))

    assert not found.is_claimed
    assert "3 partner schools are too few" in found.sentence("mathematics")


def test_nobody_is_compared_with_a_partner_an_excluded_school_or_one_without_results() -> None:
    results, partner, context = _city(5)
    excluded = np.zeros(len(partner), bool)
    excluded[::3] = True
    missing = np.flatnonzero(partner)[0]
    results[missing, 3] = np.nan

    found = compare(results, 2, partner, context, np.random.default_rng(0), excluded=excluded)

    assert found.compared.shape == (PARTNERS - 1, COMPARED)
    assert not partner[found.compared].any()
    assert not excluded[found.compared].any()
    assert found.left_out.tolist() == [missing]


def test_the_same_seed_gives_the_same_answer() -> None:
    results, partner, context = _city(6)

    one, two = (compare(results, 2, partner, context, np.random.default_rng(9)) for _ in range(2))

    assert (one.effect, one.before, one.chance) == (two.effect, two.before, two.chance)


def test_it_takes_a_period_before_and_one_after() -> None:
    results, partner, context = _city(7)

    with pytest.raises(CannotCompare, match="period 4 of 4"):
        compare(results, 4, partner, context, np.random.default_rng(0))


def test_too_few_schools_to_compare_with_are_counted() -> None:
    results, partner, context = _city(8, schools=120)
    excluded = ~partner
    excluded[np.flatnonzero(~partner)[:10]] = False

    with pytest.raises(CannotCompare, match="10 others"):
        compare(results, 2, partner, context, np.random.default_rng(0), excluded=excluded)
