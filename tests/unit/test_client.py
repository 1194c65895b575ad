"""One service asking another to change something: asked once, and what is unknown is called unknown."""

from collections.abc import Callable
from uuid import UUID

import httpx
import pytest

from shared.auth import Caller, Purpose, Tokens
from shared.client import MayHaveHappened, ServiceClient
from shared.errors import Conflict, Invalid, TrellisError, Unavailable
from shared.http import problem

CALLER = Caller(UUID(int=1), "key:test", frozenset({"partnership:write"}), Purpose.ADMINISTRATION)


class Line(httpx.AsyncBaseTransport):
    """A line to a service, which answers or breaks as it is told; what was asked is counted."""

    def __init__(self, answer: Callable[[], httpx.Response]) -> None:
        self._answer = answer
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return self._answer()


def over(line: Line) -> ServiceClient:
    return ServiceClient("http://service", Tokens("a-secret-of-the-tests-that-is-long-enough"), transport=line)


def breaking(wrong: Exception) -> Line:
    def answer() -> httpx.Response:
        raise wrong

    return Line(answer)


def refusing(status: int, code: str, **more: str) -> Line:
    return Line(lambda: httpx.Response(status, content=problem(status, code, "It says why.", **more).body))


@pytest.mark.parametrize("wrong", [httpx.ReadTimeout("slow"), httpx.ReadError("cut"), httpx.RemoteProtocolError("cut")])
async def test_a_change_that_got_no_answer_may_have_happened_and_is_not_asked_for_again(wrong: Exception) -> None:
    line = breaking(wrong)

    with pytest.raises(MayHaveHappened):
        await over(line).send("/things:make", {}, CALLER)

    assert line.asked == 1


@pytest.mark.parametrize("wrong", [httpx.ConnectError("away"), httpx.ConnectTimeout("away")])
async def test_a_change_that_was_never_sent_did_not_happen_and_is_not_asked_for_again(wrong: Exception) -> None:
    line = breaking(wrong)

    with pytest.raises(Unavailable, match="nothing was changed") as told:
        await over(line).send("/things:make", {}, CALLER)

    assert not isinstance(told.value, MayHaveHappened)
    assert line.asked == 1


async def test_a_question_is_asked_once_more_when_the_connection_breaks() -> None:
    line = breaking(httpx.ReadError("cut"))

    with pytest.raises(Unavailable) as told:
        await over(line).post("/things:batch-get", {}, CALLER)

    assert not isinstance(told.value, MayHaveHappened)
    assert line.asked == 2


async def test_a_change_during_which_the_service_broke_may_have_happened() -> None:
    with pytest.raises(MayHaveHappened):
        await over(refusing(500, TrellisError.code)).send("/things:make", {}, CALLER)


async def test_a_change_that_was_refused_did_not_happen() -> None:
    with pytest.raises(Conflict, match="It says why"):
        await over(refusing(409, "CONFLICT")).send("/things:make", {}, CALLER)
    with pytest.raises(Unavailable, match="It says why") as told:
        await over(refusing(503, "UNAVAILABLE")).send("/things:make", {}, CALLER)

    assert not isinstance(told.value, MayHaveHappened)


async def test_the_field_that_is_to_blame_travels_with_the_refusal() -> None:
    with pytest.raises(Invalid) as told:
        await over(refusing(422, "INVALID", field="eagerness")).send("/things:make", {}, CALLER)
    with pytest.raises(Invalid) as untold:
        await over(refusing(422, "INVALID")).send("/things:make", {}, CALLER)

    assert told.value.detail == {"field": "eagerness"}
    assert untold.value.detail == {}
