"""What a file says in fewer words than are known: a day where there is a moment, one session where there are two.

Where it says what would be exported, what is known stays; else what it says counts.
"""

from collections.abc import Mapping

from services.roster.store.records import Record

_SESSIONS = {"grading_period_id": "academic_session_id", "academic_session_id": "grading_period_id"}
_IS_TOLD = " OR ".join(
    f"(s.{other} IS NULL AND s.{one} = COALESCE(t.{one}, t.{other}))" for one, other in _SESSIONS.items()
)
"""A file of either version has one of a line item's two sessions, and is told the one that there is."""


def said(record: Record) -> Mapping[str, str]:
    """The columns of a record that are kept so, with the SQL of what they become: `s` is said, `t` is kept."""
    moments = {
        one.name: f"CASE WHEN (s.{one.name} AT TIME ZONE 'UTC')::date = (t.{one.name} AT TIME ZONE 'UTC')::date "
        f"THEN t.{one.name} ELSE s.{one.name} END"
        for one in record.fields
        if one.type == "timestamptz"
    }
    sessions = {name: f"CASE WHEN {_IS_TOLD} THEN t.{name} ELSE s.{name} END" for name in _SESSIONS}
    return moments | (sessions if record.file == "lineItems" else {})
