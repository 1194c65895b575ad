"""The objects of the gradebook service and the collections they are read in."""

from services.roster.domain.oneroster import vocabularies as words
from services.roster.domain.oneroster.versions import ONLY_11, ONLY_12, Service, Version
from services.roster.store.oneroster.description import (
    RECORD,
    UNTOLD,
    Collection,
    Compared,
    Day,
    Field,
    Flag,
    Given,
    Kind,
    Moment,
    Number,
    Object,
    Parent,
    Reference,
    Text,
)
from services.roster.store.oneroster.wording import CLASS, COURSE, ORG, SESSION, USER, Kinship, quoted

CATEGORY = Kinship("category", Service.GRADEBOOK, "categories")
SCORE_SCALE = Kinship("scoreScale", Service.GRADEBOOK, "scoreScales")
LINE_ITEM = Kinship("lineItem", Service.GRADEBOOK, "lineItems")
ASSESSMENT_LINE_ITEM = Kinship("assessmentLineItem", Service.GRADEBOOK, "assessmentLineItems")

_KIN = "o.sourced_id"
_NAME = 't.sourced_id COLLATE "default"'
"""The sourcedId as columns that refer to it have it: their indexes are of no use to the order of sourcedIds."""
_SOURCE = "CASE WHEN @source ~ '^(case|unknown|/[a-z0-9]+)$' THEN @source ELSE 'unknown' END"
"""Files may name sources in words that the API has none for."""


def _objectives(sets: str, table: str, of: str, derived: str = "") -> Given:
    """Learning objectives by who names them, each set in the order in which it was said; usually it is one set.

    `derived`: cases of what is made of facts, whose objectives are not in the table.
    """
    if sets == "learningObjectiveIds":
        one = quoted("o.objective")
    else:
        one = (
            f"concat('{{\"learningObjectiveId\":' || {quoted('o.objective')}, ',\"score\":' || o.score::text, "
            f"',\"textScore\":' || {quoted('o.text_score')}, '}}')"
        )
    within = f"FROM {table} o WHERE o.{of} = {_NAME} AND o.status = 'active'"
    source, said = _SOURCE.replace("@source", "o.source"), f"string_agg({one}, ',' ORDER BY o.sourced_id)"
    every = f"""(
        SELECT '[' || string_agg({_set(sets, "g.source", "g.said")}, ',' ORDER BY g.first) || ']'
        FROM (SELECT {source} AS source, min(o.sourced_id) AS first, {said} AS said {within} GROUP BY 1) g
    )"""  # noqa: S608  # constants
    source = _SOURCE.replace("@source", "min(o.source)")
    only = f"""(
        SELECT CASE WHEN min(o.source) = max(o.source) THEN '[' || {_set(sets, source, said)} || ']'
                    WHEN min(o.source) IS NOT NULL THEN {UNTOLD} END {within}
    )"""
    if derived:
        every, only = (f"CASE {derived} ELSE {form} END" for form in (every, only))
    around = f"EXISTS (SELECT {within} AND {{condition}})"  # constants
    compared = Compared(Kind.TEXT, "o.objective", around)
    return Given("learningObjectiveSet", {Version.V12: every}, compared, only, versions=ONLY_12)


def _set(sets: str, source: str, said: str) -> str:
    return f"""'{{"source":' || {quoted(source)} || ',"{sets}":[' || {said} || ']}}'"""


def _case(sets: str, members: str) -> str:
    """Objectives that CASE names."""
    return f"""'[{{"source":"case","{sets}":[' || {members} || ']}}]'"""


_COMPETENCIES = "assessed_competencies c WHERE c.identifier IS NOT NULL AND c.number"
_OF_FORM = f"""
    WHEN t.form_id IS NOT NULL THEN (
        SELECT {_case("learningObjectiveIds", "string_agg(to_json(c.identifier)::text, ',' ORDER BY c.number)")}
        FROM {_COMPETENCIES} IN (SELECT unnest(f.objectives) FROM assessed_forms f WHERE f.id = t.form_id))
    WHEN t.is_ours AND t.sourced_id = 'mastery' THEN (
        SELECT {_case("learningObjectiveIds", "string_agg(to_json(c.identifier)::text, ',' ORDER BY c.number)")}
        FROM assessed_competencies c WHERE c.identifier IS NOT NULL)
"""  # noqa: S608  # constants
_REACHED = (
    "concat('{\"learningObjectiveId\":', to_json(c.identifier), ',\"score\":', @score, "
    "',\"textScore\":\"', @text, '\"}')"
)


