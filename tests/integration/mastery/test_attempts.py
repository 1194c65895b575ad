"""Scored attempts become evidence, once, whatever the order and however often they are delivered."""

import asyncio
import itertools
from math import exp, log, nan

import pytest

from services.mastery.domain.model import DEFAULT
from shared import crash
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    MasteryService,
    a_caller,
    a_form,
    a_uuid,
    an_administration,
    an_attempt,
    an_id,
    envelopes,
)

FORM = a_form("A", [["add"], ["add"], ["sub"]])
NOT_REACHED, OMITTED, NOT_PRESENTED = 253, 254, 255
DAY = 86_400_000_000


def after(known: float, *credits_: float, logits: float = 0.0) -> float:
    """The equations in plain Python, for items of this difficulty."""
    guess = 0.5 / (1 + exp(logits / 2 - log(0.4 / 0.6)))
    slip = 0.5 / (1 + exp(-logits / 2 - log(0.2 / 0.8)))
    for c in credits_:
        if_known, if_unknown = c * (1 - slip) + (1 - c) * slip, c * guess + (1 - c) * (1 - guess)
        posterior = known * if_known / (known * if_known + (1 - known) * if_unknown)
        known = posterior * 0.995 + (1 - posterior) * 0.1
    return known


def about(probability: float) -> object:
    return pytest.approx(probability, rel=1e-14)


async def test_scored_attempts_are_evidence_for_every_competency_their_items_touch(mastery: MasteryService) -> None:
    await mastery.knows(FORM)

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10), an_attempt("ben", "A", [1, OMITTED, NOT_REACHED], 10))

    assert await mastery.mastery_of("ada", "ben") == {
        "ada": {"add": (about(after(0.3, 1, 0)), 2), "sub": (about(after(0.3, 1)), 1)},
        "ben": {"add": (about(after(0.3, 1, 0)), 2)},
    }
    assert await mastery.count() == (2, 5)


async def test_partial_credit_is_points_over_the_maximum(mastery: MasteryService) -> None:
    await mastery.knows(a_form("P", [["add"]], maxima=[3]))

    await mastery.scored(an_attempt("ada", "P", [2], 10))

    assert (await mastery.mastery_of("ada"))["ada"]["add"][0] == about(after(0.3, 2 / 3))


async def test_the_difficulty_of_an_item_is_the_mean_of_its_b(mastery: MasteryService) -> None:
    form = a_form("D", [["add"], ["sub"], ["mul"], ["div"]], maxima=[1, 3, 1, 1], b=[[1.5], [-1, 0.5, 2], [9], []])
    await mastery.knows(form)

    await mastery.scored(an_attempt("ada", "D", [1, 0, 1, 1], 10))

    assert (await mastery.mastery_of("ada"))["ada"] == {
        "add": (about(after(0.3, 1, logits=1.5)), 1),
        "sub": (about(after(0.3, 0, logits=0.5)), 1),
        "mul": (about(after(0.3, 1, logits=4)), 1),
        "div": (about(after(0.3, 1)), 1),
    }


async def test_what_was_known_fades_by_the_day_towards_the_prior(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    right = [1, NOT_REACHED, NOT_REACHED]

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], DAY - 1))
    await mastery.scored(an_attempt("ada", "A", right, 100 * DAY))

    left = exp(-0.002 * 100)
    faded = after(0.3, 1, 1) * left + 0.3 * (1 - left)
    assert await mastery.mastery_of("ada") == {
        "ada": {"add": (pytest.approx(after(faded, 1), rel=1e-12), 3), "sub": (about(after(0.3, 1)), 1)}
    }


async def test_a_belief_lies_between_its_ends_which_are_stored_and_announced(mastery: MasteryService) -> None:
    await mastery.knows(FORM)

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10))
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 20))

    _, second = await mastery.announced()
    asked = {"students": [str(a_uuid("ada"))]}
    [answer] = await mastery.client.post("/mastery:batch-list", asked, a_caller())
    told = [(one["lower"], one["probability"], one["upper"]) for one in answer["mastery"]]
    assert told == list(zip(second.lowers, second.probabilities, second.uppers, strict=True))
    for lower, probability, upper in told:
        assert 0 < lower < probability < upper < 1


