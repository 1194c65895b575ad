"""Whether a school may see an attempt is asked of each row.

As a set to be gathered first, the planner charged the gathering to every single look-up, and read whole tables instead.
"""

from alembic import op

revision = "assessment_0003"
down_revision = "assessment_0002"
branch_labels = None
depends_on = None

_TABLES = ("attempts", "attempt_history")
_SCHOOLS = "(SELECT NULLIF(current_setting('app.schools', true), ''))"
_PLACED_NOW = """
    school_id = ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])
    AND (begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)
"""


def upgrade() -> None:
    for table in _TABLES:
        _replace(
            table,
            f"EXISTS (SELECT FROM placements WHERE placements.student_id = {table}.student_id AND {_PLACED_NOW})",
        )


def downgrade() -> None:
    for table in _TABLES:
        _replace(table, f"student_id IN (SELECT placements.student_id FROM placements WHERE {_PLACED_NOW})")  # noqa: S608  # constants


def _replace(table: str, is_placed: str) -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(f"DROP POLICY school ON {table}")
    op.execute(f"""
        CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({_SCHOOLS} IS NULL OR {is_placed})
    """)
