"""The roster's answers over REST. What the caller may see is decided by the store and the database's policies."""

from fastapi import APIRouter

from services.roster import contract
from services.roster.domain.people import Organisation, School, Section, Student
from services.roster.store import reading
from shared.http import BatchRoute, Read

router = APIRouter(route_class=BatchRoute)

_SCOPE = "roster:read"


@router.post("/schools:batch-get")
async def schools(ask: contract.ByKeys, tx: Read) -> list[contract.School]:
    """Schools by id or sourcedId."""
    tx.caller.need(_SCOPE)
    return [wire_school(one) for one in await reading.list_schools(tx, reading.Keys(ask.ids, ask.sourced_ids))]


@router.post("/organisations:tree")
async def organisations(tx: Read) -> list[contract.Organisation]:
    """Every active organisation of the district and what it is part of; for those who count by it."""
    tx.caller.need(_SCOPE)
    return [wire_organisation(one) for one in await reading.list_organisations(tx)]


@router.post("/classes:batch-get")
async def classes(ask: contract.ByKeys, tx: Read) -> list[contract.Class]:
    """Classes by id or sourcedId."""
    tx.caller.need(_SCOPE)
    return [wire_class(one) for one in await reading.list_classes(tx, reading.Keys(ask.ids, ask.sourced_ids))]


@router.post("/students:batch-get")
async def students(ask: contract.ByKeys, tx: Read) -> list[contract.Student]:
    """Students by id or sourcedId."""
    tx.caller.need(_SCOPE)
    return [wire_student(one) for one in await reading.list_students(tx, reading.Keys(ask.ids, ask.sourced_ids))]


@router.post("/classes:batch-list")
async def classes_of_schools(ask: contract.ByParents, tx: Read) -> list[contract.ClassPage]:
    """A page of the classes of each school."""
    tx.caller.need(_SCOPE)
    pages = await reading.classes_of_schools(tx, ask.parents, ask.first, ask.after)
    return [
        contract.ClassPage(parent=page.parent, items=[wire_class(one) for one in page.rows], has_next=page.has_next)
        for page in pages
    ]


@router.post("/students:batch-list")
async def students_of_classes(ask: contract.ByParents, tx: Read) -> list[contract.StudentPage]:
    """A page of the students who are enrolled today in each class."""
    tx.caller.need(_SCOPE)
    pages = await reading.students_of_classes(tx, ask.parents, ask.first, ask.after)
    return [
        contract.StudentPage(parent=page.parent, items=[wire_student(one) for one in page.rows], has_next=page.has_next)
        for page in pages
    ]


@router.post("/students:resolve")
async def resolve(ask: contract.Resolve, tx: Read) -> contract.Resolved:
    """Which students these sourcedIds name."""
    tx.caller.need(_SCOPE)
    return contract.Resolved(ids=await reading.resolve_students(tx, ask.sourced_ids))


def wire_school(school: School) -> contract.School:
    return contract.School(
        id=school.id,
        sourced_id=school.sourced_id,
        name=school.name,
        type=school.type,
        sector=school.sector,
        latitude=school.latitude,
        longitude=school.longitude,
        parent=school.parent,
    )


def wire_organisation(organisation: Organisation) -> contract.Organisation:
    return contract.Organisation(id=organisation.id, parent=organisation.parent, type=organisation.type)


def wire_class(section: Section) -> contract.Class:
    return contract.Class(
        id=section.id, sourced_id=section.sourced_id, title=section.title, school=section.school
    )  # fmt: skip


def wire_student(student: Student) -> contract.Student:
    return contract.Student(
        id=student.id,
        sourced_id=student.sourced_id,
        given_name=student.given_name,
        family_name=student.family_name,
        absorbed=student.absorbed,
        also=student.also,
    )
