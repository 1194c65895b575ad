"""Roll-ups on a real framework: what is below what, and who may see it."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.mastery import contract
from services.mastery.store.frameworks import competency_id
from shared.auth import Caller, Purpose
from shared.errors import Forbidden
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    MasteryService,
    a_caller,
    a_form,
    a_placement,
    a_uuid,
    an_attempt,
)
from tests.integration.mastery.test_framework_import import at_work, ended, imported

WHEN = "2026-08-31T14:05:00Z"
NAMES = ("maths", "numbers", "add", "sub", "shapes", "area")
PARENTS = {"numbers": "maths", "add": "numbers", "sub": "numbers", "shapes": "maths", "area": "shapes"}


def identifier(name: str) -> str:
    return str(UUID(bytes=name.encode().ljust(16, b".")))


def key(name: str, district: UUID = DISTRICT) -> UUID:
    return competency_id(district, identifier(name))


def a_package(names: Sequence[str] = NAMES) -> bytes:
    def common(id_: str) -> dict[str, Any]:
        return {"identifier": id_, "uri": f"https://case.example/{id_}", "lastChangeDateTime": WHEN}

    def node(name: str) -> dict[str, str]:
        return {"identifier": identifier(name), "title": name, "uri": f"https://case.example/{name}"}

    return json.dumps(
        {
            "CFDocument": {**common(identifier("document")), "creator": "us", "title": "Mathematics"},
            "CFItems": [
                {**common(identifier(one)), "fullStatement": one, "humanCodingScheme": one[:2].upper()} for one in names
            ],
            "CFAssociations": [
                {
                    **common(str(uuid4())),
                    "associationType": "isChildOf",
                    "originNodeURI": node(one),
                    "destinationNodeURI": node(PARENTS.get(one, "document")),
                }
                for one in names
            ],
        }
    ).encode()


@pytest.fixture(autouse=True)
async def working(mastery: MasteryService) -> AsyncIterator[None]:
    """The job that works imports off, at work."""
    job = at_work(mastery)
    yield
    await ended(job)


async def furnished(mastery: MasteryService) -> None:
    """Ada of north has evidence for add and area, Ben of south for sub."""
    await imported(mastery, a_package())
    form = a_form("A", [["x"], ["x"], ["x"]])
    for item, name in zip(form.items, ("add", "sub", "area"), strict=True):
        item.competencies[:] = [key(name).bytes]
    await mastery.knows(form)
    await mastery.places(a_placement("ada", ("north", None, None)), a_placement("ben", ("south", None, None)))
    await mastery.scored(an_attempt("ada", "A", [1, 253, 0], 10), an_attempt("ben", "A", [253, 1, 253], 20))


async def rolled_up(
    mastery: MasteryService, *names: str, caller: Caller | None = None
) -> dict[UUID, list[contract.RollUp]]:
    asked = {
        "students": [str(a_uuid(one)) for one in ("ada", "ben", "nobody")],
        "competencies": [str(key(one)) for one in names] or None,
    }
    found = await mastery.client.post("/roll-ups:batch-list", asked, caller or a_caller())
    answers = [contract.StudentRollUps.model_validate(one) for one in found]
    return {one.student: one.roll_ups for one in answers}


async def test_a_cluster_is_the_mean_of_what_is_known_of_its_parts(mastery: MasteryService) -> None:
    await furnished(mastery)
    single = await mastery.client.post("/mastery:batch-list", {"students": [str(a_uuid("ada"))]}, a_caller())
    of_ada = {one["competency"]: one for one in single[0]["mastery"]}
    add, area = of_ada[str(key("add"))], of_ada[str(key("area"))]

    found = await rolled_up(mastery, "maths", "numbers", "sub")

    maths, numbers, sub = found[a_uuid("ada")]
    assert (maths.assessed, maths.leaves, maths.evidence_count) == (2, 3, 2)
    assert maths.probability == pytest.approx((add["probability"] + area["probability"]) / 2, rel=1e-15)
    assert maths.lower == pytest.approx((add["lower"] + area["lower"]) / 2, rel=1e-15)
    assert maths.upper == pytest.approx((add["upper"] + area["upper"]) / 2, rel=1e-15)
    assert maths.model_version == add["model_version"]
    assert (numbers.probability, numbers.assessed, numbers.leaves) == (add["probability"], 1, 2)
    assert (sub.probability, sub.lower, sub.upper, sub.assessed, sub.leaves) == (None, None, None, 0, 1)
    assert sub.last_evidence_at is None


async def test_without_a_name_all_with_evidence_below_come_by_code(mastery: MasteryService) -> None:
    await furnished(mastery)

    found = await rolled_up(mastery)

    assert [one.competency for one in found[a_uuid("ada")]] == [key("maths"), key("numbers"), key("shapes")]
    assert [one.competency for one in found[a_uuid("ben")]] == [key("maths"), key("numbers")]


async def test_what_a_newer_package_leaves_out_is_no_part_any_more(mastery: MasteryService) -> None:
    await furnished(mastery)

    await imported(mastery, a_package([one for one in NAMES if one != "area"]))

    [maths, shapes] = (await rolled_up(mastery, "maths", "shapes"))[a_uuid("ada")]
    assert (maths.assessed, maths.leaves) == (1, 3)
    assert (shapes.probability, shapes.assessed, shapes.leaves) == (None, 0, 1)


async def test_a_school_sees_its_own_students_and_another_district_nobody(mastery: MasteryService) -> None:
    await furnished(mastery)

    assert set(await rolled_up(mastery, caller=a_caller(schools=["north"]))) == {a_uuid("ada")}
    assert set(await rolled_up(mastery, caller=a_caller(schools=["south"]))) == {a_uuid("ben")}
    assert await rolled_up(mastery, "maths", caller=a_caller(schools=["west"])) == {}
    assert await rolled_up(mastery, "maths", caller=a_caller(OTHER_DISTRICT)) == {}


async def test_no_roll_up_is_given_for_accountability_or_without_the_scope(mastery: MasteryService) -> None:
    await furnished(mastery)

    for caller in (a_caller(purpose=Purpose.ACCOUNTABILITY), a_caller(scopes=["roster:read"])):
        with pytest.raises(Forbidden):
            await rolled_up(mastery, "maths", caller=caller)
