"""From sheets to belief: the order of evidence, late and corrected sheets, and the same bits whatever the order."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.history import histories
from services.mastery.domain.ledger import NOT_PRESENTED, NOT_REACHED, OMITTED, Form, faults
from services.mastery.domain.model import DEFAULT, Model
from services.mastery.domain.standing import NEVER, Belief, Standing, beliefs_in, in_columns, levels_of
from services.mastery.domain.tracing.skill import Skill
from services.mastery.events import changes
from shared.events_pb.trellis.events.mastery.v1.mastery_pb2 import Learner
from tests.e2e import recompute
from tests.unit.mastery.sheets import Ledger, Sheet, a_form, an_id, sheets_of

FORMS = {
    form.id: form
    for form in (
        a_form("M4-A", [["add"], ["add", "sub"], ["sub"], []], difficulties=[-0.7, 1.3, 0, 9]),
        a_form("M4-B", [["sub"], ["mul"], ["add"]], maxima=[2, 3, 1]),
        a_form("Z", [["mul"], ["mul"]]),
    )
}
ADMINISTRATIONS = {an_id("fall"): "fall", an_id("Fall"): "Fall", an_id("spring"): "spring"}
DAY = 86_400_000_000
MOMENTS = (-1, 0, 1_000_000, DAY - 1, DAY, 41 * DAY, 500 * DAY + 7)
PRIOR = 0.3
_CODES = (NOT_REACHED, OMITTED, NOT_PRESENTED)


@st.composite
def some_sheets(draw: st.DrawFn) -> list[Sheet]:
    """Sheets of a few students, many of the same moment or day, some of them corrected, withdrawn or reinstated."""
    found: list[Sheet] = []
    for _ in range(draw(st.integers(1, 12))):
        form = draw(st.sampled_from(list(FORMS.values())))
        scores = bytes(draw(st.sampled_from([*range(maximum + 1), *_CODES])) for maximum in form.maxima.tolist())
        sheet = Sheet(
            draw(st.sampled_from(["ada", "ben", "eve"])),
            form.code,
            draw(st.sampled_from(MOMENTS)),
            scores,
            draw(st.sampled_from(["fall", "Fall", "spring"])),
        )
        versions = [one for one in found if one.attempt == sheet.attempt]
        found.append(
            Sheet(**{**vars(sheet), "version": len(versions) + 1, "withdrawn": draw(st.booleans()) and bool(versions)})
        )
    return found


def heard(*batches: list[Sheet]) -> Ledger:
    ledger = Ledger(FORMS, ADMINISTRATIONS)
    for batch in batches:
        ledger.hear(batch)
    return ledger


def believed(ledger: Ledger, student: str) -> dict[str, Belief]:
    standing = ledger.standings[an_id(student)]
    return {one.rstrip(b".").decode(): belief for one, belief in beliefs_in(standing).items()}


@given(sheets=some_sheets(), shuffled=st.randoms(use_true_random=False), sizes=st.lists(st.integers(1, 5), min_size=12))
def test_the_order_and_the_batches_in_which_sheets_arrive_leave_no_trace(
    sheets: list[Sheet], shuffled: object, sizes: list[int]
) -> None:
    at_once = heard(sheets)

    shuffled.shuffle(sheets)  # type: ignore[attr-defined]  # a random.Random
    batches, at = [], 0
    for size in sizes:
        batches.append(sheets[at : at + size])
        at += size
    piecemeal = heard(*[batch for batch in batches if batch], *[[one] for one in sheets[at:]])

    assert piecemeal.standings == at_once.standings


@given(sheets=some_sheets(), shuffled=st.randoms(use_true_random=False))
def test_what_is_believed_is_what_the_last_versions_say_and_withdrawn_ones_say_nothing(
    sheets: list[Sheet], shuffled: object
) -> None:
    last = {sheet.attempt: sheet for sheet in sheets}  # versions were drawn in order
    replayed = heard([Sheet(**{**vars(sheet), "version": 1}) for sheet in last.values() if not sheet.withdrawn])

    shuffled.shuffle(sheets)  # type: ignore[attr-defined]  # a random.Random
    ledger = heard(*[[sheet] for sheet in sheets])

    assert {student: one for student, one in ledger.standings.items() if one.through != NEVER} == replayed.standings
    nothing = [one for one in ledger.standings.values() if one.through == NEVER]
    assert all((one.entries, one.competencies) == (0, b"") for one in nothing)


def test_a_withdrawn_sheet_is_no_evidence_until_it_is_reinstated() -> None:
    first, other = Sheet("ada", "Z", 1, b"\x01\x01"), Sheet("ada", "M4-A", 2, b"\x01\x01\x00\x00")
    ledger = heard([first, other])

    withdrawal = ledger.hear([Sheet("ada", "Z", 1, b"\x01\x01", version=2, withdrawn=True)])

    assert ledger.standings == heard([other]).standings
    assert withdrawal is not None
    assert withdrawal.changed.competencies.tobytes() == an_id("mul")
    assert withdrawal.changed.counts.tolist() == [0]
    assert withdrawal.changed.beliefs[:, 0].tolist() == DEFAULT.skills([an_id("mul")]).prior[:, 0].tolist()
    assert ledger.hear([first]) is None
    ledger.hear([Sheet("ada", "Z", 1, b"\x01\x01", version=3)])
    assert ledger.standings == heard([first, other]).standings


def test_a_sheet_that_comes_withdrawn_leaves_its_student_where_they_stand() -> None:
    ledger = heard([Sheet("ada", "Z", 5, b"\x01\x01")])
    before = dict(ledger.standings)

    heard_of = ledger.hear([Sheet("ada", "Z", 1, b"\x00\x00", version=2, withdrawn=True)])

    assert heard_of is None
    assert ledger.standings == before
    ledger.hear([Sheet("ada", "Z", 1, b"\x00\x00")])
    assert ledger.standings == before


@given(sheets=some_sheets(), others=st.integers(0, 3))
def test_a_fact_written_in_columns_is_the_one_protobuf_writes(sheets: list[Sheet], others: int) -> None:
    long = [Sheet(f"long {one}", "Z", at, b"\x01\x00") for one in range(others) for at in range(70)]
    studied = Ledger(FORMS, ADMINISTRATIONS).hear([*sheets, *long])
    assert studied is not None
    changed = studied.changed

    facts = changes(changed, "the-model")

    assert len(facts) == len(changed.students)
    for row, fact in enumerate(facts):
        read = Learner.FromString(fact)
        mine = slice(changed.bounds[row], changed.bounds[row + 1])
        assert (len(read.id), read.student, read.model_version) == (16, changed.students[row], "the-model")
        assert b"".join(read.competencies) == changed.competencies[mine].tobytes()
        assert list(read.probabilities) == changed.beliefs[0, mine].tolist()
        assert (list(read.lowers), list(read.uppers)) == (
            changed.beliefs[1, mine].tolist(),
            changed.beliefs[2, mine].tolist(),
        )
        assert list(read.evidence_counts) == changed.counts[mine].tolist()
        assert read.SerializeToString() == fact


def test_new_sheets_continue_where_the_student_stands_and_late_ones_do_not() -> None:
    early, middle, late = (Sheet("ada", "Z", moment, b"\x01\x00") for moment in (1, 2, 3))

    ledger = heard([early], [late])
    assert ledger.continued == 2
    ledger.hear([middle])

    assert ledger.continued == 2
    assert ledger.standings == heard([early, middle, late]).standings


def test_a_form_that_is_aligned_to_nothing_leaves_no_belief() -> None:
    unaligned = a_form("U", [[], []])
    ledger = Ledger({unaligned.id: unaligned}, ADMINISTRATIONS)

    studied = ledger.hear([Sheet("ada", "U", 1, b"\x01\x01")])

    assert believed(ledger, "ada") == {}
    assert studied is not None
    assert changes(studied.changed, "the-model") == []


def test_another_version_of_the_model_starts_over() -> None:
    first, second = Sheet("ada", "Z", 1, b"\x01\x00"), Sheet("ada", "Z", 2, b"\x00\x01")
    ledger = heard([first])

    other = Model.of(Skill(prior=0.5))
    ledger.model = other
    ledger.hear([second])

    anew = Ledger(FORMS, ADMINISTRATIONS, other)
    anew.hear([first, second])
    assert ledger.standings == anew.standings


def test_a_lower_or_equal_version_changes_nothing() -> None:
    ledger = heard([Sheet("ada", "Z", 1, b"\x01\x01", version=2)])
    before = dict(ledger.standings)

    ledger.hear([Sheet("ada", "Z", 1, b"\x00\x00", version=1), Sheet("ada", "Z", 1, b"\x00\x00", version=2)])

    assert ledger.standings == before


def test_a_correction_counts_as_if_it_had_been_there_from_the_start() -> None:
    corrected = heard([Sheet("ada", "Z", 1, b"\x01\x01")], [Sheet("ada", "Z", 1, b"\x01\x00", version=2)])

    assert corrected.standings == heard([Sheet("ada", "Z", 1, b"\x01\x00")]).standings


def test_a_correction_that_takes_all_evidence_away_leaves_no_belief() -> None:
    nothing = bytes([NOT_REACHED, NOT_PRESENTED])

    ledger = heard([Sheet("ada", "Z", 1, b"\x01\x01")], [Sheet("ada", "Z", 1, nothing, version=2)])

    assert believed(ledger, "ada") == {}
    assert ledger.standings[an_id("ada")].entries == 0


def test_omitted_has_no_credit_and_what_was_not_reached_is_no_evidence() -> None:
    omitted = heard([Sheet("ada", "M4-A", 7, bytes([1, OMITTED, NOT_REACHED, 1]))])
    wrong = heard([Sheet("ada", "M4-A", 7, bytes([1, 0, NOT_PRESENTED, 1]))])

    assert omitted.standings == wrong.standings
    assert {name: (one.evidence_count, one.last_evidence) for name, one in believed(omitted, "ada").items()} == {
        "add": (2, 7),
        "sub": (1, 7),
    }


def test_ties_in_time_are_ordered_by_the_code_points_of_administration_and_form() -> None:
    sheets = [
        Sheet("ada", "Z", 5, b"\x01\x01", "fall"),
        Sheet("ada", "M4-A", 5, b"\x01\x01\x01\x01", "fall"),
        Sheet("ada", "Z", 5, b"\x00\x00", "Fall"),
    ]

    [history] = histories([an_id("ada")], sheets_of(sheets), FORMS, ADMINISTRATIONS, DEFAULT, first=100, after=0)

    assert [entry.sheet for entry in history.entries] == [2, 2, 1, 1, 1, 1, 0, 0]


@given(sheets=some_sheets())
def test_the_history_ends_at_what_is_believed(sheets: list[Sheet]) -> None:
    ledger = heard(sheets)
    students = sorted(ledger.standings)

    whole = ledger.counting(set(students))
    pages = histories(students, whole, FORMS, ADMINISTRATIONS, DEFAULT, first=10_000, after=0)

    for student, page in zip(students, pages, strict=True):
        stored = beliefs_in(ledger.standings[student])
        assert {entry.competency: entry.after for entry in page.entries} == {
            c: b.probability for c, b in stored.items()
        }
        assert page.total == ledger.standings[student].entries
        begun: dict[bytes, tuple[float, int]] = {}
        for entry in page.entries:
            was, then = begun.get(entry.competency, (PRIOR, whole.completed_at[entry.sheet]))
            when = whole.completed_at[entry.sheet]
            assert (entry.before == was) == (when // DAY == then // DAY or was == PRIOR)
            assert abs(entry.before - PRIOR) <= abs(was - PRIOR)
            begun[entry.competency] = entry.after, when


@given(sheets=some_sheets())
def test_plain_loops_say_the_same(sheets: list[Sheet]) -> None:
    ledger = heard(sheets)
    last = {sheet.attempt: sheet for sheet in sheets}
    codes = {NOT_REACHED: "/", OMITTED: "-", NOT_PRESENTED: ""}
    plain: dict[str, dict[tuple[int, str, str], dict[str, str]]] = {}
    for sheet in last.values():
        if not sheet.withdrawn:
            cells = {str(at): codes.get(score, str(score)) for at, score in enumerate(sheet.scores)}
            plain.setdefault(sheet.student, {})[sheet.completed_at, sheet.administration, sheet.form] = cells

    for student in {sheet.student for sheet in sheets}:
        expected = recompute.mastery(plain.get(student, {}), {form.code: in_json(form) for form in FORMS.values()})
        mine = believed(ledger, student)
        assert mine.keys() == expected.keys()
        for name, one in mine.items():
            right = expected[name]
            assert one[:3] == pytest.approx((right["probability"], right["lower"], right["upper"]), rel=1e-13)
            assert (one.evidence_count, one.last_evidence) == (right["evidenceCount"], right["lastEvidenceAt"])


def in_json(form: Form) -> dict[str, Any]:
    """A form as a district sends it."""
    named: dict[int, list[str]] = {}
    for item, competency in zip(form.aligned_items.tolist(), form.aligned_competencies, strict=True):
        named.setdefault(item, []).append(competency.rstrip(b".").decode())
    return {
        "items": [
            {
                "id": str(at),
                "maximum": maximum,
                "rubric": {},
                "competencies": named.get(at, []),
                "parameters": {"b": difficulty},
            }
            for at, (maximum, difficulty) in enumerate(
                zip(form.maxima.tolist(), form.difficulties.tolist(), strict=True)
            )
        ]
    }


def test_levels_are_those_of_each_belief() -> None:
    ledger = heard(
        [
            Sheet("ada", "Z", 1, b"\x01\x01"),
            Sheet("ada", "Z", 2, b"\x01\x01"),
            Sheet("ben", "Z", 1, b"\x00\x00"),
            Sheet("eve", "Z", 1, bytes([1, NOT_REACHED])),
        ]
    )
    standings = [ledger.standings[an_id(one)] for one in ("ada", "ben", "eve")]

    columns = in_columns([*standings, None], {an_id("mul"): 0})

    assert levels_of(columns) == [["mastered"], ["beginning"], ["developing"], []]


@given(sheets=some_sheets(), size=st.integers(1, 4))
def test_pages_of_the_history_put_together_are_the_history(sheets: list[Sheet], size: int) -> None:
    whole = sheets_of({sheet.attempt: sheet for sheet in sheets}.values())
    students = sorted(set(whole.students))
    complete = histories(students, whole, FORMS, ADMINISTRATIONS, DEFAULT, first=10_000, after=0)

    for row, history in enumerate(complete):
        paged = []
        for after in range(0, history.total + size, size):
            page = histories(students, whole, FORMS, ADMINISTRATIONS, DEFAULT, first=size, after=after)
            paged += page[row].entries
        assert paged == history.entries


def test_a_student_without_sheets_has_an_empty_history() -> None:
    [history] = histories([an_id("ada")], sheets_of([]), FORMS, ADMINISTRATIONS, DEFAULT, first=5, after=0)

    assert (history.entries, history.total) == ([], 0)


def test_a_sheet_that_does_not_fit_its_form_is_at_fault() -> None:
    good = Sheet("ada", "M4-B", 1, bytes([2, 3, OMITTED]))
    too_short = Sheet("ben", "M4-B", 1, bytes([2, 3]))
    too_much = Sheet("eve", "M4-B", 1, bytes([2, 4, 1]))
    no_such_code = Sheet("eve", "M4-B", 2, bytes([2, 252, 1]))

    assert faults(sheets_of([good]), FORMS) == []
    assert len(faults(sheets_of([good, too_short]), FORMS)) == 1
    assert len(faults(sheets_of([too_much]), FORMS)) == 1
    assert len(faults(sheets_of([no_such_code]), FORMS)) == 1
    assert len(faults(sheets_of([too_short, too_much]), FORMS)) == 2


def test_what_is_packed_does_not_depend_on_the_company_it_came_in() -> None:
    ada = Sheet("ada", "Z", 1, b"\x01\x00")
    others = [Sheet("ben", "M4-A", 1, b"\x01\x01\x00\x00"), Sheet("eve", "M4-B", 1, b"\x02\x03\x00")]

    alone: Standing = heard([ada]).standings[an_id("ada")]

    assert heard([*others, ada]).standings[an_id("ada")] == alone
    assert np.frombuffer(alone.probabilities, "<f8").shape == (1,)
