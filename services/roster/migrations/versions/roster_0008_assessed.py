"""What the assessment service and mastery found out, as OneRoster's assessment line items and results.

A row for each attempt, and one for each student with all that is believed of him: a row for each student and competency
would be ten times as many. Views put them beside what the district's own systems wrote.
"""

# ruff: noqa: S608  # constants

from alembic import op

revision = "roster_0008"
down_revision = "roster_0007"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
NOW = "(p.begin_on IS NULL OR p.begin_on <= current_date) AND (p.end_on IS NULL OR p.end_on > current_date)"
RECORD = """
    district_id uuid NOT NULL,
    sourced_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    ended_on date,
    revision bigint NOT NULL,
    since bigint NOT NULL,
    until bigint,
    PRIMARY KEY (district_id, sourced_id)
"""
TABLES = {
    "assessed_competencies": """
        district_id uuid NOT NULL,
        id uuid NOT NULL,
        number integer GENERATED ALWAYS AS IDENTITY,
        identifier text,
        PRIMARY KEY (district_id, id)
    """,
    "assessed_forms": """
        district_id uuid NOT NULL,
        id uuid NOT NULL,
        title text NOT NULL,
        maxima smallint[] NOT NULL,
        items smallint[] NOT NULL,
        objectives integer[] NOT NULL,
        PRIMARY KEY (district_id, id)
    """,
    "assessed_items": f"""{RECORD},
        title text NOT NULL,
        parent text,
        form_id uuid,
        result_value_max double precision,
        about jsonb NOT NULL
    """,
    "scored_attempts": f"""{RECORD},
        person_id uuid NOT NULL,
        item text NOT NULL,
        form_id uuid NOT NULL,
        version integer NOT NULL,
        score double precision NOT NULL,
        score_date date NOT NULL,
        modality smallint NOT NULL,
        ability double precision,
        standard_error double precision,
        scores bytea NOT NULL
    """,
    "standings": f"""{RECORD},
        person_id uuid NOT NULL,
        score_date date NOT NULL,
        competencies integer[] NOT NULL,
        beliefs integer[] NOT NULL
    """,
}
OF_STUDENTS = ("scored_attempts", "standings")
RECORDS = ("assessed_items", *OF_STUDENTS)
COMMON = "district_id, sourced_id, status, ended_on, revision, since, until"
ITEMS = f"""
    CREATE VIEW every_assessment_line_item WITH (security_invoker = true) AS
    SELECT {COMMON}, metadata, title, description, class_id, parent, score_scale, result_value_min, result_value_max,
           NULL::uuid AS form_id, false AS is_ours
    FROM assessment_line_items
    UNION ALL
    SELECT {COMMON}, about, title, NULL::text, NULL::uuid, parent, NULL::text, 0::double precision, result_value_max,
           form_id, true
    FROM assessed_items
"""
RESULTS = f"""
    CREATE VIEW every_assessment_result WITH (security_invoker = true) AS
    SELECT {COMMON}, metadata, assessment_line_item, person_id, score_scale, score_percentile, score, text_score,
           score_date, score_status, comment, in_progress, incomplete, late, missing,
           NULL::uuid AS form_id, NULL::bytea AS scores, NULL::integer[] AS competencies, NULL::integer[] AS beliefs
    FROM assessment_results
    UNION ALL
    SELECT {COMMON},
           jsonb_strip_nulls(jsonb_build_object(
               'trellis.ability', ability, 'trellis.standardError', standard_error,
               'trellis.modality', (ARRAY['in person', 'remote', 'paper'])[modality])),
           item, person_id, NULL::text, NULL::double precision, score, NULL::text,
           score_date, 'fully graded', NULL::text, NULL::boolean, NULL::boolean, NULL::boolean, NULL::boolean,
           form_id, scores, NULL::integer[], NULL::integer[]
    FROM scored_attempts
    UNION ALL
    SELECT {COMMON}, '{{}}'::jsonb, 'mastery', person_id, NULL::text, NULL::double precision, NULL::double precision,
           NULL::text, score_date, 'fully graded', NULL::text, NULL::boolean, NULL::boolean, NULL::boolean,
           NULL::boolean, NULL::uuid, NULL::bytea, competencies, beliefs
    FROM standings
"""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY district ON {table} USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
        )
    for table in OF_STUDENTS:
        placed = f"EXISTS (SELECT FROM placements p WHERE p.person_id = {table}.person_id AND {NOW})"
        op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({placed}))")
    for table in RECORDS:
        op.execute(f"CREATE INDEX {table}_by_revision ON {table} (district_id, revision)")
    op.execute("CREATE INDEX scored_attempts_of_person ON scored_attempts (district_id, person_id)")
    op.execute(ITEMS)
    op.execute(RESULTS)


def downgrade() -> None:
    op.execute("DROP VIEW every_assessment_result")
    op.execute("DROP VIEW every_assessment_line_item")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
