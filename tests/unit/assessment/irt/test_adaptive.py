"""Adaptive tests: which item next, when to stop, and what may never happen on the way."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt.adaptive import BadBank, BadRules, Pool, Rules, Stop, next_item, prepare, step
from services.assessment.domain.irt.models import Model, Parameters, information, probabilities
from services.assessment.domain.irt.simulation import simulate


def a_bank(items: int = 60, seed: int = 3, hardness: float = 0.0) -> list[Parameters]:
    rng = np.random.default_rng(seed)
    drawn = zip(rng.uniform(0.6, 2.0, items), rng.normal(hardness, 1.2, items), strict=True)
    return [Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in drawn]


def a_mixed_bank() -> list[Parameters]:
    return [
        *a_bank(24),
        *(Parameters(Model.THREE_PL, (b,), 1.4, 0.2) for b in (-1.0, 0.0, 1.0)),
        *(Parameters(Model.GRM, (b - 0.8, b, b + 0.7), 1.1) for b in (-1.0, 0.3, 1.2)),
        *(Parameters(Model.GPCM, (b + 0.3, b - 0.2), 0.9) for b in (-0.5, 0.9)),
        *(Parameters(Model.PCM, (b, b + 0.5, b + 0.2)) for b in (-1.2, 0.6)),
    ]


AREAS = ("number", "algebra", "geometry") * 20
SHARES = {"number": 0.5, "algebra": 0.3, "geometry": 0.2}


def test_the_first_item_is_the_most_informative_at_the_middle_of_the_prior() -> None:
    bank = a_bank()
    told = [information(item, np.array([0.0]))[0] for item in bank]

    first = step(prepare(bank, Rules()), [], [])

    assert first.item == int(np.argmax(told))
    assert (first.theta, first.se) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert first.stop is None


@given(st.integers(0, 2**32 - 1), st.floats(-4.0, 4.0))
def test_ability_never_moves_the_wrong_way_however_hard_or_easy_the_bank(seed: int, hardness: float) -> None:
    pool = prepare(a_bank(30, seed % 1000, 1.5 * hardness), Rules(se=0.2, longest=25))
    rng = np.random.default_rng(seed)
    items: list[int] = []
    scores: list[int] = []
    now = step(pool, items, scores)

    while now.item is not None:
        right = int(rng.random() < 0.3)
        then = step(pool, items := [*items, now.item], scores := [*scores, right])
        assert (then.theta > now.theta) if right else (then.theta < now.theta)
        now = then


@pytest.mark.parametrize("score", [0, 1])
def test_all_right_and_all_wrong_have_a_finite_ability(score: int) -> None:
    pool = prepare(a_bank(), Rules())

    end = step(pool, range(60), [score] * 60)

    assert abs(end.theta) < 5
    assert 0 < end.se < 1


def test_no_item_is_given_twice_and_the_bank_can_be_used_up() -> None:
    made = simulate(a_bank(12), np.linspace(-2, 2, 50), Rules(se=0.01), np.random.default_rng(1))

    assert (np.sort(made.items[:, :12], axis=1) == np.arange(12)).all()
    assert (made.stop == Stop.EXHAUSTED).all()


def test_a_test_is_no_shorter_and_no_longer_than_the_rules_say() -> None:
    made = simulate(a_bank(), np.linspace(-3, 3, 200), Rules(se=0.45, shortest=8, longest=12), np.random.default_rng(1))

    assert made.length.min() == 8
    assert made.length.max() == 12
    assert (made.se[made.length < 12] <= 0.45).all()
    assert ((made.stop == Stop.LENGTH) == ((made.length == 12) & (made.se > 0.45))).all()


def test_every_area_gets_its_share_within_an_item() -> None:
    rules = Rules(se=None, longest=20, content=AREAS, shares=SHARES)

    made = simulate(a_bank(), np.linspace(-2, 2, 100), rules, np.random.default_rng(1))

    area = np.array(AREAS)[made.items]
    for name, share in SHARES.items():
        assert (np.abs((area == name).sum(axis=1) - 20 * share) <= 1).all()


def test_no_item_is_seen_by_more_students_than_the_limit() -> None:
    made = simulate(
        a_bank(150), np.random.default_rng(4).normal(size=4000), Rules(se=0.4, exposure=0.25), np.random.default_rng(1)
    )
    free = simulate(a_bank(150), np.random.default_rng(4).normal(size=4000), Rules(se=0.4), np.random.default_rng(1))

    assert made.exposure.max() <= 0.25
    assert free.exposure.max() == 1.0
    assert made.length.mean() >= free.length.mean()


def test_where_nothing_is_eligible_the_test_goes_on_with_the_best_unused_item() -> None:
    pool = prepare(a_bank(), Rules())

    assert next_item(pool, [], 0.0, np.zeros(60, dtype=bool)) == next_item(pool, [], 0.0)


def test_exposure_counts_for_more_than_content() -> None:
    pool = prepare(a_bank(), Rules(content=AREAS, shares={"number": 1.0}))
    eligible = np.array([area == "algebra" for area in AREAS])

    assert AREAS[next_item(pool, [], 0.0)] == "number"
    assert AREAS[next_item(pool, [], 0.0, eligible)] == "algebra"


@pytest.mark.parametrize("decide", ["interval", "sprt"])
def test_classification_stops_early_far_from_the_cut_and_is_right_as_often_as_promised(decide: str) -> None:
    rules = Rules(se=None, longest=60, cuts=(0.0,), confidence=0.9)
    rules = replace(rules, decide=decide)
    true = np.random.default_rng(2).normal(size=2000)
    true = true[np.abs(true) > rules.indifference]

    made = simulate(a_bank(150), true, rules, np.random.default_rng(1))

    decided = made.stop == Stop.CLASSIFIED
    assert made.length[np.abs(true) > 1.5].mean() < 0.5 * made.length[np.abs(true) < 0.5].mean()
    assert (made.level == (true > 0))[decided].mean() > 0.95


def test_levels_count_the_cuts_below_an_ability() -> None:
    made = simulate(a_bank(), np.linspace(-2, 2, 50), Rules(cuts=(-0.5, 0.7)), np.random.default_rng(1))

    assert (made.level == (made.theta > -0.5).astype(int) + (made.theta > 0.7)).all()


def test_the_same_seed_gives_the_same_tests() -> None:
    rules = Rules(exposure=0.3, content=AREAS)
    true = np.linspace(-2, 2, 300)

    one, other = (simulate(a_bank(), true, rules, np.random.default_rng(9)) for _ in range(2))

    assert (one.items == other.items).all()
    assert (one.theta == other.theta).all()


@pytest.mark.parametrize(
    "rules",
    [
        Rules(longest=12),
        Rules(longest=15, content=("a", "b") * 17, shares={"a": 0.7, "b": 0.3}),
        Rules(se=None, longest=20, cuts=(-0.4, 0.8)),
        Rules(se=None, longest=20, cuts=(0.2,), decide="sprt"),
    ],
)
def test_a_simulated_test_is_the_one_that_step_would_have_given(rules: Rules) -> None:
    pool = prepare(a_mixed_bank(), rules)
    made = simulate(a_mixed_bank(), np.linspace(-2.5, 2.5, 30), rules, np.random.default_rng(6))

    for student in range(30):
        items = made.items[student, : made.length[student]].tolist()
        scores = made.scores[student, : made.length[student]].tolist()
        assert follows(pool, items, scores)
        end = step(pool, items, scores)
        assert (end.theta, end.se) == pytest.approx((made.theta[student], made.se[student]), abs=1e-12)
        assert end.stop == made.stop[student]


def follows(pool: Pool, items: list[int], scores: list[int]) -> bool:
    return all(step(pool, items[:turn], scores[:turn]).item == item for turn, item in enumerate(items))


def test_answers_are_drawn_from_the_model() -> None:
    bank = a_mixed_bank()[-6:]
    made = simulate(bank, np.full(20_000, 0.4), Rules(se=0.001), np.random.default_rng(5))

    for place, item in enumerate(bank):
        scores = made.scores[made.items == place]
        seen = np.bincount(scores, minlength=item.categories) / len(scores)
        assert seen == pytest.approx(probabilities(item, np.array([0.4]))[:, 0], abs=0.02)


def test_precision_is_as_good_as_it_claims() -> None:
    true = np.random.default_rng(8).normal(size=3000)

    made = simulate(a_bank(300), true, Rules(), np.random.default_rng(1))

    assert np.sqrt(np.mean((made.theta - true) ** 2)) == pytest.approx(0.295, abs=0.012)
    assert np.mean(np.abs(made.theta - true) < 1.96 * made.se) > 0.94


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "the bank has no item"),
        ([Parameters(Model.TWO_PL, (0.0,)), Parameters(Model.TWO_PL, (0.0,), -1.0)], "item 1: with slope -1.0"),
        ([Parameters(Model.TWO_PL, (float("nan"),))], "item 0: a parameter is not a finite number"),
    ],
)
def test_a_bank_of_no_use_says_which_item(items: list[Parameters], said: str) -> None:
    with pytest.raises(BadBank, match=said):
        prepare(items, Rules())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"se": 0.0}, "standard error of 0.0"),
        ({"shortest": 9, "longest": 8}, "at least 9 and at most 8"),
        ({"exposure": 1.5}, "not 1.5"),
        ({"cuts": (1.0, 0.0)}, "must be finite and rise"),
        ({"shares": {"number": 1.0}}, "no item has an area"),
        ({"content": AREAS, "shares": {"music": 1.0}}, "music has a share, but no item"),
        ({"content": AREAS[:7]}, "7 items have a content area, the bank has 60"),
        ({"prior": (0.0, 0.0)}, "prior with mean 0.0 and sd 0.0"),
    ],
)
def test_rules_that_cannot_be_kept_say_why(asked: dict[str, object], said: str) -> None:
    with pytest.raises(BadRules, match=said):
        prepare(a_bank(), Rules(**asked))  # type: ignore[arg-type]  # wrong on purpose


def test_an_ability_that_is_no_number_is_named() -> None:
    with pytest.raises(ValueError, match="student 1: the ability is not finite"):
        simulate(a_bank(), np.array([0.0, np.nan]), Rules(), np.random.default_rng(1))


@pytest.mark.parametrize(
    "rules",
    [
        Rules(longest=20),
        Rules(exposure=0.3, longest=25, content=("a", "b") * 17, shares={"a": 0.7, "b": 0.3}),
        Rules(se=0.4, shortest=5, longest=20, cuts=(-0.4, 0.8)),
        Rules(se=None, longest=40, cuts=(0.2,), decide="sprt"),
    ],
)
def test_the_compiled_kernel_gives_the_same_tests_as_numpy(rules: Rules) -> None:
    true = np.random.default_rng(3).normal(size=400)

    plain = simulate(a_mixed_bank(), true, rules, np.random.default_rng(6))
    compiled = simulate(a_mixed_bank(), true, rules, np.random.default_rng(6), "compiled")

    for name in ("items", "scores", "length", "stop", "level", "exposure"):
        assert (getattr(compiled, name) == getattr(plain, name)).all()
    assert compiled.theta == pytest.approx(plain.theta, rel=1e-12, abs=1e-12)
    assert compiled.se == pytest.approx(plain.se, rel=1e-12)
