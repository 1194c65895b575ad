"""What rows have in common is said once for all of them, and of each as if it had been looked up for it alone."""

import pytest

from tests.integration.oneroster.conftest import PUBLIC, ROSTERING, Rest
from tests.integration.oneroster.district import an_id, small_district


async def test_a_role_is_at_its_own_school_whichever_is_the_persons_own(rest: Rest) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        for school, kind in (("south", "secondary"), ("north", "secondary")):
            await change.add(
                "roles", f"also-{school}", person_id=an_id("people", "north-s0"), org_id=an_id("orgs", school),
                role="aide", role_type=kind,
            )  # fmt: skip

    listed = {one["sourcedId"]: one for one in (await rest.get(f"{ROSTERING}/users"))["users"]}
    student = (await rest.get(f"{ROSTERING}/users/north-s0"))["user"]

    assert student["primaryOrg"]["sourcedId"] == "north"
    assert [(role["role"], role["org"]["sourcedId"]) for role in student["roles"]] == [
        ("student", "north"), ("aide", "north"), ("aide", "south"),
    ]  # fmt: skip
    assert listed["north-s0"] == student
    assert [role["org"]["sourcedId"] for role in listed["north-t"]["roles"]] == ["north"]


@pytest.mark.parametrize("name", ["a school/of 'ours'", 'Schule "Süd"'])
async def test_a_school_whose_sourced_id_no_path_can_hold_is_referred_to_alike(rest: Rest, name: str) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        await change.add("orgs", name)
        for number in range(3):
            await change.add("classes", f"odd-{number}", school_id=an_id("orgs", name))

    listed = {one["sourcedId"]: one for one in (await rest.get(f"{ROSTERING}/classes"))["classes"]}
    alone = (await rest.get(f"{ROSTERING}/classes/odd-1"))["class"]

    assert alone["school"]["sourcedId"] == name
    assert [listed[f"odd-{number}"]["school"] for number in range(3)] == 3 * [alone["school"]]
    assert alone["school"]["href"].startswith(f"{PUBLIC}{ROSTERING}/orgs/")
    assert (await rest.get(alone["school"]["href"].removeprefix(PUBLIC)))["org"]["sourcedId"] == name
