"""Districts and their API keys."""

from alembic import op

revision = "gateway_0001"
down_revision = None
branch_labels = ("gateway",)
depends_on = "kernel_0001"


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE districts (
            id uuid PRIMARY KEY,
            slug text NOT NULL UNIQUE,
            name text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE api_keys (
            id text PRIMARY KEY,
            district_id uuid NOT NULL REFERENCES districts,
            name text NOT NULL,
            secret bytea NOT NULL,
            previous_secret bytea,
            previous_until timestamptz,
            scopes text[] NOT NULL,
            purpose text NOT NULL,
            schools uuid[],
            networks text[] NOT NULL,
            created_by text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            expires_at timestamptz NOT NULL,
            last_used_at timestamptz,
            revoked_at timestamptz,
            CONSTRAINT api_keys_expire CHECK (expires_at <= created_at + interval '365 days')
        )
    """)
    op.execute("CREATE INDEX api_keys_of_district ON api_keys (district_id, id)")


def downgrade() -> None:
    op.execute("DROP TABLE api_keys, districts")
