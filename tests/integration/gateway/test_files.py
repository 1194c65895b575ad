"""Files through the public door."""

from typing import Any

import pytest

from services.gateway.imports import OWNERS
from services.gateway.keys.grants import district_id
from shared.auth import SCOPES
from tests.integration.gateway.conftest import Gateway
from tests.unit.gateway.world import PROBABILITY, SCORE, THETA, World, an_id

FACT = "trellis.events.assessment.v1.AttemptsScored"


@pytest.fixture
async def key(gateway: Gateway, world: World) -> str:
    world.imports_of = district_id("north")
    await gateway.new_district()
    made: str = (await gateway.new_key())["key"]
    return made


IMPORTED = an_id(district_id("north"), "import")


class TestAFile:
    @pytest.mark.parametrize(
        ("kind", "owner"),
        [
            ("roster", "roster"),
            ("attendance", "roster"),
            ("closures", "roster"),
            ("framework", "mastery"),
            ("forms", "assessment"),
            ("answers", "assessment"),
            ("programme", "partnership"),
            ("willingness", "partnership"),
        ],
    )
    async def test_goes_to_the_service_that_owns_its_kind(
        self, gateway: Gateway, world: World, key: str, kind: str, owner: str
    ) -> None:
        answer = await gateway.ask(
            "POST", f"/v1/imports/{kind}?keep_good=true", key, content=b"the file", headers={"idempotency-key": "once"}
        )

        assert answer.status_code == 202
        assert answer.json()["url"] == answer.headers["location"] == f"/v1/imports/{answer.json()['id']}"
        assert answer.json()["id"].startswith(f"{kind}-")
        assert world.uploads == [(f"{owner}/{kind}", b"the file", {"keep_good": "True", "idempotency": "once"})]

    async def test_of_another_kind_has_no_owner_and_is_told_which_kinds_have(self, gateway: Gateway, key: str) -> None:
        answer = await gateway.ask("POST", "/v1/imports/gossip", key, content=b"x")

        assert answer.status_code == 404
        assert all(kind in answer.json()["detail"] for kind in OWNERS)

    async def test_needs_its_scope_and_the_whole_district(self, gateway: Gateway, world: World, key: str) -> None:
        reader = (await gateway.new_key(scopes=sorted(SCOPES - {"imports:write"})))["key"]
        school = (await gateway.new_key(schools=["sourcedId:school-1"]))["key"]

        for not_enough in (reader, school):
            assert (await gateway.ask("POST", "/v1/imports/roster", not_enough, content=b"x")).status_code == 403
            path = f"/v1/imports/roster-{IMPORTED}"
            assert (await gateway.ask("GET", path, not_enough)).status_code == 403
        assert world.uploads == []

    @pytest.mark.parametrize("kind", ["answers", "programme", "willingness"])
    async def test_of_results_or_partnerships_is_nothing_for_accountability(
        self, gateway: Gateway, world: World, key: str, kind: str
    ) -> None:
        them = (await gateway.new_key(purpose="accountability"))["key"]

        assert (await gateway.ask("POST", f"/v1/imports/{kind}", them, content=b"x")).status_code == 403
        assert (await gateway.ask("GET", f"/v1/imports/{kind}-{IMPORTED}", them)).status_code == 403
        assert world.uploads == []

    async def test_of_answers_is_not_there_under_the_name_of_another_kind(
        self, gateway: Gateway, world: World, key: str
    ) -> None:
        world.import_kind = "answers"  # assessment, which owns forms too, knows both
        them = (await gateway.new_key(purpose="accountability"))["key"]

        for kind in ("forms", "roster"):
            assert (await gateway.ask("GET", f"/v1/imports/{kind}-{IMPORTED}", them)).status_code == 404
        assert (await gateway.ask("GET", f"/v1/imports/answers-{IMPORTED}", key)).status_code == 200

    async def test_is_unavailable_when_its_owner_is_away(self, gateway: Gateway, world: World, key: str) -> None:
        world.away.add("roster")

        answer = await gateway.ask("POST", "/v1/imports/roster", key, content=b"x")

        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


