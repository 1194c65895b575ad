"""What the end-to-end tests ask about schools that help each other, and what the files say about the same."""

import asyncio
import csv
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.demo.people import DISTRICT, schools
from deploy.cli.demo.programme import HEADER, programme, willingness
from deploy.cli.door import Door, DoorError
from deploy.cli.load import Kind
from tests.e2e.bad_input import Rows, roster
from tests.e2e.harness import load_all, load_file, roster_table
from tests.e2e.recompute import recompute

PATIENCE_SECONDS = 90.0
PROGRAMME = "sourcedId:learning-partnerships"
EARTH_KM = 6371.0088

SCHOOL_PAGE = """
query SchoolPage($school: ID!) {
  school(id: $school) {
    id sourcedId
    parent { sourcedId areas { competency { sourcedId } learners strength need suppressed } }
    areas { competency { sourcedId } snapshotAt learners strength need suppressed }
    willingness { area role eagerness capacity diagnosticsAllowed }
  }
}
"""
PROPOSALS = """
query Proposals($programme: ID!, $state: ProposalState, $after: String) {
  programme(id: $programme) {
    id title partnerships budget costPerPartnership maxDistanceKm
    matching { state done total proposals unmatchedCount explanation snapshotAt requestedAt finishedAt }
  }
  partnershipProposals(programme: $programme, first: 50, state: $state, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id area state reason distanceKm hostBasis guestBasis hostAnswer guestAnswer declinedBecause hostName guestName
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
ONE_PROPOSAL = """
query Proposal($id: ID!) {
  node(id: $id) { id ... on PartnershipProposal { state reason hostBasis guestBasis } }
}
"""
REFUSED = "... on Refused { code message field }"
PROPOSE = f"""
mutation Propose($programme: ID!) {{
  done: proposePartnerships(programme: $programme) {{ __typename {REFUSED} }}
}}
"""
PUBLISH = f"mutation {{ done: publishSnapshot {{ __typename {REFUSED} }} }}"
ACCEPT = f"""
mutation Accept($proposal: ID!, $school: ID!) {{
  done: acceptPartnership(proposal: $proposal, school: $school) {{
    __typename {REFUSED} ... on PartnershipProposal {{ state hostAnswer guestAnswer }}
  }}
}}
"""
DECLINE = f"""
mutation Decline($proposal: ID!, $school: ID!, $because: String) {{
  done: declinePartnership(proposal: $proposal, school: $school, because: $because) {{
    __typename {REFUSED} ... on PartnershipProposal {{ state declinedBecause }}
  }}
}}
"""
DECLARE = f"""
mutation Declare(
  $school: ID!, $area: String!, $eagerness: Int!, $capacity: Int!, $diagnosticsAllowed: Boolean!
) {{
  done: %sPartnership(
    school: $school, area: $area, eagerness: $eagerness, capacity: $capacity, diagnosticsAllowed: $diagnosticsAllowed
  ) {{ __typename {REFUSED} ... on Willingness {{ area role diagnosticsAllowed }} }}
}}
"""
WITHDRAW = f"""
mutation Withdraw($school: ID!, $area: String!) {{
  done: withdrawPartnership(school: $school, area: $area) {{ __typename {REFUSED} ... on Willingness {{ area role }} }}
}}
"""
VERBS = {"OFFERS": "offer", "SEEKS": "seek"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A district with everything in it, its schools' pages published and its partnerships proposed."""

    door: Door
    name: str
    files: DemoFiles
    proposals: list[dict[str, Any]]


async def done(door: Door, mutation: str, **variables: object) -> dict[str, Any]:
    """What a change came to: the thing, or Refused."""
    answer: dict[str, Any] = (await door.graphql(mutation, variables))["done"]
    return answer


async def codes(door: Door, query: str, **variables: object) -> set[str]:
    """The codes of an answer's errors, a change's refusal among them; none when there are none."""
    try:
        data = await door.graphql(query, variables)
    except DoorError as said:
        if not isinstance(said.body, dict):
            raise
        return {one["extensions"]["code"] for one in said.body["errors"]}
    return {one["code"] for one in data.values() if one is not None and one.get("__typename") == "Refused"}


async def load_everything(door: Door, files: DemoFiles) -> None:
    """All files of a district, in the order in which they build on each other."""
    await load_all(door, files)
    await load_partnerships(door, files)


async def load_partnerships(door: Door, files: DemoFiles) -> None:
    """The programme, and what the schools say about it."""
    for kind, path in ((Kind.PROGRAMME, files.programme), (Kind.WILLINGNESS, files.willingness)):
        report = await load_file(door, kind, path)
        assert report["state"] == "applied", report


async def publish(door: Door, school: str) -> None:
    """Publish a snapshot and wait until a school's page shows it."""
    answer = await done(door, PUBLISH)
    assert answer["__typename"] == "Snapshot", answer
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = await door.graphql(SCHOOL_PAGE, {"school": f"sourcedId:{school}"})
            if page["school"]["areas"]:
                return
            await asyncio.sleep(0.2)


async def matching_of(door: Door) -> Mapping[str, Any] | None:
    """The programme's latest matching."""
    matching: Mapping[str, Any] | None = (await door.graphql(PROPOSALS, {"programme": PROGRAMME}))["programme"][
        "matching"
    ]
    return matching


