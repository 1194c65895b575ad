"""What every service that announces, listens or imports keeps: outbox, inbox, positions, imports and their stages."""

from alembic import op

revision = "kernel_0001"
down_revision = None
branch_labels = ("kernel",)
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE outbox (
            id bigint GENERATED ALWAYS AS IDENTITY,
            envelope uuid NOT NULL,
            type text NOT NULL,
            source text NOT NULL,
            district uuid NOT NULL,
            bucket smallint NOT NULL,
            facts integer NOT NULL,
            payload bytea NOT NULL,
            traceparent text,
            cause text,
            created_at timestamptz NOT NULL,
            position bigint,
            PRIMARY KEY (created_at, id)
        ) PARTITION BY RANGE (created_at)
    """)
    op.execute("CREATE TABLE outbox_rest PARTITION OF outbox DEFAULT")
    op.execute("CREATE SEQUENCE outbox_positions")
    op.execute("CREATE INDEX outbox_unsent ON outbox (id) WHERE position IS NULL")
    op.execute("CREATE INDEX outbox_log ON outbox (position) WHERE position IS NOT NULL")
    op.execute("CREATE INDEX outbox_cause ON outbox (cause) WHERE cause IS NOT NULL")
    op.execute("""
        CREATE TABLE inbox (
            listener text NOT NULL,
            envelope uuid NOT NULL,
            type text NOT NULL,
            facts integer NOT NULL,
            cause text,
            heard_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (listener, envelope)
        )
    """)
    op.execute("CREATE INDEX inbox_cause ON inbox (cause) WHERE cause IS NOT NULL")
    op.execute("""
        CREATE TABLE waiting (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            listener text NOT NULL,
            district uuid NOT NULL,
            needs text NOT NULL,
            type text NOT NULL,
            payload bytea NOT NULL,
            cause text,
            since timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX waiting_needs ON waiting (listener, needs, id)")
    op.execute("""
        CREATE TABLE parked (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            listener text NOT NULL,
            district uuid NOT NULL,
            type text NOT NULL,
            key bytea NOT NULL,
            payload bytea NOT NULL,
            reason text NOT NULL,
            cause text,
            parked_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX parked_key ON parked (listener, type, key)")
    op.execute("""
        CREATE TABLE positions (
            listener text NOT NULL,
            producer text NOT NULL,
            position bigint NOT NULL,
            PRIMARY KEY (listener, producer)
        )
    """)
    op.execute("""
        CREATE TABLE imports (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            kind text NOT NULL,
            subject text NOT NULL,
            state text NOT NULL,
            keep_good boolean NOT NULL,
            idempotency_key text,
            digest bytea,
            bytes bigint NOT NULL DEFAULT 0,
            cursor bigint NOT NULL DEFAULT 0,
            done bigint NOT NULL DEFAULT 0,
            total bigint,
            added bigint NOT NULL DEFAULT 0,
            changed bigint NOT NULL DEFAULT 0,
            unchanged bigint NOT NULL DEFAULT 0,
            refused bigint NOT NULL DEFAULT 0,
            problems bigint NOT NULL DEFAULT 0,
            repairs bigint NOT NULL DEFAULT 0,
            traceparent text,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX imports_once ON imports (district_id, kind, idempotency_key)
        WHERE idempotency_key IS NOT NULL
    """)
    op.execute("""
        CREATE TABLE import_findings (
            import_id uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
            number bigint NOT NULL,
            district_id uuid NOT NULL,
            repaired boolean NOT NULL,
            file text NOT NULL,
            line bigint,
            "column" text,
            value text,
            rule text NOT NULL,
            remedy text NOT NULL,
            PRIMARY KEY (import_id, number)
        )
    """)
    for table in ("imports", "import_findings"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"""
            CREATE POLICY district ON {table}
            USING (district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid))
            WITH CHECK (district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid))
        """)
    op.execute("CREATE SCHEMA stage")
    op.execute("""
        CREATE TABLE stage.uploads (
            import_id uuid NOT NULL,
            ordinal integer NOT NULL,
            bytes bytea NOT NULL,
            PRIMARY KEY (import_id, ordinal)
        )
    """)
    op.execute("ALTER TABLE stage.uploads ALTER bytes SET STORAGE EXTERNAL")
    op.execute("""
        CREATE TABLE stage.queue (
            import_id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            kind text NOT NULL,
            number bigint GENERATED BY DEFAULT AS IDENTITY,
            ready boolean NOT NULL DEFAULT false,
            touched_at timestamptz NOT NULL DEFAULT now()
        )
    """)


def downgrade() -> None:
    op.execute("DROP SCHEMA stage CASCADE")
    op.execute("DROP TABLE import_findings, imports, positions, parked, waiting, inbox, outbox")
    op.execute("DROP SEQUENCE outbox_positions")
