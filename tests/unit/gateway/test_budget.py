"""How often a key may ask."""

from collections.abc import AsyncIterator

import pytest

from services.gateway.budget import Budget, TooOften
from shared.auth import Caller, Purpose
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.world import NORTH, World, a_caller

EXPENSIVE = """{ class(id: "sourcedId:class-of-school-1") {
    students(first: 100) { nodes { evidence(first: 20) { nodes { item } } } } } }"""
"""207 points as asked, 5 as answered."""


class Watch:
    """A stopwatch that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def asking(world: World, watch: Watch) -> AsyncIterator[Graph]:
    other = Caller(NORTH, "key:other", a_caller().scopes, Purpose.INSTRUCTION)
    callers = {"me": a_caller(), "other": other}
    async with graph(world, callers, cost_per_minute=600, monotonic=watch) as made:
        yield made


class TestABudget:
    def test_gives_what_is_there_and_no_more(self) -> None:
        budget = Budget(100, monotonic=lambda: 0.0)

        budget.charge("me", 100)

        with pytest.raises(TooOften):
            budget.charge("me", 1)

    def test_fills_up_again_evenly_and_not_over(self, watch: Watch) -> None:
        budget = Budget(600, monotonic=watch)
        budget.charge("me", 600)

        watch.seconds = 10.0
        budget.charge("me", 100)
        with pytest.raises(TooOften) as spent:
            budget.charge("me", 50)
        watch.seconds = 1_000.0
        budget.charge("me", 600)

        assert spent.value.retry_after_seconds == 5
        with pytest.raises(TooOften):
            budget.charge("me", 1)

    def test_refunds_never_make_it_larger(self) -> None:
        budget = Budget(100, monotonic=lambda: 0.0)

        budget.refund("me", 1_000)

        with pytest.raises(TooOften):
            budget.charge("me", 101)

    def test_forgets_the_keys_not_seen_for_longest(self) -> None:
        budget = Budget(100, monotonic=lambda: 0.0)

        for number in range(20_000):
            budget.charge(f"key:{number}", 1)

        assert len(budget._buckets) == 10_000


class TestTheGraph:
    async def test_charges_as_asked_and_refunds_to_what_it_was(self, asking: Graph) -> None:
        answer = await asking.post({"query": EXPENSIVE})

        assert answer.headers["ratelimit-policy"] == '"cost";q=600;w=60'
        assert answer.headers["ratelimit"] == '"cost";r=595;t=1'

    async def test_says_429_and_how_long_to_wait(self, asking: Graph, watch: Watch, world: World) -> None:
        for _ in range(595):
            await asking.post({"query": "{"})
        world.asked.clear()

        refused = await asking.post({"query": EXPENSIVE})
        other = await asking.post({"query": EXPENSIVE}, word="other")
        watch.seconds = float(refused.headers["retry-after"])
        in_time = await asking.post({"query": EXPENSIVE})

        assert refused.status_code == 429
        assert refused.json()["errors"][0]["extensions"]["code"] == "LIMIT"
        assert other.status_code == in_time.status_code == 200
        assert "data" in in_time.json()

    async def test_charges_a_point_for_what_is_refused(self, asking: Graph) -> None:
        answers = [await asking.post({"query": "{"}), await asking.post([]), await asking.post({"query": "{ nope }"})]

        assert [answer.headers["ratelimit"] for answer in answers] == [f'"cost";r={n};t=1' for n in (599, 598, 597)]
