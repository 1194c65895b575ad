"""Whether a school may see a person is asked of each row.

As a set to be gathered first, the planner charged the gathering to every single look-up, and read whole tables instead.
"""

from alembic import op

revision = "roster_0002"
down_revision = "roster_0001"
branch_labels = None
depends_on = None

_WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
_SCHOOLS = "((SELECT string_to_array(NULLIF(current_setting('app.schools', true), ''), ','))::uuid[])"
_NOW = "(p.begin_on IS NULL OR p.begin_on <= current_date) AND (p.end_on IS NULL OR p.end_on > current_date)"


def _by_row(person: str) -> str:
    return f"EXISTS (SELECT FROM placements p WHERE p.person_id = {person} AND {_NOW})"


def _by_set(person: str) -> str:
    return f"{person} IN (SELECT p.person_id FROM placements p WHERE {_NOW})"  # noqa: S608  # constants


def upgrade() -> None:
    _replace(
        people=_by_row("people.id"),
        roles=f"org_id = ANY ({_SCHOOLS}) AND {_by_row('roles.person_id')}",
        enrollments=f"school_id = ANY ({_SCHOOLS}) AND {_by_row('enrollments.person_id')}",
        demographics=_by_row("demographics.person_id"),
        crosswalk=_crosswalk(
            _by_row("crosswalk.row_id"), "EXISTS (SELECT FROM classes c WHERE c.id = crosswalk.row_id)"
        ),
    )


def downgrade() -> None:
    _replace(
        people=_by_set("id"),
        roles=f"org_id = ANY ({_SCHOOLS}) AND {_by_set('person_id')}",
        enrollments=f"school_id = ANY ({_SCHOOLS}) AND {_by_set('person_id')}",
        demographics=_by_set("person_id"),
        crosswalk=_crosswalk(_by_set("row_id"), "row_id IN (SELECT c.id FROM classes c)"),
    )


def _crosswalk(is_placed: str, is_class: str) -> str:
    return f"""
        type IN ('academicSession', 'course')
        OR (type IN ('org', 'class', 'user') AND (row_id = ANY ({_SCHOOLS}) OR {is_placed} OR {is_class}))
    """


def _replace(**may_see: str) -> None:
    op.execute("SET lock_timeout = '5s'")
    for table, condition in may_see.items():
        op.execute(f"DROP POLICY school ON {table}")
        op.execute(
            f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({_WHOLE_DISTRICT} OR ({condition}))"
        )
