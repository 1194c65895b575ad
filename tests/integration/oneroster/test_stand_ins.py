"""What the standard requires and nobody has said: no answer breaks the schema for it."""

from typing import Any
from uuid import UUID

import pytest

from tests.integration.oneroster import official
from tests.integration.oneroster.conftest import ROSTERING, V11, Rest
from tests.integration.oneroster.district import an_id, small_district


async def _one(rest: Rest, path: str, base: str = ROSTERING) -> dict[str, Any]:
    body = await rest.get(f"{base}{path}")
    if base == ROSTERING and official.HERE:
        official.check("rostering", f"/{path.split('/')[1]}/{{sourcedId}}", 200, body)
    (one,) = body.values()
    found: dict[str, Any] = one
    return found


async def test_a_class_without_course_and_terms(rest: Rest) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        await change.add("classes", "bare", school_id=an_id("orgs", "north"))

    bare = await _one(rest, "/classes/bare")

    assert [term["sourcedId"] for term in bare["terms"]] == ["year"]
    assert bare["course"]["sourcedId"] == "unknown"
    assert bare["school"]["sourcedId"] == "north"
    assert not {"grades", "subjects", "periods", "resources", "classCode"} & set(bare)


async def test_a_class_that_says_no_type(rest: Rest) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        await change.add("classes", "bare", school_id=an_id("orgs", "north"), class_type=None)

    bare = await _one(rest, "/classes/bare")
    in_11 = await _one(rest, "/classes/bare", V11)

    assert "classType" not in bare
    assert in_11["classType"] == "scheduled"


async def test_a_class_of_a_district_that_said_nothing_else(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("classes", "bare", school_id=UUID(int=5))

    bare = await _one(rest, "/classes/bare")

    assert [bare[name]["sourcedId"] for name in ("course", "school")] == ["unknown", "unknown"]
    assert [term["sourcedId"] for term in bare["terms"]] == ["unknown"]


@pytest.mark.parametrize(("is_student", "role"), [(True, "student"), (False, "relative")])
async def test_a_person_without_any_role(rest: Rest, is_student: bool, role: str) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        await change.add("people", "alone", is_student=is_student)

    alone = await _one(rest, "/users/alone")
    in_11 = await _one(rest, "/users/alone", V11)

    assert [(one["role"], one["roleType"], one["org"]["sourcedId"]) for one in alone["roles"]] == [
        (role, "primary", "d")
    ]
    assert in_11["role"] == role
    assert [org["sourcedId"] for org in in_11["orgs"]] == ["d"]


async def test_a_person_whose_roles_are_not_told_has_those_of_the_enrolments(rest: Rest) -> None:
    async with rest.district.change() as change:
        await small_district(change)
        await change.end("roles", "north-t-role")

    teacher = await _one(rest, "/users/north-t")

    assert [(one["role"], one["org"]["sourcedId"]) for one in teacher["roles"]] == [("teacher", "north")]
    assert "north-t" in await rest.names(f"{ROSTERING}/users?filter=roles.role='teacher'")
    assert (await _one(rest, "/users/north-t", V11))["role"] == "teacher"


async def test_an_identifier_no_path_can_hold_as_it_is(rest: Rest) -> None:
    name = 'a/b "c" ü%&?'
    async with rest.district.change() as change:
        await change.add("orgs", name, type="district")
        await change.add("orgs", "child", parent_id=an_id("orgs", name))

    parent = (await _one(rest, "/orgs/child"))["parent"]
    address = parent["href"].removeprefix("https://roster.example.org")

    assert parent["sourcedId"] == name
    assert address == f"{ROSTERING}/orgs/a%2Fb%20%22c%22%20%C3%BC%25%26%3F"
    assert (await rest.get(address))["org"]["sourcedId"] == name


class TestWordsOf11:
    async def test_roles_and_sexes_are_mapped_down(self, rest: Rest) -> None:
        async with rest.district.change() as change:
            await small_district(change)
            await change.change("roles", "north-t-role", role="principal")
            await change.change("demographics", "north-s0", sex="other")
            await change.change("classes", "north-7a", class_type="ext:lab")

        assert (await _one(rest, "/users/north-t", V11))["role"] == "administrator"
        assert "north-t" in await rest.names(f"{V11}/users?filter=role='administrator'")
        assert "sex" not in await _one(rest, "/demographics/north-s0", V11)
        assert (await _one(rest, "/demographics/north-s0"))["sex"] == "other"
        assert (await _one(rest, "/classes/north-7a", V11))["classType"] == "scheduled"

    async def test_what_only_1_2_has_is_not_told(self, rest: Rest) -> None:
        async with rest.district.change() as change:
            await small_district(change)

        student = await _one(rest, "/students/north-s0", V11)

        assert not {"roles", "userProfiles", "primaryOrg", "pronouns", "preferredFirstName"} & set(student)
        assert student["orgs"][0]["href"] == f"https://roster.example.org{V11}/orgs/north"

    async def test_an_administrator_of_1_1_is_one_of_something_in_1_2(self, rest: Rest) -> None:
        async with rest.district.change() as change:
            await small_district(change)
            await change.change("roles", "north-t-role", role="administrator")
            await change.change("roles", "south-t-role", role="administrator", org_id=an_id("orgs", "d"))

        assert (await _one(rest, "/users/north-t"))["roles"][0]["role"] == "siteAdministrator"
        assert (await _one(rest, "/users/south-t"))["roles"][0]["role"] == "districtAdministrator"
