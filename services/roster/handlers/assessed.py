"""What assessment and mastery found out is told as OneRoster's assessment results: four beats each, batches in."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import orjson

from services.roster import heard
from services.roster.domain.assessed import Attempts
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
    attempts = heard.attempts_in(facts)
    items = {pair: store.item_of(*pair) for pair in set(attempts.pairs)}
    known = await store.known_items(tx, items.values())
    number = await revisions.begin(tx)
    if len(known) < len(items):
        new = [pair for pair, item in items.items() if item not in known]
        missing = await _missing(tx, new)
        for fact in facts:
            pair = UUID(bytes=fact.administration), UUID(bytes=fact.form)
            if pair in missing:
                tx.wait(assessment.AttemptsScored, fact, _needs(missing[pair]))
        items = {pair: item for pair, item in items.items() if pair not in missing}
        attempts = attempts.only(items)
        await store.give(tx, number, {items[pair]: pair for pair in new if pair in items})
        known = await store.known_items(tx, items.values())
    if not attempts.sourced_ids:
        return
    of = [items[pair] for pair in attempts.pairs]
    _whole(attempts, of, known)
    await store.save_attempts(tx, number, attempts, of)
    await revisions.stamp(tx, number)


async def mastery_changed(tx: Transaction, facts: list[mastery.Learner]) -> None:
    """What is believed of a student replaces what was believed before, competency by competency."""
    numbers = await _numbers(tx, facts)
    whole = []
    for fact in facts:
        if not numbers.keys() >= set(fact.competencies):
            later, fact = heard.parted(fact, numbers)
            tx.wait(mastery.MasteryChanged, later, _competency(UUID(bytes=later.competencies[0])))
        whole.append(fact)
    students: dict[UUID, dict[str, int]] = {}
    for student, competencies, beliefs in heard.beliefs_in(whole):
        if competencies:
            said = dict(zip(map(numbers.__getitem__, competencies), beliefs, strict=True))
            students.setdefault(student, {}).update(said)
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


def _whole(attempts: Attempts, items: Sequence[str], known: Mapping[str, int]) -> None:
    for name, scores, item in zip(attempts.sourced_ids, attempts.scores, items, strict=True):
        if len(scores) != known[item]:
            raise Invalid(f"Attempt {name} has {len(scores)} scores; the form has {known[item]} items.")


def _needs(of: UUID) -> str:
    return f"assessed:{of.hex}"


def _competency(of: UUID) -> str:
    return f"competency:{of.hex}"
