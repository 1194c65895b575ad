"""What the gateway asks the services, typed by their contracts."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from services.assessment import contract as assessment
from services.mastery import contract as mastery
from services.roster import contract as roster
from shared.auth import Caller
from shared.client import ServiceClient

_SCHOOLS = TypeAdapter(list[roster.School])
_CLASSES = TypeAdapter(list[roster.Class])
_STUDENTS = TypeAdapter(list[roster.Student])
_CLASS_PAGES = TypeAdapter(list[roster.ClassPage])
_STUDENT_PAGES = TypeAdapter(list[roster.StudentPage])
_ADMINISTRATIONS = TypeAdapter(list[assessment.Administration])
_ABILITIES = TypeAdapter(list[assessment.StudentAbilities])
_COMPETENCIES = TypeAdapter(list[mastery.Competency])
_MASTERY = TypeAdapter(list[mastery.StudentMastery])
_EVIDENCE = TypeAdapter(list[mastery.EvidencePage])


@dataclass(frozen=True, slots=True)
class Roster:
    """The roster, asked on a caller's behalf."""

    client: ServiceClient

    async def schools(self, ask: roster.ByKeys, caller: Caller) -> list[roster.School]:
        return _SCHOOLS.validate_python(await self._post("/schools:batch-get", ask, caller))

    async def classes(self, ask: roster.ByKeys, caller: Caller) -> list[roster.Class]:
        return _CLASSES.validate_python(await self._post("/classes:batch-get", ask, caller))

    async def students(self, ask: roster.ByKeys, caller: Caller) -> list[roster.Student]:
        return _STUDENTS.validate_python(await self._post("/students:batch-get", ask, caller))

    async def classes_of_schools(self, ask: roster.ByParents, caller: Caller) -> list[roster.ClassPage]:
        return _CLASS_PAGES.validate_python(await self._post("/classes:batch-list", ask, caller))

    async def students_of_classes(self, ask: roster.ByParents, caller: Caller) -> list[roster.StudentPage]:
        return _STUDENT_PAGES.validate_python(await self._post("/students:batch-list", ask, caller))

    async def _post(self, path: str, ask: BaseModel, caller: Caller) -> Any:
        return await self.client.post(path, ask, caller)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Assessment, asked on a caller's behalf."""

    client: ServiceClient

    async def administrations(self, ask: assessment.ByKeys, caller: Caller) -> list[assessment.Administration]:
        return _ADMINISTRATIONS.validate_python(await self.client.post("/administrations:batch-get", ask, caller))

    async def page_of_administrations(self, ask: assessment.Page, caller: Caller) -> assessment.AdministrationPage:
        answer = await self.client.post("/administrations:list", ask, caller)
        return assessment.AdministrationPage.model_validate(answer)

    async def abilities(self, ask: assessment.ByStudents, caller: Caller) -> list[assessment.StudentAbilities]:
        return _ABILITIES.validate_python(await self.client.post("/abilities:batch-list", ask, caller))


@dataclass(frozen=True, slots=True)
class Mastery:
    """Mastery, asked on a caller's behalf."""

    client: ServiceClient

    async def competencies(self, ask: mastery.ByKeys, caller: Caller) -> list[mastery.Competency]:
        return _COMPETENCIES.validate_python(await self.client.post("/competencies:batch-get", ask, caller))

    async def of_students(self, ask: mastery.ByStudents, caller: Caller) -> list[mastery.StudentMastery]:
        return _MASTERY.validate_python(await self.client.post("/mastery:batch-list", ask, caller))

    async def evidence(self, ask: mastery.EvidenceOf, caller: Caller) -> list[mastery.EvidencePage]:
        return _EVIDENCE.validate_python(await self.client.post("/evidence:batch-list", ask, caller))

    async def evidence_count(self, caller: Caller) -> mastery.EvidenceCount:
        return mastery.EvidenceCount.model_validate(await self.client.get("/evidence:count", caller))


@dataclass(frozen=True, slots=True)
class Services:
    """Every service the graph joins."""

    roster: Roster
    assessment: Assessment
    mastery: Mastery

    @classmethod
    def of(
        cls, roster_client: ServiceClient, assessment_client: ServiceClient, mastery_client: ServiceClient
    ) -> "Services":
        return cls(Roster(roster_client), Assessment(assessment_client), Mastery(mastery_client))
