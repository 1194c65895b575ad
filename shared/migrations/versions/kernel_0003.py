"""Imports have options and a summary, may be held for a person's approval, and can be taken back."""

from alembic import op

revision = "kernel_0003"
down_revision = "kernel_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        ALTER TABLE imports
            ADD options jsonb NOT NULL DEFAULT '{}',
            ADD summary json NOT NULL DEFAULT '{}',
            ADD holds bigint NOT NULL DEFAULT 0,
            ADD attempts integer NOT NULL DEFAULT 0,
            ADD applied_at timestamptz,
            ADD approved_by text,
            ADD approved_at timestamptz,
            ADD rejected_by text,
            ADD rejected_at timestamptz,
            ADD undone_by text,
            ADD undone_at timestamptz,
            ADD kept_until timestamptz
    """)
    op.execute("ALTER TABLE imports NO FORCE ROW LEVEL SECURITY")  # so that its owner sees the rows
    op.execute("UPDATE imports SET applied_at = updated_at WHERE state = 'applied'")
    op.execute("ALTER TABLE imports FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE import_findings ADD held boolean NOT NULL DEFAULT false")
    op.execute("CREATE INDEX imports_of_district ON imports (district_id, created_at DESC, id)")
    op.execute("""
        CREATE TABLE stage.kept (
            import_id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            kind text NOT NULL,
            until timestamptz NOT NULL
        )
    """)
    op.execute("CREATE INDEX kept_until ON stage.kept (until)")


def downgrade() -> None:
    op.execute("DROP TABLE stage.kept")
    op.execute("DROP INDEX imports_of_district")
    op.execute("ALTER TABLE import_findings DROP held")
    op.execute("""
        ALTER TABLE imports DROP options, DROP summary, DROP holds, DROP attempts, DROP applied_at, DROP approved_by,
            DROP approved_at, DROP rejected_by, DROP rejected_at, DROP undone_by, DROP undone_at, DROP kept_until
    """)
