"""A small world behind the gateway: the four services as small applications that speak the contracts.

They read the inside token and show a caller only its district and, with a key for named schools, only their students,
as the real ones do. What they were asked is counted.
"""

from collections import Counter
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, cast
from uuid import UUID, uuid5

import httpx
from fastapi import FastAPI, Query, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.assessment import contract as assessment
from services.gateway.clients import Services
from services.mastery import contract as mastery
from services.roster import contract as roster
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.client import ServiceClient
from shared.errors import Conflict, Forbidden
from shared.http import CallerOf, answer_errors
from shared.imports import NoSuchImport
from tests.unit.gateway import partnerships
from tests.unit.gateway.days import days_of
from tests.unit.gateway.found import Found
from tests.unit.gateway.identities import identities_of
from tests.unit.gateway.partnerships import Partnerships

SECRET = "a token secret of the tests, 32 letters and more"
THETA = 0.1234567
PROBABILITY = 0.7654321
LOWER = 0.5432109
UPPER = 0.8765432
MODEL = "bkt-2:0123abcd:numpy"
SCORE = 0.3333333
STRENGTH = 0.6180339
NEED = 0.3819661
LEARNERS = 31_415
NAMES = ("roster", "assessment", "mastery", "partnership")
NAMESPACE = UUID("11111111-2222-3333-4444-555555555555")
NORTH = uuid5(NAMESPACE, "north")
SOUTH = uuid5(NAMESPACE, "south")
WHEN = datetime(2026, 9, 14, 9, 30, tzinfo=UTC)


def an_id(district: UUID, name: str) -> UUID:
    return uuid5(district, name)


def a_caller(
    district: UUID = NORTH,
    *,
    scopes: frozenset[str] = SCOPES,
    purpose: Purpose = Purpose.INSTRUCTION,
    schools: tuple[UUID, ...] | None = None,
) -> Caller:
    return Caller(district, "key:test", scopes, purpose, schools)


@dataclass
class World:
    """Each district has three schools, with a class each of so many students."""

    students_per_class: int = 3
    evidence_per_student: int = 4
    asked: Counter[str] = field(default_factory=Counter)
    callers: list[Caller] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    """These do what they are asked, and nobody hears their answer."""
    partnerships: Partnerships = field(default_factory=Partnerships)
    snapshots_due: list[Caller] = field(default_factory=list)
    broken: bool = False
    uploads: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    causes: dict[str, dict[str, Any]] = field(default_factory=dict)
    import_state: str = "applied"
    import_kind: str = "roster"
    imports_of: UUID = NORTH
    """Whose the one import is."""
    imports_listed: int = 1
    findings: int = 0
    summary: dict[str, Any] = field(default_factory=dict)
    decisions: list[str] = field(default_factory=list)
    identified: list[Any] = field(default_factory=list)
    guard: roster.Guard = field(default_factory=roster.Guard)

    @property
    def imported(self) -> UUID:
        return an_id(self.imports_of, "import")

    def schools(self, caller: Caller) -> list[roster.School]:
        found = [
            roster.School(
                id=an_id(caller.district, f"school:{n}"), sourced_id=f"school-{n}", name=f"School {n}", type="school",
                sector="district", latitude=41.5, longitude=-87.5, parent=an_id(caller.district, "office"),
            )
            for n in (1, 2, 3)
        ]  # fmt: skip
        return [one for one in found if caller.schools is None or one.id in caller.schools]

    def organisations(self, caller: Caller) -> list[roster.School]:
        """The schools, and what they are part of, which a key for named schools does not reach."""
        office = roster.School(
            id=an_id(caller.district, "office"), sourced_id="office", name="The Office", type="district",
            sector=None, latitude=None, longitude=None, parent=None,
        )  # fmt: skip
        return [*self.schools(caller), *([office] if caller.schools is None else [])]

    def classes(self, caller: Caller) -> list[roster.Class]:
        return [
            roster.Class(
                id=an_id(caller.district, f"class:{school.sourced_id}"),
                sourced_id=f"class-of-{school.sourced_id}", title=f"Class of {school.name}", school=school.id,
            )
            for school in self.schools(caller)
        ]  # fmt: skip

    def students(self, caller: Caller) -> dict[UUID, list[roster.Student]]:
        """By class, in order."""
        return {
            one.id: [
                roster.Student(
                    id=an_id(caller.district, f"student:{one.sourced_id}:{n}"),
                    sourced_id=f"student-{n}-of-{one.sourced_id}", given_name=f"Ada{n}", family_name=f"Byron{n:03}",
                )
                for n in range(self.students_per_class)
            ]
            for one in self.classes(caller)
        }  # fmt: skip

    def visible(self, caller: Caller) -> set[UUID]:
        return {student.id for of_class in self.students(caller).values() for student in of_class}

    def competencies(self, caller: Caller) -> list[mastery.Competency]:
        top = an_id(caller.district, "competency:0")
        return [
            mastery.Competency(
                id=an_id(caller.district, f"competency:{n}"), identifier=f"case-{n}", statement=f"Can do {n}",
                code=f"4.{9 - n}" if n else None, parent=top if n else None,
            )
            for n in range(4)
        ]  # fmt: skip

    def administrations(self, caller: Caller) -> list[assessment.Administration]:
        return [
            assessment.Administration(
                id=an_id(caller.district, f"administration:{n}"), code=f"fall-{n}", title=f"Fall {n}",
                purpose="diagnostic", opens_at=WHEN, closes_at=WHEN,
            )
            for n in range(3)
        ]  # fmt: skip


