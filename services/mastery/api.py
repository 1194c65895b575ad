"""Questions about competencies, mastery and evidence, many at once. Routes parse, call, answer."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Response

from services.mastery import contract, events
from services.mastery.domain.history import History, histories
from services.mastery.domain.ledger import Sheets
from services.mastery.domain.model import DEFAULT as MODEL
from services.mastery.domain.rollup import Hierarchy, RollUp, roll_ups
from services.mastery.domain.skills import Competency
from services.mastery.domain.standing import Columns, Standing, beliefs_in, ids_in, in_columns, levels_of
from services.mastery.domain.tracing.level import LEVELS
from services.mastery.store import copies, frameworks, ledger, mastery
from shared.http import BatchRoute, Read

router = APIRouter(route_class=BatchRoute)

_INLINE_SHEETS = 200  # fewer are replayed in a millisecond
_LAST = "\U0010ffff"

Cell = tuple[float | None, float | None, float | None, int, int | None, str]
"""Probability, lower, upper, number of entries, time of the last evidence (microseconds), level."""
_UNKNOWN: Cell = (None, None, None, 0, None, LEVELS[0])


@router.post("/competencies:batch-get")
async def competencies(ask: contract.ByKeys, tx: Read) -> list[contract.Competency]:
    """The competencies with these ids or CASE identifiers; what is not found is left out."""
    return [wire(one) for one in await frameworks.competencies(tx, ask.ids, ask.identifiers)]


@router.post("/mastery:batch-list", response_model=list[contract.StudentMastery])
async def mastery_of(ask: contract.ByStudents, tx: Read) -> Response:
    """What these students are believed to know; students the caller may not see are left out."""
    standings = await mastery.visible_standings(tx, ask.students)
    order, _ = await _vocabulary(tx, ask, standings.values())
    students, columns, place = _columns(ask, standings, order)
    names = [str(UUID(bytes=one)) for one in place]
    asked = None if ask.competencies is None else [place[one.bytes] for one in ask.competencies]
    answer, said = [], Said()
    for student, stands, levels in zip(students, columns, levels_of(columns), strict=True):
        version = _version(standings[student])
        cells = dict(zip(stands.places, zip(*stands[1:], levels, strict=True), strict=True))
        answer.append(
            {
                "student": student,
                "mastery": [
                    _mastery(names[at], cells.get(at, _UNKNOWN), said, version)
                    for at in (stands.places if asked is None else asked)
                ],
            }
        )
    return _json(answer)


@router.post("/mastery:columns", response_model=contract.MasteryColumns)
async def mastery_columns(ask: contract.ByStudents, tx: Read) -> Response:
    """The same in columns: what a class page needs of mastery, with the competencies described, in one answer."""
    standings = await mastery.visible_standings(tx, ask.students)
    order, known = await _vocabulary(tx, ask, standings.values())
    students, columns, place = _columns(ask, standings, order)
    return _json(
        {
            "competencies": [str(UUID(bytes=one)) for one in place],
            "known": [
                {
                    "id": str(one.id),
                    "identifier": one.identifier,
                    "statement": one.statement,
                    "code": one.code,
                    "parent": None if one.parent is None else str(one.parent),
                }
                for one in known
            ],
            "students": [
                {
                    "student": student,
                    "model_version": _version(standings[student]),
                    **stands._asdict(),
                    "levels": levels,
                }
                for student, stands, levels in zip(students, columns, levels_of(columns), strict=True)
            ],
        }
    )


@router.post("/roll-ups:batch-list")
async def roll_ups_of(ask: contract.RollUpsOf, tx: Read) -> list[contract.StudentRollUps]:
    """What these students know of clusters and domains; students the caller may not see are left out."""
    standings = await mastery.visible_standings(tx, ask.students)
    asked = ask.competencies
    if asked is None:
        layouts = {stands.competencies for stands in standings.values() if stands is not None}
        evident = {one for layout in layouts for one in ids_in(layout)}
        asked = await _by_code(tx, await frameworks.above(tx, evident))
    hierarchy = Hierarchy.of([one.bytes for one in asked], await frameworks.parts(tx, asked))
    answer = []
    for student in dict.fromkeys(ask.students):
        if student not in standings:
            continue
        stands = standings[student]
        found = zip(asked, roll_ups({} if stands is None else beliefs_in(stands), hierarchy), strict=True)
        answer.append(
            contract.StudentRollUps(
                student=student,
                roll_ups=[
                    wire_roll_up(one, rolled, _version(stands))
                    for one, rolled in found
                    if ask.competencies is not None or rolled.assessed
                ],
            )
        )
    return answer


@router.post("/evidence:batch-list", response_model=list[contract.EvidencePage])
async def evidence_of(ask: contract.EvidenceOf, tx: Read) -> Response:
    """Why: a page of each student's evidence, oldest first, with the belief before and after each entry."""
    visible = await copies.visible(tx, ask.students)
    students = [student for student in dict.fromkeys(ask.students) if student in visible]
    # Of these alone: a child who changes schools between the two looks must not be in one answer and not in the other.
    sheets = await ledger.evidence_of(tx, students)
    forms = await copies.forms(tx, sheets.forms)
    codes = await copies.administration_codes(tx, sheets.administrations)

    def replayed() -> bytes:
        pages = histories(
            [student.bytes for student in students], sheets, forms, codes, MODEL, first=ask.first, after=ask.after
        )
        answers = zip(students, pages, strict=True)
        said = Said()
        return orjson.dumps([_page(student, page, sheets, ask.after, said) for student, page in answers])

    body = replayed() if len(sheets) <= _INLINE_SHEETS else await asyncio.to_thread(replayed)
    return Response(body, media_type="application/json")


