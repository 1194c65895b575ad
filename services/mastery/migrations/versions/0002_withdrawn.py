"""Sheets may be withdrawn, and the ledger is kept by student: one index serves both of its questions."""

from alembic import op

revision = "mastery_0002"
down_revision = "mastery_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE sheets ADD COLUMN withdrawn boolean NOT NULL DEFAULT false")
    op.execute("CREATE UNIQUE INDEX sheets_by_student ON sheets (district_id, student_id, attempt_id)")
    op.execute("ALTER TABLE sheets DROP CONSTRAINT sheets_pkey")
    op.execute("ALTER TABLE sheets ADD CONSTRAINT sheets_pkey PRIMARY KEY USING INDEX sheets_by_student")
    op.execute("DROP INDEX sheets_student")
    # A student who goes on is an update of the row: room for it on the same page, and no index is touched.
    op.execute("ALTER TABLE mastery SET (fillfactor = 85)")


def downgrade() -> None:
    op.execute("ALTER TABLE mastery RESET (fillfactor)")
    op.execute("CREATE INDEX sheets_student ON sheets (district_id, student_id)")
    op.execute("ALTER TABLE sheets DROP CONSTRAINT sheets_pkey, ADD PRIMARY KEY (district_id, attempt_id)")
    op.execute("ALTER TABLE sheets NO FORCE ROW LEVEL SECURITY")  # so that its owner sees the rows
    op.execute("DELETE FROM sheets WHERE withdrawn")
    op.execute("ALTER TABLE sheets FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE sheets DROP COLUMN withdrawn")
