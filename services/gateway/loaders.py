"""One set of loaders per request: what many fields ask for is asked once, for one caller."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar
from uuid import UUID

from strawberry.dataloader import DataLoader

from services.assessment import contract as assessment
from services.gateway import imports
from services.gateway.beliefs import Belief, beliefs_of
from services.gateway.clients import Services
from services.mastery import contract as mastery
from services.partnership import contract as partnership
from services.roster import contract as roster
from shared.auth import Caller

Key = UUID | str
"""Our own id, or the identifier of the district's source."""

_KEYS_AT_ONCE = 5_000
_PARENTS_AT_ONCE = 1_000
_PROGRAMMES_AT_ONCE = 1_000
_LARGEST_PAGE = 100
_PAGES_AT_ONCE = 8  # of lists that cannot be asked for many programmes in one question

Asked = TypeVar("Asked", bound=Hashable)
Found = TypeVar("Found")
Group = TypeVar("Group", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Paged:
    """A page of what belongs to a parent, after a row."""

    parent: UUID
    first: int
    after: UUID | None


@dataclass(frozen=True, slots=True)
class Positioned:
    """A page of a student's entries, after so many."""

    student: UUID
    first: int
    seen: int


@dataclass(frozen=True, slots=True)
class OnDay:
    """A school on a day."""

    school: UUID
    day: date


@dataclass(frozen=True, slots=True)
class Between:
    """A student from a day until another (exclusive)."""

    student: UUID
    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class PersonOnDay:
    """Somebody as of a day."""

    person: UUID
    day: date


@dataclass(frozen=True, slots=True)
class MasteryOf:
    """A student's mastery of these competencies; None is every one with evidence."""

    student: UUID
    competencies: tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class OfProgramme:
    """A page of what the latest matching of a programme came to, after a row."""

    programme: UUID
    first: int
    after: UUID | None
    state: partnership.ProposalState | None = None

    def question(self) -> partnership.OfProgramme:
        return partnership.OfProgramme(programme=self.programme, state=self.state, first=self.first, after=self.after)


class Loaders:
    """Every edge between services, by what it finds and by which key."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self._services = services
        self._caller = caller
        self.school = DataLoader(self._schools, max_batch_size=_KEYS_AT_ONCE)
        self.class_ = DataLoader(self._classes, max_batch_size=_KEYS_AT_ONCE)
        self.student = DataLoader(self._students, max_batch_size=_KEYS_AT_ONCE)
        self.competency = DataLoader(self._competencies, max_batch_size=_KEYS_AT_ONCE)
        self.administration = DataLoader(self._administrations, max_batch_size=_KEYS_AT_ONCE)
        self.classes_by_school = DataLoader(self._classes_by_school, max_batch_size=_PARENTS_AT_ONCE)
        self.students_by_class = DataLoader(self._students_by_class, max_batch_size=_PARENTS_AT_ONCE)
        self.competencies_by_class = DataLoader(self._competencies_by_class, max_batch_size=_PARENTS_AT_ONCE)
        self.abilities_by_student = DataLoader(self._abilities_by_student, max_batch_size=_KEYS_AT_ONCE)
        self.mastery_by_student = DataLoader(self._mastery_by_student, max_batch_size=_KEYS_AT_ONCE)
        self.roll_ups_by_student = DataLoader(self._roll_ups_by_student, max_batch_size=_PARENTS_AT_ONCE)
        self.evidence_by_student = DataLoader(self._evidence_by_student, max_batch_size=_PARENTS_AT_ONCE)
        self.closures_by_school = DataLoader(self._closures_by_school, max_batch_size=_PARENTS_AT_ONCE)
        self.person_on_day = DataLoader(self._people_on_days, max_batch_size=_PARENTS_AT_ONCE)
        self.attendance_by_student = DataLoader(self._attendance_by_student, max_batch_size=_PARENTS_AT_ONCE)
        self.import_ = DataLoader(self._imports, max_batch_size=_PROGRAMMES_AT_ONCE)
        self.areas_by_school = DataLoader(self._areas_by_school, max_batch_size=_KEYS_AT_ONCE)
        self.name_of_partner = DataLoader(self._names_of_partners, max_batch_size=_KEYS_AT_ONCE)
        self.willingness_by_school = DataLoader(self._willingness_by_school, max_batch_size=_KEYS_AT_ONCE)
        self.programme = DataLoader(self._programmes, max_batch_size=_PROGRAMMES_AT_ONCE)
        self.matching_by_programme = DataLoader(self._matching_by_programme, max_batch_size=_PROGRAMMES_AT_ONCE)
        self.proposal = DataLoader(self._proposals, max_batch_size=_PROGRAMMES_AT_ONCE)
        self.proposals_by_programme = DataLoader(self._proposals_by_programme)
        self.unmatched_by_programme = DataLoader(self._unmatched_by_programme)

    def forget_partnerships(self) -> None:
        """What was read of partnerships is read anew: something was changed."""
        self.willingness_by_school.clear_all()
        self.matching_by_programme.clear_all()
        self.proposal.clear_all()
        self.proposals_by_programme.clear_all()
        self.unmatched_by_programme.clear_all()

    async def _schools(self, keys: list[Key]) -> list[roster.School | None]:
        ids, named = _split(keys)
        found = await self._services.roster.schools(roster.ByKeys(ids=ids, sourced_ids=named), self._caller)
        return _in_order(keys, ((school.id, school.sourced_id, school) for school in found))

    async def _classes(self, keys: list[Key]) -> list[roster.Class | None]:
        ids, named = _split(keys)
        found = await self._services.roster.classes(roster.ByKeys(ids=ids, sourced_ids=named), self._caller)
        return _in_order(keys, ((one.id, one.sourced_id, one) for one in found))

    async def _students(self, keys: list[Key]) -> list[roster.Student | None]:
        ids, named = _split(keys)
        found = await self._services.roster.students(roster.ByKeys(ids=ids, sourced_ids=named), self._caller)
        by_key: dict[Key, roster.Student] = {}
        for student in found:  # also by what it was called before it was merged
            by_key |= dict.fromkeys((student.id, student.sourced_id, *student.absorbed, *student.also), student)
        return [by_key.get(key) for key in keys]

    async def _competencies(self, keys: list[Key]) -> list[mastery.Competency | None]:
        ids, named = _split(keys)
        found = await self._services.mastery.competencies(mastery.ByKeys(ids=ids, identifiers=named), self._caller)
        # Capitals make no difference to mastery, which answers in the framework's own spelling.
        asked = [key.lower() if isinstance(key, str) else key for key in keys]
        return _in_order(asked, ((competency.id, competency.identifier.lower(), competency) for competency in found))

    async def _administrations(self, keys: list[Key]) -> list[assessment.Administration | None]:
        ids, named = _split(keys)
        ask = assessment.ByKeys(ids=ids, codes=named)
        found = await self._services.assessment.administrations(ask, self._caller)
        return _in_order(keys, ((one.id, one.code, one) for one in found))

    async def _classes_by_school(self, asked: list[Paged]) -> list[roster.ClassPage]:
        async def page(how: tuple[int, UUID | None], group: list[Paged]) -> dict[Paged, roster.ClassPage]:
            first, after = how
            ask = roster.ByParents(parents=[one.parent for one in group], first=first, after=after)
            pages = await self._services.roster.classes_of_schools(ask, self._caller)
            found = {answer.parent: answer for answer in pages}
            nothing = roster.ClassPage(parent=UUID(int=0), items=[], has_next=False)
            return {one: found.get(one.parent, nothing) for one in group}

        return await _by_group(asked, lambda one: (one.first, one.after), page)

    async def _students_by_class(self, asked: list[Paged]) -> list[roster.StudentPage]:
        async def page(how: tuple[int, UUID | None], group: list[Paged]) -> dict[Paged, roster.StudentPage]:
            first, after = how
            ask = roster.ByParents(parents=[one.parent for one in group], first=first, after=after)
            pages = await self._services.roster.students_of_classes(ask, self._caller)
            found = {answer.parent: answer for answer in pages}
            nothing = roster.StudentPage(parent=UUID(int=0), items=[], has_next=False)
            return {one: found.get(one.parent, nothing) for one in group}

        return await _by_group(asked, lambda one: (one.first, one.after), page)

    async def _competencies_by_class(self, classes: list[UUID]) -> list[list[mastery.Competency]]:
        """The competencies for which some student of the class has evidence, by code; those without a code last."""
        students = await self._everyone_in(classes)
        everyone = list(dict.fromkeys(student for of_class in students.values() for student in of_class))
        beliefs = await self.mastery_by_student.load_many([MasteryOf(student, None) for student in everyone])
        shown = {
            student: {belief.competency for belief in of_student if belief.evidence_count > 0}
            for student, of_student in zip(everyone, beliefs, strict=True)
        }
        touched = {id_: {key for student in students[id_] for key in shown[student]} for id_ in classes}
        keys = list({key for of_class in touched.values() for key in of_class})
        found = await self.competency.load_many(keys)
        known = {key: competency for key, competency in zip(keys, found, strict=True) if competency is not None}
        return [sorted((known[key] for key in touched[id_] if key in known), key=_by_code) for id_ in classes]

    async def _everyone_in(self, classes: Iterable[UUID]) -> dict[UUID, list[UUID]]:
        """All students of each class, however many pages that takes."""
        students: dict[UUID, list[UUID]] = {id_: [] for id_ in classes}
        ahead = [Paged(id_, _LARGEST_PAGE, None) for id_ in students]
        while ahead:
            pages = await self.students_by_class.load_many(ahead)
            for asked, page in zip(ahead, pages, strict=True):
                students[asked.parent] += [student.id for student in page.items]
            ahead = [
                Paged(asked.parent, _LARGEST_PAGE, page.items[-1].id)
                for asked, page in zip(ahead, pages, strict=True)
                if page.has_next and page.items
            ]
        return students

    async def _abilities_by_student(self, students: list[UUID]) -> list[list[assessment.Ability]]:
        ask = assessment.ByStudents(students=students)
        found = {one.student: one.abilities for one in await self._services.assessment.abilities(ask, self._caller)}
        return [found.get(student, []) for student in students]

    async def _mastery_by_student(self, asked: list[MasteryOf]) -> list[list[Belief]]:
        async def believed(
            competencies: tuple[UUID, ...] | None, group: list[MasteryOf]
        ) -> dict[MasteryOf, list[Belief]]:
            ask = mastery.ByStudents(
                students=[one.student for one in group],
                competencies=None if competencies is None else list(competencies),
            )
            answer = await self._services.mastery.columns(ask, self._caller)
            described = (mastery.Competency.model_validate(one) for one in answer["known"])
            self.competency.prime_many({one.id: one for one in described})
            found = beliefs_of(answer, competencies)
            return {one: found.get(one.student, []) for one in group}

        return await _by_group(asked, lambda one: one.competencies, believed)

    async def _roll_ups_by_student(self, asked: list[MasteryOf]) -> list[list[mastery.RollUp]]:
        async def rolled_up(
            competencies: tuple[UUID, ...] | None, group: list[MasteryOf]
        ) -> dict[MasteryOf, list[mastery.RollUp]]:
            ask = mastery.RollUpsOf(
                students=[one.student for one in group],
                competencies=None if competencies is None else list(competencies),
            )
            found = {one.student: one.roll_ups for one in await self._services.mastery.roll_ups(ask, self._caller)}
            return {one: found.get(one.student, []) for one in group}

        return await _by_group(asked, lambda one: one.competencies, rolled_up)

    async def _evidence_by_student(self, asked: list[Positioned]) -> list[mastery.EvidencePage]:
        async def page(how: tuple[int, int], group: list[Positioned]) -> dict[Positioned, mastery.EvidencePage]:
            first, seen = how
            ask = mastery.EvidenceOf(students=[one.student for one in group], first=first, after=seen)
            found = {one.student: one for one in await self._services.mastery.evidence(ask, self._caller)}
            nothing = mastery.EvidencePage(student=UUID(int=0), items=[], total=0, has_next=False)
            return {one: found.get(one.student, nothing) for one in group}

        return await _by_group(asked, lambda one: (one.first, one.seen), page)

    async def _closures_by_school(self, asked: list[OnDay]) -> list[list[roster.Closure]]:
        async def closed(day: date, group: list[OnDay]) -> dict[OnDay, list[roster.Closure]]:
            ask = roster.ClosuresOf(schools=[one.school for one in group], day=day)
            found = {one.school: one.closures for one in await self._services.roster.closures(ask, self._caller)}
            return {one: found.get(one.school, []) for one in group}

        return await _by_group(asked, lambda one: one.day, closed)

    async def _people_on_days(self, asked: list[PersonOnDay]) -> list[roster.PersonAsOf | None]:
        async def then(day: date, group: list[PersonOnDay]) -> dict[PersonOnDay, roster.PersonAsOf | None]:
            ask = roster.AsOf(people=[one.person for one in group], on=day)
            found = {one.person: one for one in await self._services.roster.as_of(ask, self._caller)}
            return {one: found.get(one.person) for one in group}

        return await _by_group(asked, lambda one: one.day, then)

    async def _attendance_by_student(self, asked: list[Between]) -> list[list[roster.Attended]]:
        async def attended(span: tuple[date, date], group: list[Between]) -> dict[Between, list[roster.Attended]]:
            ask = roster.AttendanceOf(students=[one.student for one in group], begin=span[0], end=span[1])
            found = {one.student: one.days for one in await self._services.roster.attendance(ask, self._caller)}
            return {one: found.get(one.student, []) for one in group}

        return await _by_group(asked, lambda one: (one.begin, one.end), attended)

    async def _imports(self, ids: list[str]) -> list[imports.Findings | BaseException]:
        return await asyncio.gather(
            *(imports.findings(self._services.imports, id_, self._caller) for id_ in ids), return_exceptions=True
        )

    async def _areas_by_school(self, schools: list[UUID]) -> list[mastery.OrganisationAreas | None]:
        ask = mastery.AreasOf(organisations=schools)
        found = {one.organisation: one for one in await self._services.mastery.areas(ask, self._caller)}
        return [found.get(school) for school in schools]

    async def _names_of_partners(self, schools: list[UUID]) -> list[str | None]:
        """Names alone, also to a key for other schools: whoever may answer a proposal must know with whom."""
        whole_district = replace(self._caller, schools=None)
        ask = roster.ByKeys(ids=schools)
        found = {one.id: one.name for one in await self._services.roster.schools(ask, whole_district)}
        return [found.get(school) for school in schools]

    async def _willingness_by_school(self, schools: list[UUID]) -> list[list[partnership.Willingness]]:
        ask = partnership.BySchools(schools=schools)
        answered = await self._services.partnership.willingness(ask, self._caller)
        found = {one.school: one.willingness for one in answered}
        return [found.get(school, []) for school in schools]

    async def _programmes(self, keys: list[Key]) -> list[partnership.Programme | None]:
        ids, named = _split(keys)
        ask = partnership.ByKeys(ids=ids, codes=named)
        found = await self._services.partnership.programmes(ask, self._caller)
        return _in_order(keys, ((one.id, one.code, one) for one in found))

    async def _matching_by_programme(self, programmes: list[UUID]) -> list[partnership.Matching | None]:
        ask = partnership.ByProgrammes(programmes=programmes)
        found = {one.programme: one for one in await self._services.partnership.matchings(ask, self._caller)}
        return [found.get(programme) for programme in programmes]

    async def _proposals(self, ids: list[UUID]) -> list[partnership.Proposal | None]:
        found = await self._services.partnership.proposals(partnership.ByIds(ids=ids), self._caller)
        by_id = {one.id: one for one in found}
        return [by_id.get(id_) for id_ in ids]

    async def _proposals_by_programme(self, asked: list[OfProgramme]) -> list[partnership.ProposalPage]:
        async def page(one: OfProgramme) -> partnership.ProposalPage:
            return await self._services.partnership.page_of_proposals(one.question(), self._caller)

        return await _each(asked, page)

    async def _unmatched_by_programme(self, asked: list[OfProgramme]) -> list[partnership.UnmatchedPage]:
        async def page(one: OfProgramme) -> partnership.UnmatchedPage:
            return await self._services.partnership.page_of_unmatched(one.question(), self._caller)

        return await _each(asked, page)


def _split(keys: Sequence[Key]) -> tuple[list[UUID], list[str]]:
    return [key for key in keys if isinstance(key, UUID)], [key for key in keys if isinstance(key, str)]


def _in_order(keys: Sequence[Key], found: Iterable[tuple[UUID, str, Found]]) -> list[Found | None]:
    """What was found, parallel to what was asked for, whichever way it was named."""
    by_key: dict[Key, Found] = {}
    for id_, name, one in found:
        by_key[id_] = by_key[name] = one
    return [by_key.get(key) for key in keys]


async def _by_group(
    asked: list[Asked],
    how: Callable[[Asked], Group],
    answer: Callable[[Group, list[Asked]], Awaitable[dict[Asked, Found]]],
) -> list[Found]:
    """Ask once for each way of asking (mostly there is one), and put the answers back in order."""
    groups: defaultdict[Group, list[Asked]] = defaultdict(list)
    for one in asked:
        groups[how(one)].append(one)
    found: dict[Asked, Found] = {}
    for way, group in groups.items():
        found |= await answer(way, group)
    return [found[one] for one in asked]


async def _each(asked: list[Asked], answer: Callable[[Asked], Awaitable[Found]]) -> list[Found]:
    """Ask one by one, a few at the same time: one question must not take all the connections of a service."""
    free = asyncio.Semaphore(_PAGES_AT_ONCE)

    async def in_turn(one: Asked) -> Found:
        async with free:
            return await answer(one)

    return await asyncio.gather(*(in_turn(one) for one in asked))


def _by_code(competency: mastery.Competency) -> tuple[bool, str, UUID]:
    return competency.code is None, competency.code or "", competency.id
