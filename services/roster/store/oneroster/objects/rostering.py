"""The objects of the rostering service.

What the standard requires and a source may leave out has a stand-in, so that no answer breaks the schema: an
organisation's identifier and a course's code are its sourcedId, a class without terms is of the latest school year, a
person without a role is what the enrolments say; a required reference to nobody leads nowhere (sourcedId `unknown`).
"""

from services.roster.domain.oneroster import vocabularies as words
from services.roster.domain.oneroster.versions import ONLY_11, ONLY_12, Service, Version
from services.roster.store.oneroster.description import (
    RECORD,
    Day,
    Field,
    Flag,
    Given,
    Metadata,
    Object,
    Reference,
    References,
    Text,
    Words,
)
from services.roster.store.oneroster.objects.roles import ONE_ROLE, ROLES, ROLES_ORGS, USER_IDS, USER_PROFILES
from services.roster.store.oneroster.wording import CLASS, COURSE, ORG, RESOURCE, SESSION, USER

_KIN = "o.sourced_id"


def _resources(table: str, column: str) -> References:
    source = f"FROM {table} o WHERE o.{column} = t.id AND o.status = 'active'"
    return References("resources", RESOURCE, "o.resource", source)


_PLACED = """CASE WHEN COALESCE(t.sector, t.latitude::text, t.longitude::text) IS NULL THEN t.metadata
    ELSE t.metadata || jsonb_strip_nulls(jsonb_build_object(
        'sector', t.sector, 'latitude', t.latitude::text, 'longitude', t.longitude::text)) END"""
"""What organisations say beyond the standard; of it, sector and place are kept in columns of their own."""

ORGS = Object(
    "org", "orgs", "orgs", Service.ROSTERING,
    (
        *(one for one in RECORD if one.name != "metadata"),
        Metadata("metadata", sql=_PLACED),
        Text("name", "t.name", required=True),
        Text("type", "t.type", words.ORG_TYPES_11, required=True),
        Text("identifier", "COALESCE(t.identifier, t.sourced_id)", required=True),
        Reference("parent", ORG, _KIN, "FROM orgs o WHERE o.id = t.parent_id"),
        References("children", ORG, _KIN, "FROM orgs o WHERE o.parent_id = t.id AND o.status = 'active'"),
    ),
)  # fmt: skip

SESSIONS = Object(
    "academicSession", "academicSessions", "academic_sessions", Service.ROSTERING,
    (
        *RECORD,
        Text("title", "t.title", required=True),
        Day("startDate", "t.start_on", required=True),
        Day("endDate", "t.end_on", required=True),
        Text("type", "t.type", words.SESSION_TYPES_11, required=True),
        Reference("parent", SESSION, _KIN, "FROM academic_sessions o WHERE o.id = t.parent_id"),
        References(
            "children", SESSION, _KIN, "FROM academic_sessions o WHERE o.parent_id = t.id AND o.status = 'active'"
        ),
        Text("schoolYear", "t.school_year::text", required=True),
    ),
)  # fmt: skip

COURSES = Object(
    "course", "courses", "courses", Service.ROSTERING,
    (
        *RECORD,
        Text("title", "t.title", required=True),
        Reference("schoolYear", SESSION, _KIN, "FROM academic_sessions o WHERE o.id = t.school_year_id"),
        Text("courseCode", "COALESCE(t.course_code, t.sourced_id)", required=True),
        Words("grades", "t.grades"),
        Words("subjects", "t.subjects"),
        Reference("org", ORG, _KIN, "FROM orgs o WHERE o.id = t.org_id"),
        Words("subjectCodes", "t.subject_codes"),
        _resources("course_resources", "course_id"),
    ),
)  # fmt: skip

_LATEST_YEAR = """FROM (
    SELECT s.sourced_id FROM academic_sessions s WHERE s.status = 'active'
    ORDER BY s.type = 'schoolYear' DESC, s.end_on DESC, s.sourced_id LIMIT 1
) o WHERE true"""