class TestItsReport:
    async def _report(self, gateway: Gateway, key: str) -> dict[str, Any]:
        answer = await gateway.ask("GET", f"/v1/imports/roster-{IMPORTED}", key)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def test_is_readable_when_everyone_who_listens_has_heard_everything(
        self, gateway: Gateway, world: World, key: str
    ) -> None:
        world.causes = {
            "assessment": {"announced": {FACT: 200}},
            "mastery": {"listens": [FACT], "heard": {FACT: 150}},
        }
        early = await self._report(gateway, key)
        world.causes["mastery"]["heard"] = {FACT: 200}
        late = await self._report(gateway, key)

        assert early["readable"] is False
        assert late["readable"] is True
        assert late["effects"]["announced"] == {FACT: 200}
        assert late["effects"]["heard"] == {"mastery": {FACT: 200}}

    async def test_is_not_readable_before_it_is_applied(self, gateway: Gateway, world: World, key: str) -> None:
        world.import_state = "merging"

        assert (await self._report(gateway, key))["readable"] is False

    async def test_is_not_readable_while_facts_wait(self, gateway: Gateway, world: World, key: str) -> None:
        world.causes = {
            "assessment": {"announced": {FACT: 5}},
            "mastery": {"listens": [FACT], "heard": {FACT: 5}, "waiting": {FACT: 2}},
        }

        report = await self._report(gateway, key)

        assert report["readable"] is False
        assert report["effects"]["waiting"] == {"mastery": 2}

    async def test_names_who_is_away_and_waits_for_them(self, gateway: Gateway, world: World, key: str) -> None:
        world.away.add("mastery")

        report = await self._report(gateway, key)

        assert report["readable"] is False
        assert report["effects"]["away"] == ["mastery"]

    async def test_tells_what_was_parked(self, gateway: Gateway, world: World, key: str) -> None:
        world.causes = {
            "assessment": {"announced": {FACT: 5}},
            "mastery": {"listens": [FACT], "heard": {FACT: 5}, "parked": {FACT: 1}},
        }

        assert (await self._report(gateway, key))["effects"]["parked"] == {"mastery": 1}

    async def test_of_another_district_looks_like_one_that_never_was(self, gateway: Gateway, key: str) -> None:
        await gateway.new_district("south")
        south = (await gateway.new_key(district="south"))["key"]

        not_yours = await gateway.ask("GET", f"/v1/imports/roster-{IMPORTED}", south)
        not_there = await gateway.ask("GET", f"/v1/imports/roster-{an_id(IMPORTED, 'nothing')}", south)

        assert (not_yours.status_code, not_yours.text) == (404, not_there.text)

    @pytest.mark.parametrize("id_", ["roster", "roster-", "gossip-1", "roster-123", "%20", "roster-../x"])
    async def test_of_no_import_is_not_there(self, gateway: Gateway, key: str, id_: str) -> None:
        assert (await gateway.ask("GET", f"/v1/imports/{id_}", key)).status_code == 404


class TestItsOptions:
    async def test_go_along_to_the_owner_as_they_are(self, gateway: Gateway, world: World, key: str) -> None:
        answer = await gateway.ask("POST", "/v1/imports/roster?strict=true&encoding=a%26b", key, content=b"x")

        assert answer.status_code == 202
        assert world.uploads[0][2] == {
            "keep_good": "False", "idempotency": "", "strict": "true", "encoding": "a&b"
        }  # fmt: skip

    @pytest.mark.parametrize("strange", ["", b"\xfc", b"\xc3\xbc"])
    async def test_an_idempotency_key_that_no_header_carries_further_is_refused(
        self, gateway: Gateway, world: World, key: str, strange: str | bytes
    ) -> None:
        answer = await gateway.ask(
            "POST", "/v1/imports/roster", key, content=b"x", headers={"idempotency-key": strange}
        )

        assert answer.status_code == 422
        assert world.uploads == []


class TestWhatAPersonDecides:
    @pytest.mark.parametrize("decision", ["approve", "reject", "apply", "undo"])
    async def test_goes_to_the_owner(self, gateway: Gateway, world: World, key: str, decision: str) -> None:
        world.import_state = "held"

        answer = await gateway.ask("POST", f"/v1/imports/roster-{IMPORTED}:{decision}", key)

        assert (answer.status_code, answer.json()["id"]) == (200, f"roster-{IMPORTED}")
        assert world.decisions == [f"roster/{decision}"]

    async def test_that_comes_too_late_is_a_conflict(self, gateway: Gateway, world: World, key: str) -> None:
        world.import_state = "applied"

        answer = await gateway.ask("POST", f"/v1/imports/roster-{IMPORTED}:approve", key)

        assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")

    async def test_needs_its_scope_and_the_whole_district(self, gateway: Gateway, world: World, key: str) -> None:
        world.import_state = "held"
        reader = (await gateway.new_key(scopes=sorted(SCOPES - {"imports:write"})))["key"]
        school = (await gateway.new_key(schools=["sourcedId:school-1"]))["key"]

        for not_enough in (reader, school):
            answer = await gateway.ask("POST", f"/v1/imports/roster-{IMPORTED}:approve", not_enough)
            assert answer.status_code == 403
        assert world.decisions == []


class TestWhatWasFound:
    async def test_is_paged(self, gateway: Gateway, world: World, key: str) -> None:
        world.findings = 5

        first = (await gateway.ask("GET", f"/v1/imports/roster-{IMPORTED}/findings?first=2", key)).json()
        rest = (await gateway.ask("GET", f"/v1/imports/roster-{IMPORTED}/findings?after=1", key)).json()

        assert ([one["number"] for one in first["items"]], first["has_next"]) == ([0, 1], True)
        assert ([one["number"] for one in rest["items"]], rest["has_next"]) == ([2, 3, 4], False)

    async def test_comes_as_a_table(self, gateway: Gateway, key: str) -> None:
        answer = await gateway.ask("GET", f"/v1/imports/roster-{IMPORTED}/findings.csv", key)

        assert answer.headers["content-type"].startswith("text/csv")
        assert answer.text == "sort,file\r\nproblem,users.csv\r\n"

    async def test_of_no_import_is_not_there(self, gateway: Gateway, key: str) -> None:
        for path in ("findings", "findings.csv"):
            nothing = an_id(IMPORTED, "nothing")
            assert (await gateway.ask("GET", f"/v1/imports/roster-{nothing}/{path}", key)).status_code == 404


