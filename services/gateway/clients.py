"""What the gateway asks the services, typed by their contracts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter

from services.assessment import contract as assessment
from services.mastery import contract as mastery
from services.partnership import contract as partnership
from services.roster import contract as roster
from shared.auth import Caller
from shared.client import ServiceClient

_SCHOOLS = TypeAdapter(list[roster.School])
_CLASSES = TypeAdapter(list[roster.Class])
_STUDENTS = TypeAdapter(list[roster.Student])
_CLASS_PAGES = TypeAdapter(list[roster.ClassPage])
_STUDENT_PAGES = TypeAdapter(list[roster.StudentPage])
_ATTENDANCE = TypeAdapter(list[roster.StudentAttendance])
_AS_OF = TypeAdapter(list[roster.PersonAsOf])
_CLOSURES = TypeAdapter(list[roster.SchoolClosures])
_ADMINISTRATIONS = TypeAdapter(list[assessment.Administration])
_ABILITIES = TypeAdapter(list[assessment.StudentAbilities])
_COMPETENCIES = TypeAdapter(list[mastery.Competency])
_ROLL_UPS = TypeAdapter(list[mastery.StudentRollUps])
_EVIDENCE = TypeAdapter(list[mastery.EvidencePage])
_AREAS = TypeAdapter(list[mastery.OrganisationAreas])
_PROGRAMMES = TypeAdapter(list[partnership.Programme])
_WILLINGNESS = TypeAdapter(list[partnership.SchoolWillingness])
_MATCHINGS = TypeAdapter(list[partnership.Matching])
_PROPOSALS = TypeAdapter(list[partnership.Proposal])


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

    async def attendance(self, ask: roster.AttendanceOf, caller: Caller) -> list[roster.StudentAttendance]:
        return _ATTENDANCE.validate_python(await self._post("/attendance:batch-list", ask, caller))

    async def as_of(self, ask: roster.AsOf, caller: Caller) -> list[roster.PersonAsOf]:
        return _AS_OF.validate_python(await self._post("/people:as-of", ask, caller))

    async def closures(self, ask: roster.ClosuresOf, caller: Caller) -> list[roster.SchoolClosures]:
        return _CLOSURES.validate_python(await self._post("/closures:batch-list", ask, caller))

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

    async def columns(self, ask: mastery.ByStudents, caller: Caller) -> dict[str, Any]:
        """A `contract.MasteryColumns` as plain JSON: a model for every cell would cost more than all the rest."""
        answer: dict[str, Any] = await self.client.post("/mastery:columns", ask, caller)
        return answer

    async def roll_ups(self, ask: mastery.RollUpsOf, caller: Caller) -> list[mastery.StudentRollUps]:
        return _ROLL_UPS.validate_python(await self.client.post("/roll-ups:batch-list", ask, caller))

    async def evidence(self, ask: mastery.EvidenceOf, caller: Caller) -> list[mastery.EvidencePage]:
        return _EVIDENCE.validate_python(await self.client.post("/evidence:batch-list", ask, caller))

    async def evidence_count(self, caller: Caller) -> mastery.EvidenceCount:
        return mastery.EvidenceCount.model_validate(await self.client.get("/evidence:count", caller))

    async def areas(self, ask: mastery.AreasOf, caller: Caller) -> list[mastery.OrganisationAreas]:
        return _AREAS.validate_python(await self.client.post("/areas:batch-list", ask, caller))

    async def latest_snapshot(self, caller: Caller) -> mastery.Snapshot:
        return mastery.Snapshot.model_validate(await self.client.get("/snapshots/latest", caller))

    async def publish_snapshot(self, caller: Caller) -> mastery.Snapshot:
        return mastery.Snapshot.model_validate(await self.client.send("/snapshots", {}, caller))


@dataclass(frozen=True, slots=True)
class Partnership:
    """Partnership, asked on a caller's behalf; what changes something is sent once."""

    client: ServiceClient

    async def programmes(self, ask: partnership.ByKeys, caller: Caller) -> list[partnership.Programme]:
        return _PROGRAMMES.validate_python(await self.client.post("/programmes:batch-get", ask, caller))

    async def page_of_programmes(self, ask: partnership.Page, caller: Caller) -> partnership.ProgrammePage:
        return partnership.ProgrammePage.model_validate(await self.client.post("/programmes:list", ask, caller))

    async def willingness(self, ask: partnership.BySchools, caller: Caller) -> list[partnership.SchoolWillingness]:
        return _WILLINGNESS.validate_python(await self.client.post("/willingness:batch-list", ask, caller))

    async def matchings(self, ask: partnership.ByProgrammes, caller: Caller) -> list[partnership.Matching]:
        return _MATCHINGS.validate_python(await self.client.post("/matchings:batch-get", ask, caller))

    async def proposals(self, ask: partnership.ByIds, caller: Caller) -> list[partnership.Proposal]:
        return _PROPOSALS.validate_python(await self.client.post("/proposals:batch-get", ask, caller))

    async def page_of_proposals(self, ask: partnership.OfProgramme, caller: Caller) -> partnership.ProposalPage:
        return partnership.ProposalPage.model_validate(await self.client.post("/proposals:list", ask, caller))

    async def page_of_unmatched(self, ask: partnership.OfProgramme, caller: Caller) -> partnership.UnmatchedPage:
        return partnership.UnmatchedPage.model_validate(await self.client.post("/unmatched:list", ask, caller))

    async def declare(self, what: partnership.Declare, caller: Caller) -> partnership.Willingness:
        return partnership.Willingness.model_validate(await self.client.send("/willingness:declare", what, caller))

    async def withdraw(self, what: partnership.Withdraw, caller: Caller) -> partnership.Willingness:
        return partnership.Willingness.model_validate(await self.client.send("/willingness:withdraw", what, caller))

    async def propose(self, what: partnership.Propose, caller: Caller) -> partnership.Matching:
        return partnership.Matching.model_validate(await self.client.send("/matchings:propose", what, caller))

    async def respond(self, what: partnership.Respond, caller: Caller) -> partnership.Proposal:
        return partnership.Proposal.model_validate(await self.client.send("/proposals:respond", what, caller))


@dataclass(frozen=True, slots=True)
class Services:
    """Every service the graph joins."""

    roster: Roster
    assessment: Assessment
    mastery: Mastery
    partnership: Partnership
    imports: Mapping[str, ServiceClient]
    """Every service, for the files that it owns."""

    @classmethod
    def of(cls, clients: Mapping[str, ServiceClient]) -> "Services":
        """All of them, over a client for each by the service's name."""
        return cls(
            Roster(clients["roster"]),
            Assessment(clients["assessment"]),
            Mastery(clients["mastery"]),
            Partnership(clients["partnership"]),
            clients,
        )
