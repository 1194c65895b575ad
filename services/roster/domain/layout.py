"""The files and columns of OneRoster CSV 1.1 and 1.2 that the roster reads, as the official bindings list them.

Columns stand in the order of the standard. `required` means that a bulk file must fill the cell.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

Version = Literal["1.1", "1.2"]

STATUSES = frozenset({"active", "tobedeleted"})
ORG_TYPES = frozenset({"department", "school", "district", "local", "state", "national"})
SESSION_TYPES = frozenset({"gradingPeriod", "semester", "schoolYear", "term"})
CLASS_TYPES = frozenset({"homeroom", "scheduled"})
SEXES = frozenset({"male", "female", "unspecified", "other"})
ROLE_TYPES = frozenset({"primary", "secondary"})
ROLES_1_1 = frozenset({"administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher"})
ROLES_1_2 = frozenset(
    {"aide", "counselor", "districtAdministrator", "guardian", "parent", "principal", "proctor", "relative",
     "siteAdministrator", "student", "systemAdministrator", "teacher"}
)  # fmt: skip
ENROLLED_1_2 = frozenset({"administrator", "proctor", "student", "teacher"})
SECTORS = frozenset({"district", "charter", "private"})


class Kind(Enum):
    """What a cell holds."""

    TEXT = auto()
    KEY = auto()
    """The row's own sourcedId, or one of another file."""
    KEYS = auto()
    LIST = auto()
    DATE = auto()
    MOMENT = auto()
    BOOLEAN = auto()
    CODE = auto()
    YEAR = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `target` is the file a reference points into; `needed`: without it nobody could be placed. `staged` is the
    column's name here, None when it is not kept.
    """

    name: str
    kind: Kind = Kind.TEXT
    required: bool = False
    codes: frozenset[str] = frozenset()
    extensible: bool = False
    target: str | None = None
    needed: bool = False
    staged: str | None = ""

    @property
    def place(self) -> str | None:
        """The column of the stage this is kept in."""
        return _snake(self.name) if self.staged == "" else self.staged

    @property
    def longest(self) -> int:
        """How many bytes a cell may have; fewer where it goes into an index, whose rows PostgreSQL holds to 2,700."""
        return 1_000 if self.kind is Kind.KEY else 2_000 if self.name == "title" else 10 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """One data file of the archive."""

    name: str
    columns: tuple[Column, ...]

    @property
    def csv(self) -> str:
        return f"{self.name}.csv"

    @property
    def stage(self) -> str:
        """The stage its rows are read into."""
        return _snake(self.name)

    @property
    def references(self) -> tuple[Column, ...]:
        """The columns that point into other files, or this one."""
        return tuple(column for column in self.columns if column.target is not None)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _key(name: str, target: str, *, required: bool = False, needed: bool = False) -> Column:
    return Column(name, Kind.KEY, required=required or needed, target=target, needed=needed)


def _code(name: str, codes: frozenset[str], version: Version, *, required: bool = True) -> Column:
    return Column(name, Kind.CODE, required=required, codes=codes, extensible=version == "1.2")


_HEAD = (
    Column("sourcedId", Kind.KEY, required=True),
    Column("status", Kind.CODE, codes=STATUSES),
    Column("dateLastModified", Kind.MOMENT),
)
_RACES = (
    "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
    "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity",
)  # fmt: skip


def _files(version: Version) -> dict[str, File]:
    old = version == "1.1"
    files = [
        File("orgs", (
            *_HEAD,
            Column("name", required=True),
            _code("type", ORG_TYPES, version),
            Column("identifier"),
            _key("parentSourcedId", "orgs"),
        )),
        File("academicSessions", (
            *_HEAD,
            Column("title", required=True),
            _code("type", SESSION_TYPES, version),
            Column("startDate", Kind.DATE, required=True),
            Column("endDate", Kind.DATE, required=True),
            _key("parentSourcedId", "academicSessions"),
            Column("schoolYear", Kind.YEAR, required=True),
        )),
        File("courses", (
            *_HEAD,
            _key("schoolYearSourcedId", "academicSessions"),
            Column("title", required=True),
            Column("courseCode"),
            Column("grades", Kind.LIST),
            _key("orgSourcedId", "orgs", required=True),
            Column("subjects", Kind.LIST),
            Column("subjectCodes", Kind.LIST),
        )),
        File("classes", (
            *_HEAD,
            Column("title", required=True),
            Column("grades", Kind.LIST),
            _key("courseSourcedId", "courses", required=True),
            Column("classCode"),
            _code("classType", CLASS_TYPES, version),
            Column("location"),
            _key("schoolSourcedId", "orgs", needed=True),
            Column("termSourcedIds", Kind.KEYS, required=True, target="academicSessions"),
            Column("subjects", Kind.LIST),
            Column("subjectCodes", Kind.LIST),
            Column("periods", Kind.LIST),
        )),
        File("users", (
            *_HEAD,
            Column("enabledUser", Kind.BOOLEAN, required=True),
            *((
                Column("orgSourcedIds", Kind.KEYS, required=True, target="orgs", needed=True),
                _code("role", ROLES_1_1, version),
            ) if old else ()),
            Column("username", required=True),
            Column("userIds", Kind.LIST),
            Column("givenName", required=True),
            Column("familyName", required=True),
            Column("middleName"),
            Column("identifier"),
            Column("email"),
            Column("sms"),
            Column("phone"),
            Column("agentSourcedIds", Kind.KEYS, target="users"),
            Column("grades", Kind.LIST),
            Column("password", staged=None),
            *(() if old else (
                Column("userMasterIdentifier"),
                Column("resourceSourcedIds", Kind.LIST, staged=None),
                Column("preferredGivenName"),
                Column("preferredMiddleName"),
                Column("preferredFamilyName"),
                _key("primaryOrgSourcedId", "orgs"),
                Column("pronouns"),
            )),
        )),
        File("demographics", (
            _key("sourcedId", "users", needed=True),
            *_HEAD[1:],
            Column("birthDate", Kind.DATE),
            _code("sex", SEXES, version, required=False),
            *(Column(race, Kind.BOOLEAN) for race in _RACES),
            Column("countryOfBirthCode"),
            Column("stateOfBirthAbbreviation"),
            Column("cityOfBirth"),
            Column("publicSchoolResidenceStatus"),
        )),
        File("enrollments", (
            *_HEAD,
            _key("classSourcedId", "classes", needed=True),
            _key("schoolSourcedId", "orgs", needed=True),
            _key("userSourcedId", "users", needed=True),
            _code("role", ROLES_1_1 if old else ENROLLED_1_2, version),
            Column("primary", Kind.BOOLEAN, staged="is_primary"),
            Column("beginDate", Kind.DATE),
            Column("endDate", Kind.DATE),
        )),
    ]  # fmt: skip
    if not old:
        files.insert(5, _ROLES)
    return {file.name: file for file in files}


_ROLES = File("roles", (
    *_HEAD,
    _key("userSourcedId", "users", needed=True),
    _code("roleType", ROLE_TYPES, "1.1"),
    _code("role", ROLES_1_2, "1.2"),
    Column("beginDate", Kind.DATE),
    Column("endDate", Kind.DATE),
    _key("orgSourcedId", "orgs", needed=True),
    Column("userProfileSourcedId", staged=None),
))  # fmt: skip

READ: dict[Version, dict[str, File]] = {"1.1": _files("1.1"), "1.2": _files("1.2")}
"""What is read, in the order in which files may refer to each other."""

NAMES: dict[Version, frozenset[str]] = {
    "1.1": frozenset({
        "academicSessions", "categories", "classes", "classResources", "courses", "courseResources", "demographics",
        "enrollments", "lineItems", "orgs", "resources", "results", "users",
    }),
    "1.2": frozenset({
        "academicSessions", "categories", "classes", "classResources", "courses", "courseResources", "demographics",
        "enrollments", "lineItemLearningObjectiveIds", "lineItems", "lineItemScoreScales", "orgs", "resources",
        "resultLearningObjectiveIds", "results", "resultScoreScales", "roles", "scoreScales", "userProfiles",
        "userResources", "users",
    }),
}  # fmt: skip
"""Every data file the standard knows."""
