"""The import `programme`: one programme a file; the same id again replaces it."""

import asyncio
from uuid import UUID

from services.partnership.domain import reading as domain
from services.partnership.domain.problems import shown
from services.partnership.domain.programme import SECTOR, Programme, attributes_used
from services.partnership.domain.willingness import Known
from services.partnership.peers import Mastery, Roster
from services.partnership.store import programmes as store
from services.partnership.store.rules import named_schools
from shared.db import Transaction
from shared.imports import Job

FILE = "programme.toml"
LARGEST_FILE = 256 << 10  # bytes


def _named(programme: Programme) -> dict[str, list[str]]:
    """The schools that a programme names, by the dotted key where it does."""
    conflicts = {
        f"rules.conflicts[{number}].schools": list(each.schools) for number, each in enumerate(programme.conflicts)
    }
    return conflicts | named_schools(programme)


class Programmes:
    """Programmes from a file."""

    kind = "programme"

    def __init__(self, roster: Roster, mastery: Mastery) -> None:
        self._roster = roster
        self._mastery = mastery

    async def validate(self, job: Job) -> None:
        """Read, check the rules against each other and the names against what the district knows, and stage."""
        job.refuse_whole()  # a programme without one of its rules would be another programme
        if job.size > LARGEST_FILE:
            remedy = f"A programme has at most {LARGEST_FILE >> 10} KiB."
            job.problem(file=FILE, value=str(job.size), rule="file-too-large", remedy=remedy)
            return
        content = b"".join([piece async for piece in job.chunks()])
        parsed = await asyncio.to_thread(domain.parse, content)
        for problem in parsed.problems:
            job.problem(
                file=FILE, line=problem.line, column=problem.column, value=problem.value, rule=problem.rule,
                remedy=problem.remedy,
            )  # fmt: skip
        if parsed.programme is None:
            job.counts.refused += 1
            return
        identifiers = {each for area in parsed.programme.areas for each in area.identifiers}
        named = {each for schools in _named(parsed.programme).values() for each in schools}
        competencies = await self._mastery.competencies(identifiers, job.caller) if identifiers else {}
        schools = await self._roster.named(named, job.caller) if named else {}
        if self._unknown(job, parsed, competencies, schools):
            job.counts.refused += 1
            return
        job.progress(job.size, job.size)
        ids = {name: school.id for name, school in schools.items()}
        async with job.transaction() as tx:
            await store.stage(tx, job.id, parsed.programme, competencies, ids)

    def _unknown(
        self, job: Job, parsed: domain.Parsed, competencies: dict[str, UUID], schools: dict[str, Known]
    ) -> bool:
        assert parsed.programme is not None, "only asked about what could be read"
        assert parsed.places is not None, "what could be read has places"
        wrong = []
        for number, area in enumerate(parsed.programme.areas):
            remedy = "There is no competency with this CASE identifier; import its framework first."
            missing = [each for each in area.identifiers if each not in competencies]
            wrong += [(f"areas[{number}].competencies", each, "unknown-competency", remedy) for each in missing]
        for key, named in _named(parsed.programme).items():
            for each in named:
                if each not in schools:
                    remedy = "There is no school with this sourcedId; correct it, or import the roster first."
                    wrong.append((key, each, "unknown-school", remedy))
                elif schools[each].type != "school":
                    remedy = f"This organisation is not a school ({schools[each].type}); name the school itself."
                    wrong.append((key, each, "not-a-school", remedy))
        wrong += [
            (key, name, "unknown-attribute", "The platform knows of it only what [attributes] declares; declare it.")
            for key, name in attributes_used(parsed.programme)
            if name != SECTOR and name not in {each.name for each in parsed.programme.attributes}
        ]
        for key, value, rule, remedy in wrong:
            line = parsed.places.line(key)
            job.problem(file=FILE, line=line, column=key, value=shown(value), rule=rule, remedy=remedy)
        return bool(wrong)

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Keep the programme, whole."""
        match await store.merge(tx, job.id):
            case "added":
                job.counts.added += 1
            case "changed":
                job.counts.changed += 1
            case "unchanged":
                job.counts.unchanged += 1
        return None

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stage."""
        await store.clear_stage(tx, import_id)
