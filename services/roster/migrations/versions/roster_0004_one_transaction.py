"""An import is one transaction with stages of its own: those that lasted between its chunks go.

What a name means is asked by names in the order of their bytes, as every record keeps its own.
"""

from alembic import op

revision = "roster_0004"
down_revision = "roster_0003"
branch_labels = None
depends_on = None

STAGES = (
    "orgs", "academic_sessions", "courses", "classes", "users", "roles", "demographics", "enrollments", "vanished",
    "touched", "files",
)  # fmt: skip


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for stage in STAGES:
        op.execute(f"DROP TABLE stage.{stage}")
    op.execute('ALTER TABLE crosswalk ALTER sourced_id TYPE text COLLATE "C"')


def downgrade() -> None:
    raise RuntimeError("The stages of before belong to a program of before; restore a backup instead.")
