"""Districts and keys, from making one to its end."""

import re
from typing import Any
from uuid import UUID

import pytest

from services.gateway.graph.ids import node_id
from services.gateway.keys import secret
from services.gateway.keys.door import REMEMBERED_SECONDS
from services.gateway.keys.grants import district_id
from shared.auth import SCOPES
from tests.integration.gateway.conftest import OPERATOR, Gateway
from tests.unit.gateway.world import World, an_id

ROUTES = [
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/abc"),
    ("POST", "/v1/keys/abc/rotate"),
    ("GET", "/v1/districts"),
    ("POST", "/v1/districts"),
    ("POST", "/v1/imports/roster"),
    ("GET", "/v1/imports/roster-00000000-0000-0000-0000-000000000000"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/nothing/here"),
    ("POST", "/graphql"),
]


class TestADistrict:
    async def test_has_an_id_that_follows_from_its_slug(self, gateway: Gateway) -> None:
        made = await gateway.new_district("north")

        assert UUID(made["id"]) == district_id("north")

    async def test_is_made_once_however_often_it_is_asked_for(self, gateway: Gateway) -> None:
        ask = {"slug": "north", "name": "North"}

        first = await gateway.ask("POST", "/v1/districts", OPERATOR, json=ask)
        again = await gateway.ask("POST", "/v1/districts", OPERATOR, json=ask)
        other = await gateway.ask("POST", "/v1/districts", OPERATOR, json=ask | {"name": "South"})

        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json() == again.json()
        assert len((await gateway.ask("GET", "/v1/districts", OPERATOR)).json()) == 1

    async def test_needs_a_plain_slug(self, gateway: Gateway) -> None:
        for slug in ("", "North", "north district", "-north", "north-", "é", "a" * 64, "x'; --"):
            answer = await gateway.ask("POST", "/v1/districts", OPERATOR, json={"slug": slug, "name": "North"})

            assert answer.status_code == 422, slug

    async def test_is_not_made_or_listed_with_a_key(self, gateway: Gateway) -> None:
        await gateway.new_district()
        key = (await gateway.new_key())["key"]

        made = await gateway.ask("POST", "/v1/districts", key, json={"slug": "south", "name": "South"})
        listed = await gateway.ask("GET", "/v1/districts", key)

        assert (made.status_code, listed.status_code) == (403, 403)


class TestWithoutAKey:
    async def test_every_route_says_401_and_nothing_else(self, gateway: Gateway) -> None:
        fakes = [None, "trl_live_wrong", secret.new().text, "trl_oper_" + "x" * 43, b"Bearer \xd0\xba\xd0\xbb"]
        for method, path in ROUTES:
            answers = []
            for fake in fakes:
                headers = {"accept": "application/json"}
                if fake is not None:
                    headers["authorization"] = fake if isinstance(fake, bytes) else f"Bearer {fake}"  # type: ignore[assignment]  # bytes
                answers.append(await gateway.http.request(method, path, headers=headers, content=b"{ broken"))

            assert {answer.status_code for answer in answers} == {401}, f"{method} {path}"
            assert len({answer.text for answer in answers}) == 1
            assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in answers)

    async def test_no_documented_route_is_forgotten_here(self, gateway: Gateway) -> None:
        documented = {
            (method.upper(), path) for path, methods in gateway.app.openapi()["paths"].items() for method in methods
        }
        for method, path in documented:  # the gate stands before every route: each is refused, those of no list too
            answer = await gateway.ask(method, re.sub(r"\{[^}]+\}", "abc", path), None)
            assert answer.status_code == 401 or path == "/oauth2/token", path
        by_themselves = ("/v1/imports", "/v1/exports", "/v1/roster", "/v1/identity", "/oauth2")
        documented = {(method, path) for method, path in documented if not path.startswith(by_themselves)}
        tried = {(method, re.sub(r"/abc", "/{key_id}", path)) for method, path in ROUTES}
        tried |= {("POST", "/v1/imports/{kind}"), ("GET", "/v1/imports/{import_id}")}

        assert documented <= tried

    async def test_health_and_the_page_with_what_it_loads_are_open(self, gateway: Gateway) -> None:
        assert (await gateway.ask("GET", "/healthz", None)).status_code == 200
        assert (await gateway.ask("GET", "/readyz", None)).status_code == 200
        page = await gateway.ask("GET", "/graphql", None, headers={"accept": "text/html"})
        assert page.status_code == 200
        for loaded in ("graphiql.min.js", "graphiql.min.css", "react.production.min.js", "start.js", "start.css"):
            assert f"/graphiql/{loaded}" in page.text
            assert (await gateway.ask("GET", f"/graphiql/{loaded}", None)).status_code == 200
        assert "http://" not in page.text
        assert "https://" not in page.text

    async def test_what_lies_beside_the_page_is_not_served(self, gateway: Gateway) -> None:
        for path in ("/graphiql/../main.py", "/graphiql/%2e%2e/main.py", "/graphiql/..%2fmain.py"):
            assert (await gateway.ask("GET", path, None)).status_code in (401, 404)