CLASSES = Object(
    "class", "classes", "classes", Service.ROSTERING,
    (
        *RECORD,
        Text("title", "t.title", required=True),
        Text("classCode", "t.class_code"),
        Text("classType", "t.class_type", words.CLASS_TYPES_11),
        Text("location", "t.location"),
        Words("grades", "t.grades"),
        Words("subjects", "t.subjects"),
        Reference("course", COURSE, _KIN, "FROM courses o WHERE o.id = t.course_id", required=True),
        Reference("school", ORG, _KIN, "FROM orgs o WHERE o.id = t.school_id", required=True),
        References(
            "terms", SESSION, _KIN, "FROM academic_sessions o WHERE o.id = ANY (t.term_ids)",
            unless=((_KIN, _LATEST_YEAR),), required=True,
        ),
        Words("subjectCodes", "t.subject_codes"),
        Words("periods", "t.periods"),
        _resources("class_resources", "class_id"),
    ),
)  # fmt: skip

USERS = Object(
    "user", "users", "people", Service.ROSTERING,
    (
        *RECORD,
        Text("userMasterIdentifier", "t.user_master_identifier", versions=ONLY_12),
        Text("username", "t.username", versions=ONLY_12),
        Text("username", "COALESCE(t.username, t.sourced_id)", versions=ONLY_11, required=True),
        USER_IDS,
        Flag("enabledUser", "t.enabled", required=True),
        Text("givenName", "t.given_name", required=True),
        Text("familyName", "t.family_name", required=True),
        Text("middleName", "t.middle_name"),
        Text("preferredFirstName", "t.preferred_given_name", versions=ONLY_12),
        Text("preferredMiddleName", "t.preferred_middle_name", versions=ONLY_12),
        Text("preferredLastName", "t.preferred_family_name", versions=ONLY_12),
        Text("pronouns", "t.pronouns", versions=ONLY_12),
        ROLES,
        ONE_ROLE,
        USER_PROFILES,
        Reference("primaryOrg", ORG, _KIN, "FROM orgs o WHERE o.id = t.primary_org_id", versions=ONLY_12),
        Text("identifier", "t.identifier"),
        Text("email", "t.email"),
        Text("sms", "t.sms"),
        Text("phone", "t.phone"),
        Given("password", dict.fromkeys(Version, "NULL::text")),  # may be asked for; none is ever kept
        References(
            "agents", USER, _KIN, "FROM people o WHERE o.id = ANY (t.agent_ids) AND o.status = 'active'",
            given="t.agent_ids <> '{}'",
        ),
        ROLES_ORGS,
        Words("grades", "t.grades"),
        References(
            "resources", RESOURCE, "o.resource",
            "FROM user_resources o WHERE o.person_id = t.id AND o.status = 'active'", versions=ONLY_12,
        ),
    ),
    placed="id",
)  # fmt: skip

ENROLLMENTS = Object(
    "enrollment", "enrollments", "enrollments", Service.ROSTERING,
    (
        *RECORD,
        Reference("user", USER, _KIN, "FROM people o WHERE o.id = t.person_id", required=True),
        Reference("class", CLASS, _KIN, "FROM classes o WHERE o.id = t.class_id", required=True),
        Reference("school", ORG, _KIN, "FROM orgs o WHERE o.id = t.school_id", required=True),
        Text("role", "t.role", words.ENROLLED_11, required=True),
        Flag("primary", "t.is_primary"),
        Day("beginDate", "t.begin_on"),
        Day("endDate", "t.end_on"),
    ),
    placed="person_id",
)  # fmt: skip

_RACES: tuple[Field, ...] = (
    Flag("americanIndianOrAlaskaNative", "t.american_indian_or_alaska_native"),
    Flag("asian", "t.asian"),
    Flag("blackOrAfricanAmerican", "t.black_or_african_american"),
    Flag("nativeHawaiianOrOtherPacificIslander", "t.native_hawaiian_or_other_pacific_islander"),
    Flag("white", "t.white"),
    Flag("demographicRaceTwoOrMoreRaces", "t.two_or_more_races"),
    Flag("hispanicOrLatinoEthnicity", "t.hispanic_or_latino"),
)

DEMOGRAPHICS = Object(
    "demographics", "demographics", "demographics", Service.ROSTERING,
    (
        *RECORD,
        Day("birthDate", "t.birth_on"),
        Text("sex", "t.sex", words.SEXES_11),
        *_RACES,
        Text("countryOfBirthCode", "t.birth_country"),
        Text("stateOfBirthAbbreviation", "t.birth_state"),
        Text("cityOfBirth", "t.birth_city"),
        Text("publicSchoolResidenceStatus", "t.residence_status"),
    ),
    placed="person_id",
)  # fmt: skip
