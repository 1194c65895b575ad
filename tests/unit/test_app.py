"""What stands before an application: asked first, observed, and nobody's detour."""

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http import App, Observed, answer_errors


class _Before:
    """Answers /quick itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = PlainTextResponse("before") if scope["path"] == "/quick" else self._app
        await app(scope, receive, send)


@pytest.fixture
def app() -> App:
    made = App(before=[Middleware(Observed, name="a-test"), Middleware(_Before)])
    answer_errors(made)

    @made.get("/slow")
    async def slow() -> str:
        return "within"

    @made.get("/broken")
    async def broken() -> str:
        raise RuntimeError("broken")

    return made


def _counted(route: str, status: int) -> float:
    labels = {"service": "a-test", "method": "GET", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("trellis_http_seconds_count", labels) or 0


async def test_what_stands_before_answers_or_hands_on_and_each_request_is_counted_once(app: App) -> None:
    before = _counted("none", 200), _counted("/slow", 200), _counted("/broken", 500)

    async with httpx.AsyncClient(
        base_url="http://test", transport=httpx.ASGITransport(app, raise_app_exceptions=False)
    ) as asking:
        answers = [await asking.get(path) for path in ("/quick", "/slow", "/broken")]

    assert [one.status_code for one in answers] == [200, 200, 500]
    assert [one.text for one in answers[:2]] == ["before", '"within"']
    assert answers[2].json()["detail"] == "Something went wrong on our side."
    after = _counted("none", 200), _counted("/slow", 200), _counted("/broken", 500)
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 1, 1]
