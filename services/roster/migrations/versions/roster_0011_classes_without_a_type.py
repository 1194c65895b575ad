"""A class need not say its type: over REST the standard does not require it."""

from alembic import op

revision = "roster_0011"
down_revision = "roster_0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE classes ALTER class_type DROP NOT NULL")


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE classes ALTER class_type SET NOT NULL")
