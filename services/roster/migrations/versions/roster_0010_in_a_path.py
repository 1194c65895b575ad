"""A function says a sourcedId as part of a path: as a subquery it was set up for each reference and hardly ever run."""

from alembic import op

revision = "roster_0010"
down_revision = "roster_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute(r"""
        CREATE FUNCTION in_a_path(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
            SELECT string_agg(
                CASE WHEN s.c ~ '[^A-Za-z0-9._~-]'
                     THEN regexp_replace(upper(encode(convert_to(s.c, 'UTF8'), 'hex')), '(..)', '%\1', 'g')
                     ELSE s.c END, '' ORDER BY s.n)
            FROM regexp_split_to_table(name, '') WITH ORDINALITY AS s (c, n)
        $$
    """)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("DROP FUNCTION in_a_path(text)")
