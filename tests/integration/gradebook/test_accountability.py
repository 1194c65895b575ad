"""Who comes for accountability gets no result from the roster: every operation of OneRoster and every route is asked.

What is a result is not listed here: whatever tells another purpose one of the planted words has to refuse this one.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest

from services.roster import api
from services.roster.api.oneroster import operations, routes
from services.roster.domain.oneroster.versions import Service, Version, base_of
from shared.auth import SCOPES, Caller, Purpose
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.http import build_app
from tests.integration.gradebook.conftest import (
    DISTRICT,
    PUBLIC,
    TOKENS,
    Gradebook,
    a_caller,
    a_line_item,
    a_result,
    an_id,
)
from tests.integration.gradebook.test_assessed import Listening, a_form, a_learner, an_administration, an_attempt

AUDITOR = Caller(DISTRICT, "key:auditor", SCOPES, Purpose.ACCOUNTABILITY)
TELLTALES = ("77.125", "Careless with signs", "0.913275", "3/4", "88.625")
"""What gradebooks, assessments and mastery say of Ada."""
NAMES = {
    "orgs": "district", "schools": "north", "academicSessions": "year", "terms": "autumn",
    "gradingPeriods": "autumn-1", "courses": "math", "classes": "north-math", "users": "ada", "students": "ada",
    "teachers": "ms-lee", "enrollments": "nothing", "demographics": "ada", "resources": "nothing",
    "categories": "homework", "scoreScales": "nothing", "lineItems": "sheet-1", "results": "ada-1",
    "assessmentLineItems": "exam", "assessmentResults": "ada-exam",
}  # fmt: skip
ADA, BEN, SOL = (str(an_id("user", name)) for name in ("ada", "ben", "sol"))
NORTH, SECTION = str(an_id("org", "north")), str(an_id("class", "north-math"))
ROUTES: dict[str, dict[str, Any] | None] = {
    "POST /schools:batch-get": {"ids": [NORTH]},
    "POST /organisations:tree": {},
    "POST /classes:batch-get": {"ids": [SECTION]},
    "POST /students:batch-get": {"ids": [ADA]},
    "POST /classes:batch-list": {"parents": [NORTH], "first": 10},
    "POST /students:batch-list": {"parents": [SECTION], "first": 10},
    "POST /students:resolve": {"sourced_ids": ["ada"]},
    "POST /attendance:batch-list": {"students": [ADA], "begin": "2026-09-01", "end": "2026-09-30"},
    "POST /closures:batch-list": {"schools": [NORTH], "day": "2026-09-08"},
    "GET /guard": None,
    "POST /guard": {"school_percent": 6},
    "GET /exports/roster": None,
    "GET /exports/roster-facts": None,
    "POST /identity/merges": {"person": BEN, "absorbed": SOL, "force": True},
    "POST /identity/splits": {"person": BEN, "sourced_ids": [], "sourced_id": "bea"},
    "POST /identity/{event}:undo": {},
    "GET /identity/events": None,
    "GET /identity/reviews": None,
    "POST /identity/reviews/{review}:same": {},
    "POST /identity/reviews/{review}:different": {},
    "POST /people:as-of": {"people": [ADA], "on": "2026-09-08"},
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": None,
    "GET /causes/{cause}": None,
}
"""Every route of the roster besides OneRoster's, and what to ask it."""
NOTHING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def known(gradebook: Gradebook) -> Gradebook:
    """A result of every kind there is, written, computed from answers, and traced."""
    said = {"comment": "Careless with signs", "score": 77.125}
    for path, body in {
        "lineItems/sheet-1": a_line_item(),
        "results/ada-1": a_result(**said),
        "assessmentLineItems/exam": {"title": "Exam", "class": {"sourcedId": "north-math"}},
        "assessmentResults/ada-exam": a_result(
            assessmentLineItem={"sourcedId": "exam"}, scorePercentile=88.625, **said
        ),
    }.items():
        assert await gradebook.put(path, body) == (201, None)
    listening = Listening(gradebook)
    await listening.hears(assessment.FormPublished, a_form())
    await listening.hears(assessment.AdministrationPlanned, an_administration())
    await listening.hears(assessment.AttemptsScored, an_attempt())
    await listening.hears(mastery.MasteryChanged, a_learner(add=(0.913275, 4)))
    return gradebook


