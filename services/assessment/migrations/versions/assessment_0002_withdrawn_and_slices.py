"""Attempts can be withdrawn and have one index; the stage of answer sheets holds slices of sheets as bytes."""

from alembic import op

revision = "assessment_0002"
down_revision = "assessment_0001"
branch_labels = None
depends_on = None

# What was staged in the former shape is read from the upload again: it is kept until an import is applied.
_READ_AGAIN = (
    "ALTER TABLE imports NO FORCE ROW LEVEL SECURITY",
    """
    UPDATE imports SET state = 'staged', cursor = 0
    WHERE kind = 'answers' AND state IN ('validating', 'merging')
    """,
    "ALTER TABLE imports FORCE ROW LEVEL SECURITY",
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("ALTER TABLE attempts ADD COLUMN withdrawn boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE attempt_history ADD COLUMN withdrawn boolean NOT NULL DEFAULT false")
    # The id is made of student, administration, form and time: with the student before it, it finds a student's
    # attempts too, and neither an index on the id alone nor one on all four is needed.
    op.execute("CREATE UNIQUE INDEX attempts_of_students ON attempts (student_id, id)")
    op.execute("ALTER TABLE attempts DROP CONSTRAINT attempts_pkey")
    op.execute("ALTER TABLE attempts ADD CONSTRAINT attempts_pkey PRIMARY KEY USING INDEX attempts_of_students")
    op.execute("""
        ALTER TABLE attempts DROP CONSTRAINT attempts_student_id_administration_id_form_id_completed_at_key
    """)
    op.execute("DROP TABLE stage.sheets")
    op.execute("""
        CREATE TABLE stage.sheets (
            import_id uuid NOT NULL,
            first bigint NOT NULL,
            first_line bigint NOT NULL,
            last_line bigint NOT NULL,
            left_out bigint[] NOT NULL DEFAULT '{}',
            administration_id uuid NOT NULL,
            form_id uuid NOT NULL,
            form_version_id uuid NOT NULL,
            purpose text NOT NULL,
            reason text NOT NULL,
            parameter_version text,
            sheets bytea NOT NULL,
            scores bytea NOT NULL,
            responses bytea NOT NULL,
            PRIMARY KEY (import_id, first)
        )
    """)
    for column in ("sheets", "scores", "responses"):
        # Squeezing them costs more than writing them.
        op.execute(f"ALTER TABLE stage.sheets ALTER COLUMN {column} SET STORAGE EXTERNAL")
    for statement in _READ_AGAIN:
        op.execute(statement)


def downgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("DROP TABLE stage.sheets")
    op.execute("""
        CREATE TABLE stage.sheets (
            import_id uuid NOT NULL,
            line bigint NOT NULL,
            id uuid NOT NULL,
            student_id uuid NOT NULL,
            administration_id uuid NOT NULL,
            form_id uuid NOT NULL,
            form_version_id uuid NOT NULL,
            completed_at bigint NOT NULL,
            modality smallint NOT NULL,
            responses text NOT NULL,
            scores bytea NOT NULL,
            raw_score integer NOT NULL,
            maximum integer NOT NULL,
            theta double precision,
            standard_error double precision,
            reason text,
            parameter_version text,
            PRIMARY KEY (import_id, line)
        )
    """)
    for statement in _READ_AGAIN:
        op.execute(statement)
    op.execute("ALTER TABLE attempts DROP CONSTRAINT attempts_pkey")
    op.execute("ALTER TABLE attempts ADD PRIMARY KEY (id)")
    op.execute("ALTER TABLE attempts ADD UNIQUE (student_id, administration_id, form_id, completed_at)")
    op.execute("ALTER TABLE attempts DROP COLUMN withdrawn")
    op.execute("ALTER TABLE attempt_history DROP COLUMN withdrawn")
