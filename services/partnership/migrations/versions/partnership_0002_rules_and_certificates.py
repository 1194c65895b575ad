"""Programmes with floors, locked pairs and attributes of schools; matchings with a certificate; alternatives."""

from alembic import op

revision = "partnership_0002"
down_revision = "partnership_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE programmes ADD COLUMN rules jsonb NOT NULL DEFAULT '{}'::jsonb")
    op.execute("""
        ALTER TABLE matchings
            ADD COLUMN weight bigint,
            ADD COLUMN bound bigint,
            ADD COLUMN method text
    """)
    op.execute("ALTER TABLE proposals ADD COLUMN alternative text")
    op.execute("ALTER TABLE unmatched ADD COLUMN alternative text")


def downgrade() -> None:
    op.execute("ALTER TABLE unmatched DROP COLUMN alternative")
    op.execute("ALTER TABLE proposals DROP COLUMN alternative")
    op.execute("ALTER TABLE matchings DROP COLUMN method, DROP COLUMN bound, DROP COLUMN weight")
    op.execute("ALTER TABLE programmes DROP COLUMN rules")
