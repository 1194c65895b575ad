"""A small district as a provider gives it over REST, with everything an object may carry."""

from typing import Any

OLD, NEW = "2026-01-01T00:00:00.000Z", "2036-02-01T00:00:00.000Z"


def ref(type: str, sourced_id: str) -> dict[str, str]:
    return {"href": f"https://sis.example/{type}/{sourced_id}", "sourcedId": sourced_id, "type": type}


def an_object(sourced_id: str, changed: str = OLD, status: str = "active", **members: Any) -> dict[str, Any]:
    return {"sourcedId": sourced_id, "status": status, "dateLastModified": changed} | members


def a_role(role: str, org: str = "s1", role_type: str = "primary", **more: str) -> dict[str, Any]:
    return {"roleType": role_type, "role": role, "org": ref("org", org)} | more


def a_user(sourced_id: str, *roles: dict[str, Any], **more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "username": sourced_id, "enabledUser": "true", "givenName": "Ada", "familyName": f"of {sourced_id}",
        "roles": list(roles),
    }  # fmt: skip
    return an_object(sourced_id, **base | more)


def a_district() -> dict[str, list[dict[str, Any]]]:
    """One school, one class, a teacher, a student with much about her, a gradebook and a book."""
    profile = {
        "profileId": "https://lms.example/ada", "profileType": "LMS", "vendorId": "lms", "applicationId": "app",
        "description": "her account",
        "credentials": [
            {"type": "password", "username": "ada", "password": "never to be kept"},
            {"type": "sso", "username": "ada@lms"},
        ],
    }  # fmt: skip
    return {
        "orgs": [
            an_object("d1", name="The district", type="district", identifier="D", children=[ref("org", "s1")]),
            an_object(
                "s1", name='Lincoln "High", upper', type="school", identifier="0001", parent=ref("org", "d1"),
                metadata={"sector": "charter", "open": True, "lunch": {"hot": 1}},
            ),
        ],
        "academicSessions": [
            an_object("y", title="Year", type="schoolYear", startDate="2025-09-01", endDate="2026-06-30",
                      schoolYear="2026", children=[ref("academicSession", "t")]),
            an_object("t", title="Term", type="term", startDate="2025-09-01", endDate="2026-01-31",
                      schoolYear=2026, parent=ref("academicSession", "y")),
        ],
        "courses": [
            an_object("co", title="Algebra", courseCode="ALG", grades=["09", "10"], org=ref("org", "s1"),
                      schoolYear=ref("academicSession", "y"), subjects=["Mathematics, pure"], subjectCodes=["1"],
                      resources=[ref("resource", "book")]),
        ],
        "classes": [
            an_object("c", title="Algebra 1", classCode="A1", classType="scheduled", location=None, grades=["09"],
                      subjects=[], course=ref("course", "co"), school=ref("org", "s1"),
                      terms=[ref("academicSession", "t"), ref("academicSession", "y")], periods=["1", "2"],
                      resources=[ref("resource", "book")]),
        ],
        "users": [
            a_user("teacher", a_role("teacher")),
            a_user(
                "ada",
                a_role("student", beginDate="2025-09-01", endDate="2026-06-30", userProfile="https://lms.example/ada"),
                a_role("aide", "d1", "secondary"),
                preferredFirstName="Addie", preferredLastName="L.", preferredMiddleName="M.", pronouns="she/her",
                userMasterIdentifier="m-1", identifier="000123", middleName=None, email="ada@example.org",
                userIds=[{"type": "LDAP", "identifier": "ada"}, {"type": "state", "identifier": "9"}],
                grades=["09"], agents=[ref("user", "teacher")], primaryOrg=ref("org", "s1"), password="secret",
                userProfiles=[profile], resources=[ref("resource", "book")],
            ),
        ],
        "enrollments": [
            an_object("e1", user=ref("user", "ada"), role="student", school=ref("org", "s1"), primary=False,
                      beginDate="2025-09-01", endDate="2026-06-30", **{"class": ref("class", "c")}),
            an_object("e2", user=ref("user", "teacher"), role="teacher", school=ref("org", "s1"), primary="true",
                      **{"class": ref("class", "c")}),
        ],
        "demographics": [an_object("ada", birthDate="2010-05-01", sex="female", asian="true", cityOfBirth="Oslo")],
        "categories": [an_object("cat", title="Homework", weight=40.0)],
        "scoreScales": [
            an_object("scale", title="Letters", type="letter", course=ref("course", "co"),
                      scoreScaleValue=[{"itemValueLHS": "90-100", "itemValueRHS": "A"},
                                       {"itemValueLHS": "0-89", "itemValueRHS": "B"}],
                      **{"class": ref("class", "c")}),
        ],
        "lineItems": [
            an_object("li", title="Sheet 1", assignDate="2026-01-10T23:30:00-05:00", dueDate="2026-01-20T00:00:00.000Z",
                      category=ref("category", "cat"), school=ref("org", "s1"), scoreScale=ref("scoreScale", "scale"),
                      gradingPeriod=ref("academicSession", "t"), resultValueMin=0.0, resultValueMax=12.5,
                      learningObjectiveSet=[{"source": "case", "learningObjectiveIds": ["o1", "o2"]}],
                      **{"class": ref("class", "c")}),
        ],
        "results": [
            an_object("r", lineItem=ref("lineItem", "li"), student=ref("user", "ada"), scoreStatus="fully graded",
                      score=11.5, scoreDate="2026-01-21T10:00:00Z", comment="", late="true",
                      scoreScale=ref("scoreScale", "scale"),
                      learningObjectiveSet=[{"source": "case", "learningObjectiveResults": [
                          {"learningObjectiveId": "o1", "score": 3.0},
                          {"learningObjectiveId": "o2", "textScore": "ok"}]}],
                      **{"class": ref("class", "c")}),
        ],
        "resources": [an_object("book", title="The book", roles=["student"], importance="primary", vendorResourceId="v",
                                vendorId="vendor", applicationId="a")],
    }  # fmt: skip


def a_district_of_1_1() -> dict[str, list[dict[str, Any]]]:
    """The same district at a provider of 1.1."""
    district = a_district()
    for user in district["users"]:
        roles = user.pop("roles")
        user |= {"role": roles[0]["role"], "orgs": [one["org"] for one in roles]}
        for newer in ("userProfiles", "resources", "primaryOrg", "pronouns"):
            user.pop(newer, None)
    district["users"].append(
        an_object("boss", username="boss", enabledUser=True, givenName="B", familyName="Oss", role="administrator",
                  orgs=[ref("org", "d1")])
    )  # fmt: skip
    del district["scoreScales"]
    return district
