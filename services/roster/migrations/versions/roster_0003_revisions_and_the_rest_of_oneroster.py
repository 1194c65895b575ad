"""Every record knows its revision; the gradebook, resources and profiles have tables, and so has what was before.

A revision is a number and, stamped as the last act of its transaction, a time: what OneRoster calls dateLastModified.
Only five kinds have an identity of ours that others know (organisations, sessions, courses, classes, people). The
others are known by their sourcedId within the district, and leave the crosswalk.
"""

# ruff: noqa: S608  # constants

from alembic import op

revision = "roster_0003"
down_revision = "roster_0002"
branch_labels = None
depends_on = None

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
SCHOOLS = "((SELECT string_to_array(NULLIF(current_setting('app.schools', true), ''), ','))::uuid[])"
NOW = "(p.begin_on IS NULL OR p.begin_on <= current_date) AND (p.end_on IS NULL OR p.end_on > current_date)"


def _placed(table: str, column: str = "person_id") -> str:
    return f"EXISTS (SELECT FROM placements p WHERE p.person_id = {table}.{column} AND {NOW})"


def _of_class(table: str) -> str:
    return f"EXISTS (SELECT FROM classes c WHERE c.id = {table}.class_id)"


def _of(table: str, parent: str, column: str) -> str:
    return f"EXISTS (SELECT FROM {parent} o WHERE o.sourced_id = {table}.{column})"


NAMED = {"orgs": "org", "academic_sessions": "academicSession", "courses": "course", "classes": "class",
         "people": "user"}  # fmt: skip
PLAIN = {"roles": "role", "enrollments": "enrollment"}

RECORD = """
    district_id uuid NOT NULL,
    sourced_id text COLLATE "C" NOT NULL,
    status text NOT NULL,
    ended_on date,
    source_modified_at timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}',
    revision bigint NOT NULL,
    since bigint NOT NULL,
    until bigint,
    PRIMARY KEY (district_id, sourced_id),
"""
SCORED = """
    score double precision,
    text_score text,
    score_date date,
    score_status text NOT NULL,
    comment text,
    in_progress boolean,
    incomplete boolean,
    late boolean,
    missing boolean
"""
OBJECTIVE = "source text NOT NULL, objective text NOT NULL"
TABLES = {
    "user_profiles": """
        person_id uuid NOT NULL,
        profile_type text NOT NULL,
        vendor_id text NOT NULL,
        application_id text,
        description text,
        credential_type text NOT NULL,
        username text NOT NULL
    """,
    "resources": """
        title text,
        vendor_resource_id text NOT NULL,
        roles text[] NOT NULL,
        importance text,
        vendor_id text,
        application_id text
    """,
    "class_resources": "title text, class_id uuid NOT NULL, resource text NOT NULL",
    "course_resources": "title text, course_id uuid NOT NULL, resource text NOT NULL",
    "user_resources": "title text, person_id uuid NOT NULL, org_id uuid, class_id uuid, resource text NOT NULL",
    "categories": "title text NOT NULL, weight double precision",
    "score_scales": """
        title text NOT NULL,
        type text NOT NULL,
        org_id uuid,
        course_id uuid,
        class_id uuid NOT NULL,
        scale_values jsonb NOT NULL
    """,
    "line_items": """
        title text NOT NULL,
        description text,
        assign_at timestamptz NOT NULL,
        due_at timestamptz NOT NULL,
        class_id uuid NOT NULL,
        school_id uuid NOT NULL,
        category text NOT NULL,
        grading_period_id uuid,
        academic_session_id uuid,
        result_value_min double precision,
        result_value_max double precision
    """,
    "line_item_objectives": f"line_item text NOT NULL, {OBJECTIVE}",
    "line_item_scales": "line_item text NOT NULL, score_scale text NOT NULL",
    "results": f"line_item text NOT NULL, person_id uuid NOT NULL, class_id uuid, {SCORED}",
    "result_objectives": f"result text NOT NULL, {OBJECTIVE}, score double precision, text_score text",
    "result_scales": "result text NOT NULL, score_scale text NOT NULL",
    "assessment_line_items": """
        title text NOT NULL,
        description text,
        class_id uuid,
        parent text,
        score_scale text,
        result_value_min double precision,
        result_value_max double precision
    """,
    "assessment_line_item_objectives": f"assessment_line_item text NOT NULL, {OBJECTIVE}",
    "assessment_results": f"""
        assessment_line_item text NOT NULL,
        person_id uuid NOT NULL,
        score_scale text,
        score_percentile double precision,
        {SCORED}
    """,
    "assessment_result_objectives": f"""
        assessment_result text NOT NULL, {OBJECTIVE}, score double precision, text_score text
    """,
}
INDEXES = (
    "user_profiles (district_id, person_id)",
    "class_resources (district_id, class_id)",
    "course_resources (district_id, course_id)",
    "user_resources (district_id, person_id)",
    "score_scales (district_id, class_id)",
    "line_items (district_id, class_id)",
    "line_item_objectives (district_id, line_item)",
    "line_item_scales (district_id, line_item)",
    "results (district_id, line_item)",
    "results (district_id, person_id)",
    "result_objectives (district_id, result)",
    "result_scales (district_id, result)",
    "assessment_line_item_objectives (district_id, assessment_line_item)",
    "assessment_results (district_id, assessment_line_item)",
    "assessment_results (district_id, person_id)",
    "assessment_result_objectives (district_id, assessment_result)",
)
SCHOOL_MAY_SEE = {
    "user_profiles": _placed("user_profiles"),
    "class_resources": _of_class("class_resources"),
    "user_resources": _placed("user_resources"),
    "score_scales": _of_class("score_scales"),
    "line_items": f"school_id = ANY ({SCHOOLS})",
    "line_item_objectives": _of("line_item_objectives", "line_items", "line_item"),
    "line_item_scales": _of("line_item_scales", "line_items", "line_item"),
    "results": f"{_placed('results')} AND {_of('results', 'line_items', 'line_item')}",
    "result_objectives": _of("result_objectives", "results", "result"),
    "result_scales": _of("result_scales", "results", "result"),
    "assessment_line_items": f"class_id IS NULL OR {_of_class('assessment_line_items')}",
    "assessment_line_item_objectives": _of(
        "assessment_line_item_objectives", "assessment_line_items", "assessment_line_item"
    ),
    "assessment_results": _placed("assessment_results"),
    "assessment_result_objectives": _of("assessment_result_objectives", "assessment_results", "assessment_result"),
    "roles_history": f"org_id = ANY ({SCHOOLS}) AND {_placed('roles_history')}",
    "enrollments_history": f"school_id = ANY ({SCHOOLS}) AND {_placed('enrollments_history')}",
}
HISTORY = {
    "roles_history": "person_id uuid NOT NULL, org_id uuid NOT NULL, role text NOT NULL, role_type text NOT NULL",
    "enrollments_history": """
        person_id uuid NOT NULL,
        class_id uuid NOT NULL,
        school_id uuid NOT NULL,
        role text NOT NULL,
        is_primary boolean
    """,
}


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("CREATE SEQUENCE revision_numbers")
    op.execute("""
        CREATE TABLE revisions (
            district_id uuid NOT NULL,
            number bigint NOT NULL,
            at timestamptz NOT NULL,
            import_id uuid,
            PRIMARY KEY (district_id, number)
        )
    """)
    op.execute("CREATE INDEX revisions_in_time ON revisions (district_id, at)")
    op.execute("CREATE INDEX revisions_of_import ON revisions (district_id, import_id) WHERE import_id IS NOT NULL")
    _old_tables()
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({RECORD} {columns})")
    for index in INDEXES:
        table, _, columns = index.partition(" ")
        last = columns.rstrip(")").rpartition(" ")[2].removesuffix("_id")
        op.execute(f"CREATE INDEX {table}_of_{last} ON {table} {columns}")
    for table, columns in HISTORY.items():
        op.execute(f"""
            CREATE TABLE {table} (
                district_id uuid NOT NULL,
                sourced_id text COLLATE "C" NOT NULL,
                begin_on date,
                end_on date,
                replaced_on date NOT NULL,
                replaced_in bigint NOT NULL,
                {columns},
                PRIMARY KEY (district_id, sourced_id, replaced_in)
            )
        """)
        op.execute(f"CREATE INDEX {table}_of_person ON {table} (district_id, person_id)")
    for table in ("revisions", *TABLES, *HISTORY):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY district ON {table} USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
        )
    for table, may_see in SCHOOL_MAY_SEE.items():
        op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({may_see}))")
    for table in (*NAMED, *PLAIN, "demographics", *TABLES):
        op.execute(f"CREATE INDEX {table}_by_revision ON {table} (district_id, revision)")


