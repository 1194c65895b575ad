"""What an object of OneRoster REST becomes in CSV: rows of its own file, and of those made of what it carries.

REST nests where CSV has columns and files of their own, and calls some things otherwise: preferredFirstName is
preferredGivenName, a reference is a …SourcedId, the dates of line items are moments. A 1.1 provider's objects become
files of 1.1 (there a user has one role, some of which 1.2 does not know), a 1.2 provider's files of 1.2: so nothing is
translated twice, and nothing is guessed.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from deploy.cli.roster.paging import Item

Cell = Callable[[Item], str]

_CHILDREN = UUID("5d1d3a0e-6a0c-5f0b-9c39-2f0d6f1c8e55")
"""Names the sourcedIds of what has none in REST (a role, a learning objective). Never change it."""


_PLAIN = 1e15
"""Numbers below this are written out, in as many digits as they have."""


def text(value: object) -> str:
    """A cell: null is empty, booleans and numbers as OneRoster writes them."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < _PLAIN:
            return str(int(value))
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _said(name: str) -> Cell:
    return lambda item: text(item.get(name))


def _day(name: str) -> Cell:
    """A date; of a moment the day as it is written."""
    return lambda item: text(item.get(name))[:10]


def _ref(*names: str) -> Cell:
    """The sourcedId that the first of these references there is names."""
    return lambda item: next((found for name in names if (found := sourced_id(item.get(name)))), "")


def _refs(name: str) -> Cell:
    return lambda item: listed(sourced_id(one) for one in _list(item.get(name)))


def _texts(name: str) -> Cell:
    return lambda item: listed(text(one) for one in _list(item.get(name)))


def _nothing(item: Item) -> str:
    return ""


def sourced_id(reference: object) -> str:
    """What a reference names; empty when it is none."""
    return text(reference.get("sourcedId")) if isinstance(reference, Mapping) else ""


def listed(members: Iterable[str]) -> str:
    """A list in one cell. CSV separates by commas and knows no way to keep one that belongs to a member."""
    return ",".join(member.replace(",", ";") for member in members if member)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in _list(value) if isinstance(one, Mapping)]


def _user_ids(item: Item) -> str:
    return listed(
        f"{{{text(one.get('type'))}:{text(one.get('identifier'))}}}" for one in _mappings(item.get("userIds"))
    )


def _scale(item: Item) -> str:
    return listed(
        f"{{{text(one.get('itemValueLHS'))}:{text(one.get('itemValueRHS'))}}}"
        for one in _mappings(item.get("scoreScaleValue"))
    )


def _columns(names: str, **cells: Cell) -> dict[str, Cell]:
    """Columns in the order of the standard; what is not said otherwise stands in the member of the same name."""
    return {name: cells.get(name, _said(name)) for name in names.split()}


_NAMED = {
    "parentSourcedId": _ref("parent"),
    "schoolYearSourcedId": _ref("schoolYear"),
    "orgSourcedId": _ref("org"),
    "courseSourcedId": _ref("course"),
    "classSourcedId": _ref("class"),
    "schoolSourcedId": _ref("school"),
    "userSourcedId": _ref("user"),
    "studentSourcedId": _ref("student"),
    "categorySourcedId": _ref("category"),
    "lineItemSourcedId": _ref("lineItem"),
    "gradingPeriodSourcedId": _ref("gradingPeriod"),
    "academicSessionSourcedId": _ref("academicSession", "gradingPeriod"),
    "primaryOrgSourcedId": _ref("primaryOrg"),
    "termSourcedIds": _refs("terms"),
    "orgSourcedIds": _refs("orgs"),
    "agentSourcedIds": _refs("agents"),
    "grades": _texts("grades"),
    "subjects": _texts("subjects"),
    "subjectCodes": _texts("subjectCodes"),
    "periods": _texts("periods"),
    "roles": _texts("roles"),
    "userIds": _user_ids,
    "password": _nothing,
    "preferredGivenName": _said("preferredFirstName"),
    "preferredFamilyName": _said("preferredLastName"),
    "scoreScaleValue": _scale,
    **{
        name: _day(name)
        for name in ("startDate", "endDate", "beginDate", "birthDate", "assignDate", "dueDate", "scoreDate")
    },
}
_RACES = (
    "americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white "
    "demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity"
)
_BOTH = {
    "orgs": "name type identifier parentSourcedId",
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
    "courses": "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects "
    "subjectCodes periods",
    "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "demographics": f"birthDate sex {_RACES} countryOfBirthCode stateOfBirthAbbreviation cityOfBirth "
    "publicSchoolResidenceStatus",
    "resources": "vendorResourceId title roles importance vendorId applicationId",
    "classResources": "title classSourcedId resourceSourcedId",
    "courseResources": "title courseSourcedId resourceSourcedId",
}
_FILES: dict[str, dict[str, str]] = {
    "1.1": _BOTH | {
        "users": "enabledUser orgSourcedIds role username userIds givenName familyName middleName identifier email sms "
        "phone agentSourcedIds grades password",
        "categories": "title",
        "lineItems": "title description assignDate dueDate classSourcedId categorySourcedId gradingPeriodSourcedId "
        "resultValueMin resultValueMax",
        "results": "lineItemSourcedId studentSourcedId scoreStatus score scoreDate comment",
    },
    "1.2": _BOTH | {
        "users": "enabledUser username userIds givenName familyName middleName identifier email sms phone "
        "agentSourcedIds grades password userMasterIdentifier preferredGivenName "
        "preferredMiddleName preferredFamilyName primaryOrgSourcedId pronouns",
        "roles": "userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
        "userProfiles": "userSourcedId profileType vendorId applicationId description credentialType username password",
        "userResources": "userSourcedId orgSourcedId classSourcedId resourceSourcedId",
        "categories": "title weight",
        "scoreScales": "title type orgSourcedId courseSourcedId classSourcedId scoreScaleValue",
        "lineItems": "title description assignDate dueDate classSourcedId categorySourcedId academicSessionSourcedId "
        "resultValueMin resultValueMax schoolSourcedId",
        "lineItemLearningObjectiveIds": "lineItemSourcedId source learningObjectiveId",
        "lineItemScoreScales": "title lineItemSourcedId scoreScaleSourcedId",
        "results": "lineItemSourcedId studentSourcedId scoreStatus score scoreDate comment textScore classSourcedId "
        "inProgress incomplete late missing",
        "resultLearningObjectiveIds": "resultSourcedId source learningObjectiveId score textScore",
        "resultScoreScales": "title resultSourcedId scoreScaleSourcedId",
    },
}  # fmt: skip
FILES: dict[str, dict[str, dict[str, Cell]]] = {
    version: {file: _columns(names, **_NAMED) for file, names in files.items()} for version, files in _FILES.items()
}
"""By version and file: the columns behind sourcedId, status and dateLastModified, and what stands in them."""


