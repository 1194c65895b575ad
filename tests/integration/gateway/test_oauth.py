"""The token endpoint: a key becomes an access token, and errors are those of RFC 6749."""

import base64
from typing import Any

import httpx
import jwt
import pytest

from services.gateway.keys.scopes import VERSION_1_1, VERSION_1_2
from shared.auth import SCOPES
from tests.integration.gateway.conftest import OPERATOR, Gateway

URL = "/oauth2/token"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def key(gateway: Gateway) -> dict[str, Any]:
    await gateway.new_district()
    return await gateway.new_key()


def basic(id_: str, secret: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{id_}:{secret}".encode()).decode()}


def said(key: dict[str, Any]) -> dict[str, str]:
    return GRANT | {"client_id": key["id"], "client_secret": key["key"]}


async def ask(gateway: Gateway, form: dict[str, str], **how: Any) -> httpx.Response:
    return await gateway.http.post(URL, data=form, **how)


class TestAToken:
    async def test_is_given_for_a_key_in_the_form_or_by_basic_authentication(
        self, gateway: Gateway, key: dict[str, Any]
    ) -> None:
        in_form = await ask(gateway, said(key))
        by_basic = await ask(gateway, GRANT, headers=basic(key["id"], key["key"]))
        named_twice = await ask(gateway, GRANT | {"client_id": key["id"]}, headers=basic(key["id"], key["key"]))

        for answer in (in_form, by_basic, named_twice):
            assert answer.status_code == 200, answer.text
            assert answer.json()["token_type"] == "Bearer"
            assert 0 < answer.json()["expires_in"] <= 3600
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["ratelimit"].startswith('"cost";r=')

    async def test_names_the_key_and_its_scopes_and_not_its_secret(self, gateway: Gateway, key: dict[str, Any]) -> None:
        answer = (await ask(gateway, said(key) | {"scope": VERSION_1_2 + "roster-core.readonly"})).json()

        claims = jwt.decode(answer["access_token"], options={"verify_signature": False})

        assert (claims["sub"], claims["scope"]) == (key["id"], "roster-core.readonly")
        assert key["key"].rpartition("_")[2] not in str(claims)
        assert jwt.get_unverified_header(answer["access_token"])["alg"] == "HS256"

    async def test_for_a_key_that_ends_soon_ends_with_it(self, gateway: Gateway, key: dict[str, Any]) -> None:
        gateway.clock.forward(days=89, hours=23, minutes=30)

        answer = (await ask(gateway, said(key))).json()

        assert 1700 < answer["expires_in"] <= 1800

    async def test_has_everything_the_key_implies_when_nothing_is_asked_for(self, gateway: Gateway) -> None:
        await gateway.new_district()
        reader = await gateway.new_key(scopes=["roster:read", "mastery:read"])

        answer = (await ask(gateway, said(reader))).json()

        names = {one.removeprefix(VERSION_1_2) for one in answer["scope"].split()}
        assert names == {"roster.readonly", "roster-core.readonly", "resource.readonly", "resource-core.readonly"}

    async def test_has_what_is_asked_for_as_far_as_the_key_implies_it_in_the_words_of_either_version(
        self, gateway: Gateway
    ) -> None:
        await gateway.new_district()
        reader = await gateway.new_key(scopes=["roster:read"])
        asked = f"{VERSION_1_1}roster.readonly {VERSION_1_1}roster-demographics.readonly openid"

        answer = (await ask(gateway, said(reader) | {"scope": asked})).json()

        assert answer["scope"] == f"{VERSION_1_1}roster.readonly"


class TestAnError:
    async def test_invalid_client_is_one_answer_whatever_is_wrong(self, gateway: Gateway, key: dict[str, Any]) -> None:
        other = await gateway.new_key()
        elsewhere = await gateway.new_key(networks=["203.0.113.0/24"])
        revoked = await gateway.new_key()
        await gateway.ask("DELETE", f"/v1/keys/{revoked['id']}", key["key"])
        wrong = [
            (key["id"], "wrong"), (key["id"], other["key"]), (other["id"], key["key"]), ("", key["key"]),
            (elsewhere["id"], elsewhere["key"]), (revoked["id"], revoked["key"]), (key["id"], OPERATOR),
        ]  # fmt: skip

        answers = [await ask(gateway, GRANT, headers=basic(*one)) for one in wrong]

        assert {(one.status_code, one.json()["error"]) for one in answers} == {(401, "invalid_client")}
        assert len({one.text for one in answers}) == 1
        assert all(one.headers["www-authenticate"].startswith("Basic") for one in answers)

    async def test_invalid_client_is_the_answer_to_nobody(self, gateway: Gateway) -> None:
        for headers in ({}, {"authorization": "Basic %%%"}, {"authorization": "Bearer x"}):
            answer = await ask(gateway, GRANT, headers=headers)

            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({}, "invalid_request"), ({"grant_type": ""}, "invalid_request"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
            (GRANT | {"scope": "openid"}, "invalid_scope"),
            (GRANT | {"scope": VERSION_1_2 + "roster.readwrite"}, "invalid_scope"),
            (GRANT | {"client_secret": "x"}, "invalid_request"),
            (GRANT | {"client_id": "x"}, "invalid_request"),
        ],
    )  # fmt: skip
    async def test_says_what_is_wrong_with_the_request(
        self, gateway: Gateway, key: dict[str, Any], form: dict[str, str], error: str
    ) -> None:
        answer = await ask(gateway, form, headers=basic(key["id"], key["key"]))

        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert answer.headers["cache-control"] == "no-store"

    async def test_invalid_request_is_a_body_of_another_kind_a_doubled_parameter_and_too_many_bytes(
        self, gateway: Gateway, key: dict[str, Any]
    ) -> None:
        headers = basic(key["id"], key["key"])
        form = {"content-type": "application/x-www-form-urlencoded"}

        as_json = await gateway.http.post(URL, json=GRANT, headers=headers)
        twice = await gateway.http.post(URL, content=b"grant_type=a&grant_type=b", headers=headers | form)
        large = await gateway.http.post(URL, content=b"scope=" + b"x" * 20_000, headers=headers | form)
        no_text = await gateway.http.post(URL, content=b"grant_type=\xff\xfe", headers=headers | form)

        assert [one.status_code for one in (as_json, twice, large, no_text)] == [400, 400, 413, 400]
        assert {one.json()["error"] for one in (as_json, twice, large, no_text)} == {"invalid_request"}

    async def test_invalid_scope_is_a_key_whose_scopes_are_worth_nothing_in_oneroster(self, gateway: Gateway) -> None:
        await gateway.new_district()
        loader = await gateway.new_key(scopes=sorted(SCOPES & {"imports:write", "keys:admin", "mastery:read"}))

        answer = await ask(gateway, said(loader))

        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
