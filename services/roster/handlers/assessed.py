"""What assessment and mastery found out is told as OneRoster's assessment results: four beats each, batches in."""

from collections.abc import Mapping, Sequence
from itertools import chain
from uuid import UUID

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
    items = {of: store.item_of(*_uuids(of)) for of in dict.fromkeys(attempts.of)}
    known = await store.known_items(tx, items.values())
    number = await revisions.begin(tx)
    if len(known) < len(items):
        new = {of: _uuids(of) for of, item in items.items() if item not in known}
        missing = await _missing(tx, list(new.values()))
        late = {of: missing[pair] for of, pair in new.items() if pair in missing}
        if late:
            for fact in facts:
                if (fact.administration, fact.form) in late:
                    tx.wait(assessment.AttemptsScored, fact, _needs(late[fact.administration, fact.form]))
            facts = [fact for fact in facts if (fact.administration, fact.form) not in late]
            if not facts:
                return
            attempts = heard.attempts_in(facts)
        await store.give(tx, number, {items[of]: pair for of, pair in new.items() if of not in late})
        known = await store.known_items(tx, items.values())
    _whole(attempts, items, known)
    await store.save_attempts(tx, number, attempts, items)
    await revisions.stamp(tx, number)


async def mastery_changed(tx: Transaction, facts: list[mastery.Learner]) -> None:
    """What is believed of a student replaces what was believed before, competency by competency."""
    rounds = heard.beliefs_in(facts)
    numbers = await _numbers(tx, {one for beliefs in chain(*rounds) for one in beliefs.competencies})
    if any(one not in numbers for beliefs in chain(*rounds) for one in beliefs.competencies):
        rounds = heard.beliefs_in([_known_part(tx, fact, numbers) for fact in facts])
    if not any(rounds):
        return
    number = await revisions.begin(tx)
    await store.save_standings(tx, number, rounds, numbers)
    await revisions.stamp(tx, number)


def _known_part(tx: Transaction, fact: mastery.Learner, numbers: Mapping[bytes, int]) -> mastery.Learner:
    """What a fact says about competencies that were heard of; the rest of it waits."""
    if all(one in numbers for one in fact.competencies):
        return fact
    later, now = heard.parted(fact, numbers)
    tx.wait(mastery.MasteryChanged, later, _competency(UUID(bytes=later.competencies[0])))
    return now


async def _missing(tx: Transaction, given: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], UUID]:
    """Which of these pairs of administration and form cannot be told of yet, and what is waited for."""
    administrations, forms = {one for one, _ in given}, {one for _, one in given}
    here = await store.arrived(tx, administrations, forms)
    if not here.issuperset(administrations | forms):
        await store.hold_arrivals(tx)
        here = await store.arrived(tx, administrations, forms)
    return {pair: next(one for one in pair if one not in here) for pair in given if not here.issuperset(pair)}


async def _numbers(tx: Transaction, competencies: set[bytes]) -> dict[bytes, int]:
    """The numbers of those of these competencies that are known."""
    wanted = heard.uuids(competencies)
    numbers = await store.numbers_of(tx, wanted)
    if len(numbers) < len(wanted):
        await store.hold_arrivals(tx)
        numbers = await store.numbers_of(tx, wanted)
    return {id_.bytes: number for id_, number in numbers.items()}


def _whole(attempts: Attempts, items: Mapping[tuple[bytes, bytes], str], known: Mapping[str, int]) -> None:
    widths = {of: known[item] for of, item in items.items() if item in known}
    for of, scores in zip(attempts.of, attempts.scores, strict=True):
        if len(scores) != widths[of]:
            raise Invalid(f"An attempt has {len(scores)} scores; the form has {widths[of]} items.")


def _uuids(of: tuple[bytes, bytes]) -> tuple[UUID, UUID]:
    return UUID(bytes=of[0]), UUID(bytes=of[1])


def _needs(of: UUID) -> str:
    return f"assessed:{of.hex}"


def _competency(of: UUID) -> str:
    return f"competency:{of.hex}"