def service(name: str, world: World) -> FastAPI:
    """One service of the world."""
    app = FastAPI(openapi_url=None)
    app.state.tokens = Tokens(SECRET)
    answer_errors(app)

    @app.middleware("http")
    async def counted(request: Request, go_on: Any) -> Any:
        world.asked[f"{name} {request.url.path}"] += 1
        if name in world.away:
            raise httpx.ConnectError("away")
        if world.broken:
            raise RuntimeError("secret detail of a broken service")
        answer = await go_on(request)
        if name in world.silent:
            raise httpx.ReadTimeout("no answer")
        return answer

    {"roster": _roster, "assessment": _assessment, "mastery": _mastery, "partnership": _partnership}[name](app, world)
    _imports(app, name, world)
    if name == "roster":
        _guard(app, world)
    return app


def _roster(app: FastAPI, world: World) -> None:
    @app.post("/schools:batch-get")
    async def schools(ask: roster.ByKeys, caller: CallerOf) -> list[roster.School]:
        world.callers.append(caller)
        return [one for one in world.organisations(caller) if one.id in ask.ids or one.sourced_id in ask.sourced_ids]

    @app.post("/classes:batch-get")
    async def classes(ask: roster.ByKeys, caller: CallerOf) -> list[roster.Class]:
        return [one for one in world.classes(caller) if one.id in ask.ids or one.sourced_id in ask.sourced_ids]

    @app.post("/students:batch-get")
    async def students(ask: roster.ByKeys, caller: CallerOf) -> list[roster.Student]:
        everyone = [student for of_class in world.students(caller).values() for student in of_class]
        return [one for one in everyone if one.id in ask.ids or one.sourced_id in ask.sourced_ids]

    @app.post("/classes:batch-list")
    async def classes_of(ask: roster.ByParents, caller: CallerOf) -> list[roster.ClassPage]:
        pages = []
        for parent in ask.parents:
            items = [one for one in world.classes(caller) if one.school == parent]
            page, has_next = _page(items, ask.first, ask.after)
            pages.append(roster.ClassPage(parent=parent, items=page, has_next=has_next))
        return pages

    @app.post("/students:batch-list")
    async def students_of(ask: roster.ByParents, caller: CallerOf) -> list[roster.StudentPage]:
        known = world.students(caller)
        pages = []
        for parent in ask.parents:
            page, has_next = _page(known.get(parent, []), ask.first, ask.after)
            pages.append(roster.StudentPage(parent=parent, items=page, has_next=has_next))
        return pages

    days_of(app, world)
    identities_of(app, world, WHEN)