def _reached(score: str, text: str) -> str:
    one = _REACHED.replace("@score", score).replace("@text", text)
    return _case("learningObjectiveResults", f"string_agg({one}, ',' ORDER BY c.number)")


_GOT = "get_byte(t.scores, a.item)"
_LEVEL = "(ARRAY['unknown', 'beginning', 'developing', 'mastered'])[b.belief % 10 + 1]"
_PROBABILITY = "trim_scale((b.belief / 10)::numeric / 1000000)"
_OF_ATTEMPT = f"""
    WHEN t.scores IS NOT NULL THEN (
        SELECT {_reached("trim_scale(round(p.got::numeric / p.possible, 4))", "concat(p.got, '/', p.possible)")}
        FROM (SELECT a.objective, sum(CASE WHEN {_GOT} <= 250 THEN {_GOT} ELSE 0 END) AS got,
                     sum(CASE WHEN {_GOT} < 255 THEN f.maxima[a.item + 1] ELSE 0 END) AS possible
              FROM assessed_forms f, unnest(f.items, f.objectives) AS a (item, objective)
              WHERE f.id = t.form_id GROUP BY a.objective) p, {_COMPETENCIES} = p.objective AND p.possible > 0)
    WHEN t.beliefs IS NOT NULL THEN (
        SELECT {_reached(_PROBABILITY, _LEVEL)}
        FROM unnest(t.competencies, t.beliefs) AS b (number, belief), {_COMPETENCIES} = b.number)
"""  # noqa: S608  # constants
"""An attempt tells the share of the points of what it presented; a standing how likely the student has mastered it."""


def _scale(table: str, of: str) -> Reference:
    """The score scale that a table of its own knows."""
    found = f"FROM {table} o WHERE o.{of} = {_NAME} AND o.status = 'active'"
    return Reference("scoreScale", SCORE_SCALE, "o.score_scale", found, versions=ONLY_12)


_RANGE = (Number("resultValueMin", "t.result_value_min"), Number("resultValueMax", "t.result_value_max"))
_TITLED = (Text("title", "t.title", required=True), Text("description", "t.description"))
_SCORE = (Number("score", "t.score"), Text("textScore", "t.text_score", versions=ONLY_12))
_SCORED: tuple[Field, ...] = (
    Text("scoreStatus", "t.score_status", words.SCORE_STATUSES_11, required=True),
    # A file may leave it out, the standard insists on it: it is no earlier than the day we heard of the result.
    Day(
        "scoreDate",
        "COALESCE(t.score_date, (SELECT v.at::date FROM revisions v WHERE v.number = t.since))",
        required=True,
    ),
    Text("comment", "t.comment"),
    Flag("inProgress", "t.in_progress", versions=ONLY_12),
    Flag("incomplete", "t.incomplete", versions=ONLY_12),
    Flag("late", "t.late", versions=ONLY_12),
    Flag("missing", "t.missing", versions=ONLY_12),
)
_STUDENT = Reference("student", USER, _KIN, "FROM people o WHERE o.id = t.person_id", required=True)
_CLASS = "FROM classes o WHERE o.id = t.class_id"

CATEGORIES = Object(
    "category", "categories", "categories", Service.GRADEBOOK,
    (*RECORD, Text("title", "t.title", required=True), Number("weight", "t.weight", versions=ONLY_12)),
)  # fmt: skip

SCORE_SCALES = Object(
    "scoreScale", "scoreScales", "score_scales", Service.GRADEBOOK,
    (
        *RECORD,
        Text("title", "t.title", required=True),
        Text("type", "t.type", required=True),
        Reference("course", COURSE, _KIN, "FROM courses o WHERE o.id = t.course_id"),
        Reference("class", CLASS, _KIN, _CLASS, required=True),
        Given("scoreScaleValue", dict.fromkeys(Version, "t.scale_values::text"), required=True),
    ),
)  # fmt: skip

LINE_ITEMS = Object(
    "lineItem", "lineItems", "line_items", Service.GRADEBOOK,
    (
        *RECORD,
        *_TITLED,
        Moment("assignDate", "t.assign_at", required=True),
        Moment("dueDate", "t.due_at", required=True),
        Reference("class", CLASS, _KIN, _CLASS, required=True),
        Reference("school", ORG, _KIN, "FROM orgs o WHERE o.id = t.school_id", required=True, versions=ONLY_12),
        Reference("category", CATEGORY, "t.category", required=True),
        Reference(
            "gradingPeriod", SESSION, _KIN, "FROM academic_sessions o WHERE o.id = t.grading_period_id",
            versions=ONLY_12,
        ),
        Reference(  # in 1.1 it is the only session a line item has, and must have
            "gradingPeriod", SESSION, _KIN,
            "FROM academic_sessions o WHERE o.id = COALESCE(t.grading_period_id, t.academic_session_id)",
            versions=ONLY_11,
        ),
        Reference(
            "academicSession", SESSION, _KIN, "FROM academic_sessions o WHERE o.id = t.academic_session_id",
            versions=ONLY_12,
        ),
        _scale("line_item_scales", "line_item"),
        *_RANGE,
        _objectives("learningObjectiveIds", "line_item_objectives", "line_item"),
    ),
)  # fmt: skip

