"""The files of the gradebook, of resources and of profiles, as the official bindings list them."""

from dataclasses import replace

from services.roster.domain.columns import HEAD, Column, File, Kind, Version, code, key

SCORE_STATUSES = frozenset({"exempt", "fully graded", "not submitted", "partially graded", "submitted"})
SOURCES = frozenset({"case", "unknown"})
IMPORTANCES = frozenset({"primary", "secondary"})
RESOURCE_ROLES = frozenset({"administrator", "aide", "guardian", "parent", "proctor", "relative", "student", "teacher"})

RESULTS = frozenset({"results", "resultLearningObjectiveIds", "resultScoreScales"})
"""The files that tell how somebody did."""
GRADEBOOK = RESULTS | frozenset(
    {"categories", "scoreScales", "lineItems", "lineItemLearningObjectiveIds", "lineItemScoreScales"}
)
"""All the files of the gradebook."""


def _title(*, required: bool = True) -> Column:
    return Column("title", required=required)


def gradebook(version: Version) -> list[File]:
    """Categories, line items and results, and in 1.2 their scales and objectives."""
    old = version == "1.1"
    files = [
        File("categories", (*HEAD, _title(), *(() if old else (Column("weight", Kind.NUMBER, may_lack=True),)))),
        File("lineItems", (
            *HEAD,
            _title(),
            Column("description"),
            Column("assignDate", Kind.DATE, required=True),
            Column("dueDate", Kind.DATE, required=True),
            key("classSourcedId", "classes", needed=True),
            key("categorySourcedId", "categories", needed=True),
            replace(
                key("gradingPeriodSourcedId" if old else "academicSessionSourcedId", "academicSessions", required=True),
                dispensable=True,
            ),
            Column("resultValueMin", Kind.NUMBER, required=old),
            Column("resultValueMax", Kind.NUMBER, required=old),
            *(() if old else (key("schoolSourcedId", "orgs", needed=True),)),
        )),
        File("results", (
            *HEAD,
            key("lineItemSourcedId", "lineItems", needed=True),
            key("studentSourcedId", "users", needed=True),
            code("scoreStatus", SCORE_STATUSES, version),
            Column("score", Kind.NUMBER, required=old),
            Column("scoreDate", Kind.DATE, required=True),
            Column("comment"),
            *(() if old else (
                Column("textScore"),
                key("classSourcedId", "classes"),
                *(Column(name, Kind.BOOLEAN) for name in ("inProgress", "incomplete", "late", "missing")),
            )),
        )),
    ]  # fmt: skip
    return files if old else [*files[:1], _SCALES, files[1], *_OF_LINE_ITEMS, files[2], *_OF_RESULTS]


_SCALES = File("scoreScales", (
    *HEAD,
    _title(),
    Column("type", required=True),
    key("orgSourcedId", "orgs"),
    key("courseSourcedId", "courses"),
    key("classSourcedId", "classes", needed=True),
    Column("scoreScaleValue", Kind.SCALE, required=True),
))  # fmt: skip
_OF_LINE_ITEMS = (
    File("lineItemLearningObjectiveIds", (
        *HEAD,
        key("lineItemSourcedId", "lineItems", needed=True),
        code("source", SOURCES, "1.2"),
        Column("learningObjectiveId", required=True),
    )),
    File("lineItemScoreScales", (
        *HEAD,
        _title(required=False),
        key("lineItemSourcedId", "lineItems", needed=True),
        key("scoreScaleSourcedId", "scoreScales", needed=True),
    )),
)  # fmt: skip
_OF_RESULTS = (
    File("resultLearningObjectiveIds", (
        *HEAD,
        key("resultSourcedId", "results", needed=True),
        code("source", SOURCES, "1.2"),
        Column("learningObjectiveId", required=True),
        Column("score", Kind.NUMBER),
        Column("textScore"),
    )),
    File("resultScoreScales", (
        *HEAD,
        _title(required=False),
        key("resultSourcedId", "results", needed=True),
        key("scoreScaleSourcedId", "scoreScales", needed=True),
    )),
)  # fmt: skip


def resources(version: Version) -> list[File]:
    """What is taught with, and where."""
    files = [
        File("resources", (
            *HEAD,
            Column("vendorResourceId", required=True),
            _title(required=False),
            Column("roles", Kind.CODES, codes=RESOURCE_ROLES, extensible=version == "1.2"),
            code("importance", IMPORTANCES, "1.1", required=False),
            Column("vendorId"),
            Column("applicationId"),
        )),
        File("classResources", (
            *HEAD,
            _title(required=False),
            key("classSourcedId", "classes", needed=True),
            key("resourceSourcedId", "resources", needed=True),
        )),
        File("courseResources", (
            *HEAD,
            _title(required=False),
            key("courseSourcedId", "courses", needed=True),
            key("resourceSourcedId", "resources", needed=True),
        )),
    ]  # fmt: skip
    if version == "1.2":
        files.append(
            File("userResources", (
                *HEAD,
                key("userSourcedId", "users", needed=True),
                key("orgSourcedId", "orgs"),
                key("classSourcedId", "classes"),
                key("resourceSourcedId", "resources", needed=True),
            ))
        )  # fmt: skip
    return files


PROFILES = File("userProfiles", (
    *HEAD,
    key("userSourcedId", "users", needed=True),
    Column("profileType", required=True),
    Column("vendorId", required=True),
    Column("applicationId"),
    Column("description"),
    Column("credentialType", required=True),
    Column("username", required=True),
    Column("password", staged=None),
))  # fmt: skip
"""What people are in vendors' systems; the password is never read further than its cell."""