@router.get("/evidence:count")
async def count(tx: Read) -> contract.EvidenceCount:
    """How many sheets and entries of evidence there are, for the students the caller may see."""
    sheets, entries = await ledger.count(tx)
    return contract.EvidenceCount(sheets=sheets, entries=entries)


def wire(competency: Competency) -> contract.Competency:
    """A competency as it is promised."""
    return contract.Competency(
        id=competency.id,
        identifier=competency.identifier,
        statement=competency.statement,
        code=competency.code,
        parent=competency.parent,
    )


def wire_roll_up(competency: UUID, rolled: RollUp, model_version: str) -> contract.RollUp:
    """A roll-up as it is promised."""
    last = rolled.last_evidence
    return contract.RollUp(
        competency=competency,
        probability=rolled.probability,
        lower=rolled.lower,
        upper=rolled.upper,
        assessed=rolled.assessed,
        leaves=rolled.leaves,
        evidence_count=rolled.evidence_count,
        last_evidence_at=None if last is None else events.moment(last),
        model_version=model_version,
    )


async def _by_code(tx: Read, some: Iterable[UUID]) -> list[UUID]:
    """These competencies by code and id, those without a code last."""
    known = {one.id: one.code for one in await frameworks.competencies(tx, some, ())}
    return sorted(known, key=lambda one: (known[one] or _LAST, one))


async def _vocabulary(
    tx: Read, ask: contract.ByStudents, standings: Iterable[Standing | None]
) -> tuple[list[UUID], list[Competency]]:
    """The competencies of an answer, and what is known of them.

    They come as they were asked for; else all there is evidence for, by code and id, those without a code last.
    """
    wanted = ask.competencies
    if wanted is None:
        layouts = {standing.competencies for standing in standings if standing is not None}
        wanted = [UUID(bytes=one) for one in {one for layout in layouts for one in ids_in(layout)}]
    known = await frameworks.competencies(tx, wanted, ())
    if ask.competencies is None:
        codes = {one.id: one.code for one in known}
        wanted.sort(key=lambda one: (codes.get(one) or _LAST, one))
    return wanted, known


class Said:
    """Ids and moments in the words of the answer, each put into words once: thousands of entries share a few."""

    def __init__(self) -> None:
        self.id: Callable[[bytes], str] = cache(lambda id_: str(UUID(bytes=id_)))
        self.moment: Callable[[int], datetime] = cache(events.moment)


def _columns(
    ask: contract.ByStudents, standings: Mapping[UUID, Standing | None], order: Iterable[UUID]
) -> tuple[list[UUID], list[Columns], dict[bytes, int]]:
    """The students that may be seen, their beliefs, and the place of each competency in the answer's vocabulary."""
    students = [student for student in dict.fromkeys(ask.students) if student in standings]
    place = {one: position for position, one in enumerate(dict.fromkeys(one.bytes for one in order))}
    return students, in_columns([standings[student] for student in students], place), place


def _version(standing: Standing | None) -> str:
    """The model that traced a student: until they are traced anew it may be an earlier one."""
    return MODEL.version if standing is None else standing.model_version


def _mastery(competency: str, believed: Cell, said: Said, model_version: str) -> dict[str, Any]:
    """A `contract.Mastery`, as plain as JSON: thousands are answered at once."""
    probability, lower, upper, evidence_count, last, level = believed
    return {
        "competency": competency,
        "probability": probability,
        "lower": lower,
        "upper": upper,
        "level": level,
        "evidence_count": evidence_count,
        "last_evidence_at": None if last is None else said.moment(last),
        "model_version": model_version,
    }


def _page(student: UUID, page: History, sheets: Sheets, after: int, said: Said) -> dict[str, Any]:
    """A `contract.EvidencePage`, as plain as JSON."""
    return {
        "student": student,
        "items": [
            {
                "competency": said.id(entry.competency),
                "administration": said.id(sheets.administrations[entry.sheet]),
                "completed_at": said.moment(sheets.completed_at[entry.sheet]),
                "modality": events.MODALITIES[sheets.modalities[entry.sheet]],
                "item": entry.item,
                "score": entry.credit,
                "before": entry.before,
                "after": entry.after,
            }
            for entry in page.entries
        ],
        "total": page.total,
        "has_next": after + len(page.entries) < page.total,
    }


def _json(answer: object) -> Response:
    return Response(orjson.dumps(answer), media_type="application/json")
