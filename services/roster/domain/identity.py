"""Who is who when identifiers change: what counts as agreement, and what follows from it.

A pair is somebody new in a file and somebody known whom the file does not name. What of them agrees and what differs
is a set of flags; the verdict is a function of the flags alone. Nothing is guessed: a pair is the same person only
where an identifier agrees, nothing contradicts, and nobody else comes into question. (Christen 2012, "Data Matching",
ch. 2: deterministic linkage by unique identifiers, the rest to clerical review.)
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum, auto
from typing import Any

STATE_TYPES = frozenset({"state", "stateid", "stateuid", "stateuniqueid", "statestudentid", "sasid", "ssid", "suid"})
"""Types of userIds that name somebody in the whole state, letters only."""
_USER_ID = re.compile(r"\{?([^:{}]+):([^{}]*)\}?")
_NOTHING = frozenset({"NA", "NONE", "NULL", "NIL", "UNKNOWN", "TBD", "PENDING"})


class Agreement(IntFlag):
    """What two records say of the same thing. Where one of them says nothing there is no flag."""

    STATE_SAME = auto()
    STATE_DIFFERS = auto()
    LOCAL_SAME = auto()
    LOCAL_DIFFERS = auto()
    BORN_SAME = auto()
    BORN_DIFFERS = auto()
    GIVEN_SAME = auto()
    """Letter for letter, or the one is what the other is called by preference."""
    GIVEN_LIKE = auto()
    """All the given names of one are among the other's: Ana, Ana María."""
    FAMILY_SAME = auto()
    SWAPPED = auto()
    """Given name and family name have changed places."""
    STATE_SHARED = auto()
    """The state id that agrees belongs to somebody else as well."""
    LOCAL_SHARED = auto()


class Outcome(StrEnum):
    """What follows for a pair."""

    SAME = "same"
    REVIEW = "review"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows, and why, in a word for programs."""

    outcome: Outcome
    reason: str


def verdict(pair: Agreement) -> Verdict:
    """What follows from what agrees, as if there were nobody else."""
    names_agree = bool(pair & Agreement.FAMILY_SAME and pair & (Agreement.GIVEN_SAME | Agreement.GIVEN_LIKE))
    if pair & Agreement.STATE_SAME:
        return _by_state(pair, names_agree)
    if pair & Agreement.LOCAL_SAME:
        return _by_local(pair, names_agree)
    if not pair & Agreement.BORN_SAME:
        return Verdict(Outcome.DIFFERENT, "nothing-agrees")
    if names_agree:
        return Verdict(Outcome.REVIEW, "name-and-birth-date")
    if pair & Agreement.SWAPPED:
        return Verdict(Outcome.REVIEW, "names-swapped")
    if pair & Agreement.STATE_DIFFERS:
        return Verdict(Outcome.DIFFERENT, "state-id-differs")
    if pair & Agreement.FAMILY_SAME:
        return Verdict(Outcome.REVIEW, "near-twin")
    if pair & (Agreement.GIVEN_SAME | Agreement.GIVEN_LIKE):
        return Verdict(Outcome.REVIEW, "family-name-changed")
    return Verdict(Outcome.DIFFERENT, "nothing-agrees")


def _by_state(pair: Agreement, names_agree: bool) -> Verdict:
    if pair & Agreement.BORN_DIFFERS:
        return Verdict(Outcome.REVIEW, "birth-date-differs")
    if pair & Agreement.STATE_SHARED:
        return Verdict(Outcome.REVIEW, "state-id-shared")
    if pair & Agreement.SWAPPED:
        return Verdict(Outcome.REVIEW, "names-swapped")
    if not pair & (Agreement.GIVEN_SAME | Agreement.GIVEN_LIKE):
        return Verdict(Outcome.REVIEW, "given-name-differs")
    if not names_agree and not pair & Agreement.BORN_SAME:
        return Verdict(Outcome.REVIEW, "family-name-differs")
    return Verdict(Outcome.SAME, "state-id")


def _by_local(pair: Agreement, names_agree: bool) -> Verdict:
    if pair & Agreement.STATE_DIFFERS and pair & Agreement.BORN_DIFFERS:
        return Verdict(Outcome.DIFFERENT, "local-id-reused")
    if not names_agree:
        swapped = pair & Agreement.SWAPPED and pair & Agreement.BORN_SAME
        return Verdict(Outcome.REVIEW, "names-swapped" if swapped else "local-id-reused")
    if pair & Agreement.BORN_DIFFERS:
        return Verdict(Outcome.REVIEW, "birth-date-differs")
    if not pair & Agreement.BORN_SAME:
        return Verdict(Outcome.REVIEW, "birth-date-unknown")
    if pair & Agreement.STATE_DIFFERS:
        return Verdict(Outcome.REVIEW, "state-id-differs")
    if pair & Agreement.LOCAL_SHARED:
        return Verdict(Outcome.REVIEW, "local-id-shared")
    if not pair & Agreement.GIVEN_SAME:
        return Verdict(Outcome.REVIEW, "given-name-differs")
    return Verdict(Outcome.SAME, "local-id")


_AGREES = {
    Agreement.STATE_SAME: "stateId",
    Agreement.LOCAL_SAME: "identifier",
    Agreement.BORN_SAME: "birthDate",
    Agreement.GIVEN_SAME: "givenName",
    Agreement.FAMILY_SAME: "familyName",
}
_DIFFERS = {Agreement.STATE_DIFFERS: "stateId", Agreement.LOCAL_DIFFERS: "identifier",
            Agreement.BORN_DIFFERS: "birthDate"}  # fmt: skip


def in_words(pair: Agreement) -> tuple[list[str], list[str]]:
    """What agrees and what differs, in the standard's words, for whoever decides."""
    agrees = [word for flag, word in _AGREES.items() if pair & flag]
    differs = [word for flag, word in _DIFFERS.items() if pair & flag]
    differs += [word for word in ("givenName", "familyName") if word not in agrees]
    return agrees, differs