def walked(version: Version) -> Iterator[tuple[Service, str, str]]:
    """Every operation there is of a version: its service, its method, and where it is asked."""
    for service, every in operations.OPERATIONS.items():
        for key in every:
            if version is Version.V12 or key not in operations.ONLY_IN_12:
                method, _, path = key.partition(" ")
                yield service, method, re.sub(r"/(\w+)/{}", lambda found: f"/{found[1]}/{NAMES[found[1]]}", path)


async def ask(gradebook: Gradebook, method: str, address: str, caller: Caller, body: Any = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {TOKENS.sign(caller)}", "x-public-url": PUBLIC}
    return await gradebook.client.request(method, address, headers=headers, json=body)


def tells(said: str) -> bool:
    return any(telltale in said for telltale in TELLTALES)


@pytest.mark.parametrize(("version", "count", "with_results"), [(Version.V12, 81, 7), (Version.V11, 61, 5)])
async def test_no_operation_of_oneroster_tells_a_result_or_writes(
    known: Gradebook, version: Version, count: int, with_results: int
) -> None:
    asked = refused = 0
    before = await known.revisions()
    for service, method, path in walked(version):
        address = base_of(service, version) + path
        asked += 1
        if method != "GET":
            answer = await ask(known, method, address, AUDITOR, {})
            assert (answer.status_code, "accountability" in answer.text) == (403, True), address
            continue
        for how in ("", "/", "?limit=500&fields=sourcedId", "?filter=status%3D%27active%27"):
            other, answer = [await ask(known, method, address + how, one) for one in (a_caller(), AUDITOR)]
            assert not tells(answer.text), address + how
            if answer.status_code == 403:
                assert "accountability" in answer.text, address + how
            else:
                assert (answer.status_code, answer.text) == (other.status_code, other.text), address + how
        refused += answer.status_code == 403
        if tells((await ask(known, method, address, a_caller())).text):
            assert answer.status_code == 403, address

    assert (asked, refused) == (count, with_results)
    assert await known.revisions() == before


async def test_with_another_purpose_all_of_it_is_told(known: Gradebook) -> None:
    told = "".join(
        [
            (await ask(known, method, base_of(service, Version.V12) + path, a_caller())).text
            for service, method, path in walked(Version.V12)
            if method == "GET"
        ]
    )

    assert [telltale for telltale in TELLTALES if telltale not in told] == []


async def test_1_1_refuses_in_any_case_of_letters(known: Gradebook) -> None:
    answer = await ask(known, "GET", "/IMS/OneRoster/v1p1/Classes/north-math/RESULTS/", AUDITOR)
    other = await ask(known, "GET", "/ims/oneroster/v1p1/Classes/north-math/RESULTS/", AUDITOR)

    assert {answer.status_code, other.status_code} <= {403, 404}
    assert other.status_code == 403


async def test_no_other_route_of_the_roster_tells_a_result(known: Gradebook) -> None:
    app = build_app(name="roster", database=known.database, tokens=TOKENS, routers=[api.router])
    there = {
        f"{method} {route.path}"
        for route in _routes(app.routes)
        if route is not routes.whole
        for method in route.methods
    }
    assert there == set(ROUTES)

    for route, body in ROUTES.items():
        method, _, path = route.partition(" ")
        for version in ("?version=1.1", "?version=1.2&since=0", "") if path == "/exports/roster" else ("",):
            answer = await ask(known, method, re.sub("{[^}]*}", NOTHING, path) + version, AUDITOR, body)
            assert answer.is_success or "{" in path or "/splits" in path, answer.text
            assert not tells(_readable(answer)), route
    whole = await ask(known, "GET", "/exports/roster", a_caller())
    assert tells(_readable(whole))


def _routes(those: Iterable[Any]) -> Iterator[Any]:
    """All of them, those of included routers too."""
    for one in those:
        if hasattr(one, "original_router"):
            yield from _routes(one.original_router.routes)
        else:
            yield one


def _readable(answer: httpx.Response) -> str:
    """What an answer says, archives unpacked."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return "".join(archive.read(name).decode() for name in archive.namelist())
