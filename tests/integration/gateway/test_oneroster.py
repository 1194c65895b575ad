"""OneRoster through the public door: who may pass, how requests pass, and what is said to who may not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from services.gateway.keys.door import REMEMBERED_SECONDS
from services.gateway.keys.scopes import VERSION_1_1, VERSION_1_2, implied
from services.gateway.main import build_app
from services.gateway.oneroster.passage import Passage
from shared.auth import SCOPES, Tokens
from shared.db import Database
from tests.integration.gateway.conftest import OPERATOR, PEPPER, Clock, Gateway
from tests.integration.gateway.rostering import JSON, Roster
from tests.integration.gateway.wire import served
from tests.unit.gateway.world import SECRET, World, clients

USERS = "/ims/oneroster/rostering/v1p2/users"
USERS_1_1 = "/ims/oneroster/v1p1/users"


@dataclass
class OneRostering(Gateway):
    """The gateway in front of a roster that notes what comes."""

    async def token(self, key: dict[str, Any], *names: str, version: str = VERSION_1_2) -> str:
        form = {"grant_type": "client_credentials", "client_id": key["id"], "client_secret": key["key"]}
        if names:
            form["scope"] = " ".join(version + name for name in names)
        answer = await self.http.post("/oauth2/token", data=form)
        assert answer.status_code == 200, answer.text
        got: str = answer.json()["access_token"]
        return got


@pytest.fixture
def roster() -> Roster:
    return Roster()


@pytest.fixture
def settings() -> dict[str, Any]:
    return {}


@pytest.fixture
async def gateway(
    fresh_database: Callable[[str], Awaitable[Database]], roster: Roster, settings: dict[str, Any]
) -> AsyncIterator[OneRostering]:
    database, clock = await fresh_database("gateway"), Clock()
    async with served(roster) as address:
        passage = Passage(address, Tokens(SECRET))
        how = {"passage": passage} | settings
        app = build_app(
            database, clients(World()), pepper=PEPPER, operator_secret=OPERATOR, now=clock,
            monotonic=clock.monotonic, **how,
        )  # fmt: skip
        transport = httpx.ASGITransport(app, client=("198.51.100.7", 40000), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            yield OneRostering(http, clock, database, app)
        await passage.close()


@pytest.fixture
async def key(gateway: OneRostering) -> dict[str, Any]:
    await gateway.new_district()
    return await gateway.new_key()


class TestAKeyOrAToken:
    async def test_passes_with_the_caller_the_key_says(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        answer = await gateway.ask("GET", USERS, key["key"])

        assert answer.status_code == 200
        [arrived] = roster.arrived
        assert arrived.caller.subject == f"key:{key['id']}"
        assert arrived.caller.scopes == SCOPES

    async def test_passes_with_the_scopes_that_were_granted_and_what_they_need_inside(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        core = await gateway.token(key, "roster-core.readonly")
        old = await gateway.token(key, "gradebook.readonly", "gradebook.createput", version=VERSION_1_1)
        for token in (core, old):
            await gateway.ask("GET", USERS, token)

        first, second = (one.caller for one in roster.arrived)
        assert first.subject == second.subject == f"key:{key['id']}"
        assert first.scopes == {"roster:read", VERSION_1_2 + "roster-core.readonly"}
        assert second.scopes == {
            "assessment:read", "gradebook:write",
            VERSION_1_2 + "gradebook.readonly", VERSION_1_2 + "gradebook.createput",
        }  # fmt: skip

    async def test_of_named_schools_stays_with_them(self, gateway: OneRostering, roster: Roster) -> None:
        await gateway.new_district()
        key = await gateway.new_key(schools=["sourcedId:school-1"], purpose="instruction")

        await gateway.ask("GET", USERS, await gateway.token(key))

        [arrived] = roster.arrived
        assert [str(one) for one in arrived.caller.schools or ()] == key["schools"]
        assert arrived.caller.purpose == "instruction"

    async def test_says_all_names_of_an_administrators_key(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        await gateway.ask("GET", USERS, await gateway.token(key))

        purls = {one for one in roster.arrived[0].caller.scopes if one.startswith("https:")}
        assert purls == {VERSION_1_2 + name for name in implied(SCOPES)}
        assert len(purls) == 13


class TestAToken:
    async def test_opens_nothing_but_oneroster(self, gateway: OneRostering, key: dict[str, Any]) -> None:
        token = await gateway.token(key)

        assert (await gateway.ask("GET", USERS, token)).status_code == 200
        assert (await gateway.ask("GET", "/v1/keys", token)).status_code == 401
        assert (await gateway.ask("POST", "/v1/imports/roster", token, content=b"x")).status_code == 401
        assert (await gateway.ask("POST", "/graphql", token, json={"query": "{ __typename }"})).status_code == 401

    async def test_ends_after_an_hour(self, gateway: OneRostering, key: dict[str, Any]) -> None:
        token = await gateway.token(key)
        gateway.clock.forward(minutes=59)
        early = await gateway.ask("GET", USERS, token)
        gateway.clock.forward(minutes=2)
        late = await gateway.ask("GET", USERS, token)

        assert (early.status_code, late.status_code) == (200, 401)

    async def test_ends_with_its_key_at_once_and_elsewhere_within_five_seconds(
        self, gateway: OneRostering, key: dict[str, Any]
    ) -> None:
        doomed, elsewhere = await gateway.new_key(), await gateway.new_key()
        tokens = [await gateway.token(doomed), await gateway.token(elsewhere)]
        assert [(await gateway.ask("GET", USERS, one)).status_code for one in tokens] == [200, 200]

        await gateway.ask("DELETE", f"/v1/keys/{doomed['id']}", key["key"])
        async with gateway.database.system() as tx:  # as another replica would, whose cache is not ours
            await tx.run("UPDATE api_keys SET revoked_at = now() WHERE id = $1", elsewhere["id"])
        at_once = (await gateway.ask("GET", USERS, tokens[0])).status_code
        gateway.clock.forward(seconds=REMEMBERED_SECONDS + 0.1)

        assert at_once == 401
        assert (await gateway.ask("GET", USERS, tokens[1])).status_code == 401

    async def test_ends_with_the_secret_it_was_got_for(self, gateway: OneRostering, key: dict[str, Any]) -> None:
        token = await gateway.token(key)
        renewed = await gateway.ask("POST", f"/v1/keys/{key['id']}/rotate", key["key"], json={"overlap_hours": 0})

        assert (await gateway.ask("GET", USERS, token)).status_code == 401
        assert (await gateway.ask("GET", USERS, await gateway.token(renewed.json()))).status_code == 200

    async def test_holds_in_the_networks_of_its_key_only(self, gateway: OneRostering, key: dict[str, Any]) -> None:
        token = await gateway.token(key)
        async with gateway.database.system() as tx:
            await tx.run("UPDATE api_keys SET networks = '{203.0.113.0/24}' WHERE id = $1", key["id"])
        gateway.clock.forward(seconds=REMEMBERED_SECONDS + 0.1)

        assert (await gateway.ask("GET", USERS, token)).status_code == 401

    @pytest.mark.parametrize("change", ["x", "", "."])
    async def test_that_was_changed_opens_nothing(
        self, gateway: OneRostering, key: dict[str, Any], change: str
    ) -> None:
        head, claims, sign = (await gateway.token(key)).split(".")

        for forged in (f"{head}.{change}{claims}.{sign}", f"{head}.{claims}.{change}", f"{head}.{claims}{change}"):
            if forged != f"{head}.{claims}.{sign}":
                assert (await gateway.ask("GET", USERS, forged)).status_code == 401

    async def test_notes_that_its_key_is_used(self, gateway: OneRostering, key: dict[str, Any]) -> None:
        reader = await gateway.new_key()
        token = await gateway.token(reader)
        gateway.clock.forward(minutes=10)

        await gateway.ask("GET", USERS, token)

        listed = (await gateway.ask("GET", "/v1/keys", key["key"])).json()["items"]
        [used] = [one["last_used_at"] for one in listed if one["id"] == reader["id"]]
        assert used.startswith(gateway.clock.now.isoformat()[:19])


class TestWhoMayNotPass:
    @pytest.mark.parametrize("bearer", [None, "trl_live_wrong", "a.b.c", OPERATOR, "Ж".encode().decode("latin-1")])
    async def test_is_told_in_the_words_of_the_version(
        self, gateway: OneRostering, roster: Roster, bearer: str | None
    ) -> None:
        headers = {} if bearer is None else {"authorization": f"Bearer {bearer}".encode("latin-1")}

        new = await gateway.http.get(USERS, headers=headers)  # type: ignore[arg-type]  # bytes are allowed
        old = await gateway.http.get(USERS_1_1.upper(), headers=headers)  # type: ignore[arg-type]  # bytes are allowed

        assert (new.status_code, old.status_code) == (401, 401)
        assert new.json() == {
            "imsx_codeMajor": "failure",
            "imsx_severity": "error",
            "imsx_description": new.json()["imsx_description"],
            "imsx_CodeMinor": {
                "imsx_codeMinorField": [
                    {
                        "imsx_codeMinorFieldName": "TargetEndSystem",
                        "imsx_codeMinorFieldValue": "unauthorisedrequest",
                    }
                ]
            },
        }
        assert old.json() | {"Description": ""} == {
            "CodeMajor": "failure", "Severity": "error", "CodeMinor": "unauthorized", "Description": "",
        }  # fmt: skip
        assert all(one.headers["www-authenticate"].startswith("Bearer") for one in (new, old))
        assert roster.arrived == []

    @pytest.mark.parametrize("settings", [{"cost_per_minute": 3}])
    async def test_because_it_was_too_often_is_told_when_to_come_back(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        token = await gateway.token(key)
        allowed = [(await gateway.ask("GET", USERS, key["key"])).status_code for _ in range(2)]

        with_key = await gateway.ask("GET", USERS, key["key"])
        with_token = await gateway.ask("GET", USERS_1_1, token)
        another = await gateway.http.post(
            "/oauth2/token",
            data={"grant_type": "client_credentials", "client_id": key["id"], "client_secret": key["key"]},
        )

        assert allowed == [200, 200]
        assert {one.status_code for one in (with_key, with_token, another)} == {429}
        [minor] = with_key.json()["imsx_CodeMinor"]["imsx_codeMinorField"]
        assert minor["imsx_codeMinorFieldValue"] == with_token.json()["CodeMinor"] == "server_busy"
        for answer in (with_key, with_token, another):
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["ratelimit"].startswith('"cost";r=0')
        assert len(roster.arrived) == 2

    @pytest.mark.parametrize("settings", [{"passage": Passage("http://127.0.0.1:9", Tokens(SECRET))}])
    async def test_because_the_roster_is_away_is_told_to_come_back(
        self, gateway: OneRostering, key: dict[str, Any]
    ) -> None:
        new = await gateway.ask("GET", USERS, key["key"])
        old = await gateway.ask("PUT", USERS_1_1, key["key"], content=b"{}")

        [minor] = new.json()["imsx_CodeMinor"]["imsx_codeMinorField"]
        assert (new.status_code, minor["imsx_codeMinorFieldValue"]) == (503, "internal_server_error")
        assert (old.status_code, old.json()["CodeMajor"]) == (503, "failure")
        assert new.headers["retry-after"] == old.headers["retry-after"] == "1"


class TestAQuestion:
    async def test_carries_what_matters_and_nothing_that_is_the_gateways(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        headers = {
            "accept": "application/json;q=1", "prefer": "x=y", "content-type": "text/plain", "cookie": "a=b",
            "x-forwarded-host": "evil", "x-public-url": "https://evil", "traceparent": "nonsense",
        }  # fmt: skip

        await gateway.http.get(USERS, headers=headers | {"authorization": f"Bearer {key['key']}"})

        [arrived] = roster.arrived
        assert arrived.headers[b"accept"] == b"application/json;q=1"
        assert arrived.headers[b"prefer"] == b"x=y"
        assert arrived.headers[b"content-type"] == b"text/plain"
        assert arrived.address == "http://gateway"
        assert b"cookie" not in arrived.headers
        assert b"x-forwarded-host" not in arrived.headers
        assert key["key"].encode() not in arrived.headers[b"authorization"]

    @pytest.mark.parametrize(
        ("host", "address"),
        [
            ("district.example:8443", "http://district.example:8443"), ("[::1]:80", "http://[::1]:80"),
            ("a/../b", "http://gateway:None"), ('"><script>', "http://gateway:None"), ("", "http://gateway:None"),
        ],
    )  # fmt: skip
    async def test_tells_the_roster_where_the_client_saw_us(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any], host: str, address: str
    ) -> None:
        await gateway.http.get(USERS, headers={"host": host, "authorization": f"Bearer {key['key']}"})

        assert roster.arrived[0].address == address

    @pytest.mark.parametrize("settings", [{"public_url": "https://roster.example"}])
    async def test_tells_the_roster_the_public_address_that_is_set(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        await gateway.ask("GET", USERS, key["key"])

        assert roster.arrived[0].address == "https://roster.example"

    async def test_may_have_a_body_which_stays_behind(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        answers = [await gateway.ask("GET", USERS, key["key"], content=b"{}") for _ in range(2)]

        assert [one.status_code for one in answers] == [200, 200]
        assert {one.body for one in roster.arrived} == {b""}


class TestAChange:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    async def test_takes_its_body_along_whole_or_in_pieces(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any], method: str
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            for number in range(50):
                yield str(number).encode() * 10_000

        whole = b"".join([piece async for piece in pieces()])
        await gateway.ask(method, USERS, key["key"], content=b'{"result": {}}')
        await gateway.ask(method, USERS, key["key"], content=pieces())
        await gateway.ask(method, USERS, key["key"])

        assert [one.body for one in roster.arrived] == [b'{"result": {}}', whole, b""]
        assert {one.method for one in roster.arrived} == {method}

    async def test_of_deletion_passes_and_answers_with_nothing(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        roster.status, roster.headers, roster.pieces = 204, [], []

        answers = [await gateway.ask("DELETE", f"{USERS}/{n}", key["key"]) for n in range(3)]

        assert [(one.status_code, one.content) for one in answers] == [(204, b"")] * 3


class TestAnAnswer:
    async def test_comes_back_with_what_is_said_in_it(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        link = b'<https://x/y?offset=100>; rel="next"' + b", <https://x/z>" * 3_000
        said = {
            b"link": link, b"x-total-count": b"12", b"etag": b'"a"', b"location": b"/l", b"retry-after": b"3",
            b"x-trellis-revision": b"77", b"cache-control": b"private", b"content-type": b"application/json",
        }  # fmt: skip
        roster.status, roster.headers = 422, [*said.items(), (b"set-cookie", b"a=b"), (b"x-secret", b"s")]

        answer = await gateway.ask("GET", USERS, key["key"])

        assert answer.status_code == 422
        for name, value in said.items():
            assert answer.headers[name.decode()] == value.decode()
        assert "set-cookie" not in answer.headers
        assert "x-secret" not in answer.headers
        assert answer.headers["ratelimit-policy"] == '"cost";q=120000;w=60'

    async def test_of_many_pieces_arrives_whole(
        self, gateway: OneRostering, roster: Roster, key: dict[str, Any]
    ) -> None:
        roster.pieces = [str(n).encode() * 40_000 for n in range(60)]

        answer = await gateway.ask("GET", USERS, key["key"])

        assert answer.content == b"".join(roster.pieces)

    async def test_to_head_has_no_body(self, gateway: OneRostering, roster: Roster, key: dict[str, Any]) -> None:
        roster.headers = [JSON, (b"content-length", b"13")]

        answers = [await gateway.ask("HEAD", USERS, key["key"]) for _ in range(3)]

        assert {(one.status_code, one.content, one.headers["content-length"]) for one in answers} == {(200, b"", "13")}