def normalised(name: str | None) -> str:
    """A name without what two systems write differently: capitals, accents, hyphens, apostrophes, spaces."""
    return "".join(words(name))


def words(name: str | None) -> list[str]:
    """The words of a name, each without capitals and accents; letters of any script stay."""
    plain = unicodedata.normalize("NFKD", (name or "").replace("'", "").replace("’", "")).casefold()
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return "".join(one if one.isalnum() else " " for one in letters).split()


def identifier(written: str | None) -> str | None:
    """An identifier without spaces, hyphens and small letters; None for what only stands in for one."""
    bare = "".join(one for one in (written or "").upper() if one.isalnum())
    return None if not bare.strip("0") or bare in _NOTHING else bare


def state_ids(master: str | None, user_ids: Iterable[str]) -> list[str]:
    """What somebody is called in the whole state: the userMasterIdentifier, and userIds such as {State:123}."""
    found = [identifier(master)]
    for one in user_ids:
        parts = _USER_ID.fullmatch(one.strip())
        if parts and "".join(letter for letter in parts[1].lower() if letter.isalpha()) in STATE_TYPES:
            found.append(identifier(parts[2]))
    return sorted({one for one in found if one is not None})


def as_one(
    person: Mapping[str, Any], absorbed: Mapping[str, Any], *, face: str, today: str, revision: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two rows of `people` after a merge: who is kept, and who was absorbed.

    `face` (person or absorbed) is the one whose record goes on being shown: the identity that stays is always the
    person's. The other record ends, and says where it went.
    """
    shown, gone = (person, absorbed) if face == "person" else (absorbed, person)
    both = (person["id"], absorbed["id"])
    agents = dict.fromkeys([*shown["agent_ids"], *gone["agent_ids"]])
    kept = {
        **shown,
        "id": person["id"],
        "agent_ids": [one for one in agents if one not in both],
        "is_student": person["is_student"] or absorbed["is_student"],
        "is_teacher": person["is_teacher"] or absorbed["is_teacher"],
        "revision": revision,
    }
    ended = {
        **gone,
        "id": absorbed["id"],
        "status": "tobedeleted",
        "ended_on": gone["ended_on"] or today,
        "until": revision if gone["until"] is None else gone["until"],
        "metadata": {**gone["metadata"], "mergedInto": shown["sourced_id"]},
        "revision": revision,
    }
    return kept, ended
