"""Beliefs have a lower and an upper bound, items a difficulty.

What an earlier model believed has no bounds: it could be anything from 0 to 1, until the student is traced anew. Of a
form that was heard before the difficulties are not known here, and stay 0, which is average.
"""

from alembic import op

revision = "mastery_0005"
down_revision = "mastery_0004"
branch_labels = None
depends_on = None

_TABLES = ("forms", "mastery")
_ZERO, _ONE = "0000000000000000", "000000000000f03f"
"""float64, little-endian."""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE forms ADD COLUMN difficulties double precision[]")
    op.execute("ALTER TABLE mastery ADD COLUMN lowers bytea, ADD COLUMN uppers bytea")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")  # so that its owner sees the rows
    op.execute("UPDATE forms SET difficulties = array_fill(0::double precision, ARRAY[cardinality(items)])")
    op.execute(f"""
        UPDATE mastery SET lowers = decode(repeat('{_ZERO}', length(counts) / 4), 'hex'),
                           uppers = decode(repeat('{_ONE}', length(counts) / 4), 'hex')
    """)  # noqa: S608  # constants
    op.execute("""
        CREATE TABLE stage.traced (
            district_id uuid PRIMARY KEY,
            model_version text NOT NULL
        )
    """)
    op.execute("INSERT INTO stage.traced SELECT DISTINCT district_id, '' FROM forms")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE forms ALTER COLUMN difficulties SET NOT NULL")
    op.execute("ALTER TABLE mastery ALTER COLUMN lowers SET NOT NULL, ALTER COLUMN uppers SET NOT NULL")


def downgrade() -> None:
    op.execute("DROP TABLE stage.traced")
    op.execute("ALTER TABLE mastery DROP COLUMN uppers, DROP COLUMN lowers")
    op.execute("ALTER TABLE forms DROP COLUMN difficulties")