def _assessment(app: FastAPI, world: World) -> None:
    @app.post("/administrations:batch-get")
    async def administrations(ask: assessment.ByKeys, caller: CallerOf) -> list[assessment.Administration]:
        return [one for one in world.administrations(caller) if one.id in ask.ids or one.code in ask.codes]

    @app.post("/administrations:list")
    async def page(ask: assessment.Page, caller: CallerOf) -> assessment.AdministrationPage:
        items, has_next = _page(world.administrations(caller), ask.first, ask.after)
        return assessment.AdministrationPage(items=items, has_next=has_next)

    @app.post("/abilities:batch-list")
    async def abilities(ask: assessment.ByStudents, caller: CallerOf) -> list[assessment.StudentAbilities]:
        administration = world.administrations(caller)[0].id
        seen = world.visible(caller)
        return [
            assessment.StudentAbilities(
                student=student,
                abilities=[
                    assessment.Ability(
                        attempt=an_id(student, "attempt"), administration=administration, form="M4-A",
                        completed_at=WHEN, theta=THETA, standard_error=0.4, raw_score=7, maximum=12, reason=None,
                        parameter_version="2026-spring",
                    )
                ],
            )
            for student in ask.students
            if student in seen
        ]  # fmt: skip


def _mastery(app: FastAPI, world: World) -> None:
    @app.post("/competencies:batch-get")
    async def competencies(ask: mastery.ByKeys, caller: CallerOf) -> list[mastery.Competency]:
        named = {identifier.lower() for identifier in ask.identifiers}
        return [one for one in world.competencies(caller) if one.id in ask.ids or one.identifier in named]

    @app.post("/mastery:columns")
    async def columns(ask: mastery.ByStudents, caller: CallerOf) -> mastery.MasteryColumns:
        known = world.competencies(caller)
        with_evidence = [one.id for one in known[1:]]
        asked = sorted(with_evidence, key=_code(known)) if ask.competencies is None else ask.competencies
        places = [place for place, id_ in enumerate(asked) if id_ in with_evidence]
        seen = world.visible(caller)
        return mastery.MasteryColumns(
            competencies=asked,
            known=[one for one in known if one.id in asked],
            students=[
                mastery.StudentColumns(
                    student=student, model_version=MODEL, places=places, probabilities=[PROBABILITY] * len(places),
                    lowers=[LOWER] * len(places), uppers=[UPPER] * len(places), levels=["developing"] * len(places),
                    evidence_counts=[2] * len(places),
                    last_evidence=[int(WHEN.timestamp() * 1_000_000)] * len(places),
                )
                for student in ask.students
                if student in seen
            ],
        )  # fmt: skip

    @app.post("/roll-ups:batch-list")
    async def roll_ups(ask: mastery.RollUpsOf, caller: CallerOf) -> list[mastery.StudentRollUps]:
        whole = world.competencies(caller)[0].id
        seen = world.visible(caller)
        return [
            mastery.StudentRollUps(
                student=student,
                roll_ups=[
                    mastery.RollUp(
                        competency=one, probability=PROBABILITY, lower=LOWER, upper=UPPER, assessed=3, leaves=4,
                        evidence_count=6, last_evidence_at=WHEN, model_version=MODEL,
                    )
                    if one == whole
                    else mastery.RollUp(
                        competency=one, probability=None, lower=None, upper=None, assessed=0, leaves=1,
                        evidence_count=0, last_evidence_at=None, model_version=MODEL,
                    )
                    for one in ([whole] if ask.competencies is None else ask.competencies)
                ],
            )
            for student in ask.students
            if student in seen
        ]  # fmt: skip

    @app.post("/evidence:batch-list")
    async def evidence(ask: mastery.EvidenceOf, caller: CallerOf) -> list[mastery.EvidencePage]:
        known = world.competencies(caller)[1:]
        administration = world.administrations(caller)[0].id
        entries = [
            mastery.Evidence(
                competency=known[n % len(known)].id, administration=administration, completed_at=WHEN,
                modality="in person", item=f"m4-{n:03}", score=SCORE, before=0.3, after=PROBABILITY,
            )
            for n in range(world.evidence_per_student)
        ]  # fmt: skip
        seen = world.visible(caller)
        return [
            mastery.EvidencePage(
                student=student, items=entries[ask.after : ask.after + ask.first], total=len(entries),
                has_next=len(entries) > ask.after + ask.first,
            )
            for student in ask.students
            if student in seen
        ]  # fmt: skip

    @app.get("/evidence:count")
    async def count(caller: CallerOf) -> mastery.EvidenceCount:
        seen = world.visible(caller)
        return mastery.EvidenceCount(sheets=len(seen), entries=len(seen) * world.evidence_per_student)

    @app.post("/areas:batch-list")
    async def areas(ask: mastery.AreasOf, caller: CallerOf) -> list[mastery.OrganisationAreas]:
        told, kept = world.competencies(caller)[1:3]
        figures = [
            mastery.AreaFigures(
                competency=told.id, learners=LEARNERS, strength=STRENGTH, need=NEED, suppressed=False
            ),
            mastery.AreaFigures(competency=kept.id, learners=None, strength=None, need=None, suppressed=True),
        ]  # fmt: skip
        seen = {one.id for one in world.organisations(caller)}
        return [
            mastery.OrganisationAreas(organisation=id_, snapshot_at=WHEN, areas=figures)
            for id_ in ask.organisations
            if id_ in seen and id_ != an_id(caller.district, "school:3")
        ]

    @app.post("/snapshots", status_code=202)
    async def publish(caller: CallerOf) -> mastery.Snapshot:
        if caller.purpose is not Purpose.ADMINISTRATION:
            raise Forbidden("Snapshots are published for the purpose administration.")
        world.snapshots_due.append(caller)
        return mastery.Snapshot(taken_at=WHEN, due_at=WHEN)

    @app.get("/snapshots/latest")
    async def latest(caller: CallerOf) -> mastery.Snapshot:
        return mastery.Snapshot(taken_at=WHEN, due_at=WHEN if world.snapshots_due else None)


