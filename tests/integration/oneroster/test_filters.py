"""Filters: the whole grammar, on every kind of field."""

from urllib.parse import quote

import pytest

from tests.integration.oneroster.conftest import ROSTERING, V11, Rest, a_caller
from tests.integration.oneroster.district import OTHER

NORTH, SOUTH = {f"north-s{n}" for n in range(3)}, {f"south-s{n}" for n in range(3)}
FILTERS = [
    ("users", "username='north1'", {"north-s1"}),
    ("users", "username = 'north1'", {"north-s1"}),
    ("users", "username!='north1' AND username~'NORTH'", {"north-s0", "north-s2"}),
    ("users", "sourcedId='north-t' OR sourcedId='south-t'", {"north-t", "south-t"}),
    ("users", "sourcedId>='south-s1' AND sourcedId<'south-t'", {"south-s1", "south-s2"}),
    ("users", "sourcedId>'south-s1' AND sourcedId<='south-t'", {"south-s2", "south-t"}),
    ("users", "roles.role='teacher'", {"north-t", "south-t"}),
    ("users", "roles.org.sourcedId='north' and roles.role='student'", NORTH),
    ("users", "roles.role!='student' AND roles.org.sourcedId='north'", {"north-t", "north-g"}),
    ("users", "primaryOrg.sourcedId='south'", SOUTH),
    ("users", "agents.sourcedId='north-g'", NORTH),
    ("users", "grades='07' AND sourcedId~'north'", NORTH),
    ("users", "grades~'7,8' AND sourcedId~'south'", SOUTH),
    ("users", "enabledUser='false'", set()),
    ("users", "enabledUser='true' AND username='south2'", {"south-s2"}),
    ("users", "userIds.type='LDAP' AND sourcedId~'north'", NORTH),
    ("users", "userProfiles.credentials.username='u'", {"north-s0", "south-s0"}),
    ("classes", "terms.sourcedId='fall' AND school.sourcedId='north'", {"north-7a"}),
    ("classes", "grades='07,08' AND periods='3'", {"north-7a", "south-7a"}),
    ("classes", "grades!='07'", set()),
    ("classes", "classType='scheduled' AND title='7a'", {"north-7a", "south-7a"}),
    ("enrollments", "beginDate>='2026-08-01' AND role='teacher'", {"north-t-7a", "south-t-7a"}),
    ("enrollments", "beginDate<'2026-08-01'", set()),
    ("enrollments", "primary='true'", {"north-t-7a", "south-t-7a"}),
    ("enrollments", "user.sourcedId='north-s1'", {"north-s1-7a"}),
    ("orgs", "metadata.source='tests'", {"d"}),
    ("orgs", "parent.sourcedId='d'", {"north", "south"}),
    ("orgs", "children.sourcedId='north'", {"d"}),
    ("orgs", "status='active' AND type='district'", {"d"}),
    ("academicSessions", "schoolYear='2027' AND type='term'", {"fall"}),
    ("academicSessions", "endDate='2027-07-31T00:00:00Z' AND type='gradingPeriod'", {"q1"}),
    ("demographics", "white='true' AND birthDate='2014-02-03'", NORTH | SOUTH),
    ("resources", "roles~'teach'", {"book"}),
]


@pytest.mark.parametrize(("collection", "filter", "expected"), FILTERS)
@pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "as typed"])
async def test_it_finds_what_it_says(
    told: Rest, collection: str, filter: str, expected: set[str], encoded: bool
) -> None:
    base = "/ims/oneroster/resources/v1p2" if collection == "resources" else ROSTERING
    said = quote(filter) if encoded else filter.replace(" ", "+")

    answer = await told.ask(f"{base}/{collection}?filter={said}")

    assert answer.status_code == 200, answer.text
    assert {row["sourcedId"] for row in answer.json()[collection]} == expected
    assert answer.headers["x-total-count"] == str(len(expected))


@pytest.mark.parametrize(
    "filter",
    [
        "shoeSize='9'", "username", "username='a' AND", "username='a", "username=='a'", "='a'",
        "username='a' XOR id='b'",
        "username='a' AND username='b' AND username='c'", "dateLastModified>'yesterday'", "enabledUser='maybe'",
        "roles.shoe='9'", "roles='x'", "enabledUser>'true'", "password='x'", "metadata='x'",
    ],
)  # fmt: skip
async def test_what_cannot_be_asked_is_an_invalid_filter_field(told: Rest, filter: str) -> None:
    answer = await told.ask(f"{ROSTERING}/users?filter={quote(filter)}")

    assert answer.status_code == 400
    minor = answer.json()["imsx_CodeMinor"]["imsx_codeMinorField"][0]
    assert minor["imsx_codeMinorFieldValue"] == "invalid_filter_field"


async def test_1_1_filters_by_its_own_words(told: Rest) -> None:
    assert set(await told.names(f"{V11}/users?filter=role='guardian'")) == {"north-g", "south-g"}
    assert set(await told.names(f"{V11}/users?filter=orgs.sourcedId='north'%20AND%20role='teacher'")) == {"north-t"}
    answer = await told.ask(f"{V11}/users?filter=roles.role='teacher'")
    assert answer.status_code == 400
    assert answer.json()["CodeMinor"] == "invalid_filter_field"


async def test_quotes_and_ampersands_are_found(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "o'brien", name='O\'Brien & "Sons" 100%_')
        await change.add("orgs", "other", name="OBrien")

    for said in ("'O''Brien %26 %22Sons%22 100%25_'", r"'O\'Brien %26 %22Sons%22 100%25_'"):
        assert await rest.names(f"{ROSTERING}/orgs?filter=name={said}") == ["o'brien"]
    assert await rest.names(f"{ROSTERING}/orgs?filter=name~'& \"sons'&limit=5") == ["o'brien"]
    assert await rest.names(f"{ROSTERING}/orgs?filter=name~'_'") == ["o'brien"]
    body = await rest.get(f"{ROSTERING}/orgs/o%27brien")
    assert body["org"]["sourcedId"] == "o'brien"


async def test_a_school_sees_its_own(told: Rest) -> None:
    caller = a_caller(schools=("north",))

    assert set(await told.names(f"{ROSTERING}/students", caller)) == NORTH
    assert await told.names(f"{ROSTERING}/classes", caller) == ["north-7a"]
    assert (await told.ask(f"{ROSTERING}/users/south-s1", caller)).status_code == 404
    assert (await told.ask(f"{ROSTERING}/schools/south/classes", caller)).status_code == 404
    student = (await told.get(f"{ROSTERING}/users/north-s0", caller))["user"]
    assert [role["org"]["sourcedId"] for role in student["roles"]] == ["north"]
    school = (await told.get(f"{ROSTERING}/orgs/north", caller))["org"]
    assert "parent" not in school


async def test_another_district_sees_nothing(told: Rest) -> None:

    caller = a_caller(district=OTHER)

    assert await told.names(f"{ROSTERING}/users", caller) == []
    assert (await told.ask(f"{ROSTERING}/users/north-s0", caller)).status_code == 404
