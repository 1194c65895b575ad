"""The numpy kernel against plain loops: what it computes, however the responses are kept."""

import math

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Model, Parameters, Responses, Sparse, plain
from services.assessment.domain.irt.packing import Bytes, PackingMismatch, ScoreOutOfRange, pack
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.tables import Tables, tables

ITEMS = (
    [Parameters(Model.TWO_PL, (b,), a) for a, b in [(1.2, -1.0), (0.7, 0.3), (-0.8, 0.0), (2.0, 1.1), (1.0, 2.0)]]
    + [Parameters(Model.THREE_PL, (0.5,), 1.4, 0.2)]
    + [Parameters(Model.GRM, (-1.0, 0.2, 1.5), 1.1), Parameters(Model.GPCM, (0.6, -0.4), 0.9)]
)
CATEGORIES = [item.categories for item in ITEMS]


def some_responses(students: int, missing: float, seed: int = 1) -> Responses:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, most, students) for most in CATEGORIES], axis=1).astype(np.uint8)
    codes[rng.random(codes.shape) < missing] = NOT_PRESENTED
    return Responses(codes)


def as_sparse(responses: Responses) -> Sparse:
    answered = responses.codes != NOT_PRESENTED
    bounds = np.concatenate([[0], np.cumsum(answered.sum(axis=1))])
    return Sparse(bounds, np.nonzero(answered)[1].astype(np.int32), responses.codes[answered], responses.width)


def two_groups() -> Tables:
    nodes = equally_spaced(21)
    prior = np.stack([log_normal_weights(nodes), log_normal_weights(nodes, 0.5, 1.3)])
    return tables(ITEMS, nodes, prior)


def loops(responses: Responses, table: Tables, groups: list[int]) -> tuple[list[list[float]], list[float]]:
    """Posterior weights and log marginal likelihood of each student, one number at a time."""
    rows, marginals = [], []
    for student, group in enumerate(groups):
        weights = []
        for q in range(len(table.nodes)):
            log = float(table.log_prior[group, q])
            first = 0
            for item, most in enumerate(CATEGORIES):
                code = int(responses.codes[student, item])
                if code != NOT_PRESENTED:
                    log += float(table.logs[first + code, q])
                first += most
            weights.append(math.exp(log))
        total = math.fsum(weights)
        rows.append([weight / total for weight in weights])
        marginals.append(math.log(total))
    return rows, marginals


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("sparse", [False, True])
def test_moments_and_counts_equal_plain_loops(missing: float, sparse: bool) -> None:
    responses, table = some_responses(40, missing), two_groups()
    responses.codes[3] = NOT_PRESENTED if missing else responses.codes[3]
    groups = [student % 2 for student in range(40)]
    packed = pack(as_sparse(responses) if sparse else responses, CATEGORIES)

    found = plain.moments(packed, table, np.array(groups))
    step = plain.expected(packed, table, np.array(groups))

    rows, marginals = loops(responses, table, groups)
    means = [math.fsum(w * node for w, node in zip(row, table.nodes, strict=True)) for row in rows]
    np.testing.assert_allclose(found.mean, means, atol=1e-12)
    spreads = [
        math.fsum(w * (node - mean) ** 2 for w, node in zip(row, table.nodes, strict=True))
        for row, mean in zip(rows, means, strict=True)
    ]
    np.testing.assert_allclose(found.sd, np.sqrt(spreads), atol=1e-12)
    np.testing.assert_allclose(found.log_marginal, marginals, atol=1e-12)
    assert step.log_likelihood == pytest.approx(math.fsum(marginals), rel=1e-13)
    counts = np.zeros_like(table.logs)
    for student, row in enumerate(rows):
        first = 0
        for item, most in enumerate(CATEGORIES):
            code = int(responses.codes[student, item])
            if code != NOT_PRESENTED:
                counts[first + code] += row
            first += most
    np.testing.assert_allclose(step.counts, counts, atol=1e-12)
    for group in (0, 1):
        np.testing.assert_allclose(step.mass[group], np.sum(rows[group::2], axis=0), atol=1e-12)


def test_bytes_of_right_and_wrong_answers_are_those_of_packbits() -> None:
    right = np.random.default_rng(5).integers(0, 2, (30, 21)).astype(np.uint8)

    packed = pack(Responses(right), [2] * 21)

    assert isinstance(packed, Bytes)
    np.testing.assert_array_equal(Bytes.from_bits(np.packbits(right, axis=1), 21).codes, packed.codes)


def test_bits_of_another_number_of_items_are_refused() -> None:
    with pytest.raises(PackingMismatch, match="21 items are 3 bytes a student, not 2"):
        Bytes.from_bits(np.zeros((4, 2), dtype=np.uint8), 21)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_score_that_an_item_does_not_have_is_named(sparse: bool) -> None:
    responses = some_responses(10, 0.2)
    responses.codes[7, 6] = 4

    with pytest.raises(ScoreOutOfRange, match="item 6 of student 7 has score 4, but only the scores 0 to 3 exist"):
        pack(as_sparse(responses) if sparse else responses, CATEGORIES)


def test_responses_to_other_items_are_refused() -> None:
    table = two_groups()
    packed = pack(Responses(np.zeros((3, 2), dtype=np.uint8)), [2, 2])

    with pytest.raises(PackingMismatch, match="items with other scores"):
        plain.moments(packed, table)


def test_a_group_without_a_prior_is_refused() -> None:
    packed = pack(some_responses(3, 0.0), CATEGORIES)

    with pytest.raises(PackingMismatch, match="a student is in group 2, but there are 2 priors"):
        plain.expected(packed, two_groups(), np.array([0, 1, 2]))


def test_items_with_many_scores_take_a_byte_each() -> None:
    items = [Parameters(Model.PCM, tuple(np.linspace(-2, 2, 250)))] * 2
    codes = np.array([[250, 0], [3, NOT_PRESENTED]], dtype=np.uint8)
    nodes = equally_spaced(41)

    packed = pack(Responses(codes), [251, 251])
    found = plain.moments(packed, tables(items, nodes, log_normal_weights(nodes)))

    assert isinstance(packed, Bytes)
    assert packed.codes.tolist() == [[250, 0], [3, 251]]
    assert found.mean[1] < found.mean[0]
