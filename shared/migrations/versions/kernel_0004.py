"""Imports say what the key that sent them is for."""

from alembic import op

revision = "kernel_0004"
down_revision = "kernel_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE imports ADD purpose text")  # NULL: of before it was kept


def downgrade() -> None:
    op.execute("ALTER TABLE imports DROP purpose")
