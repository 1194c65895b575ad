"""What responses earn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain import scoring
from services.assessment.domain.forms import Form, Item
from services.assessment.domain.irt import Model, Parameters
from services.assessment.domain.scoring import NOT_ALLOWED

CHOICE = Item("choice", 1, ("c",), key=(("B", 1),), options=("A", "B", "C", "D"))
OPEN = Item("open", 2, ("c",), key=(("7", 2),))
PARTIAL = Item("partial", 3, ("c",), key=(("all", 3), ("half", 1)), options=("none",))
ESSAY = Item("essay", 10, ("c",), rubric=tuple((str(score), "…") for score in range(11)))


@pytest.mark.parametrize(
    ("item", "response", "byte"),
    [
        (CHOICE, "B", 1),
        (CHOICE, "A", 0),
        (CHOICE, "E", NOT_ALLOWED),
        (CHOICE, "b", NOT_ALLOWED),
        (CHOICE, "", 255),
        (CHOICE, "-", 254),
        (CHOICE, "/", 253),
        (OPEN, "7", 2),
        (OPEN, "seven", 0),
        (OPEN, " 7", NOT_ALLOWED),
        (PARTIAL, "all", 3),
        (PARTIAL, "half", 1),
        (PARTIAL, "none", 0),
        (PARTIAL, "other", NOT_ALLOWED),
        (ESSAY, "10", 10),
        (ESSAY, "0", 0),
        (ESSAY, "11", NOT_ALLOWED),
        (ESSAY, "07", NOT_ALLOWED),
    ],
)
def test_a_response_earns_what_the_item_says(item: Item, response: str, byte: int) -> None:
    assert scoring.score_columns([item], [[response]]).tolist() == [[byte]]


def test_an_open_item_scores_the_same_when_its_memory_is_full() -> None:
    many = [str(number) for number in range(3 * scoring.REMEMBERED)]

    scores = scoring.score_columns([OPEN], [many + many])

    assert scores.sum() == 4
    assert np.flatnonzero(scores[:, 0]).tolist() == [7, 7 + len(many)]


@given(st.lists(st.sampled_from([0, 1, 2, 250, 253, 254, 255]), min_size=1, max_size=30))
def test_raw_score_and_maximum_equal_plain_loops(codes: list[int]) -> None:
    items = [Item(str(place), 250, ()) for place in range(len(codes))]
    scores = np.array([codes], dtype=np.uint8)

    assert scoring.raw_scores(scores).tolist() == [sum(code for code in codes if code <= 250)]
    assert scoring.maxima(scores, items).tolist() == [250 * sum(code != 255 for code in codes)]


def test_a_form_that_was_never_calibrated_says_so() -> None:
    bare = Form("F", "F", (CHOICE,))
    calibrated = Form("F", "F", (Item("i", 1, (), parameters=Parameters(Model.RASCH, (0.0,))),), "2026")

    assert scoring.why_no_ability(bare) == "NOT_CALIBRATED"
    assert scoring.why_no_ability(calibrated) == "NO_RESPONSES"
    assert np.isnan(scoring.results(bare, np.array([[1]], dtype=np.uint8)).theta).all()
