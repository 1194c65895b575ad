"""What assessment answers over REST, as its contract says."""

from typing import Literal, cast

from fastapi import APIRouter

from services.assessment import contract
from services.assessment.domain.times import instant
from services.assessment.store import attempts, forms
from services.assessment.store.attempts import Result
from services.assessment.store.forms import Planned
from shared.http import BatchRoute, Read

router = APIRouter(route_class=BatchRoute)


@router.post("/administrations:batch-get")
async def administrations(ask: contract.ByKeys, tx: Read) -> list[contract.Administration]:
    """Administrations by id or code; what is not found is left out."""
    tx.caller.need("assessment:read")
    return [wire(each) for each in await forms.list_administrations(tx, ask.ids, ask.codes)]


@router.post("/administrations:list")
async def page_of_administrations(ask: contract.Page, tx: Read) -> contract.AdministrationPage:
    """One page of the district's administrations, ordered by opening and id."""
    tx.caller.need("assessment:read")
    found = await forms.page_of_administrations(tx, ask.first, ask.after)
    return contract.AdministrationPage(
        items=[wire(each) for each in found[: ask.first]], has_next=len(found) > ask.first
    )


@router.post("/abilities:batch-list")
async def abilities(ask: contract.ByStudents, tx: Read) -> list[contract.StudentAbilities]:
    """Students' results in the order of evidence; students without results, or not the caller's, are left out."""
    tx.caller.need("assessment:read")
    tx.caller.refuse_accountability()
    found = await attempts.list_results(tx, ask.students)
    return [
        contract.StudentAbilities(student=student, abilities=[ability(result) for result in found[student]])
        for student in dict.fromkeys(ask.students)
        if student in found
    ]


def wire(planned: Planned) -> contract.Administration:
    """An administration as promised."""
    each = planned.administration
    return contract.Administration(
        id=planned.id,
        code=each.code,
        title=each.title,
        purpose=each.purpose.value,
        opens_at=instant(each.opens_at),
        closes_at=instant(each.closes_at),
    )


def ability(result: Result) -> contract.Ability:
    """A result as promised."""
    return contract.Ability(
        attempt=result.attempt,
        administration=result.administration,
        form=result.form,
        completed_at=result.completed_at,
        theta=result.theta,
        standard_error=result.standard_error,
        raw_score=result.raw_score,
        maximum=result.maximum,
        reason=cast(Literal["NOT_CALIBRATED", "NO_RESPONSES"] | None, result.reason),  # written by scoring alone
        parameter_version=result.parameter_version,
    )