RESULTS = Object(
    "result", "results", "results", Service.GRADEBOOK,
    (
        *RECORD,
        Reference("lineItem", LINE_ITEM, "t.line_item", required=True),
        _STUDENT,
        Reference("class", CLASS, _KIN, _CLASS, versions=ONLY_12),
        _scale("result_scales", "result"),
        *_SCORE,
        *_SCORED,
        _objectives("learningObjectiveResults", "result_objectives", "result"),
    ),
    of_results=True,
    placed="person_id",
)  # fmt: skip

ASSESSMENT_LINE_ITEMS = Object(
    "assessmentLineItem", "assessmentLineItems", "every_assessment_line_item", Service.GRADEBOOK,
    (
        *RECORD,
        *_TITLED,
        Reference("class", CLASS, _KIN, _CLASS),
        Reference("parentAssessmentLineItem", ASSESSMENT_LINE_ITEM, "t.parent"),
        Reference("scoreScale", SCORE_SCALE, "t.score_scale"),
        *_RANGE,
        _objectives("learningObjectiveIds", "assessment_line_item_objectives", "assessment_line_item", _OF_FORM),
    ),
    ("assessment_line_items", "assessed_items"),
)  # fmt: skip

ASSESSMENT_RESULTS = Object(
    "assessmentResult", "assessmentResults", "every_assessment_result", Service.GRADEBOOK,
    (
        *RECORD,
        Reference("assessmentLineItem", ASSESSMENT_LINE_ITEM, "t.assessment_line_item", required=True),
        _STUDENT,
        Reference("scoreScale", SCORE_SCALE, "t.score_scale"),
        *_SCORE,
        Number("scorePercentile", "t.score_percentile"),
        *_SCORED,
        _objectives("learningObjectiveResults", "assessment_result_objectives", "assessment_result", _OF_ATTEMPT),
    ),
    ("assessment_results", "scored_attempts", "standings"),
    of_results=True,
)  # fmt: skip

_CLASSES = Parent("classes")
_SCHOOLS = Parent("orgs", "p.type = 'school'")
_IN_CLASS = 't.line_item IN (SELECT l.sourced_id COLLATE "default" FROM line_items l WHERE l.class_id = {0})'

_OF_DISTRICT = "t.district_id = NULLIF(current_setting('app.district', true), '')::uuid"
"""Said although every table says so itself: else the order of each index behind a view is not seen to be the list's."""

COLLECTIONS = (
    Collection("categories", CATEGORIES),
    Collection(
        "categories of class", CATEGORIES,
        "t.sourced_id IN (SELECT l.category FROM line_items l WHERE l.class_id = {0} AND {now:l})",
        (_CLASSES,), ("line_items",),
    ),
    Collection("scoreScales", SCORE_SCALES),
    Collection("scoreScales of class", SCORE_SCALES, "t.class_id = {0}", (_CLASSES,)),
    Collection(
        "scoreScales of school", SCORE_SCALES, "t.class_id IN (SELECT c.id FROM classes c WHERE c.school_id = {0})",
        (_SCHOOLS,), ("classes",),
    ),
    Collection("lineItems", LINE_ITEMS),
    Collection("lineItems of class", LINE_ITEMS, "t.class_id = {0}", (_CLASSES,)),
    Collection("results", RESULTS),
    Collection("results of class", RESULTS, _IN_CLASS, (_CLASSES,), ("line_items",)),
    Collection(
        "results of lineItem", RESULTS, 't.line_item = {1} COLLATE "default"',
        (_CLASSES, Parent("line_items", "p.class_id = {0}", key="sourced_id")),
    ),
    Collection(
        "results of student", RESULTS, f"t.person_id = {{1}} AND {_IN_CLASS}",
        (_CLASSES, Parent("people", "p.is_student")), ("line_items",),
    ),
    Collection("assessmentLineItems", ASSESSMENT_LINE_ITEMS, _OF_DISTRICT),
    Collection("assessmentResults", ASSESSMENT_RESULTS, _OF_DISTRICT),
)  # fmt: skip
