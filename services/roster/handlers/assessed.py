"""What assessment and mastery found out is told as OneRoster's assessment results: four beats each, batches in."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import orjson

from services.roster import heard
from services.roster.domain.assessed import Attempt
from services.roster.store import assessed as store
from services.roster.store import revisions
from shared.db import Transaction
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery


async def form_published(tx: Transaction, facts: list[assessment.Form]) -> None:
    """Keep what a sheet's scores are of, and what CASE calls it."""
    forms = [heard.form_in(fact) for fact in facts]
    await store.hold_arrivals(tx)
    await store.save_forms(tx, forms)
    tx.arrived(_needs(form.id) for form in forms)
    tx.arrived({_competency(one) for form in forms for one in form.competencies})


async def administration_planned(tx: Transaction, facts: list[assessment.Administration]) -> None:
    """Keep what an administration is called."""
    windows = [heard.window_in(fact) for fact in facts]
    await store.hold_arrivals(tx)
    number = await revisions.begin(tx)
    changed = await store.save_windows(tx, number, windows)
    tx.arrived(_needs(window.id) for window in windows)
    if changed:
        await revisions.stamp(tx, number)


async def attempts_scored(tx: Transaction, facts: list[assessment.Attempt]) -> None:
    """An attempt is a result of the form as it was given; a withdrawn one is none any more."""
    heard_of = list(heard.attempts_in(facts).values())
    given = {(one.administration, one.form) for one in heard_of}
    items = {pair: store.item_of(*pair) for pair in given}
    known = await store.known_items(tx, items.values())
    number = await revisions.begin(tx)
    if len(known) < len(items):
        new = [pair for pair, item in items.items() if item not in known]
        missing = await _missing(tx, new)
        for fact in facts:
            pair = UUID(bytes=fact.administration), UUID(bytes=fact.form)
            if pair in missing:
                tx.wait(assessment.AttemptsScored, fact, _needs(missing[pair]))
        heard_of = [one for one in heard_of if (one.administration, one.form) not in missing]
        await store.give(tx, number, {items[pair]: pair for pair in new if pair not in missing})
        known = await store.known_items(tx, items.values())
    if not heard_of:
        return
    of = [items[one.administration, one.form] for one in heard_of]
    _whole(heard_of, of, known)
    await store.save_attempts(tx, number, heard_of, of, [heard.points(one.scores) for one in heard_of])
    await revisions.stamp(tx, number)


async def mastery_changed(tx: Transaction, facts: list[mastery.Learner]) -> None:
    """What is believed of a student replaces what was believed before, competency by competency."""
    numbers = await _numbers(tx, facts)
    students: dict[UUID, dict[str, tuple[float, int]]] = {}
    for fact in facts:
        if not numbers.keys() >= set(fact.competencies):
            later, fact = heard.parted(fact, numbers)
            tx.wait(mastery.MasteryChanged, later, _competency(UUID(bytes=later.competencies[0])))
        beliefs = heard.beliefs_in(fact)
        named = map(numbers.__getitem__, beliefs.competencies)
        said = dict(zip(named, zip(beliefs.probabilities, beliefs.levels, strict=True), strict=True))
        if said:
            students.setdefault(beliefs.student, {}).update(said)
    if not students:
        return
    number = await revisions.begin(tx)
    await store.save_standings(
        tx, number, list(students), [orjson.dumps(beliefs).decode() for beliefs in students.values()]
    )
    await revisions.stamp(tx, number)


async def _missing(tx: Transaction, given: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], UUID]:
    """Which of these pairs of administration and form cannot be told of yet, and what is waited for."""
    administrations, forms = {one for one, _ in given}, {one for _, one in given}
    here = await store.arrived(tx, administrations, forms)
    if not here.issuperset(administrations | forms):
        await store.hold_arrivals(tx)
        here = await store.arrived(tx, administrations, forms)
    return {pair: next(one for one in pair if one not in here) for pair in given if not here.issuperset(pair)}


async def _numbers(tx: Transaction, facts: Sequence[mastery.Learner]) -> dict[bytes, str]:
    """The numbers of the competencies in these facts that are known, as they are written in a standing."""
    wanted = {UUID(bytes=one) for one in {one for fact in facts for one in fact.competencies}}
    numbers = await store.numbers_of(tx, wanted)
    if len(numbers) < len(wanted):
        await store.hold_arrivals(tx)
        numbers = await store.numbers_of(tx, wanted)
    return {id_.bytes: str(number) for id_, number in numbers.items()}


def _whole(attempts: Sequence[Attempt], items: Collection[str], known: Mapping[str, int]) -> None:
    for one, item in zip(attempts, items, strict=True):
        if len(one.scores) != known[item] or not 0 <= one.modality <= 3:
            raise Invalid(f"Attempt {one.sourced_id} does not have the form's {known[item]} scores.")


def _needs(of: UUID) -> str:
    return f"assessed:{of.hex}"


def _competency(of: UUID) -> str:
    return f"competency:{of.hex}"
