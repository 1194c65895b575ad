"""Schools that help each other, from files to answered proposals, in both modes.

What a school page says is held against a plain recomputation; what is proposed against the files' own rules.
"""

import asyncio
import csv
import tomllib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.door import Door, opened
from deploy.cli.load import Kind
from tests.e2e.conftest import Slug
from tests.e2e.harness import Platform, load_all, load_file, roster_table
from tests.e2e.recompute import recompute

STUDENTS = 4_000
PATIENCE_SECONDS = 60.0
LEAST_LEARNERS = 10
ROUNDED = 0.005 + 1e-9

SCHOOL_PAGE = """
query SchoolPage($school: ID!) {
  school(id: $school) {
    sourcedId
    parent { sourcedId areas { competency { sourcedId } learners strength need suppressed } }
    areas { competency { sourcedId } snapshotAt learners strength need suppressed }
    willingness { area role eagerness capacity diagnosticsAllowed }
  }
}
"""
PROPOSALS = """
query Proposals($programme: ID!, $after: String) {
  programme(id: $programme) {
    matching { state proposals unmatchedCount explanation snapshotAt }
  }
  partnershipProposals(programme: $programme, first: 50, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id area state reason distanceKm hostBasis guestBasis hostAnswer guestAnswer
      host { id sourcedId } guest { id sourcedId }
    }
  }
}
"""
UNMATCHED = """
query Unmatched($programme: ID!, $after: String) {
  programme(id: $programme) {
    matching {
      unmatched(first: 50, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { area role reason school { sourcedId } }
      }
    }
  }
}
"""
PROPOSE = """
mutation Propose($programme: ID!) {
  proposePartnerships(programme: $programme) { __typename ... on Refused { code message } }
}
"""
PUBLISH = "mutation { publishSnapshot { __typename ... on Refused { code message } } }"
ANSWER = """
mutation Answer($proposal: ID!, $school: ID!) {
  %s(proposal: $proposal, school: $school) {
    __typename
    ... on PartnershipProposal { state }
    ... on Refused { code message }
  }
}
"""
PROGRAMME = "sourcedId:learning-partnerships"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A district with everything in it, its schools' pages published and its partnerships proposed."""

    door: Door
    name: str
    files: DemoFiles
    proposals: list[dict[str, Any]]


async def until_proposed(door: Door) -> Mapping[str, Any]:
    """The matching's end, whatever it came to."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await door.graphql(PROPOSALS, {"programme": PROGRAMME})
            matching: Mapping[str, Any] | None = answer["programme"]["matching"]
            if matching is not None and matching["state"] not in ("QUEUED", "SOLVING"):
                return matching
            await asyncio.sleep(0.2)


async def all_proposals(door: Door) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        page = (await door.graphql(PROPOSALS, {"programme": PROGRAMME, "after": after}))["partnershipProposals"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def all_unmatched(door: Door) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await door.graphql(UNMATCHED, {"programme": PROGRAMME, "after": after})
        page = answer["programme"]["matching"]["unmatched"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def publish(door: Door, school: str) -> None:
    """Publish a snapshot and wait until a school's page shows it."""
    answer = await door.graphql(PUBLISH)
    assert answer["publishSnapshot"]["__typename"] != "Refused", answer
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = await door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{school}"})
            if page["school"]["areas"]:
                return
            await asyncio.sleep(0.2)


async def propose(door: Door) -> Mapping[str, Any]:
    answer = await door.graphql(PROPOSE, {"programme": PROGRAMME})
    assert answer["proposePartnerships"]["__typename"] != "Refused", answer
    return await until_proposed(door)


async def load_everything(door: Door, files: DemoFiles) -> None:
    await load_all(door, files)
    for kind, path in ((Kind.PROGRAMME, files.programme), (Kind.WILLINGNESS, files.willingness)):
        report = await load_file(door, kind, path)
        assert report["state"] == "applied", report


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    """A district of several schools."""
    return write_demo(tmp_path_factory.mktemp("city"), STUDENTS, seed=8)


@pytest.fixture(scope="module")
async def loaded(platform: Platform, slug: Slug, city: DemoFiles) -> AsyncIterator[Loaded]:
    name = slug()
    async with opened(platform.url, await platform.new_district(name)) as door:
        await load_everything(door, city)
        await publish(door, schools_of(city)[0])
        matching = await propose(door)
        assert matching["state"] == "PROPOSED", matching
        yield Loaded(door, name, city, await all_proposals(door))


def schools_of(files: DemoFiles) -> list[str]:
    return [row["sourcedId"] for row in roster_table(files.roster, "orgs") if row["type"] == "school"]


def declared(files: DemoFiles) -> dict[tuple[str, str], dict[str, str]]:
    """What schools say, by school and area."""
    with files.willingness.open(encoding="utf-8", newline="") as stream:
        return {(row["school"], row["area"]): row for row in csv.DictReader(stream)}


