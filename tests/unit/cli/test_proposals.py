"""The first proposals of a programme, asked for at a gateway that answers as the graph documents."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from deploy import proposals
from deploy.cli.door import Door, DoorError


@dataclass
class Gateway:
    """One programme and one school: figures appear, and a matching ends, a few questions after they were asked for."""

    matching: dict[str, Any] | None = None
    refuses: str | None = None
    comes_to: str = "PROPOSED"
    knows: str = "partners"
    patience: int = 2
    asked: list[str] = field(default_factory=list)
    published: int = 0

    async def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        name = query.split()[1].partition("(")[0]
        self.asked.append(name)
        match name:
            case "Programme":
                if variables["id"] != f"sourcedId:{self.knows}":
                    return {"programme": None}
                if self.matching is not None:
                    self.matching["done"] += 1
                    if self.matching["done"] >= self.patience:
                        self.matching["state"] = self.comes_to
                return {"programme": {"id": "node-1", "title": "Partners", "matching": self.matching}}
            case "Figures":
                self.published += bool(self.published)
                shown = self.published > self.patience
                return {"school": {"areas": [{"snapshotAt": "2026-11-22T01:00:00Z"}] if shown else []}}
            case "Publish":
                self.published = 1
                return {"publishSnapshot": {"__typename": "Snapshot"}}
            case "Propose":
                assert variables == {"programme": "node-1"}
                if self.refuses:
                    return {"proposePartnerships": {"__typename": "Refused", "message": self.refuses}}
                self.matching = matching("QUEUED")
                return {"proposePartnerships": {"__typename": "Programme"}}
        raise AssertionError(query)


def matching(state: str, **more: Any) -> dict[str, Any]:
    return {"state": state, "done": 0, "total": 4, "proposals": 3, "unmatchedCount": 1, "explanation": None} | more


async def ensure(gateway: Gateway, *, programme: str = "partners", school: str | None = "SCH-1") -> str:
    return await proposals.ensure(cast(Door, gateway), programme, school, lambda *_: None)


async def test_figures_are_published_and_seen_before_schools_are_matched() -> None:
    gateway = Gateway()

    said = await ensure(gateway)

    assert said == "Partners: partnerships proposed: 3, schools without one: 1."
    assert gateway.asked.index("Publish") < gateway.asked.index("Propose")
    assert "Figures" in gateway.asked[gateway.asked.index("Publish") : gateway.asked.index("Propose")]
    assert gateway.published > gateway.patience


async def test_a_programme_with_a_matching_is_only_looked_at() -> None:
    gateway = Gateway(matching("PROPOSED"))

    await ensure(gateway)

    assert set(gateway.asked) == {"Programme"}


async def test_a_matching_that_an_earlier_start_asked_for_is_waited_for_and_not_asked_for_again() -> None:
    gateway = Gateway(matching("SOLVING"), patience=4)

    said = await ensure(gateway)

    assert "proposed: 3" in said
    assert set(gateway.asked) == {"Programme"}


async def test_rules_that_conflict_are_said() -> None:
    gateway = Gateway(matching("INFEASIBLE", explanation="Two rules conflict."), comes_to="INFEASIBLE")

    assert await ensure(gateway) == "Partners: no proposals (infeasible). Two rules conflict."


async def test_a_refusal_is_an_error_with_the_platforms_own_words() -> None:
    with pytest.raises(DoorError, match="Not with this key"):
        await ensure(Gateway(refuses="Not with this key"))


async def test_a_programme_that_is_not_there_is_an_error() -> None:
    with pytest.raises(DoorError, match="no programme others"):
        await ensure(Gateway(), programme="others")


async def test_without_a_school_no_figures_are_published() -> None:
    gateway = Gateway()

    await ensure(gateway, school=None)

    assert "Publish" not in gateway.asked
