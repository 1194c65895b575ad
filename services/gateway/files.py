"""Files at the public door: passed on as they come to the service that owns their kind; and what came of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from services.gateway.gate import KeyCaller
from shared.auth import Caller
from shared.client import ServiceClient, error_of
from shared.errors import Invalid, NotFound, TrellisError, Unavailable

OWNERS = {
    "roster": "roster",
    "framework": "mastery",
    "forms": "assessment",
    "answers": "assessment",
    "programme": "partnership",
    "willingness": "partnership",
}
"""Which service owns which kind of file."""
_DIAGNOSTIC = frozenset({"answers", "programme", "willingness"})
"""Results, and what is done because of them: nothing for accountability."""


class NoSuchKind(NotFound):
    """There are imports of roster, framework, forms, answers, programme and willingness."""


class NoSuchImport(NotFound):
    """There is no such import."""


class CutOff(Invalid):
    """The upload broke off before its end; nothing of it was kept."""


class Accepted(BaseModel):
    """Every byte is durable; `url` says what becomes of it."""

    id: str
    url: str
    state: str


class Finding(BaseModel):
    """Something in the file that broke a rule, and what to do about it (or what was done)."""

    file: str
    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


class Effects(BaseModel):
    """What followed: facts by type announced by any service, and by service heard, waiting and parked."""

    announced: dict[str, int]
    heard: dict[str, dict[str, int]]
    waiting: dict[str, int]
    parked: dict[str, int]
    away: list[str]


class Report(BaseModel):
    """How far an import is. `readable`: it is applied, and every service that listens has heard all that followed."""

    id: str
    url: str
    kind: str
    state: str
    done: int
    total: int | None
    counts: dict[str, int]
    problem_count: int
    repair_count: int
    problems: list[Finding]
    repairs: list[Finding]
    readable: bool
    effects: Effects


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """The imports, whichever service they belong to."""
    router = APIRouter(prefix="/v1", tags=["imports"])

    @router.post("/imports/{kind}", status_code=202)
    async def receive(
        kind: str,
        request: Request,
        response: Response,
        caller: KeyCaller,
        keep_good: bool = False,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> Accepted:
        """Take a file in: the body is the file. 202 when every byte is durable."""
        owner = services[_owner(kind)]
        _check(caller, kind)
        headers = {"content-type": "application/octet-stream"}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        try:
            async with owner.stream(
                "POST",
                f"/imports/{kind}",
                caller,
                content=_body(request),
                headers=headers,
                params={"keep_good": "true" if keep_good else "false"},
            ) as answer:
                await answer.aread()
                if not answer.is_success:
                    raise error_of(answer)
                staged = answer.json()
        except ClientDisconnect as gone:
            raise CutOff from gone
        id_ = f"{kind}-{staged['id']}"
        url = f"/v1/imports/{id_}"
        response.headers["location"] = url
        return Accepted(id=id_, url=url, state=staged["state"])

    @router.get("/imports/{import_id}")
    async def report(import_id: str, caller: KeyCaller) -> Report:
        """How far an import is, what was found, and whether all that follows from it can be read."""
        kind, _, rest = import_id.partition("-")
        try:
            owner, own_id = services[_owner(kind)], UUID(rest)
        except (ValueError, NoSuchKind):
            raise NoSuchImport from None
        _check(caller, kind)
        found: dict[str, Any] = await owner.get(f"/imports/{own_id}", caller)
        if found["kind"] != kind:  # what was checked above was checked for the kind that was said
            raise NoSuchImport
        followed = dict(
            zip(
                services,
                await asyncio.gather(*(_followed(one, own_id, caller) for one in services.values())),
                strict=True,
            )
        )
        effects = _effects(followed)
        complete = found["state"] == "applied" and _all_heard(effects, followed)
        url = f"/v1/imports/{import_id}"
        return Report.model_validate({**found, "id": import_id, "url": url, "readable": complete, "effects": effects})

    return router


def _owner(kind: str) -> str:
    if kind not in OWNERS:
        raise NoSuchKind
    return OWNERS[kind]


def _check(caller: Caller, kind: str) -> None:
    caller.need("imports:write")
    caller.need_whole_district()
    if kind in _DIAGNOSTIC:
        caller.refuse_accountability()


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece


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