class TestAKey:
    async def test_opens_the_door_until_it_expires(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key(expires_in_days=10)

        assert await gateway.opens(made["key"])
        gateway.clock.forward(days=9, hours=23)
        assert await gateway.opens(made["key"])
        gateway.clock.forward(hours=2)
        assert not await gateway.opens(made["key"])

    async def test_opens_nothing_within_five_seconds_of_its_revocation_even_elsewhere(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key()
        assert await gateway.opens(made["key"])
        async with gateway.database.system() as tx:  # as another replica would, whose cache is not ours
            await tx.run("UPDATE api_keys SET revoked_at = now()")

        assert await gateway.opens(made["key"])  # still believed
        gateway.clock.forward(seconds=REMEMBERED_SECONDS + 0.1)

        assert REMEMBERED_SECONDS <= 5
        assert not await gateway.opens(made["key"])

    async def test_revoked_here_opens_nothing_at_once(self, gateway: Gateway) -> None:
        await gateway.new_district()
        admin, doomed = await gateway.new_key(), await gateway.new_key()
        assert await gateway.opens(doomed["key"])

        answer = await gateway.ask("DELETE", f"/v1/keys/{doomed['id']}", admin["key"])

        assert answer.status_code == 204
        assert not await gateway.opens(doomed["key"])
        assert await gateway.opens(admin["key"])

    async def test_with_the_right_id_and_another_secret_opens_nothing(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key()

        assert await gateway.opens(made["key"])
        assert not await gateway.opens(secret.renewed(made["id"]).text)
        assert await gateway.opens(made["key"])

    async def test_that_is_fake_costs_no_look_up(self, gateway: Gateway) -> None:
        await gateway.database.close()

        answer = await gateway.ask("GET", "/v1/keys", "trl_live_" + "a" * 12 + "_" + "b" * 49)

        assert answer.status_code == 401

    async def test_is_kept_without_its_secret(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key()
        key = secret.read(made["key"])
        assert key is not None

        async with gateway.database.system() as tx:
            kept = str([dict(row) for row in await tx.fetch("SELECT * FROM api_keys")])
        listed = (await gateway.ask("GET", "/v1/keys", made["key"])).text

        assert key.secret not in kept
        assert key.secret not in listed
        assert 'secret":' not in listed.replace("previous_secret_until", "")

    async def test_holds_twice_while_it_is_rotated(self, gateway: Gateway) -> None:
        await gateway.new_district()
        old = await gateway.new_key()

        answer = await gateway.ask("POST", f"/v1/keys/{old['id']}/rotate", old["key"], json={"overlap_hours": 2})
        new = answer.json()

        assert answer.status_code == 200
        assert new["id"] == old["id"]
        assert new["key"] != old["key"]
        assert await gateway.opens(old["key"])
        assert await gateway.opens(new["key"])
        gateway.clock.forward(hours=2, seconds=1)
        assert not await gateway.opens(old["key"])
        assert await gateway.opens(new["key"])

    async def test_notes_when_it_was_last_used(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key()
        assert made["last_used_at"] is None

        await gateway.opens(made["key"])

        [listed] = (await gateway.ask("GET", "/v1/keys", made["key"])).json()["items"]
        assert listed["last_used_at"] is not None

    async def test_for_a_network_opens_nothing_from_elsewhere(self, gateway: Gateway) -> None:
        await gateway.new_district()

        here = await gateway.new_key(networks=["198.51.100.0/24", "2001:db8::/32"])
        elsewhere = await gateway.new_key(networks=["203.0.113.0/24"])

        assert await gateway.opens(here["key"])
        assert not await gateway.opens(elsewhere["key"])

    async def test_that_makes_no_sense_is_not_made(self, gateway: Gateway) -> None:
        await gateway.new_district()
        wrong: list[dict[str, Any]] = [
            {"expires_in_days": 366}, {"expires_in_days": 0}, {"scopes": []}, {"scopes": ["everything"]},
            {"purpose": "curiosity"}, {"networks": ["somewhere"]}, {"networks": ["198.51.100.7/24"]}, {"schools": []},
            {"schools": ["sourcedId:no-such-school"]}, {"schools": ["nonsense"]}, {"name": ""}, {"typo": True},
            {"district": None},
        ]  # fmt: skip
        for one in wrong:
            answer = await gateway.try_key(**one)

            assert answer.status_code == 422, one
            assert answer.json()["code"] == "INVALID"
            assert answer.headers["content-type"] == "application/problem+json"

    async def test_is_not_made_for_a_district_that_does_not_exist(self, gateway: Gateway) -> None:
        assert (await gateway.try_key(district="nowhere")).status_code == 404


class TestWhoGives:
    async def test_nobody_gives_scopes_they_lack(self, gateway: Gateway) -> None:
        await gateway.new_district()
        giver = (await gateway.new_key(scopes=["keys:admin", "roster:read"]))["key"]

        within = await gateway.try_key(giver, scopes=["roster:read"])
        beyond = await gateway.try_key(giver, scopes=["roster:read", "mastery:read"])

        assert (within.status_code, beyond.status_code) == (201, 403)

    async def test_without_keys_admin_nobody_gives_sees_or_ends_a_key(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = await gateway.new_key(scopes=sorted(SCOPES - {"keys:admin"}))
        key, id_ = made["key"], made["id"]

        assert (await gateway.try_key(key, scopes=["roster:read"])).status_code == 403
        assert (await gateway.ask("GET", "/v1/keys", key)).status_code == 403
        assert (await gateway.ask("DELETE", f"/v1/keys/{id_}", key)).status_code == 403
        assert (await gateway.ask("POST", f"/v1/keys/{id_}/rotate", key, json={})).status_code == 403

    @pytest.mark.parametrize(
        ("giver", "given", "status"),
        [
            ("administration", "instruction", 201), ("administration", "accountability", 201),
            ("accountability", "accountability", 201), ("accountability", "instruction", 403),
            ("accountability", "administration", 403), ("research", "administration", 403),
        ],
    )  # fmt: skip
    async def test_accountability_never_turns_into_another_purpose(
        self, gateway: Gateway, giver: str, given: str, status: int
    ) -> None:
        await gateway.new_district()
        key = (await gateway.new_key(purpose=giver))["key"]

        assert (await gateway.try_key(key, purpose=given)).status_code == status

    async def test_a_key_for_a_school_gives_for_that_school_only(self, gateway: Gateway) -> None:
        await gateway.new_district()
        one = node_id("School", an_id(district_id("north"), "school:1"))
        giver = (await gateway.new_key(schools=["sourcedId:school-1"]))["key"]

        same = await gateway.try_key(giver, schools=[one])
        other = await gateway.try_key(giver, schools=["sourcedId:school-2"])
        more = await gateway.try_key(giver, schools=["sourcedId:school-1", "sourcedId:school-2"])
        whole = await gateway.try_key(giver)

        assert same.status_code == 201
        assert {other.status_code, more.status_code, whole.status_code} == {403}
        assert same.json()["schools"] == [str(an_id(district_id("north"), "school:1"))]

    async def test_a_key_for_a_school_sees_and_ends_only_its_like(self, gateway: Gateway) -> None:
        await gateway.new_district()
        mine = await gateway.new_key(schools=["sourcedId:school-1"])
        theirs = await gateway.new_key(schools=["sourcedId:school-2"])
        whole = await gateway.new_key()

        seen = (await gateway.ask("GET", "/v1/keys", mine["key"])).json()

        assert [one["id"] for one in seen["items"]] == [mine["id"]]
        assert (await gateway.ask("DELETE", f"/v1/keys/{theirs['id']}", mine["key"])).status_code == 404
        assert (await gateway.ask("DELETE", f"/v1/keys/{whole['id']}", mine["key"])).status_code == 404

    async def test_another_districts_keys_are_not_there(self, gateway: Gateway) -> None:
        await gateway.new_district("north")
        await gateway.new_district("south")
        ours = await gateway.new_key()
        theirs = await gateway.new_key(district="south")

        seen = (await gateway.ask("GET", "/v1/keys", ours["key"])).json()
        not_ours = await gateway.ask("DELETE", f"/v1/keys/{theirs['id']}", ours["key"])
        nothing = await gateway.ask("DELETE", "/v1/keys/nothing", ours["key"])
        asked = await gateway.ask("GET", "/v1/keys", ours["key"], params={"district": "south"})

        assert [one["id"] for one in seen["items"]] == [ours["id"]]
        assert (not_ours.status_code, not_ours.text) == (nothing.status_code, nothing.text) == (404, nothing.text)
        assert asked.status_code == 403

    async def test_the_operator_reads_no_student_and_sends_no_file(self, gateway: Gateway) -> None:
        graph = await gateway.ask("POST", "/graphql", OPERATOR, json={"query": "{ __typename }"})
        file = await gateway.ask("POST", "/v1/imports/roster", OPERATOR, content=b"x")

        assert (graph.status_code, file.status_code) == (401, 403)

    async def test_keys_are_listed_page_by_page(self, gateway: Gateway) -> None:
        await gateway.new_district()
        made = [await gateway.new_key() for _ in range(5)]

        seen, after = [], {}
        for _ in range(5):
            page = (await gateway.ask("GET", "/v1/keys", made[0]["key"], params={"first": "2"} | after)).json()
            seen += [one["id"] for one in page["items"]]
            if not page["has_next"]:
                break
            after = {"after": seen[-1]}

        assert seen == sorted(one["id"] for one in made)


class TestTheCallerInside:
    async def test_is_what_the_key_says(self, gateway: Gateway, world: World) -> None:
        await gateway.new_district()
        made = await gateway.new_key(scopes=["roster:read"], purpose="research", schools=["sourcedId:school-1"])
        world.callers.clear()

        await gateway.ask(
            "POST", "/graphql", made["key"], json={"query": '{ school(id: "sourcedId:school-1") { id } }'}
        )

        [caller] = world.callers
        assert caller.district == district_id("north")
        assert caller.subject == f"key:{made['id']}"
        assert caller.scopes == {"roster:read"}
        assert caller.purpose == "research"
        assert caller.schools == (an_id(district_id("north"), "school:1"),)
