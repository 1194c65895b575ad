"""Imports, whichever service they belong to: their reports, what a person decides about them, what followed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx
from pydantic import BaseModel

from shared.auth import Caller, Purpose
from shared.client import ServiceClient, error_of
from shared.errors import NotFound, TrellisError, Unavailable
from shared.imports.findings import Finding, Sort
from shared.imports.reports import FindingsPage

OWNERS = {
    "roster": "roster",
    "attendance": "roster",
    "closures": "roster",
    "framework": "mastery",
    "forms": "assessment",
    "answers": "assessment",
    "programme": "partnership",
    "willingness": "partnership",
}
"""Which service owns which kind of file."""
_DIAGNOSTIC = frozenset({"answers", "programme", "willingness"})
"""Results, and what is done because of them: nothing for accountability."""
Decision = Literal["approve", "reject", "apply", "undo"]


class NoSuchKind(NotFound):
    """There are imports of roster, attendance, closures, framework, forms, answers, programme and willingness."""


class NoSuchImport(NotFound):
    """There is no such import."""


class Effects(BaseModel):
    """What followed: facts by type announced by any service, and by service heard, waiting and parked."""

    announced: dict[str, int]
    heard: dict[str, dict[str, int]]
    waiting: dict[str, int]
    parked: dict[str, int]
    away: list[str]


class Brief(BaseModel):
    """How far an import is, in a list.

    `verdict`, when it is over: accepted, refused, held, reported or failed. `kept_until`: how long a held import, or a
    dry run, waits for a person.
    """

    id: str
    url: str
    kind: str
    state: str
    verdict: str | None
    done: int
    total: int | None
    counts: dict[str, int]
    problem_count: int
    repair_count: int
    hold_count: int
    options: dict[str, str]
    created_at: datetime
    updated_at: datetime
    applied_at: datetime | None
    kept_until: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None


class Findings(Brief):
    """How far an import is, and what was found. The lists hold the first findings; the counts are whole."""

    problems: list[Finding]
    repairs: list[Finding]
    holds: list[Finding]
    summary: dict[str, Any]


class Report(Findings):
    """The same, and what followed. `readable`: every service that listens has heard all that followed from it."""

    readable: bool
    effects: Effects


class Recent(BaseModel):
    """Imports, newest first; `before` is the id to ask for the next ones with."""

    imports: list[Brief]
    before: str | None


def owner_of(kind: str) -> str:
    """The service that owns a kind of file."""
    if kind not in OWNERS:
        raise NoSuchKind
    return OWNERS[kind]


def check(caller: Caller, kind: str) -> None:
    """Whether a caller may see and send files of this kind."""
    caller.need("imports:write")
    caller.need_whole_district()
    if kind in _DIAGNOSTIC:
        caller.refuse_accountability()


async def report(services: Mapping[str, ServiceClient], import_id: str, caller: Caller) -> Report:
    """How far an import is, what was found, and whether all that follows from it can be read."""
    kind, own_id = _read(import_id, caller)
    found = _checked(kind, await services[OWNERS[kind]].get(f"/imports/{own_id}", caller))
    return await _whole(services, own_id, found, caller)


async def findings(services: Mapping[str, ServiceClient], import_id: str, caller: Caller) -> Findings:
    """How far an import is and what was found; what followed is not asked for."""
    kind, own_id = _read(import_id, caller)
    found = _checked(kind, await services[OWNERS[kind]].get(f"/imports/{own_id}", caller))
    return Findings.model_validate(found)


async def decide(
    services: Mapping[str, ServiceClient], import_id: str, decision: Decision, caller: Caller
) -> Findings:  # fmt: skip
    """Approve, reject, apply or undo an import; as it is then. Never tried twice."""
    kind, own_id = _read(import_id, caller)
    answer = await services[OWNERS[kind]].send(f"/imports/{own_id}:{decision}", {}, caller)
    return Findings.model_validate(_checked(kind, answer))


async def recent(
    services: Mapping[str, ServiceClient],
    caller: Caller,
    *,
    first: int,
    before: str | None = None,
    kind: str | None = None,
    state: str | None = None,
) -> Recent:
    """The imports of the district that came last, of every service."""
    kinds = [owned for owned in OWNERS if kind is None or owned == kind]
    if kind is not None:
        owner_of(kind)
        check(caller, kind)
    else:
        caller.need("imports:write")
        caller.need_whole_district()
        if caller.purpose is Purpose.ACCOUNTABILITY:
            kinds = [one for one in kinds if one not in _DIAGNOSTIC]
    params: dict[str, Any] = {"first": first + 1}  # one more, to know whether there are more
    if state is not None:
        params["state"] = state
    if before is not None:
        params["before"] = str(_read(before, caller)[1])
    owners = sorted({OWNERS[one] for one in kinds})
    lists = await asyncio.gather(
        *(
            services[owner].get("/imports", caller, kind=[one for one in kinds if OWNERS[one] == owner], **params)
            for owner in owners
        )
    )
    # Ids are made in the order of time: across services, too.
    found = sorted((one for each in lists for one in each), key=lambda one: UUID(one["id"]), reverse=True)
    page = [Brief.model_validate(_named(one)) for one in found[:first]]
    return Recent(imports=page, before=page[-1].id if len(found) > first else None)


async def findings_page(
    services: Mapping[str, ServiceClient],
    import_id: str,
    caller: Caller,
    *,
    sort: Sort | None,
    first: int,
    after: int | None,
) -> FindingsPage:
    """So many findings of an import, behind the place `after`."""
    kind, own_id = _read(import_id, caller)
    params: dict[str, Any] = {"first": first}
    if sort is not None:
        params["sort"] = sort
    if after is not None:
        params["after"] = after
    page = await services[OWNERS[kind]].get(f"/imports/{own_id}/findings", caller, **params)
    return FindingsPage.model_validate(page)


@asynccontextmanager
async def findings_table(
    services: Mapping[str, ServiceClient], import_id: str, caller: Caller
) -> AsyncIterator[httpx.Response]:
    """All findings that are kept, as CSV, as they come."""
    kind, own_id = _read(import_id, caller)
    async with services[OWNERS[kind]].stream("GET", f"/imports/{own_id}/findings.csv", caller) as answer:
        if not answer.is_success:
            await answer.aread()
            raise error_of(answer)
        yield answer


def _read(import_id: str, caller: Caller) -> tuple[str, UUID]:
    """The kind and the service's own id that an import's id says."""
    kind, _, rest = import_id.partition("-")
    try:
        owner_of(kind)
        own_id = UUID(rest)
    except (ValueError, NoSuchKind):
        raise NoSuchImport from None
    check(caller, kind)
    return kind, own_id


def _checked(kind: str, found: dict[str, Any]) -> dict[str, Any]:
    if found["kind"] != kind:  # what was checked before was checked for the kind that was said
        raise NoSuchImport
    return _named(found)


def _named(found: dict[str, Any]) -> dict[str, Any]:
    id_ = f"{found['kind']}-{found['id']}"
    return {**found, "id": id_, "url": f"/v1/imports/{id_}"}


async def _whole(
    services: Mapping[str, ServiceClient], own_id: UUID, found: dict[str, Any], caller: Caller
) -> Report:  # fmt: skip
    followed = dict(
        zip(services, await asyncio.gather(*(_followed(one, own_id, caller) for one in services.values())), strict=True)
    )
    effects = _effects(followed)
    readable = found["state"] in ("applied", "undone") and _all_heard(effects, followed)
    return Report.model_validate({**found, "readable": readable, "effects": effects})


async def _followed(service: ServiceClient, id_: UUID, caller: Caller) -> dict[str, Any] | None:
    """What one service has announced and heard because of the import; None when it does not answer."""
    try:
        found: dict[str, Any] = await service.get(f"/causes/{id_}", caller)
    except Unavailable:
        return None
    except TrellisError:
        raise
    return found


def _effects(followed: Mapping[str, dict[str, Any] | None]) -> Effects:
    announced: dict[str, int] = {}
    known = {name: one for name, one in followed.items() if one is not None}
    for one in known.values():
        for kind, facts in one["announced"].items():
            announced[kind] = announced.get(kind, 0) + facts
    return Effects(
        announced=announced,
        heard={name: one["heard"] for name, one in known.items() if one["heard"]},
        waiting={name: sum(one["waiting"].values()) for name, one in known.items() if one["waiting"]},
        parked={name: sum(one["parked"].values()) for name, one in known.items() if one["parked"]},
        away=[name for name, one in followed.items() if one is None],
    )


def _all_heard(effects: Effects, followed: Mapping[str, dict[str, Any] | None]) -> bool:
    if effects.away or effects.waiting:
        return False
    return all(
        one is not None and one["heard"].get(kind, 0) >= facts
        for one in followed.values()
        for kind, facts in effects.announced.items()
        if one is None or kind in one["listens"]
    )
