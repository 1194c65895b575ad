"""Forms and their versions, administrations, attempts and what they were before, placements; the stages of imports."""

from alembic import op

revision = "assessment_0001"
down_revision = None
branch_labels = ("assessment",)
depends_on = "kernel_0001"

_TABLES = (
    "forms",
    "form_versions",
    "administrations",
    "administration_forms",
    "attempts",
    "attempt_history",
    "placements",
)


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE forms (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            code text NOT NULL,
            current_version_id uuid NOT NULL,
            UNIQUE (district_id, code)
        )
    """)
    op.execute("""
        CREATE TABLE form_versions (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            form_id uuid NOT NULL REFERENCES forms,
            number integer NOT NULL,
            content_hash text NOT NULL,
            content jsonb NOT NULL,
            competencies jsonb NOT NULL,
            parameter_version text,
            published_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (form_id, number)
        )
    """)
    op.execute("""
        CREATE TABLE administrations (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            code text NOT NULL,
            title text NOT NULL,
            purpose text NOT NULL CHECK (purpose IN ('diagnostic', 'formative', 'summative')),
            opens_at timestamptz NOT NULL,
            closes_at timestamptz NOT NULL CHECK (opens_at < closes_at),
            UNIQUE (district_id, code)
        )
    """)
    op.execute("CREATE INDEX administrations_by_opening ON administrations (district_id, opens_at, id)")
    op.execute("""
        CREATE TABLE administration_forms (
            administration_id uuid NOT NULL REFERENCES administrations,
            form_id uuid NOT NULL REFERENCES forms,
            district_id uuid NOT NULL,
            PRIMARY KEY (administration_id, form_id)
        )
    """)
    # No foreign keys on the bulk tables: the import has found every id it writes, and a check per row costs 10 µs.
    # The unique index leads with the student, so that it also finds a student's attempts.
    op.execute("""
        CREATE TABLE attempts (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            student_id uuid NOT NULL,
            administration_id uuid NOT NULL,
            form_id uuid NOT NULL,
            form_version_id uuid NOT NULL,
            completed_at timestamptz NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now(),
            theta double precision,
            standard_error double precision,
            raw_score integer NOT NULL,
            maximum integer NOT NULL,
            version integer NOT NULL,
            modality smallint NOT NULL,
            reason text,
            parameter_version text,
            engine_version text NOT NULL,
            responses text NOT NULL,
            scores bytea NOT NULL,
            UNIQUE (student_id, administration_id, form_id, completed_at),
            CHECK ((reason IS NULL) = (theta IS NOT NULL) AND (theta IS NULL) = (standard_error IS NULL))
        )
    """)
    op.execute("""
        CREATE TABLE attempt_history (
            attempt_id uuid NOT NULL,
            version integer NOT NULL,
            district_id uuid NOT NULL,
            student_id uuid NOT NULL,
            form_version_id uuid NOT NULL,
            recorded_at timestamptz NOT NULL,
            superseded_at timestamptz NOT NULL DEFAULT now(),
            theta double precision,
            standard_error double precision,
            raw_score integer NOT NULL,
            maximum integer NOT NULL,
            modality smallint NOT NULL,
            reason text,
            parameter_version text,
            engine_version text NOT NULL,
            responses text NOT NULL,
            scores bytea NOT NULL,
            PRIMARY KEY (attempt_id, version)
        )
    """)
    op.execute("""
        CREATE TABLE placements (
            district_id uuid NOT NULL,
            student_id uuid NOT NULL,
            ordinal integer NOT NULL,
            school_id uuid NOT NULL,
            begin_on date,
            end_on date,
            PRIMARY KEY (district_id, student_id, ordinal)
        )
    """)
    op.execute("CREATE INDEX placements_school ON placements (school_id, student_id)")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"""
            CREATE POLICY district ON {table}
            USING (district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid))
            WITH CHECK (district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid))
        """)
    op.execute("""
        CREATE POLICY school ON placements AS RESTRICTIVE FOR SELECT USING (
            (SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL
            OR school_id = ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])
        )
    """)
    for table in ("attempts", "attempt_history"):
        op.execute(_school_policy(table))
    op.execute("""
        CREATE TABLE stage.forms (
            import_id uuid NOT NULL,
            ordinal integer NOT NULL,
            kind text NOT NULL,
            content jsonb NOT NULL,
            competencies jsonb,
            PRIMARY KEY (import_id, ordinal)
        )
    """)
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


def _school_policy(table: str) -> str:
    """Callers limited to schools see the rows of students who are enrolled there today."""
    return f"""
        CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING (
            (SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL
            OR student_id IN (
                SELECT placements.student_id FROM placements
                WHERE school_id = ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])
                  AND (begin_on IS NULL OR begin_on <= current_date)
                  AND (end_on IS NULL OR end_on > current_date)
            )
        )
    """  # noqa: S608 - the tables named above


def downgrade() -> None:
    op.execute("DROP TABLE stage.sheets, stage.forms")
    op.execute(f"DROP TABLE {', '.join(_TABLES)}")
