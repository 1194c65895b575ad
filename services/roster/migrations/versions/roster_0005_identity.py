"""What became of identities: who was recognised, merged and split, what there is to decide, and how to take it back."""

from alembic import op

revision = "roster_0005"
down_revision = "roster_0004"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
TABLES = {
    "identity_events": """
        district_id uuid NOT NULL,
        id uuid NOT NULL,
        revision bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        kind text NOT NULL,
        type text NOT NULL,
        row_id uuid NOT NULL,
        other_id uuid,
        was_called text,
        is_called text,
        reason text,
        subject text NOT NULL,
        import_id uuid,
        undone_at timestamptz,
        undone_by text,
        PRIMARY KEY (district_id, id)
    """,
    "identity_changes": """
        district_id uuid NOT NULL,
        event_id uuid NOT NULL,
        number bigint GENERATED ALWAYS AS IDENTITY,
        place text NOT NULL,
        key jsonb NOT NULL,
        was jsonb,
        became jsonb,
        PRIMARY KEY (district_id, event_id, number)
    """,
    "identity_reviews": """
        district_id uuid NOT NULL,
        id uuid NOT NULL,
        import_id uuid NOT NULL,
        found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        sourced_id text COLLATE "C" NOT NULL,
        candidate_id uuid NOT NULL,
        reason text NOT NULL,
        agrees text[] NOT NULL,
        differs text[] NOT NULL,
        decision text,
        decided_at timestamptz,
        decided_by text,
        event_id uuid,
        PRIMARY KEY (district_id, id)
    """,
    "mergers": """
        district_id uuid NOT NULL,
        absorbed_id uuid NOT NULL,
        person_id uuid NOT NULL,
        event_id uuid NOT NULL,
        PRIMARY KEY (district_id, absorbed_id)
    """,
}
INDEXES = (
    "CREATE INDEX identity_events_in_order ON identity_events (district_id, at, id)",
    "CREATE INDEX identity_events_of_import ON identity_events (district_id, import_id) WHERE import_id IS NOT NULL",
    "CREATE UNIQUE INDEX identity_reviews_of ON identity_reviews (district_id, sourced_id, candidate_id)",
    "CREATE INDEX identity_reviews_open ON identity_reviews (district_id, found_at, id) WHERE decision IS NULL",
    "CREATE INDEX mergers_into ON mergers (district_id, person_id)",
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE crosswalk ADD absorbed_id uuid")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY district ON {table} USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
        )
        if table != "mergers":
            op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT})")
    for index in INDEXES:
        op.execute(index)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE crosswalk DROP COLUMN absorbed_id")
