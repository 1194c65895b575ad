"""How a form is read: tables of likelihoods by score byte, and the days that lie between two pieces of evidence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.ledger import NOT_PRESENTED, NOT_REACHED, OMITTED
from services.mastery.domain.model import DEFAULT, Model
from services.mastery.domain.reading import BYTES, Reading, daily, kept
from services.mastery.domain.tracing.skill import DEFAULT as SKILL
from services.mastery.domain.tracing.skill import LANES, Floats, Skill, Skills
from services.mastery.domain.tracing.update import likelihoods
from tests.unit.mastery.sheets import a_form, an_id

DAY = 86_400_000_000
moments = st.integers(-400 * DAY, 20_000 * DAY)


def by_byte(reading: Reading) -> tuple[Floats, Floats]:
    shape = LANES, len(reading.items), BYTES
    return reading.if_known.reshape(shape), reading.if_unknown.reshape(shape)


@given(difficulty=st.floats(-6, 6), maximum=st.integers(1, 250), data=st.data())
def test_a_byte_says_what_tracing_says_of_that_credit_at_that_difficulty(
    difficulty: float, maximum: int, data: st.DataObject
) -> None:
    points = data.draw(st.integers(0, maximum))
    reading = Reading.of(a_form("A", [["add"]], maxima=[maximum], difficulties=[difficulty]), DEFAULT)

    expected = likelihoods(np.array([points / maximum]), np.array([difficulty]), Skills.of([SKILL]))

    for table, likelihood in zip(by_byte(reading), expected, strict=True):
        assert table[:, 0, points] == pytest.approx(likelihood[:, 0], rel=1e-14)
        assert (table[:, 0, OMITTED] == table[:, 0, 0]).all()


def test_what_is_no_evidence_says_nothing() -> None:
    reading = Reading.of(a_form("A", [["add"], ["sub"]], maxima=[3, 1]), DEFAULT)

    for table in by_byte(reading):
        assert (table[:, :, [NOT_REACHED, NOT_PRESENTED]] == 1).all()


def test_the_first_items_of_all_competencies_come_before_the_second_ones() -> None:
    form = a_form("A", [["add"], ["add", "sub"], [], ["sub"], ["mul"], ["add"]])

    reading = Reading.of(form, DEFAULT)

    assert reading.competencies == (an_id("add"), an_id("sub"), an_id("mul"))
    assert [reading.items[step].tolist() for step in reading.steps] == [[0, 1, 4], [1, 3], [5]]
    assert [reading.columns[step].tolist() for step in reading.steps] == [[0, 1, 2], [0, 1], [0]]


def test_a_form_aligned_to_nothing_has_nothing_to_read() -> None:
    reading = Reading.of(a_form("A", [[], []]), DEFAULT)

    assert (reading.competencies, reading.steps, reading.items.tolist()) == ((), (), [])


def test_what_a_day_leaves_and_the_tables_follow_the_models_parameters() -> None:
    own = Skill(prior=0.6, guess=0.1, decay=0.5)

    reading = Reading.of(a_form("A", [["add", "sub"]], difficulties=[1.0]), Model.of(own))

    assert reading.skills.prior[0].tolist() == [0.6, 0.6]
    assert reading.daily == pytest.approx(np.exp([-0.5, -0.5]))
    expected = likelihoods(np.array([1.0]), np.array([1.0]), Skills.of([own]))
    for table, likelihood in zip(by_byte(reading), expected, strict=True):
        assert table[:, 0, 1] == pytest.approx(likelihood[:, 0], rel=1e-14)


@given(some=st.lists(moments, min_size=3, max_size=3))
def test_days_of_several_gaps_add_up_to_those_of_one(some: list[int]) -> None:
    first, middle, last = sorted(some)
    half = np.array(0.5)

    parts = kept(half, np.array(first), np.array(middle)) * kept(half, np.array(middle), np.array(last))

    assert parts == kept(half, np.array(first), np.array(last))


def test_a_day_ends_at_midnight_in_universal_time() -> None:
    a_day = daily(Skills.of([SKILL]))

    assert kept(a_day, np.array([0]), np.array([DAY - 1])) == 1
    assert kept(a_day, np.array([DAY - 1]), np.array([DAY])) == a_day
    assert kept(a_day, np.array([-1]), np.array([0])) == a_day
    assert kept(a_day, np.array([0]), np.array([100 * DAY])) == pytest.approx(np.exp(-0.2))
