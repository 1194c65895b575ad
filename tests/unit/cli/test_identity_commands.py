"""`trellis roster reviews|same|different|merge|split|undo-identity`: what is asked of the door, and what is said."""

import json
from typing import Any

from tests.unit.cli.test_commands import Platform, platform, trellis

__all__ = ["platform", "trellis"]

REVIEW = "0b6ed3d2-98b4-4a29-9b1c-30a2bd4a1e57"
EVENT = {"id": "7c1a4e9e-3f0e-4f3b-8a55-93d7d1b8d3f2", "kind": "merged"}
KNOWN = {"given_name": "Ada", "family_name": "Byron", "sourced_id": "s1", "birth_date": "2012-03-04"}


def a_review(id_: str = REVIEW) -> dict[str, Any]:
    return {
        "id": id_, "newcomer": {**KNOWN, "sourced_id": "n9", "birth_date": None}, "candidate": KNOWN,
        "reason": "near-twin", "agrees": ["birthDate"], "differs": ["givenName"], "decision": None,
    }  # fmt: skip


def test_every_page_of_reviews_is_shown(platform: Platform, trellis: Any) -> None:
    platform.answers["GET /v1/identity/reviews?first=100&decided=false"] = [
        (200, {"items": [a_review()], "next": REVIEW})
    ]
    platform.answers[f"GET /v1/identity/reviews?first=100&decided=false&after={REVIEW}"] = [
        (200, {"items": [a_review("second")], "next": None})
    ]

    code, out, _ = trellis("roster", "reviews", "--json")

    assert code == 0
    assert [one["id"] for one in json.loads(out)] == [REVIEW, "second"]


def test_a_table_of_reviews_says_who_may_be_who(platform: Platform, trellis: Any) -> None:
    platform.answers["GET /v1/identity/reviews?first=100&decided=true"] = [(200, {"items": [a_review()], "next": None})]

    code, out, _ = trellis("roster", "reviews", "--decided")

    assert code == 0
    assert "near-twin" in out.replace("\n", "")


def test_a_review_is_decided(platform: Platform, trellis: Any) -> None:
    for what in ("same", "different"):
        platform.answers[f"POST /v1/identity/reviews/{REVIEW}:{what}"] = [(200, a_review())]

    assert trellis("roster", "same", REVIEW)[:2] == (0, "decided: the same person\n")
    assert trellis("roster", "different", REVIEW)[:2] == (0, "decided: two people\n")


def test_a_merge_says_how_it_is_taken_back(platform: Platform, trellis: Any) -> None:
    platform.answers["POST /v1/identity/merges"] = [(201, EVENT)]
    platform.answers[f"POST /v1/identity/{EVENT['id']}:undo"] = [(200, EVENT)]

    code, out, _ = trellis("roster", "merge", "s1", "s2", "--force", "--reason", "twice in the files")

    assert (code, out) == (0, f"merged; to take it back: trellis roster undo-identity {EVENT['id']}\n")
    assert json.loads(platform.asked[0][2]) == {
        "person": "s1", "absorbed": "s2", "force": True, "reason": "twice in the files",
    }  # fmt: skip
    assert trellis("roster", "undo-identity", EVENT["id"])[:2] == (0, "taken back\n")


def test_a_split_names_what_is_the_others(platform: Platform, trellis: Any) -> None:
    platform.answers["POST /v1/identity/splits"] = [(201, {**EVENT, "kind": "split"})]

    code, out, _ = trellis("roster", "split", "s1", "e7", "r7", "--called", "s2", "--given-name", "Eve")

    assert (code, json.loads(platform.asked[0][2])) == (
        0,
        {"person": "s1", "sourced_ids": ["e7", "r7"], "sourced_id": "s2", "given_name": "Eve", "family_name": None,
         "reason": None},
    )  # fmt: skip
    assert out.startswith("split;")


def test_what_is_refused_exits_2_with_its_sentence(platform: Platform, trellis: Any) -> None:
    platform.answers["POST /v1/identity/merges"] = [(422, {"detail": "These are one person already."})]

    code, _, err = trellis("roster", "merge", "s1", "s1")

    assert (code, err) == (2, "These are one person already. (422)\n")
