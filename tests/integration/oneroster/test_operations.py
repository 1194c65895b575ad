"""Every operation that reads the rostering and the resources service, in both versions, against what is official."""

import re

import pytest

from tests.integration.oneroster import official
from tests.integration.oneroster.conftest import PUBLIC, V11, Rest, a_caller

pytestmark = pytest.mark.skipif(not official.HERE, reason="the official descriptions are not here")
READS = [*official.operations("rostering"), *official.operations("resources")]
NAMES = {
    "orgs": "d", "schools": "north", "academicSessions": "year", "terms": "fall", "gradingPeriods": "q1",
    "courses": "math", "classes": "north-7a", "users": "north-s0", "students": "north-s0", "teachers": "north-t",
    "enrollments": "north-s0-7a", "demographics": "north-s0", "resources": "book",
}  # fmt: skip


def filled(path: str) -> str:
    """The path with sourcedIds of the small district."""
    return re.sub(r"/(\w+)/\{[^}]*\}", lambda found: f"/{found[1]}/{NAMES[found[1]]}", path)


def test_all_forty_one_and_five_are_there() -> None:
    assert len(list(official.operations("rostering"))) == 41
    assert len(list(official.operations("resources"))) == 5
    assert len(official.operations_11()) == 45


@pytest.mark.parametrize("operation", READS, ids=lambda one: one.name)
async def test_it_answers_something_that_keeps_the_schema(told: Rest, operation: official.Operation) -> None:
    body = await told.get(f"/ims/oneroster/{operation.service}/v1p2{filled(operation.path)}")

    official.check(operation.service, operation.path, 200, body)
    (first,) = body.values()
    assert first


@pytest.mark.parametrize("operation", READS, ids=lambda one: one.name)
async def test_only_its_own_scopes_open_it(told: Rest, operation: official.Operation) -> None:
    address = f"/ims/oneroster/{operation.service}/v1p2{filled(operation.path)}"
    every = {scope for one in READS for scope in one.scopes}

    for scope in every:
        answer = await told.ask(address, a_caller(scopes=frozenset({scope, "roster:read", "demographics:read"})))

        assert answer.status_code == (200 if scope in operation.scopes else 403), scope
        if answer.status_code == 403:
            official.check(operation.service, operation.path, 403, answer.json())


@pytest.mark.parametrize("operation", READS, ids=lambda one: one.name)
async def test_what_is_not_there_is_said_in_the_form_of_the_standard(told: Rest, operation: official.Operation) -> None:
    if "{" not in operation.path:
        return
    path = re.sub(r"\{[^}]*\}", "nobody", operation.path)

    answer = await told.ask(f"/ims/oneroster/{operation.service}/v1p2{path}")

    assert answer.status_code == 404
    official.check(operation.service, operation.path, 404, answer.json())


@pytest.mark.parametrize("path", official.operations_11())
async def test_1_1_answers_in_any_case_and_with_a_slash(told: Rest, path: str) -> None:
    words = filled(path).split("/")
    shouted = "/".join(word.upper() if place % 2 else word for place, word in enumerate(words))

    plain = await told.get(V11 + filled(path))
    other = await told.get(f"{V11}{shouted}/?limit=100")

    (first,) = plain.values()
    assert first
    assert other == plain


async def test_references_lead_to_where_they_are_found(told: Rest) -> None:
    body = await told.get("/ims/oneroster/rostering/v1p2/users/north-s0")
    addresses = re.findall(r'"href": ?"([^"]+)"', str(body).replace("'", '"'))

    assert any("/resources/v1p2/resources/book" in address for address in addresses)
    for address in addresses:
        assert address.startswith(PUBLIC)
        assert (await told.ask(address.removeprefix(PUBLIC))).status_code == 200
