"""What a district lets an import of its rosters do without asking a person."""

from alembic import op

revision = "roster_0007"
down_revision = "roster_0006"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE guard_settings (
            district_id uuid PRIMARY KEY,
            school_percent double precision NOT NULL,
            class_percent double precision NOT NULL,
            class_least integer NOT NULL,
            rows_least_percent double precision NOT NULL,
            rows_most_percent double precision NOT NULL,
            absent_files text NOT NULL,
            changed_by text NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("ALTER TABLE guard_settings ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE guard_settings FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY district ON guard_settings USING (district_id = {DISTRICT}) "
        f"WITH CHECK (district_id = {DISTRICT})"
    )


def downgrade() -> None:
    op.execute("DROP TABLE guard_settings")
