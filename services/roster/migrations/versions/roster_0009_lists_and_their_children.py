"""Children are found by their parents, and revisions in which identities became others, by index."""

from alembic import op

revision = "roster_0009"
down_revision = "roster_0008"
branch_labels = None
depends_on = None

INDEXES = {
    "orgs_of_parent": "orgs (district_id, parent_id)",
    "academic_sessions_of_parent": "academic_sessions (district_id, parent_id)",
    "identity_events_by_revision": "identity_events (district_id, revision)",
    "identity_events_undone": "identity_events (district_id) WHERE undone_at IS NOT NULL",
}


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {columns}")


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
