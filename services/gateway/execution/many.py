"""Resolvers for many objects at once, beside those of the graph that answer for one; a test holds them equal.

Each takes what the single resolver takes, with all objects of a level instead of one, and gives a value for each in
their order. An exception among the values is that object's error; one that is raised is everybody's.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.ids import NoSuchNode, read_id
from services.gateway.graph.lookup import Lookup, look_up, wants
from services.gateway.graph.mastery import Mastery
from services.gateway.graph.students import Student
from services.gateway.loaders import MasteryOf
from shared.errors import TrellisError

Values = Sequence[Any]
"""A value of the field's own type, or an exception, for each object."""
ForMany = Callable[..., Values | Awaitable[Values]]


async def mastery_of_students(
    info: Info, students: Sequence[Student], competencies: list[str] | None = None
) -> list[list[Mastery]]:
    """`Student.mastery`."""
    info.context.need_diagnostic("mastery:read")
    loaders = info.context.loaders
    asked = None
    if competencies is not None:
        named = await loaders.competency.load_many([read_id("Competency", id_) for id_ in competencies])
        if None in named:
            raise NoSuchNode
        asked = tuple(one.id for one in named if one is not None)
    found = await loaders.mastery_by_student.load_many([MasteryOf(student.key, asked) for student in students])
    lookup: Lookup[Competency] = Lookup({})
    if wants(info, "competency"):
        # Students share the ids themselves; to hash a UUID for every cell costs more than the cell.
        keys = {id(one.competency): one.competency for of_one in found for one in of_one}
        lookup = await look_up(loaders.competency, keys.values(), Competency.of)
    return [[Mastery.of(one, lookup) for one in of_one] for of_one in found]


def competencies_of_mastery(_info: Info, beliefs: Sequence[Mastery]) -> Values:
    """`Mastery.competency`."""
    known: dict[tuple[int, int], Competency | Exception] = {}
    found: list[Competency | Exception] = []
    for one in beliefs:
        which = id(one.competencies), id(one.competency_key)
        if which not in known:
            known[which] = _found(one)
        found.append(known[which])
    return found


def _found(one: Mastery) -> Competency | Exception:
    try:
        return one.competencies.find(one.competency_key) or NoSuchNode()
    except TrellisError as wrong:
        return wrong


MANY: dict[str, ForMany] = {
    "Student.mastery": mastery_of_students,
    "Mastery.competency": competencies_of_mastery,
}
