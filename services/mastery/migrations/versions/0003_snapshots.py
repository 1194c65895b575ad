"""Snapshots: figures of schools and of what they are part of, what is withheld, and when the next is due."""

from alembic import op

revision = "mastery_0003"
down_revision = "mastery_0002"
branch_labels = None
depends_on = None

DISTRICT = "district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
OWN_SCHOOL = """
    is_school AND organisation_id = ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])
"""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE snapshots (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            taken_at timestamptz NOT NULL,
            threshold integer NOT NULL,
            model_version text NOT NULL,
            PRIMARY KEY (district_id, id)
        )
    """)
    op.execute("CREATE INDEX snapshots_taken ON snapshots (district_id, taken_at)")
    op.execute("""
        CREATE TABLE snapshot_areas (
            district_id uuid NOT NULL,
            snapshot_id uuid NOT NULL,
            organisation_id uuid NOT NULL,
            competency_id uuid NOT NULL,
            is_school boolean NOT NULL,
            learners integer,
            strength double precision,
            need double precision,
            suppressed boolean NOT NULL,
            PRIMARY KEY (district_id, snapshot_id, organisation_id, competency_id),
            CONSTRAINT hidden_has_no_numbers CHECK (
                (learners IS NULL) = suppressed AND (strength IS NULL) = suppressed AND (need IS NULL) = suppressed)
        )
    """)
    op.execute("""
        CREATE TABLE withheld (
            district_id uuid NOT NULL,
            competency_id uuid NOT NULL,
            organisation_id uuid NOT NULL,
            is_own boolean NOT NULL,
            layer integer,
            learners integer NOT NULL,
            in_need integer NOT NULL,
            others integer NOT NULL,
            PRIMARY KEY (district_id, competency_id, organisation_id, is_own)
        )
    """)
    for table in ("snapshots", "snapshot_areas", "withheld"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY district ON {table} USING ({DISTRICT}) WITH CHECK ({DISTRICT})")
    op.execute(f"""
        CREATE POLICY school ON snapshot_areas AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({OWN_SCHOOL}))
    """)
    op.execute(f"CREATE POLICY school ON withheld AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT})")
    op.execute("""
        CREATE TABLE stage.snapshots_due (
            district_id uuid NOT NULL,
            due_at timestamptz NOT NULL,
            asked_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (district_id, due_at)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE stage.snapshots_due, withheld, snapshot_areas, snapshots")
