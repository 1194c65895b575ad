"""The two kernels of tracing are the same arithmetic; and both agree with adding up every path."""

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mastery.domain.tracing import compiled, plain
from services.mastery.domain.tracing.counts import Counts, Tables
from services.mastery.domain.tracing.forest import Forest, forest_of
from services.mastery.domain.tracing.skill import Skill, Skills
from services.mastery.domain.tracing.update import likelihoods
from tests.unit.mastery.tracing.made import RESPONSES, Response, any_skill, replayed

SYMBOLS, GAPS, SKILLS = 3, 2, 2
strings = st.lists(st.tuples(st.integers(0, SYMBOLS - 1), st.integers(0, GAPS - 1)), min_size=1, max_size=5)
sequences = st.lists(st.tuples(st.integers(0, SKILLS - 1), strings), min_size=1, max_size=12)
Strings = list[tuple[int, list[tuple[int, int]]]]


def planted(many: Strings) -> Forest:
    flat = [one for _, string in many for one in string]
    return forest_of(
        np.array([skill for skill, _ in many]),
        np.array([len(string) for _, string in many]),
        np.array([symbol for symbol, _ in flat]),
        np.array([gap for _, gap in flat]),
        skills=SKILLS,
        symbols=SYMBOLS,
        gaps=GAPS,
    )


def tables(rng: np.random.Generator, starts: int = 2) -> Tables:
    left = rng.uniform(0.5, 1, (SKILLS, GAPS, starts))
    left[:, 0] = 1.0
    shape = (SKILLS, SYMBOLS, starts)
    return Tables(
        *(rng.uniform(0.05, 0.9, (SKILLS, starts)) for _ in range(3)),
        left,
        rng.uniform(0.05, 0.95, shape),
        rng.uniform(0.05, 0.95, shape),
    )


def alike(one: Counts, other: Counts) -> None:
    for field in fields(Counts):
        assert getattr(one, field.name) == pytest.approx(getattr(other, field.name), rel=1e-12, abs=1e-12)


@given(many=sequences, seed=st.integers(0, 999))
def test_compiled_and_numpy_expect_the_same(many: Strings, seed: int) -> None:
    forest, given_tables = planted(many), tables(np.random.default_rng(seed))

    alike(
        compiled.expected(forest, given_tables, np.arange(SKILLS)),
        plain.expected(forest, given_tables, np.arange(SKILLS)),
    )


@settings(max_examples=25, deadline=None)
@given(many=sequences, seed=st.integers(0, 999))
def test_the_expectation_is_the_sum_over_all_paths(many: Strings, seed: int) -> None:
    t = tables(np.random.default_rng(seed), starts=1)

    counts = plain.expected(planted(many), t, np.arange(SKILLS))

    likely, first, learnt = np.zeros(SKILLS), np.zeros(SKILLS), np.zeros(SKILLS)
    for s, string in many:
        chance = began = learns = 0.0
        for path in product((1, 0), repeat=2 * len(string) - 1):
            # states at the responses, and between them the state after the move at a response, before the gap
            p = t.prior[s, 0] if path[0] else 1 - t.prior[s, 0]
            moves = 0
            for at, (symbol, gap) in enumerate(string):
                state = path[2 * at]
                if at:
                    was, moved = path[2 * at - 2], path[2 * at - 1]
                    to_known = 1 - t.forget[s, 0] if was else t.learn[s, 0]
                    p *= to_known if moved else 1 - to_known
                    moves += int(not was and moved)
                    drawn = t.prior[s, 0] if state else 1 - t.prior[s, 0]
                    p *= t.left[s, gap, 0] * (state == moved) + (1 - t.left[s, gap, 0]) * drawn
                p *= (t.if_known if state else t.if_unknown)[s, symbol, 0]
            chance, began, learns = chance + p, began + p * path[0], learns + p * moves
        likely[s] += np.log(chance)
        first[s] += began / chance
        learnt[s] += learns / chance
    assert counts.log_likelihood[:, 0] == pytest.approx(likely, rel=1e-10, abs=1e-10)
    assert counts.first[:, 0] == pytest.approx(first, rel=1e-10, abs=1e-10)
    assert counts.moves[:, 2, 0] == pytest.approx(learnt, rel=1e-10, abs=1e-10)


def test_a_thousand_students_of_one_string_are_one_branch() -> None:
    string = [(1, 0), (0, 0), (1, 0)]

    many, one = planted([(0, string)] * 1000), planted([(0, string)])

    assert len(many) == len(one) == 3
    assert many.passing.tolist() == [1000.0] * 3
    assert many.ending.tolist() == [0.0, 0.0, 1000.0]


def test_skills_left_out_have_no_counts() -> None:
    forest = planted([(0, [(0, 0), (1, 1)]), (1, [(2, 0)])])

    for kernel in (compiled, plain):
        counts = kernel.expected(forest, tables(np.random.default_rng(1)), np.array([1]))

        assert not counts.known[0].any()
        assert counts.known[1].sum() > 0


@pytest.mark.parametrize("rows", [1, 40, 700])
def test_a_long_string_of_unlikely_answers_keeps_its_likelihood(rows: int) -> None:
    t = tables(np.random.default_rng(3), starts=1)
    t.if_known[:], t.if_unknown[:] = 1e-9, 1e-9
    forest = planted([(0, [(0, 0)] * rows)])

    for kernel in (compiled, plain):
        found = kernel.expected(forest, t, np.array([0])).log_likelihood[0, 0]

        assert found == pytest.approx(rows * np.log(1e-9), rel=1e-12)


@given(
    many=st.lists(st.tuples(st.lists(RESPONSES, min_size=1, max_size=9), any_skill()), min_size=1, max_size=4),
)
def test_the_compiled_update_has_the_bits_of_the_replay(many: list[tuple[list[Response], Skill]]) -> None:
    told = [[Response(one.credit, one.difficulty) for one in sequence] for sequence, _ in many]
    skills = [skill for _, skill in many]
    columns = Skills.of(skills)
    _, after = replayed(told, skills)
    ends = np.cumsum([len(one) for one in told]) - 1

    beliefs = columns.prior.T[np.newaxis].copy()
    symbols = max(len(one) for one in told)
    if_known, if_unknown = (np.full((len(skills), symbols, 3), 0.5) for _ in range(2))
    for place, sequence in enumerate(told):
        each = columns.take(np.full(len(sequence), place))
        credit = np.array([one.credit for one in sequence])
        difficulty = np.array([one.difficulty for one in sequence])
        for table, lanes in zip((if_known, if_unknown), likelihoods(credit, difficulty, each), strict=True):
            table[place, : len(sequence)] = lanes.T
    of = np.concatenate([np.full(len(one), place) for place, one in enumerate(told)])
    compiled.updated(
        beliefs,
        np.zeros(len(of), dtype=np.int64),
        of,
        np.concatenate([np.arange(len(one)) for one in told]),
        if_known,
        if_unknown,
        np.ascontiguousarray(columns.learn.T),
        np.ascontiguousarray(columns.forget.T),
    )

    assert beliefs[0].T.tobytes() == after[:, ends].tobytes()
