"""Whatever goes wrong is said in the form of the standard, and in no other."""

from typing import Any

import pytest

from shared.auth import Purpose
from tests.integration.oneroster import official
from tests.integration.oneroster.conftest import GRADEBOOK, ROSTERING, V11, Rest, a_caller

PATHS = [ROSTERING, GRADEBOOK, V11]
NOWHERE = [
    "/ims/oneroster/rostering/v1p2/nothing", "/ims/oneroster/rostering/v1p2", "/ims/oneroster/rostering/v1p9/orgs",
    "/ims/oneroster/elsewhere/v1p2/orgs", "/ims/oneroster/x", "/ims/oneroster/v1p1/nothing",
    "/ims/oneroster/v1p1/orgs/a/b/c", "/ims/oneroster/v1p1/users/a/resources",
    "/ims/oneroster/rostering/v1p2/Orgs", "/ims/oneroster/rostering/v1p2/orgs/%00",
]  # fmt: skip


def _check(body: dict[str, Any], path: str, minor: str) -> None:
    if "v1p1" in path:
        assert set(body) == {"CodeMajor", "Severity", "CodeMinor", "Description"}
        assert (body["CodeMajor"], body["Severity"]) == ("failure", "error")
        return
    assert body["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"] == minor
    if official.HERE:
        official.check("rostering", "/orgs", 500, body)


@pytest.mark.parametrize("path", NOWHERE)
async def test_an_address_that_is_none(told: Rest, path: str) -> None:
    answer = await told.ask(path)

    assert answer.status_code in (404, 422)
    _check(answer.json(), path, "unknownobject" if answer.status_code == 404 else "invaliddata")


@pytest.mark.parametrize("base", [ROSTERING, V11])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_method_that_is_none(told: Rest, base: str, method: str) -> None:
    answer = await told.ask(f"{base}/orgs", method=method)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    _check(answer.json(), base, "invaliddata")


@pytest.mark.parametrize("base", [ROSTERING, V11])
@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer nonsense"])
async def test_nobody(told: Rest, base: str, authorization: str) -> None:
    answer = await told.ask(f"{base}/orgs", headers={"authorization": authorization})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    _check(answer.json(), base, "unauthorisedrequest")


@pytest.mark.parametrize("base", [ROSTERING, V11])
async def test_demographics_need_their_own_scope(told: Rest, base: str) -> None:
    answer = await told.ask(f"{base}/demographics", a_caller(scopes=frozenset({"roster:read", "assessment:read"})))

    assert answer.status_code == 403
    _check(answer.json(), base, "forbidden")


async def test_a_roster_may_be_read_for_any_purpose(told: Rest) -> None:
    assert await told.names(f"{ROSTERING}/schools", a_caller(purpose=Purpose.ACCOUNTABILITY)) == ["north", "south"]


async def test_a_database_that_is_away_is_a_server_that_is_busy(told: Rest) -> None:
    away = Rest(told.database.__class__("postgresql://nobody@127.0.0.1:1/none", name="roster"))

    answer = await away.ask(f"{ROSTERING}/orgs")

    assert answer.status_code == 429
    assert "retry-after" in answer.headers
    _check(answer.json(), ROSTERING, "server_busy")
    await away.client.aclose()
    await away.database.close()


async def test_a_read_may_carry_a_body(told: Rest) -> None:
    answer = await told.ask(f"{ROSTERING}/schools", content=b'{"unread": true}')

    assert answer.status_code == 200
