"""Classes."""

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Context, Info
from services.gateway.graph.closures import AsOf, Closure, closures_of
from services.gateway.graph.competencies import Competency
from services.gateway.graph.connections import After, Connection, First, Node, connection
from services.gateway.graph.ids import cursor_of, node_id, row_after
from services.gateway.graph.students import Student
from services.gateway.loaders import Paged
from services.roster import contract

if TYPE_CHECKING:
    from services.gateway.graph.schools import School


@strawberry.type(description="A class (section) of a school.")
class Class(Node):
    id: strawberry.ID
    sourced_id: str = strawberry.field(description="Its identifier in the district's own system.")
    title: str
    key: strawberry.Private[UUID]
    school_key: strawberry.Private[UUID]

    @strawberry.field(description="The school it belongs to.")
    async def school(self, info: Info) -> Annotated["School", strawberry.lazy("services.gateway.graph.schools")] | None:
        from services.gateway.graph.schools import School

        info.context.caller.need("roster:read")
        found = await info.context.loaders.school.load(self.school_key)
        return School.of(found) if found else None

    @strawberry.field(description="Its students now, by family name and given name.")
    async def students(self, info: Info, first: First, after: After = None) -> Connection[Student] | None:
        info.context.caller.need("roster:read")
        page = await info.context.loaders.students_by_class.load(Paged(self.key, first, row_after(after)))
        return connection(
            [Student.of(student) for student in page.items],
            [cursor_of(student.id) for student in page.items],
            has_next=page.has_next,
            after=after,
        )

    @strawberry.field(description="The competencies for which a student of the class has evidence, by code.")
    async def competencies(self, info: Info) -> list[Competency] | None:
        info.context.caller.need("roster:read")
        info.context.need_diagnostic("mastery:read")
        found = await info.context.loaders.competencies_by_class.load(self.key)
        return [Competency.of(competency) for competency in found]

    @strawberry.field(description="What is closed on a day: its whole school first, then the class itself.")
    async def closures(self, info: Info, as_of: AsOf) -> list[Closure] | None:
        return await closures_of(info, self.school_key, as_of, self.key)

    @classmethod
    def of(cls, found: contract.Class) -> "Class":
        return cls(
            id=node_id("Class", found.id),
            sourced_id=found.sourced_id,
            title=found.title,
            key=found.id,
            school_key=found.school,
        )


async def page_of_classes(context: Context, school: UUID, first: int, after: str | None) -> Connection[Class]:
    """One page of a school's classes."""
    page = await context.loaders.classes_by_school.load(Paged(school, first, row_after(after)))
    return connection(
        [Class.of(found) for found in page.items],
        [cursor_of(found.id) for found in page.items],
        has_next=page.has_next,
        after=after,
    )