@dataclass(frozen=True, slots=True)
class Child:
    """A row that REST keeps within another object. Its cells are text already, by column."""

    file: str
    sourced_id: str
    cells: Mapping[str, str]


def _child(file: str, parent: str, cells: Mapping[str, str], *named_by: str, sourced: str = "") -> Child:
    own = sourced or str(uuid5(_CHILDREN, json.dumps([file, parent, *named_by])))
    return Child(file, own, cells)


def _roles(item: Item, parent: str) -> Iterator[Child]:
    for role in _mappings(item.get("roles")):
        cells = {
            "userSourcedId": parent,
            "roleType": text(role.get("roleType")),
            "role": text(role.get("role")),
            "beginDate": text(role.get("beginDate"))[:10],
            "endDate": text(role.get("endDate"))[:10],
            "orgSourcedId": sourced_id(role.get("org")),
            "userProfileSourcedId": text(role.get("userProfile")),
        }
        yield _child("roles", parent, cells, cells["orgSourcedId"], cells["role"], cells["beginDate"])


def _profiles(item: Item, parent: str) -> Iterator[Child]:
    """One row for each credential: CSV has no profile without one. A password stays with the provider."""
    for profile in _mappings(item.get("userProfiles")):
        for nth, credential in enumerate(_mappings(profile.get("credentials"))):
            cells = {
                "userSourcedId": parent,
                "profileType": text(profile.get("profileType")),
                "vendorId": text(profile.get("vendorId")),
                "applicationId": text(profile.get("applicationId")),
                "description": text(profile.get("description")),
                "credentialType": text(credential.get("type")),
                "username": text(credential.get("username")),
            }
            profile_id = text(profile.get("profileId"))
            own = "" if nth else profile_id
            yield _child(
                "userProfiles", parent, cells, profile_id, cells["credentialType"], cells["username"], sourced=own
            )


def _resources(file: str, column: str) -> Callable[[Item, str], Iterator[Child]]:
    def children(item: Item, parent: str) -> Iterator[Child]:
        for one in _mappings(item.get("resources")):
            if resource := sourced_id(one):
                yield _child(file, parent, {column: parent, "resourceSourcedId": resource}, resource)

    return children


def _scales(file: str, column: str) -> Callable[[Item, str], Iterator[Child]]:
    def children(item: Item, parent: str) -> Iterator[Child]:
        if scale := sourced_id(item.get("scoreScale")):
            yield _child(file, parent, {column: parent, "scoreScaleSourcedId": scale}, scale)

    return children


def _objectives(item: Item, parent: str) -> Iterator[Child]:
    for one in _mappings(item.get("learningObjectiveSet")):
        source = text(one.get("source"))
        for objective in map(text, _list(one.get("learningObjectiveIds"))):
            cells = {"lineItemSourcedId": parent, "source": source, "learningObjectiveId": objective}
            yield _child("lineItemLearningObjectiveIds", parent, cells, source, objective)


def _objective_results(item: Item, parent: str) -> Iterator[Child]:
    for one in _mappings(item.get("learningObjectiveSet")):
        source = text(one.get("source"))
        for result in _mappings(one.get("learningObjectiveResults")):
            objective = text(result.get("learningObjectiveId"))
            cells = {
                "resultSourcedId": parent,
                "source": source,
                "learningObjectiveId": objective,
                "score": text(result.get("score")),
                "textScore": text(result.get("textScore")),
            }
            yield _child("resultLearningObjectiveIds", parent, cells, source, objective)


@dataclass(frozen=True, slots=True)
class Within:
    """Where an object carries the rows of another file."""

    member: str
    children: Callable[[Item, str], Iterator[Child]]


WITHIN: Mapping[str, Within] = {
    "roles": Within("roles", _roles),
    "userProfiles": Within("userProfiles", _profiles),
    "userResources": Within("resources", _resources("userResources", "userSourcedId")),
    "classResources": Within("resources", _resources("classResources", "classSourcedId")),
    "courseResources": Within("resources", _resources("courseResources", "courseSourcedId")),
    "lineItemLearningObjectiveIds": Within("learningObjectiveSet", _objectives),
    "lineItemScoreScales": Within("scoreScale", _scales("lineItemScoreScales", "lineItemSourcedId")),
    "resultLearningObjectiveIds": Within("learningObjectiveSet", _objective_results),
    "resultScoreScales": Within("scoreScale", _scales("resultScoreScales", "resultSourcedId")),
}
"""By file."""