async def test_what_changed_is_announced_with_the_model_that_says_so(mastery: MasteryService) -> None:
    await mastery.knows(FORM)

    await mastery.scored(an_attempt("ada", "A", [1, 1, NOT_REACHED], 10))
    await mastery.scored(an_attempt("ada", "A", [NOT_REACHED, NOT_REACHED, 0], 20))

    first, second = await mastery.announced()
    assert (first.student, list(first.competencies), list(first.evidence_counts)) == (an_id("ada"), [an_id("add")], [2])
    assert first.model_version == DEFAULT.version
    assert (list(second.competencies), list(second.evidence_counts)) == ([an_id("sub")], [1])
    assert list(second.probabilities) == [about(after(0.3, 0))]


async def test_a_redelivered_attempt_counts_once(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    delivered = envelopes(assessment.AttemptsScored, [an_attempt("ada", "A", [1, 1, 1], 10)])

    await mastery.delivers(delivered)
    await mastery.delivers(delivered)

    assert await mastery.count() == (1, 3)
    assert len(await mastery.announced()) == 1


async def test_the_same_attempt_in_another_envelope_counts_once(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10))
    before = await mastery.stored()

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10), an_attempt("ada", "A", [1, 1, 1], 10))

    assert await mastery.stored() == before
    assert len(await mastery.announced()) == 1


async def test_a_crash_before_the_commit_leaves_nothing_and_the_next_delivery_everything(
    mastery: MasteryService,
) -> None:
    await mastery.knows(FORM)
    delivered = envelopes(assessment.AttemptsScored, [an_attempt("ada", "A", [1, 1, 1], 10)])

    with crash.armed("C3"), pytest.raises(crash.Crashed):
        await mastery.delivers(delivered)
    assert await mastery.count() == (0, 0)
    await mastery.delivers(delivered)

    assert await mastery.count() == (1, 3)


async def test_an_attempt_waits_for_its_form_and_its_administration(mastery: MasteryService) -> None:
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10))
    assert (await mastery.count(), await mastery.lines("waiting")) == ((0, 0), 1)

    await mastery.hears(assessment.FormPublished, FORM)
    assert (await mastery.count(), await mastery.lines("waiting")) == ((0, 0), 1)
    await mastery.hears(assessment.AdministrationPlanned, an_administration())

    assert (await mastery.count(), await mastery.lines("waiting")) == ((1, 3), 0)


async def test_others_do_not_wait_for_one_that_waits(mastery: MasteryService) -> None:
    await mastery.knows(FORM)

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10), an_attempt("ben", "Unheard", [1], 10))

    assert (await mastery.count(), await mastery.lines("waiting")) == ((1, 3), 1)


async def test_a_form_that_arrives_while_an_attempt_decides_to_wait_is_not_missed(mastery: MasteryService) -> None:
    await mastery.hears(assessment.AdministrationPlanned, an_administration())
    codes = [f"F{number}" for number in range(20)]

    for code in codes:
        await asyncio.gather(
            mastery.scored(an_attempt("ada", code, [1], 10)),
            mastery.hears(assessment.FormPublished, a_form(code, [["add"]])),
        )

    assert (await mastery.count(), await mastery.lines("waiting")) == ((20, 20), 0)


async def test_sheets_in_any_order_leave_the_same_bits(mastery: MasteryService) -> None:
    await mastery.knows(FORM, a_form("B", [["sub"], ["add"]]), administrations=["fall", "Fall"])
    sheets = [
        lambda district: (an_attempt("ada", "A", [1, 0, 1], 10), district),
        lambda district: (an_attempt("ada", "B", [0, 1], 10), district),
        lambda district: (an_attempt("ada", "B", [1, 1], 10, administration="Fall"), district),
        lambda district: (an_attempt("ada", "A", [1, 1, OMITTED], 5), district),
    ]

    results = set()
    for number, order in enumerate(itertools.permutations(sheets)):
        district = DISTRICT if number == 0 else type(DISTRICT)(int=number)
        await mastery.knows(FORM, a_form("B", [["sub"], ["add"]]), administrations=["fall", "Fall"], district=district)
        for sheet in order:
            attempt, where = sheet(district)
            await mastery.scored(attempt, district=where)
        [row] = await mastery.stored(district)
        results.add(row[1:])

    assert len(results) == 1


