"""Organisations: the thin path."""

import pytest

from tests.integration.oneroster.conftest import PUBLIC, ROSTERING, V11, Rest


async def test_a_school_says_what_it_is_part_of(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "d", name="The district", type="district", identifier="NY-1")
        await change.add("orgs", "north", name="North", metadata={"sector": "charter"})
        await change.tx.run(
            "UPDATE orgs SET parent_id = (SELECT id FROM orgs WHERE sourced_id = 'd') WHERE sourced_id = 'north'"
        )

    body = await rest.get(f"{ROSTERING}/orgs/north")

    org = body["org"]
    assert org.pop("dateLastModified").endswith("Z")
    assert org == {
        "sourcedId": "north", "status": "active", "metadata": {"sector": "charter"}, "name": "North", "type": "school",
        "identifier": "north",
        "parent": {"href": f"{PUBLIC}{ROSTERING}/orgs/d", "sourcedId": "d", "type": "org"},
    }  # fmt: skip


@pytest.mark.parametrize("base", [ROSTERING, V11])
async def test_where_it_is_and_of_what_sector_is_metadata_again(rest: Rest, base: str) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "d", type="district")
        await change.add(
            "orgs", "west", name="West", metadata={"phone": "555"}, sector="charter", latitude=40.5, longitude=-73.9
        )

    west, district = [(await rest.get(f"{base}/orgs/{name}"))["org"] for name in ("west", "d")]

    assert west["metadata"] == {"phone": "555", "sector": "charter", "latitude": "40.5", "longitude": "-73.9"}
    assert "metadata" not in district
    assert await rest.names(f"{base}/orgs?filter=metadata.sector='charter'") == ["west"]
    assert await rest.names(f"{base}/orgs?filter=metadata.phone='555' AND metadata.latitude~'40'") == ["west"]


async def test_the_collection_is_the_first_member(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "d", type="district")
        await change.add("orgs", "north")

    assert await rest.names(f"{ROSTERING}/orgs") == ["d", "north"]
    assert await rest.names(f"{ROSTERING}/schools") == ["north"]
    assert list(await rest.get(f"{V11}/Schools/")) == ["orgs"]
