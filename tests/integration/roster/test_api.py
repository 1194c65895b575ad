"""What the roster answers: to whom, which pages, and what it leaves out."""

from typing import Any

import pytest

from shared.errors import Forbidden, Invalid
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, a_roster
from tests.integration.roster.conftest import OTHER_DISTRICT, RosterService, a_caller, an_id

ROUTES: list[tuple[str, dict[str, Any]]] = [
    ("/schools:batch-get", {"ids": []}),
    ("/organisations:tree", {}),
    ("/classes:batch-get", {"ids": []}),
    ("/students:batch-get", {"ids": []}),
    ("/classes:batch-list", {"parents": [], "first": 1}),
    ("/students:batch-list", {"parents": [], "first": 1}),
    ("/students:resolve", {"sourced_ids": []}),
]


def _names(rows: list[dict[str, Any]]) -> set[str]:
    return {row["sourced_id"] for row in rows}


@pytest.mark.parametrize(("path", "body"), ROUTES)
async def test_every_route_needs_the_scope(roster: RosterService, path: str, body: dict[str, Any]) -> None:
    with pytest.raises(Forbidden):
        await roster.ask(path, body, a_caller(scopes=frozenset({"mastery:read"})))


class TestByKeys:
    async def test_a_school_has_its_sector_and_place(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        (north,) = await roster.ask("/schools:batch-get", {"sourced_ids": ["north"]})

        assert north == {
            "id": str(an_id("org", "north")), "sourced_id": "north", "name": "School north", "type": "school",
            "sector": "charter", "latitude": 40.5, "longitude": -73.9,
            "parent": str(an_id("org", "district")),
        }  # fmt: skip

    async def test_ids_and_sourced_ids_find_the_same(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        by_id = await roster.ask("/classes:batch-get", {"ids": [str(an_id("class", "class-north"))]})
        by_name = await roster.ask("/classes:batch-get", {"sourced_ids": ["class-north"]})

        assert by_id == by_name
        assert by_id[0]["school"] == str(an_id("org", "north"))

    async def test_a_teacher_is_not_found_among_students(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        assert await roster.ask("/students:batch-get", {"sourced_ids": ["teacher-north"]}) == []

    async def test_another_schools_student_is_left_out(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())
        ask = {"ids": [str(an_id("user", f"s00{number}")) for number in range(4)]}

        found = await roster.ask("/students:batch-get", ask, a_caller(schools=("north",)))

        assert _names(found) == {"s000", "s002"}

    async def test_another_districts_rows_are_left_out(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        ask = {"ids": [str(an_id("user", "s000"))], "sourced_ids": ["s000"]}

        assert await roster.ask("/students:batch-get", ask, a_caller(OTHER_DISTRICT)) == []

    async def test_more_than_ten_thousand_keys_are_refused(self, roster: RosterService) -> None:
        with pytest.raises(Invalid):
            await roster.ask("/students:batch-get", {"sourced_ids": ["x"] * 10_001})


class TestTheTreeOfOrganisations:
    async def test_every_active_organisation_names_what_it_is_part_of(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        found = await roster.ask("/organisations:tree", {})

        district = str(an_id("org", "district"))
        assert sorted(found, key=lambda one: one["id"]) == sorted(
            [
                {"id": district, "parent": None, "type": "district"},
                {"id": str(an_id("org", "north")), "parent": district, "type": "school"},
                {"id": str(an_id("org", "south")), "parent": district, "type": "school"},
            ],
            key=lambda one: str(one["id"]),
        )

    async def test_what_is_closed_is_neither_there_nor_anyones_parent(self, roster: RosterService) -> None:
        files = a_roster().put("orgs", "district,,,The District", "district,tobedeleted,,The District")
        await roster.load(files.zip())

        found = await roster.ask("/organisations:tree", {})

        assert {(one["id"], one["parent"]) for one in found} == {
            (str(an_id("org", "north")), None), (str(an_id("org", "south")), None)
        }  # fmt: skip

    async def test_a_key_of_named_schools_does_not_get_it(self, roster: RosterService) -> None:
        with pytest.raises(Forbidden, match="whole district"):
            await roster.ask("/organisations:tree", {}, a_caller(schools=("north",)))

    async def test_another_district_has_its_own(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        assert await roster.ask("/organisations:tree", {}, a_caller(OTHER_DISTRICT)) == []


class TestByParents:
    async def test_pages_of_students_meet_without_gap_or_overlap(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=14).zip())
        parent = str(an_id("class", "class-north"))

        seen, after, pages = [], None, 0
        while True:
            (page,) = await roster.ask("/students:batch-list", {"parents": [parent], "first": 3, "after": after})
            seen += [one["sourced_id"] for one in page["items"]]
            pages += 1
            if not page["has_next"]:
                break
            after = page["items"][-1]["id"]

        assert seen == ["s000", "s002", "s004", "s006", "s008", "s010", "s012"]
        assert pages == 3

    @pytest.mark.parametrize(
        ("path", "parent"), [("classes", ("org", "north")), ("students", ("class", "class-north"))]
    )
    async def test_a_cursor_whose_row_is_out_of_sight_is_refused_rather_than_ending_the_list(
        self, roster: RosterService, path: str, parent: tuple[str, str]
    ) -> None:
        await roster.load(a_roster(students=14).zip())
        gone = str(an_id("user", "never-there"))

        with pytest.raises(Invalid, match="begin with the first page"):
            await roster.ask(f"/{path}:batch-list", {"parents": [str(an_id(*parent))], "first": 3, "after": gone})

    async def test_each_parent_has_a_page_of_its_own_in_the_order_asked(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=6).zip())
        parents = [str(an_id("class", name)) for name in ("class-south", "class-north", "no-such-class")]

        pages = await roster.ask("/students:batch-list", {"parents": parents, "first": 2})

        assert [page["parent"] for page in pages] == parents
        assert [[one["sourced_id"] for one in page["items"]] for page in pages] == [
            ["s001", "s003"],
            ["s000", "s002"],
            [],
        ]
        assert [page["has_next"] for page in pages] == [True, True, False]

    async def test_only_who_is_enrolled_today_is_listed(self, roster: RosterService) -> None:
        files = a_roster(students=4)
        files.put("enrollments", f"s000,student,,{BEGAN},{ENDS}", f"s000,student,,{BEGAN},{ENDED}")
        await roster.load(files.zip())

        (page,) = await roster.ask(
            "/students:batch-list", {"parents": [str(an_id("class", "class-north"))], "first": 100}
        )

        assert [one["sourced_id"] for one in page["items"]] == ["s002"]

    async def test_who_left_is_still_found_by_key(self, roster: RosterService) -> None:
        files = a_roster(students=4)
        files.put("enrollments", f"s000,student,,{BEGAN},{ENDS}", f"s000,student,,{BEGAN},{ENDED}")
        await roster.load(files.zip())

        assert _names(await roster.ask("/students:batch-get", {"sourced_ids": ["s000"]})) == {"s000"}

    async def test_classes_of_a_school_come_by_title(self, roster: RosterService) -> None:
        files = a_roster()
        files.add("classes", "class-art,,,Art,4,maths,A,scheduled,R2,north,term,Art,,2")
        await roster.load(files.zip())

        (page,) = await roster.ask("/classes:batch-list", {"parents": [str(an_id("org", "north"))], "first": 10})

        assert [one["title"] for one in page["items"]] == ["Art", "Maths north"]

    async def test_another_schools_classes_are_an_empty_page(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        ask = {"parents": [str(an_id("org", "south"))], "first": 10}

        (page,) = await roster.ask("/classes:batch-list", ask, a_caller(schools=("north",)))

        assert page["items"] == []


class TestResolve:
    async def test_names_are_resolved_in_the_order_asked(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        found = await roster.ask(
            "/students:resolve", {"sourced_ids": ["s002", "nobody", "s000", "s002", "teacher-north"]}
        )

        s000, s002, nobody = an_id("user", "s000").hex, an_id("user", "s002").hex, "0" * 32
        assert found == {"ids": s002 + nobody + s000 + s002 + nobody}

    async def test_another_schools_student_is_nobody(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        found = await roster.ask("/students:resolve", {"sourced_ids": ["s001"]}, a_caller(schools=("north",)))

        assert found == {"ids": "0" * 32}