def _partnership(app: FastAPI, world: World) -> None:
    partnerships.answers(
        app,
        cast(Partnerships, Found(lambda: world.partnerships)),
        lambda caller: {one.id for one in world.schools(caller)},
    )


def _code(known: list[mastery.Competency]) -> Callable[[UUID], str]:
    codes = {one.id: one.code or "" for one in known}
    return lambda id_: codes[id_]


def _guard(app: FastAPI, world: World) -> None:
    @app.get("/guard")
    async def thresholds(caller: CallerOf) -> roster.Guard:
        return world.guard

    @app.post("/guard")
    async def change(to: roster.Guard, caller: CallerOf) -> roster.Guard:
        world.guard = to
        return to


def _imports(app: FastAPI, name: str, world: World) -> None:
    @app.post("/imports/{import_id}:{decision}")
    async def decide(import_id: UUID, decision: str, caller: CallerOf) -> dict[str, Any]:
        found = _report(world, import_id, caller)
        world.decisions.append(f"{name}/{decision}")
        if world.import_state != "held":
            raise Conflict("Only a held import can be approved.")
        return found | {"state": "staged", "verdict": None}

    @app.get("/imports")
    async def recent(
        caller: CallerOf, first: int, kind: Annotated[list[str], Query()], state: str | None = None
    ) -> list[dict[str, Any]]:
        if world.import_kind not in kind or caller.district != world.imports_of:
            return []
        found = _report(world, world.imported, caller)
        there = world.imports_listed if state in (None, world.import_state) else 0
        return [found | {"id": str(UUID(int=world.imported.int - nth))} for nth in range(min(first, there))]

    @app.post("/imports/{kind}", status_code=202)
    async def receive(kind: str, request: Request, caller: CallerOf, keep_good: bool = False) -> dict[str, Any]:
        body = b"".join([piece async for piece in request.stream()])
        kept = {"keep_good": str(keep_good), "idempotency": request.headers.get("idempotency-key", "")}
        kept |= {name: value for name, value in request.query_params.items() if name != "keep_good"}
        world.uploads.append((f"{name}/{kind}", body, kept))
        return {"id": str(world.imported), "state": "staged"}

    @app.get("/imports/{import_id}")
    async def report(import_id: UUID, caller: CallerOf) -> dict[str, Any]:
        return _report(world, import_id, caller)

    @app.get("/imports/{import_id}/findings")
    async def findings(
        import_id: UUID, caller: CallerOf, first: int, after: int = -1, sort: str | None = None
    ) -> dict[str, Any]:
        _report(world, import_id, caller)
        sorts = ("hold", "problem", "repair")
        every = [{"number": n, "sort": sorts[n % 3], "finding": _finding(n)} for n in range(world.findings)]
        items = [one for one in every if one["number"] > after and sort in (None, one["sort"])]
        return {"items": items[:first], "has_next": len(items) > first}

    @app.get("/imports/{import_id}/findings.csv")
    async def table(import_id: UUID, caller: CallerOf) -> Response:
        _report(world, import_id, caller)
        return Response("sort,file\r\nproblem,users.csv\r\n", media_type="text/csv")

    @app.get("/causes/{cause}")
    async def cause(cause: str, caller: CallerOf) -> dict[str, Any]:
        nothing = {"listens": [], "announced": {}, "heard": {}, "waiting": {}, "parked": {}}
        return nothing | world.causes.get(name, {})


