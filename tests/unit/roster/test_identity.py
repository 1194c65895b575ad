"""What counts as the same person: the rules one by one, and what must hold of all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.roster.domain.identity import (
    Agreement,
    Outcome,
    as_one,
    identifier,
    in_words,
    normalised,
    state_ids,
    verdict,
)

A = Agreement
NAMES = A.GIVEN_SAME | A.FAMILY_SAME
ANY = st.lists(st.sampled_from(list(Agreement)), unique=True).map(
    lambda flags: Agreement(sum(flag.value for flag in flags))
)


@pytest.mark.parametrize(
    ("agrees", "outcome", "reason"),
    [
        (A.STATE_SAME | A.BORN_SAME | NAMES, "same", "state-id"),
        (A.STATE_SAME | NAMES, "same", "state-id"),
        (A.STATE_SAME | A.BORN_SAME | A.GIVEN_SAME, "same", "state-id"),
        (A.STATE_SAME | A.GIVEN_SAME, "review", "family-name-differs"),
        (A.STATE_SAME | A.BORN_SAME | A.FAMILY_SAME, "review", "given-name-differs"),
        (A.STATE_SAME | A.BORN_DIFFERS | NAMES, "review", "birth-date-differs"),
        (A.STATE_SAME | A.STATE_SHARED | A.BORN_SAME | NAMES, "review", "state-id-shared"),
        (A.STATE_SAME | A.BORN_SAME | A.SWAPPED, "review", "names-swapped"),
        (A.LOCAL_SAME | A.BORN_SAME | NAMES, "same", "local-id"),
        (A.LOCAL_SAME | A.BORN_SAME | A.GIVEN_SAME, "review", "local-id-reused"),
        (A.LOCAL_SAME | A.BORN_SAME | A.GIVEN_LIKE | A.FAMILY_SAME, "review", "given-name-differs"),
        (A.LOCAL_SAME | NAMES, "review", "birth-date-unknown"),
        (A.LOCAL_SAME | A.BORN_SAME | NAMES | A.STATE_DIFFERS, "review", "state-id-differs"),
        (A.LOCAL_SAME | A.LOCAL_SHARED | A.BORN_SAME | NAMES, "review", "local-id-shared"),
        (A.LOCAL_SAME | A.BORN_DIFFERS | A.STATE_DIFFERS | NAMES, "different", "local-id-reused"),
        (A.BORN_SAME | NAMES, "review", "name-and-birth-date"),
        (A.BORN_SAME | A.SWAPPED, "review", "names-swapped"),
        (A.BORN_SAME | A.FAMILY_SAME, "review", "near-twin"),
        (A.BORN_SAME | A.FAMILY_SAME | A.STATE_DIFFERS, "different", "state-id-differs"),
        (A.BORN_SAME | A.GIVEN_SAME, "review", "family-name-changed"),
        (NAMES, "different", "nothing-agrees"),
    ],
)
def test_what_follows_from_what_agrees(agrees: Agreement, outcome: str, reason: str) -> None:
    said = verdict(agrees)

    assert (said.outcome.value, said.reason) == (outcome, reason)


@given(ANY)
def test_nobody_is_the_same_without_an_identifier_and_a_given_name(agrees: Agreement) -> None:
    if verdict(agrees).outcome is Outcome.SAME:
        assert agrees & (A.STATE_SAME | A.LOCAL_SAME)
        assert agrees & (A.GIVEN_SAME | A.GIVEN_LIKE)


@given(ANY)
def test_what_contradicts_never_makes_two_people_one(agrees: Agreement) -> None:
    contradicted = agrees | A.BORN_DIFFERS

    assert verdict(contradicted & ~A.BORN_SAME).outcome is not Outcome.SAME


@given(ANY)
def test_whoever_decides_is_told_what_agrees_and_what_does_not(agrees: Agreement) -> None:
    same, differs = in_words(agrees & ~(A.STATE_DIFFERS | A.LOCAL_DIFFERS | A.BORN_DIFFERS))

    assert not set(same) & set(differs)


@pytest.mark.parametrize(
    ("one", "other"),
    [("O'Neill", "ONEILL"), ("García-López", "garcia lopez"), ("Zoë", "Zoe"), ("Nguyễn", "nguyen"),
     ("De la Cruz", "delacruz"), ("Straße", "STRASSE"), ("Ⅷ", "viii")],
)  # fmt: skip
def test_two_ways_to_write_a_name_are_one_name(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@given(st.text())
def test_a_name_that_is_written_plainly_stays_as_it_is(name: str) -> None:
    assert normalised(normalised(name)) == normalised(name)


@pytest.mark.parametrize("nothing", [None, "", "0", "000-00", "n/a", "None", " ", "unknown"])
def test_what_stands_for_no_number_is_none(nothing: str | None) -> None:
    assert identifier(nothing) is None


def test_state_ids_come_from_both_places() -> None:
    assert state_ids("12-34", ["{State:ab 1}", "{LDAP:9}", "{stateUniqueId:0}", "SASID:77", "nonsense"]) == [
        "1234", "77", "AB1",
    ]  # fmt: skip


PERSON = {
    "id": "k", "sourced_id": "s1", "status": "active", "ended_on": None, "until": None, "metadata": {"a": 1},
    "agent_ids": ["g", "a"], "is_student": False, "is_teacher": False, "revision": 1, "since": 1, "given_name": "Ada",
}  # fmt: skip


@pytest.mark.parametrize(("face", "shown", "gone"), [("person", "s1", "s2"), ("absorbed", "s2", "s1")])
def test_the_identity_stays_whichever_record_is_shown(face: str, shown: str, gone: str) -> None:
    other = {**PERSON, "id": "a", "sourced_id": "s2", "is_student": True, "agent_ids": ["h", "k"]}

    kept, ended = as_one(PERSON, other, face=face, today="2026-10-01", revision=9)

    assert (kept["id"], kept["sourced_id"], kept["is_student"], kept["status"]) == ("k", shown, True, "active")
    assert set(kept["agent_ids"]) == {"g", "h"}
    assert (ended["id"], ended["sourced_id"], ended["status"], ended["until"]) == ("a", gone, "tobedeleted", 9)
    assert ended["metadata"] == {"a": 1, "mergedInto": shown}
