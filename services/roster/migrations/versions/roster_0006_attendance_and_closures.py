"""Attendance and closures by day; what was known before a correction is kept with the moment it was replaced."""

from alembic import op

revision = "roster_0006"
down_revision = "roster_0005"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
SCHOOLS = "((SELECT string_to_array(NULLIF(current_setting('app.schools', true), ''), ','))::uuid[])"
NOW = "(p.begin_on IS NULL OR p.begin_on <= current_date) AND (p.end_on IS NULL OR p.end_on > current_date)"

ATTENDED = """
    district_id uuid NOT NULL,
    person_id uuid NOT NULL,
    day date NOT NULL,
    school_id uuid NOT NULL,
    code text NOT NULL,
    modality text,
    recorded_at timestamptz NOT NULL,
"""
SHUT = """
    district_id uuid NOT NULL,
    id uuid NOT NULL,
    school_id uuid NOT NULL,
    class_id uuid,
    begin_on date NOT NULL,
    end_on date,
    modality text,
    reason text,
    recorded_at timestamptz NOT NULL,
"""
TABLES = {
    "attendance": f"{ATTENDED} PRIMARY KEY (district_id, person_id, day, school_id)",
    "attendance_history": f"{ATTENDED} replaced_at timestamptz NOT NULL, "
    "PRIMARY KEY (district_id, person_id, day, school_id, replaced_at)",
    "closures": f"{SHUT} PRIMARY KEY (district_id, id)",
    "closures_history": f"{SHUT} replaced_at timestamptz NOT NULL, PRIMARY KEY (district_id, id, replaced_at)",
}


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY district ON {table} USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
        )
        may_see = f"school_id = ANY ({SCHOOLS})"
        if table.startswith("attendance"):
            may_see += f" AND EXISTS (SELECT FROM placements p WHERE p.person_id = {table}.person_id AND {NOW})"
        else:
            op.execute(f"CREATE INDEX {table}_of_school ON {table} (district_id, school_id)")
        op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({may_see}))")


def downgrade() -> None:
    op.execute("DROP TABLE attendance, attendance_history, closures, closures_history")