def expected_figures(files: DemoFiles) -> dict[str, dict[str, tuple[int, float, float]]]:
    """By school and competency: learners, mean probability of mastery, share of those below one half."""
    school_of = {
        row["userSourcedId"]: row["schoolSourcedId"]
        for row in roster_table(files.roster, "enrollments")
        if row["role"] == "student"
    }
    gathered: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for student, known in recompute(files.forms, [files.answers]).items():
        for competency, one in known["mastery"].items():
            gathered[school_of[student]][competency].append(one["probability"])
    return {
        school: {
            competency: (len(them), sum(them) / len(them), sum(one < 0.5 for one in them) / len(them))
            for competency, them in by_competency.items()
        }
        for school, by_competency in gathered.items()
    }


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

    async def test_a_schools_key_sees_its_own_page_and_no_other(self, platform: Platform, loaded: Loaded) -> None:
        own, other = schools_of(loaded.files)[:2]
        key = await platform.new_key(loaded.name, schools=[f"sourcedId:{own}"])

        async with opened(platform.url, key) as door:
            mine = (await door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{own}"}))["school"]
            listed = await all_proposals(door)

        assert mine["areas"]
        assert not (mine["parent"] or {}).get("areas")
        assert {one["id"] for one in listed} == {
            one["id"] for one in loaded.proposals if own in (one["host"]["sourcedId"], one["guest"]["sourcedId"])
        }
        assert other != own


class TestProposals:
    async def test_every_pair_is_willing_within_the_rules_and_says_why(self, loaded: Loaded) -> None:
        willing = declared(loaded.files)
        rules = tomllib.loads(loaded.files.programme.read_text(encoding="utf-8"))
        apart = [set(one["schools"]) for one in rules["rules"].get("conflicts", [])]
        taken: Counter[tuple[str, str]] = Counter()

        for one in loaded.proposals:
            host, guest, area = (
                one["host"]["sourcedId"],
                one["guest"]["sourcedId"],
                one["area"]["code"] if isinstance(one["area"], dict) else one["area"],
            )
            assert willing[host, area]["role"] == "offers"
            assert willing[guest, area]["role"] == "seeks"
            assert one["distanceKm"] <= rules["rules"]["max_distance_km"]
            assert {host, guest} not in apart
            assert len(one["reason"]) > 40
            for school, basis in ((host, one["hostBasis"]), (guest, one["guestBasis"])):
                if willing[school, area]["diagnostics"] == "no":
                    assert basis == "DECLARED"
                taken[school, area] += 1

        assert loaded.proposals
        assert len(loaded.proposals) * rules["cost_per_partnership"] <= rules["budget"]
        assert len(loaded.proposals) <= rules["partnerships"]
        assert all(count <= int(willing[key]["capacity"]) for key, count in taken.items())
        assert {one["hostBasis"] for one in loaded.proposals} == {"MEASURED", "DECLARED"}

    async def test_every_willing_school_has_a_proposal_or_a_reason(self, loaded: Loaded) -> None:
        matched = {(one[side]["sourcedId"], one["area"]) for one in loaded.proposals for side in ("host", "guest")}

        unmatched = await all_unmatched(loaded.door)

        told = {(one["school"]["sourcedId"], one["area"]) for one in unmatched}
        assert told | matched == set(declared(loaded.files))
        assert told & matched == set()
        assert all(len(one["reason"]) > 20 for one in unmatched)

    async def test_both_sides_accept_and_the_next_matching_keeps_what_they_agreed(self, loaded: Loaded) -> None:
        one = loaded.proposals[0]
        accept, decline = ANSWER % "acceptPartnership", ANSWER % "declinePartnership"

        first = await loaded.door.graphql(accept, {"proposal": one["id"], "school": one["host"]["id"]})
        second = await loaded.door.graphql(accept, {"proposal": one["id"], "school": one["guest"]["id"]})
        other = loaded.proposals[1]
        fallen = await loaded.door.graphql(decline, {"proposal": other["id"], "school": other["guest"]["id"]})
        matching = await propose(loaded.door)
        again = await all_proposals(loaded.door)

        assert first["acceptPartnership"]["state"] == "PROPOSED"
        assert second["acceptPartnership"]["state"] == "ACCEPTED"
        assert fallen["declinePartnership"]["state"] == "DECLINED"
        assert matching["state"] == "PROPOSED"
        pairs = [(p["host"]["sourcedId"], p["guest"]["sourcedId"], p["area"], p["state"]) for p in again]
        agreed = (one["host"]["sourcedId"], one["guest"]["sourcedId"], one["area"])
        refused = (other["host"]["sourcedId"], other["guest"]["sourcedId"], other["area"])
        assert (*agreed, "ACCEPTED") in pairs
        assert (*refused, "PROPOSED") not in pairs
        assert (*agreed, "PROPOSED") not in pairs
