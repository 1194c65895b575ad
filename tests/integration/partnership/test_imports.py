"""Programmes and willingness as files: what is good is kept once, what is wrong is said at its place."""

import pytest

from shared.auth import Purpose
from shared.errors import Forbidden
from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb
from tests.integration.partnership.conftest import (
    HEADER,
    OTHER_DISTRICT,
    PROGRAMME,
    WILLING,
    PartnershipService,
    a_caller,
    a_school,
    an_id,
)

CONFLICT = '\n[[rules.conflicts]]\nschools = ["ash", "{other}"]\nreason = "They share a principal."\n'


class TestAProgramme:
    async def test_is_kept_with_our_ids_and_changes_nothing_when_it_comes_again(
        self, partnership: PartnershipService
    ) -> None:
        first = await partnership.load("programme", PROGRAMME)
        again = await partnership.load("programme", PROGRAMME.replace("30000", "3e4"))
        changed = await partnership.load("programme", PROGRAMME.replace("= 20", "= 12.5"))

        assert (first.counts["added"], again.counts["unchanged"], changed.counts["changed"]) == (1, 1, 1)
        [told] = await partnership.ask("/programmes:batch-get", codes=["2026-pairs"])
        assert told["max_distance_km"] == 12.5
        assert told["budget"] == 30000.0
        assert [area["competencies"] for area in told["areas"]] == [
            [str(an_id("competency", "a1b2c3d4-0000-4000-8000-000000000001"))], [],
        ]  # fmt: skip
        assert await partnership.staged_rows() == 0

    @pytest.mark.parametrize(
        ("wrong", "by", "found"),
        [
            ("budget = 30000", "budget = 0", (5, "budget", "range")),
            ("budget = 30000", "budget = 9000", (6, "cost_per_partnership", "rules-conflict")),
            ("max_distance_km = 20", "[rules.balance.charter]\nat_least = 7",
             (20, "rules.balance.charter.at_least", "rules-conflict")),
            ('id = "english"', 'id = "mathematics"', (15, "areas[1].id", "area-twice")),
            ("a1b2c3d4", "a1b2c3d5", (12, "areas[0].competencies", "unknown-competency")),
            ('currency = "USD"', "currency = USD", (7, None, "toml")),
        ],
    )  # fmt: skip
    async def test_that_is_wrong_says_where_and_changes_nothing(
        self, partnership: PartnershipService, wrong: str, by: str, found: tuple[int, str | None, str]
    ) -> None:
        report = await partnership.load("programme", PROGRAMME.replace(wrong, by), keep_good=True)

        assert report.state == "refused"
        assert [(p.line, p.column, p.rule) for p in report.problems] == [found]
        assert report.problems[0].file == "programme.toml"
        assert await partnership.look("SELECT 1 FROM programmes") == []

    @pytest.mark.parametrize(("other", "rule"), [("nobody", "unknown-school"), ("office", "not-a-school")])
    async def test_names_schools_of_the_district_in_its_conflicts(
        self, partnership: PartnershipService, other: str, rule: str
    ) -> None:
        wrong = await partnership.load("programme", PROGRAMME + CONFLICT.format(other=other))
        right = await partnership.load("programme", PROGRAMME + CONFLICT.format(other="cedar"))

        assert [(p.line, p.value, p.rule) for p in wrong.problems] == [(22, other, rule)]
        assert right.state == "applied"
        [conflict] = await partnership.look("SELECT school_id, other_school_id FROM conflicts")
        assert set(conflict.values()) == {a_school("ash"), a_school("cedar")}

    async def test_of_another_district_is_not_there(self, partnership: PartnershipService) -> None:
        programme = await partnership.knows_programme()
        stranger = a_caller(OTHER_DISTRICT)

        assert await partnership.ask("/programmes:batch-get", stranger, ids=[str(programme)]) == []
        assert (await partnership.ask("/programmes:list", stranger, first=10))["items"] == []
        assert len((await partnership.ask("/programmes:list", first=10))["items"]) == 1

    async def test_is_not_given_for_accountability(self, partnership: PartnershipService) -> None:
        await partnership.knows_programme()

        with pytest.raises(Forbidden):
            await partnership.ask("/programmes:list", a_caller(purpose=Purpose.ACCOUNTABILITY), first=10)