async def test_a_corrected_sheet_counts_as_if_it_had_been_there_from_the_start(mastery: MasteryService) -> None:
    for district in (DISTRICT, OTHER_DISTRICT):
        await mastery.knows(FORM, district=district)
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10))
    await mastery.scored(an_attempt("ada", "A", [0, 0, 0], 20))

    await mastery.scored(an_attempt("ada", "A", [0, 1, NOT_REACHED], 10, version=2))
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10, version=1))

    await mastery.scored(an_attempt("ada", "A", [0, 1, NOT_REACHED], 10, version=2), district=OTHER_DISTRICT)
    await mastery.scored(an_attempt("ada", "A", [0, 0, 0], 20), district=OTHER_DISTRICT)
    [[_, *here]], [[_, *there]] = await mastery.stored(), await mastery.stored(OTHER_DISTRICT)
    assert here == there
    assert await mastery.count() == (2, 5)


async def test_a_correction_that_takes_all_evidence_away_is_announced_as_none_left(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, NOT_REACHED, NOT_REACHED], 10))

    await mastery.scored(an_attempt("ada", "A", [NOT_PRESENTED] * 3, 10, version=2))

    last = (await mastery.announced())[-1]
    assert (list(last.competencies), list(last.evidence_counts)) == ([an_id("add")], [0])
    assert await mastery.mastery_of("ada") == {"ada": {}}


async def test_a_withdrawn_sheet_leaves_the_ledgers_evidence_and_a_later_version_reinstates_it(
    mastery: MasteryService,
) -> None:
    for district in (DISTRICT, OTHER_DISTRICT):
        await mastery.knows(FORM, district=district)
        await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10), district=district)
        await mastery.scored(an_attempt("ada", "A", [1, 1, NOT_REACHED], 20), district=district)
    whole = await mastery.stored()

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10, version=2, withdrawn=True))

    only = {"ada": {"add": (about(after(0.3, 1, 1)), 2)}}
    assert await mastery.mastery_of("ada") == only
    assert await mastery.count() == (1, 2)
    assert {one["completed_at"] for one in (await mastery.evidence_of("ada"))["ada"]["items"]} == {
        "1970-01-01T00:00:00.000020+00:00"
    }
    announced = (await mastery.announced())[-1]
    said = dict(zip(announced.competencies, announced.evidence_counts, strict=True))
    assert said == {an_id("add"): 2, an_id("sub"): 0}

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10, version=1))
    assert await mastery.mastery_of("ada") == only

    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 10, version=3))
    assert await mastery.stored() == whole
    assert await mastery.count(a_caller(OTHER_DISTRICT)) == (2, 5)


async def test_a_student_whose_only_sheet_is_withdrawn_has_no_mastery_and_can_begin_anew(
    mastery: MasteryService,
) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10))

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10, version=2, withdrawn=True))

    assert await mastery.mastery_of("ada") == {"ada": {}}
    assert await mastery.count() == (0, 0)
    last = (await mastery.announced())[-1]
    assert set(zip(last.competencies, last.probabilities, last.evidence_counts, strict=True)) == {
        (an_id("add"), 0.3, 0),
        (an_id("sub"), 0.3, 0),
    }
    await mastery.scored(an_attempt("ada", "A", [0, NOT_REACHED, NOT_REACHED], 5))
    assert await mastery.mastery_of("ada") == {"ada": {"add": (about(after(0.3, 0)), 1)}}


