"""Where a question begins."""

from typing import Annotated, assert_never

import strawberry

from services.assessment import contract as assessment
from services.gateway.context import Info
from services.gateway.graph.administrations import Administration
from services.gateway.graph.areas import Snapshot
from services.gateway.graph.classes import Class, page_of_classes
from services.gateway.graph.competencies import Competency
from services.gateway.graph.connections import After, Connection, First, Node, connection
from services.gateway.graph.identities import IdentityQueries
from services.gateway.graph.ids import Kind, NoSuchNode, cursor_of, read_id, read_node_id, row_after
from services.gateway.graph.imports import ImportQueries
from services.gateway.graph.ledger import Ledger
from services.gateway.graph.programmes import Programme, page_of_programmes, programme_with
from services.gateway.graph.proposals import PartnershipProposal, ProposalState, page_of_proposals, proposal_with
from services.gateway.graph.schools import School
from services.gateway.graph.students import Student
from services.gateway.loaders import Key

Id = Annotated[strawberry.ID, strawberry.argument(description="A node id, or sourcedId:… of the district's system.")]
ProgrammeId = Annotated[strawberry.ID, strawberry.argument(description="A node id, or sourcedId: and its code.")]
State = Annotated[ProposalState | None, strawberry.argument(description="Only those in this state.")]
NodeId = Annotated[strawberry.ID, strawberry.argument(description="A node id of this graph.")]


@strawberry.type
class Query(IdentityQueries, ImportQueries):
    @strawberry.field(name="class", description="One class.")
    async def class_(self, info: Info, id: Id) -> Class | None:
        info.context.caller.need("roster:read")
        return await _class(info, read_id("Class", id))

    @strawberry.field(description="One student.")
    async def student(self, info: Info, id: Id) -> Student | None:
        info.context.caller.need("roster:read")
        return await _student(info, read_id("Student", id))

    @strawberry.field(description="One school.")
    async def school(self, info: Info, id: Id) -> School | None:
        info.context.caller.need("roster:read")
        return await _school(info, read_id("School", id))

    @strawberry.field(description="A school's classes, by title.")
    async def classes(self, info: Info, school: Id, first: First, after: After = None) -> Connection[Class] | None:
        info.context.caller.need("roster:read")
        found = await _school(info, read_id("School", school))
        return await page_of_classes(info.context, found.key, first, after)

    @strawberry.field(description="Anything with a node id.")
    async def node(self, info: Info, id: NodeId) -> Node | None:
        kind, key = read_node_id(id)
        info.context.caller.need(_SCOPE[kind])
        match kind:
            case "Class":
                return await _class(info, key)
            case "Student":
                return await _student(info, key)
            case "School":
                return await _school(info, key)
            case "Competency":
                return await _competency(info, key)
            case "Administration":
                return await _administration(info, key)
            case "Programme":
                return await programme_with(info, key)
            case "PartnershipProposal":
                return await proposal_with(info, key)
            case _:
                assert_never(kind)

    @strawberry.field(description="How much evidence there is.")
    async def ledger(self, info: Info) -> Ledger | None:
        info.context.need_diagnostic("mastery:read")
        return Ledger.of(await info.context.services.mastery.evidence_count(info.context.caller))

    @strawberry.field(description="The administrations of tests, by opening.")
    async def administrations(self, info: Info, first: First, after: After = None) -> Connection[Administration] | None:
        info.context.caller.need("assessment:read")
        page = await info.context.administrations(assessment.Page(first=first, after=row_after(after)))
        return connection(
            [Administration.of(found) for found in page.items],
            [cursor_of(found.id) for found in page.items],
            has_next=page.has_next,
            after=after,
        )

    @strawberry.field(description="The programmes of partnerships, by title.")
    async def programmes(self, info: Info, first: First, after: After = None) -> Connection[Programme] | None:
        return await page_of_programmes(info, first, after)

    @strawberry.field(description="One programme.")
    async def programme(self, info: Info, id: ProgrammeId) -> Programme | None:
        return await programme_with(info, read_id("Programme", id))

    @strawberry.field(description="What the latest matching of a programme proposes, in no order of merit.")
    async def partnership_proposals(
        self, info: Info, programme: ProgrammeId, first: First, state: State = None, after: After = None
    ) -> Connection[PartnershipProposal] | None:
        found = await programme_with(info, read_id("Programme", programme))
        return await page_of_proposals(info, found.key, state, first, after)

    @strawberry.field(description="The state of the snapshots from which figures about schools are read.")
    async def snapshot(self, info: Info) -> Snapshot | None:
        info.context.need_diagnostic("mastery:read")
        return Snapshot.of(await info.context.snapshot())


_SCOPE: dict[Kind, str] = {
    "Class": "roster:read",
    "Student": "roster:read",
    "School": "roster:read",
    "Competency": "mastery:read",
    "Administration": "assessment:read",
    "Programme": "partnership:read",
    "PartnershipProposal": "partnership:read",
}


async def _class(info: Info, key: Key) -> Class:
    found = await info.context.loaders.class_.load(key)
    if found is None:
        raise NoSuchNode
    return Class.of(found)


async def _student(info: Info, key: Key) -> Student:
    found = await info.context.loaders.student.load(key)
    if found is None:
        raise NoSuchNode
    return Student.of(found)


async def _school(info: Info, key: Key) -> School:
    found = await info.context.loaders.school.load(key)
    if found is None:
        raise NoSuchNode
    return School.of(found)


async def _competency(info: Info, key: Key) -> Competency:
    found = await info.context.loaders.competency.load(key)
    if found is None:
        raise NoSuchNode
    return Competency.of(found)


async def _administration(info: Info, key: Key) -> Administration:
    found = await info.context.loaders.administration.load(key)
    if found is None:
        raise NoSuchNode
    return Administration.of(found)