class TestWillingness:
    async def test_is_kept_announced_once_and_on_record(self, partnership: PartnershipService) -> None:
        await partnership.knows_programme()

        first = await partnership.willing(*WILLING)
        again = await partnership.willing(*WILLING)
        other = await partnership.willing("ash,mathematics,offers,5,1,yes", "elm,english,withdraws,,,")

        assert (first.counts["added"], again.counts["unchanged"], other.counts["changed"]) == (5, 5, 2)
        facts = await partnership.announced(pb.WillingnessDeclared)
        assert len(facts) == 7
        assert {fact.role for fact in facts[-2:]} == {pb.ROLE_OFFERS, pb.ROLE_WITHDRAWN}
        history = await partnership.look("SELECT version, role FROM willingness_history WHERE area = 'english'")
        assert [(each["version"], each["role"]) for each in history] == [(1, "seeks"), (2, "withdrawn")]
        assert await partnership.look("SELECT 1 FROM willingness WHERE area = 'english'") == []
        assert await partnership.staged_rows() == 0

    @pytest.mark.parametrize(
        ("row", "column", "rule"),
        [
            ("ash,mathematics,offers,9,1,yes", "eagerness", "eagerness"),
            ("ash,mathematics,offers,4,0,yes", "capacity", "capacity"),
            ("ash,mathematics,gives,4,1,yes", "role", "role"),
            ("ash,mathematics,offers,4,1,maybe", "diagnostics", "diagnostics"),
            ("ash,chemistry,offers,4,1,yes", "area", "unknown-area"),
            ("oak,mathematics,offers,4,1,yes", "school", "unknown-school"),
            ("o\0ak,mathematics,offers,4,1,yes", "school", "text"),
            ("office,mathematics,offers,4,1,yes", "school", "not-a-school"),
            ("cedar,mathematics,offers,4,1,yes", "role", "both-roles"),
            ("cedar,mathematics,seeks,4,1,yes", "school", "declared-twice"),
            ("ash,mathematics,offers,4,1", None, "cell-count"),
        ],
    )
    async def test_that_is_wrong_is_located_and_the_file_refused_whole(
        self, partnership: PartnershipService, row: str, column: str | None, rule: str
    ) -> None:
        await partnership.knows_programme()

        report = await partnership.willing("cedar,mathematics,seeks,5,1,yes", row)

        assert report.state == "refused"
        assert [(p.file, p.line, p.column, p.rule) for p in report.problems] == [("willingness.csv", 3, column, rule)]
        assert await partnership.look("SELECT 1 FROM willingness") == []
        assert await partnership.announced(pb.WillingnessDeclared) == []

    async def test_that_is_good_is_kept_beside_what_is_wrong_when_that_is_asked_for(
        self, partnership: PartnershipService
    ) -> None:
        await partnership.knows_programme()

        report = await partnership.willing(*WILLING, "ash,english,offers,9,1,no", keep_good=True)

        assert report.state == "applied"
        assert (report.counts["added"], report.counts["refused"]) == (5, 1)

    async def test_does_not_change_sides_without_being_withdrawn_first(self, partnership: PartnershipService) -> None:
        await partnership.knows_programme()
        await partnership.willing("ash,mathematics,offers,4,1,yes")

        turned = await partnership.willing("ash,mathematics,seeks,4,1,yes")

        assert [(p.line, p.rule) for p in turned.problems] == [(2, "other-role")]

    @pytest.mark.parametrize(
        ("header", "rule"),
        [
            (HEADER.replace(",capacity", ""), "missing-column"),
            (HEADER + ",rank", "unknown-column"),
            (HEADER + ",school", "duplicate-column"),
        ],
    )
    async def test_with_a_wrong_header_is_refused_even_when_only_the_good_is_asked_for(
        self, partnership: PartnershipService, header: str, rule: str
    ) -> None:
        await partnership.knows_programme()

        report = await partnership.willing(*WILLING, header=header, keep_good=True)

        assert report.state == "refused"
        assert [p.rule for p in report.problems] == [rule]

    async def test_reads_the_columns_in_any_order(self, partnership: PartnershipService) -> None:
        await partnership.knows_programme()

        report = await partnership.willing(
            "yes,1,4,offers,mathematics,ash", header="diagnostics,capacity,eagerness,role,area,school"
        )

        assert report.counts["added"] == 1

    async def test_is_seen_by_the_school_and_its_district_alone(self, partnership: PartnershipService) -> None:
        await partnership.knows_programme()
        await partnership.willing(*WILLING)
        schools = [str(a_school("ash")), str(a_school("birch"))]

        district = await partnership.ask("/willingness:batch-list", schools=schools)
        school = await partnership.ask("/willingness:batch-list", a_caller(schools=["birch"]), schools=schools)
        stranger = await partnership.ask("/willingness:batch-list", a_caller(OTHER_DISTRICT), schools=schools)

        assert [each["school"] for each in district] == schools
        assert [each["school"] for each in school] == schools[1:]
        assert stranger == []
        assert len(await partnership.look("SELECT 1 FROM willingness_history", caller=a_caller(schools=["birch"]))) == 1
