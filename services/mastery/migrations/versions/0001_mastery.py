"""Frameworks, copies of what assessment and roster announce, the ledger of evidence, and what is believed."""

from alembic import op

revision = "mastery_0001"
down_revision = None
branch_labels = ("mastery",)
depends_on = "kernel_0001"

DISTRICT = "district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
PLACED_NOW = """
    school_id = ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])
    AND (begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)
"""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE frameworks (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            identifier text NOT NULL,
            title text NOT NULL,
            source jsonb NOT NULL,
            definitions jsonb NOT NULL,
            rest jsonb NOT NULL,
            PRIMARY KEY (district_id, id)
        )
    """)
    op.execute("""
        CREATE TABLE competencies (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            framework_id uuid NOT NULL,
            identifier text NOT NULL,
            statement text NOT NULL,
            code text,
            parent_id uuid,
            is_current boolean NOT NULL,
            source jsonb NOT NULL,
            PRIMARY KEY (district_id, id)
        )
    """)
    op.execute("CREATE INDEX competencies_framework ON competencies (district_id, framework_id)")
    op.execute("""
        CREATE TABLE associations (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            framework_id uuid NOT NULL,
            identifier text NOT NULL,
            type text NOT NULL,
            origin_id uuid NOT NULL,
            destination_id uuid NOT NULL,
            sequence_number integer,
            source jsonb NOT NULL,
            PRIMARY KEY (district_id, id)
        )
    """)
    op.execute("CREATE INDEX associations_framework ON associations (district_id, framework_id)")
    op.execute("CREATE INDEX associations_origin ON associations (district_id, origin_id, type)")
    op.execute("CREATE INDEX associations_destination ON associations (district_id, destination_id, type)")
    op.execute("""
        CREATE TABLE forms (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            code text NOT NULL,
            items text[] NOT NULL,
            maxima smallint[] NOT NULL,
            aligned_items integer[] NOT NULL,
            aligned_competencies uuid[] NOT NULL,
            PRIMARY KEY (district_id, id)
        )
    """)
    op.execute("""
        CREATE TABLE administrations (
            district_id uuid NOT NULL,
            id uuid NOT NULL,
            code text NOT NULL,
            title text NOT NULL,
            purpose smallint NOT NULL,
            PRIMARY KEY (district_id, id)
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
    op.execute("CREATE INDEX placements_school ON placements (district_id, school_id)")
    op.execute("""
        CREATE TABLE sheets (
            district_id uuid NOT NULL,
            attempt_id uuid NOT NULL,
            student_id uuid NOT NULL,
            administration_id uuid NOT NULL,
            form_id uuid NOT NULL,
            completed_at bigint NOT NULL,
            version integer NOT NULL,
            modality smallint NOT NULL,
            purpose smallint NOT NULL,
            scores bytea NOT NULL,
            PRIMARY KEY (district_id, attempt_id)
        )
    """)
    op.execute("CREATE INDEX sheets_student ON sheets (district_id, student_id)")
    op.execute("""
        CREATE TABLE mastery (
            district_id uuid NOT NULL,
            student_id uuid NOT NULL,
            through_at bigint NOT NULL,
            through_administration text NOT NULL,
            through_form text NOT NULL,
            model_version text NOT NULL,
            entries integer NOT NULL,
            competencies bytea NOT NULL,
            probabilities bytea NOT NULL,
            counts bytea NOT NULL,
            last_evidence bytea NOT NULL,
            PRIMARY KEY (district_id, student_id)
        )
    """)
    secured = (
        "frameworks", "competencies", "associations", "forms", "administrations", "placements", "sheets", "mastery",
    )  # fmt: skip
    for table in secured:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY district ON {table} USING ({DISTRICT}) WITH CHECK ({DISTRICT})")
    op.execute(f"""
        CREATE POLICY school ON placements AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({PLACED_NOW}))
    """)
    for table in ("sheets", "mastery"):
        op.execute(f"""
            CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT
            USING ({WHOLE_DISTRICT} OR student_id IN (SELECT student_id FROM placements WHERE {PLACED_NOW}))
        """)  # noqa: S608  # constants
    op.execute("""
        CREATE TABLE stage.frameworks (
            import_id uuid PRIMARY KEY,
            id uuid NOT NULL,
            identifier text NOT NULL,
            title text NOT NULL,
            source text NOT NULL,
            definitions text NOT NULL,
            rest text NOT NULL,
            is_whole boolean NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE stage.competencies (
            import_id uuid NOT NULL,
            id uuid NOT NULL,
            pointer text NOT NULL,
            identifier text NOT NULL,
            statement text NOT NULL,
            code text,
            parent_id uuid,
            source text NOT NULL,
            PRIMARY KEY (import_id, id)
        )
    """)
    op.execute("""
        CREATE TABLE stage.associations (
            import_id uuid NOT NULL,
            id uuid NOT NULL,
            identifier text NOT NULL,
            type text NOT NULL,
            origin_id uuid NOT NULL,
            destination_id uuid NOT NULL,
            sequence_number integer,
            source text NOT NULL,
            PRIMARY KEY (import_id, id)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE stage.associations, stage.competencies, stage.frameworks")
    op.execute("DROP TABLE mastery, sheets, placements, administrations, forms, associations, competencies, frameworks")
