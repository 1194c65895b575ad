"""What a row of each file becomes: the table it is kept in, and what each of its columns is made of.

`s` is a staged row, `t` the record as it is kept; a reference has an alias of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.roster.domain.layout import READ

SOURCE = "sis"
"""The system that rosters come from, as the crosswalk names it."""

TYPES = {
    "orgs": "org", "academicSessions": "academicSession", "courses": "course", "classes": "class", "users": "user",
}  # fmt: skip
"""The files whose rows have an identity of ours, and what they are in the crosswalk; never to be changed."""

STAGES = {name: file.stage for name, file in READ["1.2"].items()}
"""Where the rows of each file wait during an import, as `s_…`; what differs of them as `d_…`."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table: its type, and the column of the stage it is read from."""

    name: str
    type: str
    staged: str

    @property
    def value(self) -> str:
        """The SQL that reads it."""
        match self.type:
            case "text":
                return f"s.{self.staged}"
            case "text[]":
                return f"COALESCE(string_to_array(s.{self.staged}, ','), '{{}}')"
            case "timestamptz":  # in the files a date, which begins at midnight of Greenwich
                return f"(s.{self.staged} || 'T00:00:00Z')::timestamptz"
            case _:
                return f"s.{self.staged}::{self.type}"


@dataclass(frozen=True, slots=True)
class Ref:
    """A column that says which other record is meant: by our identity, or by its name where it has none.

    `or_kept`: when nothing is said, what is kept stays.
    """

    name: str
    staged: str
    file: str
    many: bool = False
    or_kept: bool = False

    @property
    def is_named(self) -> bool:
        return self.file in TYPES

    @property
    def type(self) -> str:
        return "text" if not self.is_named else "uuid[]" if self.many else "uuid"


@dataclass(frozen=True, slots=True)
class Record:
    """What the rows of a file become."""

    file: str
    table: str
    fields: tuple[Field, ...]
    refs: tuple[Ref, ...]

    @property
    def stage(self) -> str:
        return STAGES[self.file]

    @property
    def is_named(self) -> bool:
        """Whether its rows are of the kinds that have an identity of ours."""
        return self.file in TYPES

    @property
    def key(self) -> str:
        """The column its rows are known by."""
        return "id" if self.is_named else "person_id" if self.file == "demographics" else "sourced_id"

    @property
    def names_file(self) -> str | None:
        """The file whose names its own sourcedIds are, if these have an identity."""
        return self.file if self.is_named else "users" if self.file == "demographics" else None

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of its table that are this file's own, and their types."""
        return {one.name: one.type for one in self.fields} | {ref.name: ref.type for ref in self.refs}


def _fields(text: str) -> tuple[Field, ...]:
    """`name`, `name:type`, or `name:type=staged` each."""
    found = []
    for one in text.split():
        name, _, staged = one.partition("=")
        name, _, type = name.partition(":")
        found.append(Field(name, type or "text", staged or name))
    return tuple(found)


def _refs(text: str) -> tuple[Ref, ...]:
    """`column=staged>file`; `[]` behind the column for several, `?` when what is kept stays."""
    found = []
    for one in text.split():
        name, _, rest = one.partition("=")
        staged, _, file = rest.partition(">")
        found.append(Ref(name.rstrip("[]?"), staged, file, name.endswith("[]"), name.endswith("?")))
    return tuple(found)