class TestTheLastImports:
    async def test_are_listed_with_their_kind(self, gateway: Gateway, world: World, key: str) -> None:
        world.import_state = "held"

        found = (await gateway.ask("GET", "/v1/imports", key)).json()
        none = (await gateway.ask("GET", "/v1/imports?state=applied", key)).json()

        assert [(one["id"], one["verdict"]) for one in found["imports"]] == [(f"roster-{IMPORTED}", "held")]
        assert none == {"imports": [], "before": None}

    @pytest.mark.parametrize(("there", "has_more"), [(100, False), (101, True)])
    async def test_a_full_page_says_whether_there_are_more(
        self, gateway: Gateway, world: World, key: str, there: int, has_more: bool
    ) -> None:
        world.imports_listed = there

        found = (await gateway.ask("GET", "/v1/imports?first=100", key)).json()

        assert len(found["imports"]) == 100
        assert found["before"] == (found["imports"][-1]["id"] if has_more else None)

    async def test_of_results_are_not_listed_for_accountability(self, gateway: Gateway, world: World, key: str) -> None:
        world.import_kind = "answers"
        them = (await gateway.new_key(purpose="accountability"))["key"]

        assert len((await gateway.ask("GET", "/v1/imports", key)).json()["imports"]) == 1
        assert (await gateway.ask("GET", "/v1/imports", them)).json()["imports"] == []
        assert (await gateway.ask("GET", "/v1/imports?kind=answers", them)).status_code == 403


class TestTheGuard:
    async def test_is_read_and_changed(self, gateway: Gateway, world: World, key: str) -> None:
        before = (await gateway.ask("GET", "/v1/roster/guard", key)).json()
        changed = await gateway.ask("PUT", "/v1/roster/guard", key, json={"school_percent": 12.5})

        assert (before["school_percent"], before["class_percent"], before["class_least"]) == (5, 50, 5)
        assert changed.status_code == 200
        assert world.guard.model_fields_set == {"school_percent"}
        assert world.guard.school_percent == 12.5

    @pytest.mark.parametrize("wrong", [{"school_percent": -1}, {"class_percent": 0}, {"clas_percent": 5}])
    async def test_refuses_what_is_no_threshold(
        self, gateway: Gateway, world: World, key: str, wrong: dict[str, float]
    ) -> None:
        answer = await gateway.ask("PUT", "/v1/roster/guard", key, json=wrong)

        assert answer.status_code == 422
        assert world.guard.school_percent == 5

    async def test_needs_its_scope_and_the_whole_district(self, gateway: Gateway, key: str) -> None:
        reader = (await gateway.new_key(scopes=sorted(SCOPES - {"imports:write"})))["key"]
        school = (await gateway.new_key(schools=["sourcedId:school-1"]))["key"]

        for not_enough in (reader, school):
            assert (await gateway.ask("GET", "/v1/roster/guard", not_enough)).status_code == 403
            assert (await gateway.ask("PUT", "/v1/roster/guard", not_enough, json={})).status_code == 403


async def test_the_routes_are_described_for_who_has_a_key(gateway: Gateway, key: str) -> None:
    paths = (await gateway.ask("GET", "/v1/openapi.json", key)).json()["paths"]

    assert set(paths) == {
        "/v1/districts", "/v1/keys", "/v1/keys/{key_id}", "/v1/keys/{key_id}/rotate",
        "/v1/imports", "/v1/imports/{kind}", "/v1/imports/{import_id}", "/v1/imports/{import_id}/findings",
        "/v1/imports/{import_id}/findings.csv", "/v1/roster/guard",
        "/v1/exports/roster", "/v1/exports/roster-facts", "/v1/identity/merges", "/v1/identity/splits",
        "/v1/identity/events", "/v1/identity/{event}:undo", "/v1/identity/reviews",
        "/v1/identity/reviews/{review}:same", "/v1/identity/reviews/{review}:different",
        *(f"/v1/imports/{{import_id}}:{decision}" for decision in ("approve", "reject", "apply", "undo")),
    }  # fmt: skip


async def test_accountability_gets_no_result_from_any_rest_route(gateway: Gateway, world: World, key: str) -> None:
    them = (await gateway.new_key(purpose="accountability"))["key"]
    paths = (await gateway.ask("GET", "/v1/openapi.json", key)).json()["paths"]

    for path, methods in paths.items():
        for method in methods:
            filled = path.replace("{kind}", "answers").replace("{import_id}", f"answers-{IMPORTED}")
            answer = await gateway.ask(method, filled.replace("{key_id}", "x"), them, json={})
            if "imports/" in path:
                assert answer.status_code == 403, f"{method} {path}"
            assert not any(str(secret) in answer.text for secret in (THETA, PROBABILITY, SCORE))
    assert world.uploads == []
