"""What a person is in which organisation: a list in 1.2, one role and organisations in 1.1; and the person's accounts.

Where no role is to be seen, the enrolments say it; then what it was before it ended; and at the last, what is known of
the person alone.
"""

from services.roster.domain.oneroster import vocabularies as words
from services.roster.domain.oneroster.versions import ONLY_11, ONLY_12
from services.roster.store.oneroster.description import Day, Parts, Reference, References, Text
from services.roster.store.oneroster.wording import ORG, escaped

_ORG = "o.sourced_id"
_HELD = "FROM roles p WHERE p.person_id = t.id AND p.status = 'active'"
_ENROLLED = """FROM (
    SELECT DISTINCT ON (e.school_id) e.sourced_id, e.school_id AS org_id, e.role, 'primary' AS role_type,
        NULL::date AS begin_on, NULL::date AS end_on
    FROM enrollments e WHERE e.person_id = t.id AND e.status = 'active'
    ORDER BY e.school_id, e.role = 'student' DESC, e.role
) p WHERE true"""
_BEFORE = "FROM roles p WHERE p.person_id = t.id"
_ANYWHERE = """COALESCE(
    t.primary_org_id,
    (SELECT l.school_id FROM placements l WHERE l.person_id = t.id ORDER BY l.id DESC LIMIT 1),
    (SELECT r.id FROM orgs r WHERE r.status = 'active' ORDER BY r.parent_id IS NULL DESC, r.sourced_id LIMIT 1)
)"""
_ALONE = "CASE WHEN t.is_student THEN 'student' WHEN t.is_teacher THEN 'teacher' ELSE 'relative' END"
_AT_LAST = f"""FROM (
    SELECT ''::text AS sourced_id, {_ANYWHERE} AS org_id, {_ALONE} AS role, 'primary' AS role_type,
        NULL::date AS begin_on, NULL::date AS end_on
) p WHERE true"""

# 1.1 has administrators of whatever it may be; 1.2 wants to know.
_ROLE = """CASE WHEN p.role <> 'administrator' THEN p.role
    WHEN EXISTS (SELECT FROM orgs o WHERE o.id = p.org_id AND o.type <> 'school') THEN 'districtAdministrator'
    ELSE 'siteAdministrator' END"""

ROLES = Parts(
    "roles",
    (
        Text("roleType", "p.role_type", required=True),
        Text("role", _ROLE),
        Reference("org", ORG, _ORG, "FROM orgs o WHERE o.id = p.org_id", "t.primary_org_id", required=True),
        Day("beginDate", "p.begin_on"),
        Day("endDate", "p.end_on"),
    ),
    (_HELD, _ENROLLED, _BEFORE, _AT_LAST),
    order="p.role_type, p.sourced_id",
    versions=ONLY_12,
    required=True,
)  # fmt: skip

_FIRST = "ORDER BY p.role_type, p.org_id IS DISTINCT FROM t.primary_org_id, p.sourced_id LIMIT 1"
_FIRST_ENROLLED = "ORDER BY p.role = 'student' DESC, p.role LIMIT 1"
ONE_ROLE = Text(
    "role",
    f"COALESCE((SELECT p.role {_HELD} {_FIRST}), (SELECT p.role {_ENROLLED} {_FIRST_ENROLLED}), {_ALONE})",  # constants
    words.ROLES_11,
    versions=ONLY_11,
    required=True,
)

ROLES_ORGS = References(
    "orgs", ORG, _ORG,
    f"FROM orgs o WHERE o.id IN (SELECT p.org_id {_HELD})",  # constants
    unless=(
        (_ORG, f"FROM orgs o WHERE o.id IN (SELECT p.org_id {_ENROLLED})"),  # constants
        (_ORG, f"FROM orgs o WHERE o.id = {_ANYWHERE}"),
    ),
    versions=ONLY_11,
    required=True,
)  # fmt: skip

_SAID = "btrim(p.said, '{} ')"
USER_IDS = Parts(
    "userIds",
    (
        Text(
            "type",
            f"CASE WHEN position(':' IN {_SAID}) > 0 THEN split_part({_SAID}, ':', 1) ELSE 'unknown' END",
            required=True,
        ),
        Text("identifier", f"substr({_SAID}, position(':' IN {_SAID}) + 1)"),
    ),
    ("FROM unnest(t.user_ids) WITH ORDINALITY AS p (said, n) WHERE true",),
    order="p.n",
    given="t.user_ids <> '{}'",
)

_URN = f"'urn:x-oneroster:profile:' || {escaped('p.sourced_id')}"
_IS_URI = "position(':' IN p.sourced_id) > 0 AND p.sourced_id ~ '^[a-z][a-z0-9+.-]*:[!-~]+$'"
_PROFILE = f"CASE WHEN {_IS_URI} THEN p.sourced_id ELSE {_URN} END"
USER_PROFILES = Parts(
    "userProfiles",
    (
        Text("profileId", _PROFILE, required=True),
        Text("profileType", "p.profile_type"),
        Text("vendorId", "p.vendor_id"),
        Text("applicationId", "p.application_id"),
        Text("description", "p.description"),
        Parts(
            "credentials",
            (Text("type", "c.type"), Text("username", "c.username")),
            ("FROM (SELECT p.credential_type AS type, p.username AS username) c WHERE true",),
        ),
    ),
    ("FROM user_profiles p WHERE p.person_id = t.id AND p.status = 'active'",),
    order="p.sourced_id",
    versions=ONLY_12,
)