async def test_a_withdrawal_that_overtakes_its_sheet_wins(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ben", "A", [1, 1, 1], 20))

    for student in ("ada", "ben"):
        await mastery.scored(an_attempt(student, "A", [1, 1, 1], 10, version=2, withdrawn=True))
        await mastery.scored(an_attempt(student, "A", [1, 1, 1], 10, version=1))

    assert await mastery.mastery_of("ada", "ben") == {
        "ada": {},
        "ben": {"add": (about(after(0.3, 1, 1)), 2), "sub": (about(after(0.3, 1)), 1)},
    }
    assert await mastery.count() == (1, 3)


async def test_versions_of_a_sheet_in_one_batch_are_its_last(mastery: MasteryService) -> None:
    await mastery.knows(FORM)

    await mastery.scored(
        an_attempt("ada", "A", [1, 1, 1], 10, version=2, withdrawn=True),
        an_attempt("ada", "A", [0, 0, 0], 10, version=3),
        an_attempt("ada", "A", [1, 1, 1], 10, version=1),
    )

    assert await mastery.mastery_of("ada") == {
        "ada": {"add": (about(after(0.3, 0, 0)), 2), "sub": (about(after(0.3, 0)), 1)}
    }


async def test_two_districts_in_one_batch_stay_apart(mastery: MasteryService) -> None:
    both = (DISTRICT, OTHER_DISTRICT)
    for district in both:
        await mastery.knows(FORM, district=district)

    await mastery.delivers(
        *[envelopes(assessment.AttemptsScored, [an_attempt("ada", "A", [1, 1, 1], 10)], district) for district in both],
        envelopes(assessment.AttemptsScored, [an_attempt("ben", "A", [1, 1, 1], 10)], OTHER_DISTRICT),
    )

    assert await mastery.count(a_caller(DISTRICT)) == (1, 3)
    assert await mastery.count(a_caller(OTHER_DISTRICT)) == (2, 6)
    assert set(await mastery.mastery_of("ada", "ben", caller=a_caller(DISTRICT))) == {"ada"}


async def test_a_form_of_another_district_is_not_here(mastery: MasteryService) -> None:
    await mastery.knows(FORM, district=OTHER_DISTRICT)

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10))

    assert (await mastery.count(), await mastery.lines("waiting")) == ((0, 0), 1)


@pytest.mark.parametrize(
    "poison",
    [
        an_attempt("ben", "A", [1, 1], 10),
        an_attempt("ben", "A", [1, 2, 1], 10),
        an_attempt("ben", "A", [1, 251, 1], 10),
        an_attempt("ben", "A", [1, 1, 1], 10, version=0),
        an_attempt("ben", "A", [1, 1, 1], 2**62),
        assessment.Attempt(id=b"x" * 16, student=b"short"),
    ],
)
async def test_a_sheet_that_cannot_be_read_is_parked_and_the_others_count(
    mastery: MasteryService, poison: assessment.Attempt
) -> None:
    await mastery.knows(FORM)

    await mastery.scored(an_attempt("ada", "A", [1, 1, 1], 10), poison, an_attempt("eve", "A", [1, 1, 1], 10))

    assert await mastery.count() == (2, 6)
    assert await mastery.lines("parked") == 1


@pytest.mark.parametrize(
    "poison",
    [
        a_form("A", []),
        a_form("", [["add"]]),
        a_form("A", [["add"]], maxima=[0]),
        a_form("A", [["a" * 17]]),
        a_form("A", [["add"]], b=[[nan]]),
    ],
)
async def test_a_form_that_evidence_cannot_be_read_by_is_parked(
    mastery: MasteryService, poison: assessment.Form
) -> None:
    await mastery.hears(assessment.FormPublished, poison)

    assert await mastery.lines("parked") == 1


async def test_batches_about_the_same_students_take_turns(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    students = [f"student {number}" for number in range(30)]
    batches = [[an_attempt(student, "A", [1, 0, 1], at) for student in students] for at in range(8)]

    await asyncio.gather(*[mastery.scored(*(batch if at % 2 else batch[::-1])) for at, batch in enumerate(batches)])

    assert await mastery.count() == (240, 720)
    found = await mastery.mastery_of(*students)
    [belief] = {one["add"] for one in found.values()}
    assert belief == (about(after(0.3, *[1, 0] * 8)), 16)


async def test_a_batch_of_thousands_is_the_same_as_one_by_one(mastery: MasteryService) -> None:
    forms = FORM, a_form("B", [["sub"], ["mul"], ["add"]], maxima=[2, 3, 1])
    await mastery.knows(*forms)
    await mastery.knows(*forms, district=OTHER_DISTRICT)
    answers = itertools.cycle(itertools.product([0, 1, OMITTED, NOT_REACHED], repeat=3))
    attempts = [
        an_attempt(f"s{number % 1_100}", "AB"[number % 3 % 2], next(answers), number * 7 % 3_000)
        for number in range(3_000)
    ]

    await mastery.scored(*attempts)
    for start in range(0, len(attempts), 150):
        await mastery.scored(*attempts[start : start + 150], district=OTHER_DISTRICT)

    here, there = await mastery.stored(), await mastery.stored(OTHER_DISTRICT)
    assert [row[1:] for row in here] == [row[1:] for row in there]
    assert len(here) == 1_100