_SCORED = "score:float8 text_score"
_RACES = (
    "american_indian_or_alaska_native:boolean asian:boolean black_or_african_american:boolean "
    "native_hawaiian_or_other_pacific_islander:boolean white:boolean "
    "two_or_more_races:boolean=demographic_race_two_or_more_races "
    "hispanic_or_latino:boolean=hispanic_or_latino_ethnicity"
)
_ALL: dict[str, tuple[str, str, str]] = {
    "orgs": (
        "orgs",
        "name type identifier sector latitude:float8 longitude:float8",
        "parent_id=parent_sourced_id>orgs",
    ),
    "academicSessions": (
        "academic_sessions",
        "title type start_on:date=start_date end_on:date=end_date school_year:smallint",
        "parent_id=parent_sourced_id>academicSessions",
    ),
    "courses": (
        "courses",
        "title course_code grades:text[] subjects:text[] subject_codes:text[]",
        "org_id=org_sourced_id>orgs school_year_id=school_year_sourced_id>academicSessions",
    ),
    "classes": (
        "classes",
        "title class_code class_type location grades:text[] subjects:text[] subject_codes:text[] periods:text[]",
        "course_id=course_sourced_id>courses school_id=school_sourced_id>orgs "
        "term_ids[]=term_sourced_ids>academicSessions",
    ),
    "users": (
        "people",
        "username given_name family_name middle_name preferred_given_name preferred_middle_name preferred_family_name "
        "pronouns identifier user_master_identifier email sms phone enabled:boolean=enabled_user user_ids:text[] "
        "grades:text[]",
        "agent_ids[]=agent_sourced_ids>users primary_org_id=primary_org_sourced_id>orgs",
    ),
    "roles": (
        "roles",
        "role role_type begin_on:date=begin_date end_on:date=end_date",
        "person_id=user_sourced_id>users org_id=org_sourced_id>orgs",
    ),
    "demographics": (
        "demographics",
        f"birth_on:date=birth_date sex {_RACES} birth_country=country_of_birth_code "
        "birth_state=state_of_birth_abbreviation birth_city=city_of_birth "
        "residence_status=public_school_residence_status",
        "",
    ),
    "enrollments": (
        "enrollments",
        "role is_primary:boolean begin_on:date=begin_date end_on:date=end_date",
        "person_id=user_sourced_id>users class_id=class_sourced_id>classes school_id=school_sourced_id>orgs",
    ),
    "userProfiles": (
        "user_profiles",
        "profile_type vendor_id application_id description credential_type username",
        "person_id=user_sourced_id>users",
    ),
    "resources": (
        "resources",
        "title vendor_resource_id roles:text[] importance vendor_id application_id",
        "",
    ),
    "classResources": (
        "class_resources",
        "title",
        "class_id=class_sourced_id>classes resource=resource_sourced_id>resources",
    ),
    "courseResources": (
        "course_resources",
        "title",
        "course_id=course_sourced_id>courses resource=resource_sourced_id>resources",
    ),
    "userResources": (
        "user_resources",
        "",
        "person_id=user_sourced_id>users org_id=org_sourced_id>orgs class_id=class_sourced_id>classes "
        "resource=resource_sourced_id>resources",
    ),
    "categories": ("categories", "title weight:float8", ""),
    "scoreScales": (
        "score_scales",
        "title type scale_values:jsonb=score_scale_value",
        "org_id=org_sourced_id>orgs course_id=course_sourced_id>courses class_id=class_sourced_id>classes",
    ),
    "lineItems": (
        "line_items",
        "title description assign_at:timestamptz=assign_date due_at:timestamptz=due_date result_value_min:float8 "
        "result_value_max:float8",
        "class_id=class_sourced_id>classes school_id?=school_sourced_id>orgs category=category_sourced_id>categories "
        "grading_period_id=grading_period_sourced_id>academicSessions "
        "academic_session_id=academic_session_sourced_id>academicSessions",
    ),
    "lineItemLearningObjectiveIds": (
        "line_item_objectives",
        "source objective=learning_objective_id",
        "line_item=line_item_sourced_id>lineItems",
    ),
    "lineItemScoreScales": (
        "line_item_scales",
        "",
        "line_item=line_item_sourced_id>lineItems score_scale=score_scale_sourced_id>scoreScales",
    ),
    "results": (
        "results",
        f"score_status {_SCORED} score_date:date comment in_progress:boolean incomplete:boolean late:boolean "
        "missing:boolean",
        "line_item=line_item_sourced_id>lineItems person_id=student_sourced_id>users class_id=class_sourced_id>classes",
    ),
    "resultLearningObjectiveIds": (
        "result_objectives",
        f"source objective=learning_objective_id {_SCORED}",
        "result=result_sourced_id>results",
    ),
    "resultScoreScales": (
        "result_scales",
        "",
        "result=result_sourced_id>results score_scale=score_scale_sourced_id>scoreScales",
    ),
}
RECORDS: Mapping[str, Record] = MappingProxyType(
    {file: Record(file, _ALL[file][0], _fields(_ALL[file][1]), _refs(_ALL[file][2])) for file in READ["1.2"]}
)
"""By file, in the order in which they refer to each other."""

TABLES = {file: record.table for file, record in RECORDS.items()}
"""Where the rows of each file are kept."""


def _places() -> Mapping[str, tuple[str, ...]]:
    """The columns of each stage: of every version, with those that orgs make of their metadata."""
    found: dict[str, dict[str, None]] = {name: {} for name in STAGES}
    for files in READ.values():
        for file in files.values():
            found[file.name] |= dict.fromkeys(column.place for column in file.columns if column.place)
    found["orgs"] |= dict.fromkeys(("sector", "latitude", "longitude"))
    return {name: tuple(places) for name, places in found.items()}


PLACES = _places()
KEYS = frozenset({"sourced_id"} | {ref.staged for record in RECORDS.values() for ref in record.refs if not ref.many})
"""Columns of the stages that are compared with names, which are ordered by their bytes."""