def _old_tables() -> None:
    """What was there keeps its times: a revision for each moment at which something changed."""
    records = (*NAMED, *PLAIN, "demographics")
    for table in (*records, "crosswalk", "revisions"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")  # so that its owner sees the rows
    changes = " UNION ".join(f"SELECT district_id, changed_at FROM {table}" for table in records)
    op.execute(f"""
        INSERT INTO revisions (district_id, number, at)
        SELECT district_id, nextval('revision_numbers'), changed_at
        FROM (SELECT * FROM ({changes}) AS every ORDER BY changed_at) AS ordered
    """)
    for table in records:
        key = "person_id" if table == "demographics" else "id"
        op.execute(f"""
            ALTER TABLE {table} ADD sourced_id text COLLATE "C", ADD revision bigint, ADD since bigint, ADD until bigint
        """)
        op.execute(f"""
            UPDATE {table} t SET revision = r.number, since = r.number,
                until = CASE WHEN t.status = 'active' THEN NULL ELSE r.number END,
                sourced_id = COALESCE(
                    (SELECT min(c.sourced_id) FROM crosswalk c
                     WHERE c.district_id = t.district_id AND c.row_id = t.{key} AND c.end_on IS NULL),
                    t.{key}::text)
            FROM revisions r WHERE r.district_id = t.district_id AND r.at = t.changed_at
        """)
        op.execute(f"""
            ALTER TABLE {table} ALTER sourced_id SET NOT NULL, ALTER revision SET NOT NULL, ALTER since SET NOT NULL,
                DROP changed_at
        """)
    for table in PLAIN:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, DROP id")
        op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (district_id, sourced_id)")
    for table in (*NAMED, "demographics"):
        op.execute(f"CREATE UNIQUE INDEX {table}_named ON {table} (district_id, sourced_id)")
    op.execute("DELETE FROM crosswalk WHERE type IN ('role', 'enrollment')")
    op.execute("ALTER TABLE people ADD is_teacher boolean NOT NULL DEFAULT false")
    op.execute("""
        UPDATE people p SET is_teacher = true
        WHERE EXISTS (SELECT FROM roles r
                      WHERE r.district_id = p.district_id AND r.person_id = p.id AND r.role = 'teacher')
           OR EXISTS (SELECT FROM enrollments e
                      WHERE e.district_id = p.district_id AND e.person_id = p.id AND e.role = 'teacher')
    """)
    op.execute("CREATE INDEX courses_of_org ON courses (district_id, org_id)")
    op.execute("CREATE INDEX classes_of_course ON classes (district_id, course_id)")
    for table in (*records, "crosswalk", "revisions"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    raise RuntimeError("What the gradebook holds has no place in the tables of before; restore a backup instead.")
