"""Who was merged into whom, and whose sheets were whose before."""

from alembic import op

revision = "mastery_0006"
down_revision = "mastery_0005"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE sheets ADD COLUMN origin_id uuid")
    op.execute("""
        CREATE TABLE mergers (
            district_id uuid NOT NULL,
            absorbed_id uuid NOT NULL,
            person_id uuid NOT NULL,
            revision bigint NOT NULL,
            holds boolean NOT NULL,
            PRIMARY KEY (district_id, absorbed_id, person_id)
        )
    """)
    op.execute("CREATE INDEX mergers_into ON mergers (district_id, person_id)")
    op.execute("ALTER TABLE mergers ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE mergers FORCE ROW LEVEL SECURITY")
    op.execute(
        f"CREATE POLICY district ON mergers USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
    )


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("DROP TABLE mergers")
    op.execute("ALTER TABLE sheets DROP COLUMN origin_id")
