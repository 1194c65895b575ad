"""The files and columns of OneRoster CSV 1.1 and 1.2, as the official bindings list them.

Columns stand in the order of the standard. `required` means that a bulk file must fill the cell.
"""

from services.roster.domain.columns import HEAD, STATUSES, Column, File, Kind, Mode, Version, code, key
from services.roster.domain.gradebook_files import PROFILES, gradebook, resources

__all__ = ["NAMES", "READ", "SECTORS", "STATUSES", "Column", "File", "Kind", "Mode", "Version"]

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
_RACES = (
    "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander", "white",
    "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity",
)  # fmt: skip


def _files(version: Version) -> dict[str, File]:
    old = version == "1.1"
    files = [
        File("orgs", (
            *HEAD,
            Column("name", required=True),
            code("type", ORG_TYPES, version),
            Column("identifier"),
            key("parentSourcedId", "orgs"),
        )),
        File("academicSessions", (
            *HEAD,
            Column("title", required=True),
            code("type", SESSION_TYPES, version),
            Column("startDate", Kind.DATE, required=True),
            Column("endDate", Kind.DATE, required=True),
            key("parentSourcedId", "academicSessions"),
            Column("schoolYear", Kind.YEAR, required=True),
        )),
        File("courses", (
            *HEAD,
            key("schoolYearSourcedId", "academicSessions"),
            Column("title", required=True),
            Column("courseCode"),
            Column("grades", Kind.LIST),
            key("orgSourcedId", "orgs", required=True),
            Column("subjects", Kind.LIST),
            Column("subjectCodes", Kind.LIST),
        )),
        File("classes", (
            *HEAD,
            Column("title", required=True),
            Column("grades", Kind.LIST),
            key("courseSourcedId", "courses", required=True),
            Column("classCode"),
            code("classType", CLASS_TYPES, version, dispensable=True),
            Column("location"),
            key("schoolSourcedId", "orgs", needed=True),
            Column("termSourcedIds", Kind.KEYS, required=True, target="academicSessions"),
            Column("subjects", Kind.LIST),
            Column("subjectCodes", Kind.LIST),
            Column("periods", Kind.LIST),
        )),
        File("users", (
            *HEAD,
            Column("enabledUser", Kind.BOOLEAN, required=True),
            *((
                Column("orgSourcedIds", Kind.KEYS, required=True, target="orgs", needed=True),
                code("role", ROLES_1_1, version),
            ) if old else ()),
            Column("username", required=True, dispensable=not old),
            Column("userIds", Kind.IDS),
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
                Column("resourceSourcedIds", Kind.LIST, staged=None, may_lack=True),
                Column("preferredGivenName"),
                Column("preferredMiddleName"),
                Column("preferredFamilyName"),
                key("primaryOrgSourcedId", "orgs"),
                Column("pronouns"),
            )),
        )),
        File("demographics", (
            key("sourcedId", "users", needed=True),
            *HEAD[1:],
            Column("birthDate", Kind.DATE),
            code("sex", SEXES, version, required=False),
            *(Column(race, Kind.BOOLEAN) for race in _RACES),
            Column("countryOfBirthCode"),
            Column("stateOfBirthAbbreviation"),
            Column("cityOfBirth"),
            Column("publicSchoolResidenceStatus"),
        )),
        File("enrollments", (
            *HEAD,
            key("classSourcedId", "classes", needed=True),
            key("schoolSourcedId", "orgs", needed=True),
            key("userSourcedId", "users", needed=True),
            code("role", ROLES_1_1 if old else ENROLLED_1_2, version),
            Column("primary", Kind.BOOLEAN, staged="is_primary"),
            Column("beginDate", Kind.DATE),
            Column("endDate", Kind.DATE),
        )),
    ]  # fmt: skip
    if not old:
        files.insert(5, _ROLES)
        files.append(PROFILES)
    return {file.name: file for file in files}


_ROLES = File("roles", (
    *HEAD,
    key("userSourcedId", "users", needed=True),
    code("roleType", ROLE_TYPES, "1.1"),
    code("role", ROLES_1_2, "1.2"),
    Column("beginDate", Kind.DATE),
    Column("endDate", Kind.DATE),
    key("orgSourcedId", "orgs", needed=True),
    Column("userProfileSourcedId", staged=None),
))  # fmt: skip

READ: dict[Version, dict[str, File]] = {
    version: {file.name: file for file in (*_files(version).values(), *resources(version), *gradebook(version))}
    for version in ("1.1", "1.2")
}
"""Every data file of the standard, in an order in which files refer to those before them, or to themselves."""

NAMES = {version: frozenset(files) for version, files in READ.items()}
"""What the standard's data files are called."""
