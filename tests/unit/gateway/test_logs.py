"""What the gateway writes down about questions: nothing of what was asked, and nothing of what was answered."""

import json
import logging

import pytest
from structlog.testing import capture_logs

from tests.unit.gateway.asking import Graph
from tests.unit.gateway.world import World

NAME = "Grace Hopper"


@pytest.mark.parametrize(
    "question",
    [
        f'{{ student(id: "{NAME}") {{ givenName }} }}',
        f'{{ student(id: "sourcedId:{NAME}") {{ givenName }} }}',
        f'{{ nope(id: "{NAME}") }}',
        f'{{ broken "{NAME}"',
        f"query ($id: ID!) {{ student(id: $id) {{ givenName }} }} # {NAME}",
        f'{{ administrations(first: 100000, after: "{NAME}") {{ nodes {{ id }} }} }}',
    ],
)
@pytest.mark.parametrize("broken", [False, True])
async def test_a_question_is_not_in_the_logs_however_it_ends(
    asking: Graph, world: World, caplog: pytest.LogCaptureFixture, question: str, broken: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    world.broken = broken

    with capture_logs() as written:
        await asking.ask(question, {"id": NAME})

    assert NAME not in json.dumps(written, default=repr)
    assert NAME not in "".join(record.getMessage() for record in caplog.records if record.name != "httpx")


async def test_a_failure_of_ours_is_written_down_once_with_its_place(asking: Graph, world: World) -> None:
    world.broken = True

    with capture_logs() as written:
        answer = await asking.ask('{ school(id: "sourcedId:school-1") { name } }')

    [line] = [one for one in written if one["log_level"] == "error"]
    assert line["event"] == "resolver failed"
    assert line["kind"] == "RuntimeError"
    assert line["path"] == ["school"]
    assert "secret detail" not in json.dumps(answer)