def _finding(number: int) -> dict[str, Any]:
    return {
        "file": "users.csv", "line": number + 2, "column": "email", "value": "x", "rule": "form", "remedy": "Mend it."
    }  # fmt: skip


def _report(world: World, import_id: UUID, caller: Caller) -> dict[str, Any]:
    if import_id != world.imported or caller.district != world.imports_of:
        raise NoSuchImport
    verdicts = {"applied": "accepted", "refused": "refused", "held": "held"}
    when = "2026-01-02T03:04:05Z"
    return {
        "id": str(world.imported), "kind": world.import_kind, "state": world.import_state,
        "verdict": verdicts.get(world.import_state), "done": 3, "total": 3,
        "counts": {"added": 3, "changed": 0, "unchanged": 0, "refused": 0}, "problem_count": 0, "repair_count": 0,
        "hold_count": 0, "problems": [], "repairs": [], "holds": [], "options": {}, "summary": world.summary,
        "created_at": when, "updated_at": when, "applied_at": None, "kept_until": None, "approved_by": None,
        "approved_at": None, "rejected_by": None, "rejected_at": None, "undone_by": None, "undone_at": None,
    }  # fmt: skip


def _page(items: list[Any], first: int, after: UUID | None) -> tuple[list[Any], bool]:
    start = 0
    if after is not None:
        start = next((place + 1 for place, item in enumerate(items) if item.id == after), len(items))
    return items[start : start + first], len(items) > start + first


_asked: ContextVar[World] = ContextVar("world")


@cache
def _of_any_world(name: str) -> FastAPI:
    """A service that is made once, for whichever world it is asked in: to make one takes longer than most tests."""
    return service(name, cast(World, Found(_asked.get)))


def _in(world: World, app: FastAPI) -> ASGIApp:
    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        before = _asked.set(world)
        try:
            await app(scope, receive, send)
        finally:
            _asked.reset(before)

    return asked


def clients(world: World) -> dict[str, ServiceClient]:
    """A client for each service of the world, without a network between."""
    tokens = Tokens(SECRET)
    return {
        name: ServiceClient("http://inside", tokens, transport=httpx.ASGITransport(_in(world, _of_any_world(name))))
        for name in NAMES
    }


def services(world: World) -> Services:
    return Services.of(clients(world))