async def until_proposed(door: Door) -> Mapping[str, Any]:
    """The matching's end, whatever it came to; the service may be away meanwhile."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                matching = await matching_of(door)
            except DoorError as away:
                if not isinstance(away.body, dict) or "UNAVAILABLE" not in str(away.body):
                    raise
                matching = None
            if matching is not None and matching["state"] not in ("QUEUED", "SOLVING"):
                return matching
            await asyncio.sleep(0.2)


async def propose(door: Door) -> Mapping[str, Any]:
    """Match anew; the matching at its end."""
    answer = await done(door, PROPOSE, programme=PROGRAMME)
    assert answer["__typename"] == "Matching", answer
    return await until_proposed(door)


async def until_solving(door: Door) -> None:
    """Ask for a matching, and wait until it is being solved."""
    answer = await done(door, PROPOSE, programme=PROGRAMME)
    assert answer["__typename"] == "Matching", answer
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            matching = await matching_of(door)
            if matching is not None and matching["state"] == "SOLVING":
                return
            await asyncio.sleep(0.02)


async def outcome(door: Door) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What the latest matching came to, pairs and schools alone, without the ids that are each matching's own."""
    told = [(one["school"]["sourcedId"], one["area"], one["role"], one["reason"]) for one in await all_unmatched(door)]
    return pairs(await all_proposals(door)), sorted(told)


async def all_proposals(door: Door, state: str | None = None) -> list[dict[str, Any]]:
    """What the latest matching proposes, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        variables = {"programme": PROGRAMME, "state": state, "after": after}
        page = (await door.graphql(PROPOSALS, variables))["partnershipProposals"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def all_unmatched(door: Door) -> list[dict[str, Any]]:
    """The willing schools without a proposal, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await door.graphql(UNMATCHED, {"programme": PROGRAMME, "after": after})
        page = answer["programme"]["matching"]["unmatched"]
        found += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


async def everything_declared(door: Door, files: DemoFiles) -> list[dict[str, Any]]:
    """The programme and every school's willingness as the platform has them."""
    asked = [
        f's: school(id: "sourcedId:{school}") {{ willingness {{ area role eagerness capacity diagnosticsAllowed }} }}'
        for school in schools_of(files)
    ]
    asked.append(f'programme(id: "{PROGRAMME}") {{ title partnerships budget areas {{ code title }} }}')
    return [await door.graphql(f"{{ {field} }}") for field in asked]


def schools_of(files: DemoFiles) -> list[str]:
    """The sourcedIds of the schools."""
    return [row["sourcedId"] for row in roster_table(files.roster, "orgs") if row["type"] == "school"]


def declared(files: DemoFiles) -> dict[tuple[str, str], dict[str, str]]:
    """What schools say, by school and area."""
    with files.willingness.open(encoding="utf-8", newline="") as stream:
        return {(row["school"], row["area"]): row for row in csv.DictReader(stream)}


def with_limits(files: DemoFiles, **limits: int) -> None:
    """Write other numbers into the programme."""
    text = files.programme.read_text(encoding="utf-8")
    for name, value in limits.items():
        text, found = re.subn(rf"^{name} = \d+$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    files.programme.write_text(text, encoding="utf-8")


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


def kilometres(files: DemoFiles) -> dict[frozenset[str], float]:
    """Great-circle distances of every two schools, by the roster's coordinates."""
    found = {}
    places = [
        (
            row["sourcedId"],
            math.radians(float(row["metadata.latitude"])),
            math.radians(float(row["metadata.longitude"])),
        )
        for row in roster_table(files.roster, "orgs")
        if row["type"] == "school"
    ]
    for one, north, east in places:
        for other, far_north, far_east in places:
            half = (
                math.sin((far_north - north) / 2) ** 2
                + math.cos(north) * math.cos(far_north) * math.sin((far_east - east) / 2) ** 2
            )
            found[frozenset((one, other))] = 2 * EARTH_KM * math.asin(math.sqrt(half))
    return found


def sectors(files: DemoFiles) -> dict[str, str]:
    """Of every school its sector."""
    return {row["sourcedId"]: row["metadata.sector"] for row in roster_table(files.roster, "orgs")}


def pairs(proposals: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """What is proposed without the ids, which are each matching's own."""
    return sorted(
        (one["host"]["sourcedId"], one["guest"]["sourcedId"], one["area"], one["reason"], one["hostBasis"],
         one["guestBasis"], str(one["distanceKm"]))
        for one in proposals
    )  # fmt: skip


def write_willing(out: Path, students: int, seed: int) -> DemoFiles:
    """A district so large that its matching takes a while: schools with their willingness, and nobody in them."""
    files = write_demo(out, students=30, seed=seed)
    everywhere = schools(students, seed)

    def all_of_them(rows: Rows) -> None:
        columns = rows[0]
        for school in everywhere[1:]:  # the first is there
            said = {
                "sourcedId": school.sourced_id,
                "name": school.name,
                "type": "school",
                "parentSourcedId": DISTRICT,
                "metadata.sector": school.sector,
                "metadata.latitude": str(school.latitude),
                "metadata.longitude": str(school.longitude),
            }
            rows.append([said.get(column, "") for column in columns])

    files.roster.write_bytes(roster("orgs", all_of_them)(files))
    said = b"".join(line for school in everywhere for line in willingness(school, [], seed))
    files.willingness.write_bytes(HEADER + said)
    files.programme.write_text(programme(everywhere), encoding="utf-8")
    return files


async def load_willing(door: Door, files: DemoFiles) -> None:
    """What a matching needs that rests on declarations alone."""
    for kind, path in ((Kind.ROSTER, files.roster), (Kind.FRAMEWORK, files.framework)):
        report = await load_file(door, kind, path)
        assert report["state"] == "applied", report
    await load_partnerships(door, files)
