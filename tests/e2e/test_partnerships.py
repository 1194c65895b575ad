"""Schools that help each other, from files to answered proposals, in both modes.

What a school page says is held against a plain recomputation; what is proposed against the files' own rules. The tests
share one district; those that answer come last.
"""

import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.door import Door, DoorError, opened
from deploy.cli.load import Kind
from tests.e2e.conftest import Slug
from tests.e2e.harness import Platform, load_file
from tests.e2e.partnerships import (
    ACCEPT,
    DECLARE,
    DECLINE,
    ONE_PROPOSAL,
    PROGRAMME,
    PROPOSALS,
    PROPOSE,
    PUBLISH,
    SCHOOL_PAGE,
    VERBS,
    WITHDRAW,
    Loaded,
    all_proposals,
    all_unmatched,
    codes,
    declared,
    done,
    everything_declared,
    expected_figures,
    kilometres,
    load_everything,
    matching_of,
    propose,
    publish,
    schools_of,
    sectors,
    with_limits,
)

STUDENTS = 2_500
LEAST_LEARNERS = 10
ROUNDED = 0.005 + 1e-9
WANTED, PAID, COST = 10, 6, 18_000
LANGUAGE = "english-language-learners"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    """A district of ten schools, whose programme wants more partnerships than its budget pays for."""
    files = write_demo(tmp_path_factory.mktemp("town"), STUDENTS, seed=8)
    with_limits(files, partnerships=WANTED, budget=PAID * COST + COST // 2, max_distance_km=9)
    return files


@pytest.fixture(scope="module")
async def loaded(platform: Platform, slug: Slug, town: DemoFiles) -> AsyncIterator[Loaded]:
    """The town, its school pages published and its first partnerships proposed."""
    name = slug()
    async with opened(platform.url, await platform.new_district(name)) as door:
        await load_everything(door, town)
        await publish(door, schools_of(town)[0])
        matching = await propose(door)
        assert matching["state"] == "PROPOSED", matching
        yield Loaded(door, name, town, await all_proposals(door))


def side_of(proposal: dict[str, Any], side: str) -> str:
    """The sourcedId of a side as a key of the whole district sees it."""
    return str(proposal[side]["sourcedId"])


class TestSchoolPages:
    async def test_what_a_school_page_says_is_what_the_plain_recomputation_says(self, loaded: Loaded) -> None:
        expected = expected_figures(loaded.files)
        shown = hidden = 0

        for school in schools_of(loaded.files):
            page = (await loaded.door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{school}"}))["school"]
            said = {one["competency"]["sourcedId"]: one for one in page["areas"]}

            assert said.keys() == expected[school].keys()
            for competency, (learners, strength, need) in expected[school].items():
                one = said[competency]
                if one["suppressed"]:
                    hidden += 1
                    assert (one["learners"], one["strength"], one["need"]) == (None, None, None)
                    continue
                shown += 1
                assert one["learners"] == learners >= LEAST_LEARNERS
                assert abs(one["strength"] - strength) <= ROUNDED
                assert abs(one["need"] - min(max(need, 0.05), 0.95)) <= ROUNDED

        assert shown > hidden

    async def test_a_school_page_says_what_the_file_declares_and_nothing_of_the_silent(self, loaded: Loaded) -> None:
        willing = declared(loaded.files)

        for school in schools_of(loaded.files):
            page = (await loaded.door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{school}"}))["school"]
            said = {one["area"]: one for one in page["willingness"]}

            assert said.keys() == {area for name, area in willing if name == school}
            for area, one in said.items():
                row = willing[school, area]
                assert one == {
                    "area": area,
                    "role": row["role"].upper(),
                    "eagerness": int(row["eagerness"]),
                    "capacity": int(row["capacity"]),
                    "diagnosticsAllowed": row["diagnostics"] == "yes",
                }


class TestProposals:
    async def test_every_pair_is_willing_within_the_rules_and_says_why(self, loaded: Loaded) -> None:
        willing = declared(loaded.files)
        programme = tomllib.loads(loaded.files.programme.read_text(encoding="utf-8"))
        rules, apart, run_by = programme["rules"], kilometres(loaded.files), sectors(loaded.files)
        conflicts = [set(one["schools"]) for one in rules["conflicts"]]
        taken: Counter[tuple[str, str]] = Counter()
        together: Counter[frozenset[str]] = Counter()
        places: Counter[str] = Counter()

        for one in loaded.proposals:
            host, guest, area = side_of(one, "host"), side_of(one, "guest"), one["area"]
            pair = frozenset((host, guest))
            assert willing[host, area]["role"] == "offers"
            assert willing[guest, area]["role"] == "seeks"
            assert abs(one["distanceKm"] - apart[pair]) < 0.05 + 1e-9
            assert apart[pair] <= rules["max_distance_km"]
            assert pair not in conflicts
            assert len(one["reason"]) > 40
            assert one["hostName"] in one["reason"]
            assert one["guestName"] in one["reason"]
            for school, basis in ((host, one["hostBasis"]), (guest, one["guestBasis"])):
                measured = willing[school, area]["diagnostics"] == "yes" and area != LANGUAGE
                assert basis == ("MEASURED" if measured else "DECLARED")
                taken[school, area] += 1
                places[run_by[school]] += 1
            together[pair] += 1

        assert len(loaded.proposals) == min(WANTED, programme["budget"] // programme["cost_per_partnership"]) == PAID
        assert all(count <= int(willing[key]["capacity"]) for key, count in taken.items())
        assert set(together.values()) == {1}
        assert places["district"] >= rules["balance"]["district"]["at_least"]
        assert places["charter"] <= rules["balance"]["charter"]["at_most"]
        assert {one["hostBasis"] for one in loaded.proposals} == {"MEASURED", "DECLARED"}

    async def test_every_willing_school_has_a_proposal_or_a_reason(self, loaded: Loaded) -> None:
        matched = {(side_of(one, side), one["area"]) for one in loaded.proposals for side in ("host", "guest")}

        unmatched = await all_unmatched(loaded.door)

        told = {(one["school"]["sourcedId"], one["area"]) for one in unmatched}
        assert told | matched == set(declared(loaded.files))
        assert told & matched == set()
        assert all(len(one["reason"]) > 20 for one in unmatched)
        assert any("that the budget pays for" in one["reason"] for one in unmatched)

    async def test_the_same_files_again_change_nothing(self, loaded: Loaded) -> None:
        before = await everything_declared(loaded.door, loaded.files)

        programme = await load_file(loaded.door, Kind.PROGRAMME, loaded.files.programme)
        willingness = await load_file(loaded.door, Kind.WILLINGNESS, loaded.files.willingness)

        assert programme["counts"] == {"added": 0, "changed": 0, "unchanged": 1, "refused": 0}
        said = len(declared(loaded.files))
        assert willingness["counts"] == {"added": 0, "changed": 0, "unchanged": said, "refused": 0}
        assert await everything_declared(loaded.door, loaded.files) == before
        assert await all_proposals(loaded.door) == loaded.proposals


class TestWhoMayHelpWhom:
    async def test_a_schools_key_sees_its_own_page_and_proposals_and_no_others(
        self, platform: Platform, loaded: Loaded
    ) -> None:
        school = side_of(loaded.proposals[0], "host")
        other = next(one for one in schools_of(loaded.files) if one != school)
        own = {
            one["id"]: one for one in loaded.proposals if school in (side_of(one, side) for side in ("host", "guest"))
        }
        key = await platform.new_key(loaded.name, schools=[f"sourcedId:{school}"])

        async with opened(platform.url, key) as door:
            mine = (await door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{school}"}))["school"]
            theirs = await codes(door, SCHOOL_PAGE, school=f"sourcedId:{other}")
            listed = {one["id"]: one for one in await all_proposals(door)}
            alone = await all_unmatched(door)
            by_id = [await codes(door, ONE_PROPOSAL, id=one["id"]) for one in loaded.proposals]

        assert mine["areas"]
        assert mine["willingness"]
        assert theirs == {"NOT_FOUND"}
        assert not (mine["parent"] or {}).get("areas")
        assert listed.keys() == own.keys()
        assert len(own) < len(loaded.proposals)
        for id_, one in listed.items():
            seen = [one[side]["sourcedId"] for side in ("host", "guest") if one[side] is not None]
            assert seen == [school]
            assert (one["hostName"], one["guestName"]) == (own[id_]["hostName"], own[id_]["guestName"])
        assert {one["school"]["sourcedId"] for one in alone} <= {school}
        assert by_id == [set() if one["id"] in own else {"NOT_FOUND"} for one in loaded.proposals]

    async def test_a_schools_key_speaks_for_no_other_school_and_starts_no_matching(
        self, platform: Platform, loaded: Loaded
    ) -> None:
        one = loaded.proposals[0]
        mine, partner = one["host"], one["guest"]
        foreign = next(
            other for other in loaded.proposals if mine["id"] not in (other["host"]["id"], other["guest"]["id"])
        )
        before = await everything_declared(loaded.door, loaded.files)
        key = await platform.new_key(loaded.name, schools=[f"sourcedId:{mine['sourcedId']}"])
        said = {"area": "reading", "eagerness": 5, "capacity": 9, "diagnosticsAllowed": True}

        async with opened(platform.url, key) as door:
            for_partner = await codes(door, ACCEPT, proposal=one["id"], school=partner["id"])
            for_others = await codes(door, DECLINE, proposal=foreign["id"], school=mine["id"])
            of_others = await codes(door, DECLINE, proposal=foreign["id"], school=foreign["guest"]["id"])
            offers = await codes(door, DECLARE % "offer", school=partner["id"], **said)
            withdraws = await codes(door, WITHDRAW, school=partner["id"], area=one["area"])
            proposes = await codes(door, PROPOSE, programme=PROGRAMME)
            publishes = await codes(door, PUBLISH)

        assert for_others == {"NOT_FOUND"}
        assert proposes == publishes == {"FORBIDDEN"}
        for refused in (for_partner, of_others, offers, withdraws):
            assert len(refused) == 1
            assert refused <= {"FORBIDDEN", "NOT_FOUND"}
        assert await everything_declared(loaded.door, loaded.files) == before
        assert await all_proposals(loaded.door) == loaded.proposals

    async def test_another_districts_key_gets_nothing_by_id(
        self, platform: Platform, slug: Slug, loaded: Loaded
    ) -> None:
        one = loaded.proposals[0]
        programme = (await loaded.door.graphql(PROPOSALS, {"programme": PROGRAMME}))["programme"]["id"]

        async with opened(platform.url, await platform.new_district(slug())) as stranger:
            listed = await stranger.graphql("{ programmes(first: 10) { nodes { id } } }")
            questions = [
                await codes(stranger, ONE_PROPOSAL, id=one["id"]),
                await codes(stranger, ONE_PROPOSAL, id=programme),
                await codes(stranger, SCHOOL_PAGE, school=one["host"]["id"]),
                await codes(stranger, PROPOSALS, programme=programme),
                await codes(stranger, PROPOSALS, programme=PROGRAMME),
            ]
            changes = [
                await codes(stranger, PROPOSE, programme=programme),
                await codes(stranger, ACCEPT, proposal=one["id"], school=one["host"]["id"]),
                await codes(stranger, DECLINE, proposal=one["id"], school=one["guest"]["id"]),
                await codes(stranger, WITHDRAW, school=one["host"]["id"], area=one["area"]),
            ]

        assert listed == {"programmes": {"nodes": []}}
        assert questions == [{"NOT_FOUND"}] * 5
        assert changes == [{"NOT_FOUND"}] * 4
        assert await all_proposals(loaded.door) == loaded.proposals

    async def test_an_accountability_key_is_refused_everywhere(self, platform: Platform, loaded: Loaded) -> None:
        one = loaded.proposals[0]
        host = one["host"]["id"]
        before = await matching_of(loaded.door)
        key = await platform.new_key(loaded.name, purpose="accountability")
        questions = [
            f'{{ school(id: "{host}") {{ areas {{ strength }} }} }}',
            f'{{ school(id: "{host}") {{ willingness {{ role }} }} }}',
            "{ programmes(first: 1) { nodes { id } } }",
            f'{{ programme(id: "{PROGRAMME}") {{ id }} }}',
            f'{{ partnershipProposals(programme: "{PROGRAMME}", first: 1) {{ nodes {{ id }} }} }}',
            f'{{ node(id: "{one["id"]}") {{ id }} }}',
        ]
        said = {"school": host, "area": one["area"], "eagerness": 1, "capacity": 1, "diagnosticsAllowed": False}

        async with opened(platform.url, key) as door:
            answers = {question: await codes(door, question) for question in questions}
            changes = [
                await codes(door, DECLARE % "offer", **said),
                await codes(door, DECLARE % "seek", **said),
                await codes(door, WITHDRAW, school=host, area=one["area"]),
                await codes(door, PROPOSE, programme=PROGRAMME),
                await codes(door, ACCEPT, proposal=one["id"], school=host),
                await codes(door, DECLINE, proposal=one["id"], school=host),
                await codes(door, PUBLISH),
            ]
            doors = [
                await _status(door, kind, file)
                for kind, file in (("programme", loaded.files.programme), ("willingness", loaded.files.willingness))
            ]

        assert answers == {question: {"FORBIDDEN"} for question in questions}
        assert changes == [{"FORBIDDEN"}] * 7
        assert doors == [403, 403]
        assert await matching_of(loaded.door) == before
        assert await all_proposals(loaded.door) == loaded.proposals


async def _status(door: Door, kind: str, file: Any) -> int | None:
    """By which status a file is refused at the door."""
    with pytest.raises(DoorError) as refused:
        await door.send(kind, file, sent=lambda _: None)
    return refused.value.status


class TestAnswers:
    async def test_both_sides_accept_and_the_next_matching_keeps_what_they_agreed(
        self, platform: Platform, loaded: Loaded
    ) -> None:
        one, other = loaded.proposals[0], loaded.proposals[1]
        host = await platform.new_key(loaded.name, schools=[f"sourcedId:{side_of(one, 'host')}"])
        guest = await platform.new_key(loaded.name, schools=[f"sourcedId:{side_of(one, 'guest')}"])

        async with opened(platform.url, host) as door:
            first = await done(door, ACCEPT, proposal=one["id"], school=one["host"]["id"])
        async with opened(platform.url, guest) as door:
            second = await done(door, ACCEPT, proposal=one["id"], school=one["guest"]["id"])
        fallen = await done(
            loaded.door, DECLINE, proposal=other["id"], school=other["guest"]["id"], because="We are moving house."
        )
        too_late = await codes(loaded.door, ACCEPT, proposal=other["id"], school=other["host"]["id"])
        matching = await propose(loaded.door)
        again = await all_proposals(loaded.door)
        agreed = (await loaded.door.graphql(ONE_PROPOSAL, {"id": one["id"]}))["node"]
        open_before = (await loaded.door.graphql(ONE_PROPOSAL, {"id": loaded.proposals[2]["id"]}))["node"]

        assert (first["state"], first["hostAnswer"], first["guestAnswer"]) == ("PROPOSED", "ACCEPTED", None)
        assert (second["state"], second["guestAnswer"]) == ("ACCEPTED", "ACCEPTED")
        assert (fallen["state"], fallen["declinedBecause"]) == ("DECLINED", "We are moving house.")
        assert too_late == {"CONFLICT"}
        assert matching["state"] == "PROPOSED"
        assert agreed["state"] == "ACCEPTED"
        assert open_before["state"] == "SUPERSEDED"
        agreed_pair = frozenset((side_of(one, "host"), side_of(one, "guest")))
        open_now = [(side_of(p, "host"), side_of(p, "guest"), p["area"]) for p in again if p["state"] == "PROPOSED"]
        assert agreed_pair not in {frozenset(pair[:2]) for pair in open_now}
        assert (side_of(other, "host"), side_of(other, "guest"), other["area"]) not in open_now
        assert 0 < len(open_now) <= PAID - 1

    async def test_taking_back_the_consent_to_diagnostics_lets_what_was_measured_fall(
        self, platform: Platform, loaded: Loaded
    ) -> None:
        now = await all_proposals(loaded.door, "PROPOSED")
        measured = next(one for one in now if "MEASURED" in (one["hostBasis"], one["guestBasis"]))
        side = "host" if measured["hostBasis"] == "MEASURED" else "guest"
        school, area = measured[side], measured["area"]
        row = declared(loaded.files)[school["sourcedId"], area]
        said = {"eagerness": int(row["eagerness"]), "capacity": int(row["capacity"]), "diagnosticsAllowed": False}
        verb = VERBS[row["role"].upper()]
        key = await platform.new_key(loaded.name, schools=[f"sourcedId:{school['sourcedId']}"])

        async with opened(platform.url, key) as door:
            answer = await done(door, DECLARE % verb, school=school["id"], area=area, **said)
        after = {one["id"]: one for one in await all_proposals(loaded.door)}
        again = await propose(loaded.door)
        anew = await all_proposals(loaded.door)

        fell = {one["id"] for one in now if one["area"] == area and one[side]["id"] == school["id"]}
        assert (answer["__typename"], answer["diagnosticsAllowed"]) == ("Willingness", False)
        assert {id_ for id_, one in after.items() if one["state"] == "WITHDRAWN"} == fell
        assert {one["state"] for one in after.values() if one["id"] not in fell} <= {"PROPOSED", "DECLINED", "ACCEPTED"}
        for id_ in fell:
            assert after[id_][f"{side}Basis"] == "DECLARED"
            assert "by its own word" in after[id_]["reason"]
        assert again["state"] == "PROPOSED"
        assert all(
            one[f"{which}Basis"] == "DECLARED"
            for one in anew
            for which in ("host", "guest")
            if one["area"] == area and one[which]["id"] == school["id"]
        )
