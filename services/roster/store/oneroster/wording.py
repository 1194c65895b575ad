"""How a value is worded: SQL for it as JSON text. `{root}` stands for the public address; SQL here is constant."""

from dataclasses import dataclass

from services.roster.domain.oneroster.versions import Service, Version, base_of
from services.roster.domain.oneroster.vocabularies import Vocabulary


def quoted(sql: str) -> str:
    """SQL for a text as a JSON string; unlike to_json(), its type is looked up once for all rows."""
    return f"JSON_SCALAR({sql})::text"


def mapped(sql: str, words: Vocabulary) -> str:
    """The word of the other vocabulary for this one, which is asked for once."""
    known = {**{word: word for word in sorted(words.same)}, **words.mapped}
    cases = " ".join(f"WHEN '{word}' THEN '{other}'" for word, other in known.items())
    other = "NULL" if words.other is None else f"'{words.other}'"
    return f"CASE {sql} {cases} ELSE {other} END"


def written(moment: str) -> str:
    """A moment as OneRoster writes it: UTC, with milliseconds and Z."""
    return f"""to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""


@dataclass(frozen=True, slots=True, eq=False)
class Kinship:
    """What a reference leads to: its `type`, where such objects are found, and the path there."""

    type: str
    service: Service
    path: str


ORG = Kinship("org", Service.ROSTERING, "orgs")
SESSION = Kinship("academicSession", Service.ROSTERING, "academicSessions")
COURSE = Kinship("course", Service.ROSTERING, "courses")
CLASS = Kinship("class", Service.ROSTERING, "classes")
USER = Kinship("user", Service.ROSTERING, "users")
RESOURCE = Kinship("resource", Service.RESOURCES, "resources")
NOWHERE = "unknown"
"""The sourcedId of a required reference to what nobody has told us; it leads nowhere."""

_HREF = """'{"href":"' || {root} || '@path/' || @name || '","sourcedId":' || @quoted || ',"type":"@type"}'"""
_UNSAFE = "'[^A-Za-z0-9._~-]'"


def escaped(sql: str) -> str:
    """A sourcedId as part of a path: everything but letters, digits and -._~ as percent and two digits.

    The function is asked only where it has something to do: it costs many times what the rest of a reference does.
    """
    return f"CASE WHEN {sql} ~ {_UNSAFE} THEN in_a_path({sql}) ELSE {sql} END"


def reference(sql: str, to: Kinship, version: Version) -> str:
    """SQL for a reference as JSON text; `sql` is a column with the sourcedId, and where that is NULL, so is it."""
    return href(escaped(sql), quoted(sql), to, version)


def href(name: str, quoted: str, to: Kinship, version: Version) -> str:
    """SQL for a reference, of the SQL for its sourcedId as part of a path, and as a JSON string."""
    path = f"{base_of(to.service, version)}/{to.path}"
    said = _HREF.replace("@path", path).replace("@type", to.type)
    return said.replace("@name", name).replace("@quoted", quoted)


def gathered(said: str, order: str) -> str:
    """SQL for a JSON list of what is said of each row; NULL instead of an empty one."""
    return f"'[' || string_agg({said}, ','{f' ORDER BY {order}' if order else ''}) || ']'"


def listed(said: str, source: str, order: str) -> str:
    """SQL for a JSON list of what is said of each row of a FROM clause."""
    return f"(SELECT {gathered(said, order)} {source})"  # constants


def nowhere(to: Kinship, version: Version) -> str:
    """SQL for a reference that leads nowhere, where the standard insists on one."""
    return href(f"'{NOWHERE}'", f"""'"{NOWHERE}"'""", to, version)
