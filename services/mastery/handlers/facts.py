"""Four beats each: load, decide, save, announce. Batches in, one transaction, nothing caught."""

import asyncio
from collections.abc import Collection, Container, Mapping

from services.mastery import events
from services.mastery.domain.ledger import Form, Sheets, faults, sift
from services.mastery.domain.model import DEFAULT as MODEL
from services.mastery.domain.study import Studied, going_on, study
from services.mastery.store import copies, ids, ledger, mastery, mergers, snapshots
from shared.db import Transaction
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as announced
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster

_INLINE_SHEETS = 200  # fewer are traced in a millisecond


async def form_published(tx: Transaction, facts: list[assessment.Form]) -> None:
    """Keep our own copy of the form: sheets are read by it."""
    forms = [events.form_in(fact) for fact in facts]
    await copies.hold_arrivals(tx)
    await copies.save_forms(tx, forms)
    tx.arrived(_form(form.id) for form in forms)
    await snapshots.plan_tonight(tx)
    await mastery.note_district(tx, MODEL.version)


async def administration_planned(tx: Transaction, facts: list[assessment.Administration]) -> None:
    """Keep our own copy of the window: its code orders evidence."""
    planned = [events.administration_in(fact) for fact in facts]
    await copies.hold_arrivals(tx)
    await copies.save_administrations(tx, planned)
    tx.arrived(_administration(administration) for administration, *_ in planned)
    await snapshots.plan(tx, [events.moment(fact.closes_at) for fact in facts])


async def students_placed(tx: Transaction, facts: list[roster.Placement]) -> None:
    """Which schools' keys see which students."""
    placed = events.places_in(facts)
    await copies.place(
        tx,
        list(placed),
        [(student, ordinal, *place) for student, at in placed.items() for ordinal, place in enumerate(at)],
    )


async def attempts_scored(tx: Transaction, facts: list[assessment.Attempt]) -> None:
    """Scored attempts are evidence for every competency their items touch; withdrawn ones are none."""
    scored = events.sheets_in(facts)
    forms, administrations = await _known(tx, scored)
    if missing := _missing(scored, forms, administrations):
        await copies.hold_arrivals(tx)
        forms, administrations = await _known(tx, scored)
        missing = _missing(scored, forms, administrations)
        for row, needs in missing.items():
            tx.wait(assessment.AttemptsScored, facts[row], needs)
        scored = scored.take([row for row in range(len(scored)) if row not in missing])
    if wrong := faults(scored, forms):
        raise Invalid(" ".join(wrong))
    if len(scored):
        await _learn(tx, scored.latest(), forms, administrations)


async def _learn(tx: Transaction, heard: Sheets, forms: dict[bytes, Form], administrations: dict[bytes, str]) -> None:
    """Into the ledger with them, and whatever it makes of their students."""
    await ledger.hold(tx, heard.students)
    await ledger.stage(tx, heard)
    if whom := await mergers.whom(tx, ids(set(heard.students))):
        await ledger.hold(tx, {one.bytes for one in whom.values()})
        await ledger.follow(tx, whom)
        heard = heard.whose({origin.bytes: now.bytes for origin, now in whom.items()})
    blocks = await mastery.blocks(tx)
    standing = {student for block in blocks for student in block.students}
    # Who has a sheet in the ledger has a standing, and the other way round: both are written here, together.
    versions = await ledger.versions(tx) if standing else {}
    sifted = sift(heard, versions, standing)
    await ledger.save(tx, all_new=not versions)
    students = sifted.corrected.union(sifted.evidence.students, sifted.newcomers)
    if not students:
        return

    continuing = (
        going_on(sifted.evidence, forms, administrations, blocks, MODEL) | sifted.newcomers
    ) - sifted.corrected
    whole = await ledger.sheets_of(tx, students - continuing)
    more_forms, more_administrations = await _known(tx, whole) if len(whole) else ({}, {})
    evidence = sifted.evidence
    if continuing < students:
        evidence = evidence.take([row for row, one in enumerate(evidence.students) if one in continuing]).joined(whole)
    work = (students, blocks, continuing, evidence, forms | more_forms, administrations | more_administrations, MODEL)
    studied = study(*work) if len(evidence) <= _INLINE_SHEETS else await asyncio.to_thread(study, *work)
    await _believe(tx, studied, standing)


async def people_merged(tx: Transaction, facts: list[roster.PersonMerged]) -> None:
    """The evidence of the absorbed student is the other's from here on; or, undone, their own again."""
    await _merged(tx, events.mergers_in(facts))


async def people_split(tx: Transaction, facts: list[roster.PersonSplit]) -> None:
    """Who was absorbed is themselves again; or, undone, the other once more."""
    await _merged(tx, events.splits_in(facts))


async def _merged(tx: Transaction, said: list[events.Merged]) -> None:
    await mergers.hold(tx, to_change=True)
    await mergers.save(tx, [mergers.Merger(*one) for one in said])
    concerned = await mergers.concerned(tx, [absorbed for absorbed, *_ in said])
    await ledger.hold(tx, [one.bytes for one in concerned])
    students = await mergers.move_sheets(tx, concerned)
    if students:
        await _trace_whole(tx, [one.bytes for one in students])
        await mastery.forget(tx, students)


async def _trace_whole(tx: Transaction, students: Collection[bytes]) -> None:
    """What these students' ledgers say, from the beginning."""
    blocks = await mastery.blocks_of(tx, students)
    standing = {student for block in blocks for student in block.students}
    sheets = await ledger.sheets_of(tx, students)
    forms, administrations = await _known(tx, sheets)
    studied = await asyncio.to_thread(study, set(students), blocks, (), sheets, forms, administrations, MODEL)
    await _believe(tx, studied, standing)


async def trace_anew(tx: Transaction, students: Collection[bytes]) -> None:
    """What earlier models made of these students' ledgers is made by the present one."""
    await ledger.hold(tx, students)
    blocks = [one for one in await mastery.blocks_of(tx, students) if one.model_version != MODEL.version]
    outdated = {student for block in blocks for student in block.students}
    sheets = await ledger.sheets_of(tx, outdated)
    forms, administrations = await _known(tx, sheets)
    studied = await asyncio.to_thread(study, outdated, blocks, (), sheets, forms, administrations, MODEL)
    await _believe(tx, studied, outdated)


async def _believe(tx: Transaction, studied: Studied, standing: Container[bytes]) -> None:
    """Keep and announce it."""
    await mastery.save(tx, studied, standing, MODEL.version)
    changed = studied.changed
    tx.announce_encoded(announced.MasteryChanged, changed.students, events.changes(changed, MODEL.version))


async def _known(tx: Transaction, sheets: Sheets) -> tuple[dict[bytes, Form], dict[bytes, str]]:
    """Those of the sheets' forms and administrations that are here."""
    return await copies.forms(tx, sheets.forms), await copies.administration_codes(tx, sheets.administrations)


def _missing(sheets: Sheets, forms: Mapping[bytes, Form], administrations: Mapping[bytes, str]) -> dict[int, str]:
    """Sheets that refer to something not yet seen, and what."""
    missing = {}
    for row, (form, administration) in enumerate(zip(sheets.forms, sheets.administrations, strict=True)):
        if form not in forms:
            missing[row] = _form(form)
        elif administration not in administrations:
            missing[row] = _administration(administration)
    return missing


def _form(form: bytes) -> str:
    return f"form:{form.hex()}"


def _administration(administration: bytes) -> str:
    return f"administration:{administration.hex()}"
