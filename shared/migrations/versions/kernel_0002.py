"""Payloads are ids and scores: compressing them costs more than it saves."""

from alembic import op

revision = "kernel_0002"
down_revision = "kernel_0001"
branch_labels = None
depends_on = None

_TABLES = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'outbox'::regclass UNION ALL SELECT 'outbox'"


def upgrade() -> None:
    _store("EXTERNAL")


def downgrade() -> None:
    _store("EXTENDED")


def _store(how: str) -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(f"""
        DO $$
        DECLARE one regclass;
        BEGIN
            FOR one IN {_TABLES} LOOP
                EXECUTE format('ALTER TABLE %s ALTER payload SET STORAGE {how}', one);
            END LOOP;
        END $$
    """)
