"""Who is over- and under-represented among the schools in pairs."""

from uuid import UUID

import pytest

from services.partnership.domain.instance import Instance, School, Willing
from services.partnership.domain.representation import representation


def _instance(charters: int, districts: int) -> Instance:
    sectors = ["charter"] * charters + ["district"] * districts
    schools = tuple(
        School(UUID(int=at), f"school {at}", sector, attributes=(("borough", "north" if at % 2 else "south"),))
        for at, sector in enumerate(sectors)
    )
    willing = tuple(Willing(school.id, "mathematics", "offers", 3, 1) for school in schools)
    return Instance(UUID(int=999), (("mathematics", "Mathematics"),), schools, willing, 10, 10)


def test_a_kind_of_school_that_is_chosen_twice_as_often_is_over_represented() -> None:
    instance = _instance(100, 300)
    paired = [UUID(int=at) for at in (*range(80), *range(100, 220))]

    charter, district = (each for each in representation(instance, paired) if each.attribute == "sector")

    assert (charter.willing, charter.paired, district.willing, district.paired) == (100, 80, 300, 120)
    assert charter.ratio == pytest.approx((80 / 200) / (100 / 400))
    assert charter.lower is not None
    assert district.upper is not None
    assert charter.lower > 1 > district.upper


def test_attributes_stand_by_name_and_a_choice_by_lot_is_not_told_apart() -> None:
    instance = _instance(100, 300)
    paired = [UUID(int=at) for at in range(0, 400, 4)] + [UUID(int=at) for at in range(1, 400, 4)]

    found = representation(instance, paired)

    assert [(each.attribute, each.value) for each in found] == [
        ("borough", "north"), ("borough", "south"), ("sector", "charter"), ("sector", "district"),
    ]  # fmt: skip
    assert all(each.lower is not None and each.upper is not None and each.lower < 1 < each.upper for each in found)


def test_without_pairs_nobody_is_represented() -> None:
    assert representation(_instance(10, 10), []) == []


def test_what_all_have_alike_represents_nobody() -> None:
    assert [each.attribute for each in representation(_instance(0, 10), [UUID(int=1)])] == ["borough", "borough"]
