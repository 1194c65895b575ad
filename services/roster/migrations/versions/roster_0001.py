"""The roster's tables, their policies, and the stages of its import."""

# ruff: noqa: S608  # constants

from alembic import op

revision = "roster_0001"
down_revision = None
branch_labels = ("roster",)
depends_on = "kernel_0001"

DISTRICT = "(SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
SCHOOLS = "((SELECT string_to_array(NULLIF(current_setting('app.schools', true), ''), ','))::uuid[])"
# The policy of placements itself reads settings only, so this is no recursion.
PLACED = """
    SELECT p.person_id FROM placements p
    WHERE (p.begin_on IS NULL OR p.begin_on <= current_date) AND (p.end_on IS NULL OR p.end_on > current_date)
"""
SCHOOL_MAY_SEE = {
    "orgs": f"id = ANY ({SCHOOLS})",
    "classes": f"school_id = ANY ({SCHOOLS})",
    "people": f"id IN ({PLACED})",
    "roles": f"org_id = ANY ({SCHOOLS}) AND person_id IN ({PLACED})",
    "enrollments": f"school_id = ANY ({SCHOOLS}) AND person_id IN ({PLACED})",
    "demographics": f"person_id IN ({PLACED})",
    "placements": f"school_id = ANY ({SCHOOLS})",
    "crosswalk": f"""
        type IN ('academicSession', 'course')
        OR (type IN ('org', 'class', 'user') AND (row_id = ANY ({SCHOOLS}) OR row_id IN ({PLACED})
            OR row_id IN (SELECT c.id FROM classes c)))
    """,
}

EVERY_ROW = """
    district_id uuid NOT NULL,
    id uuid NOT NULL,
    status text NOT NULL,
    ended_on date,
    source_modified_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (district_id, id),
"""
TABLES = {
    "orgs": f"""{EVERY_ROW}
        name text NOT NULL,
        type text NOT NULL,
        identifier text,
        parent_id uuid,
        sector text,
        latitude double precision,
        longitude double precision
    """,
    "academic_sessions": f"""{EVERY_ROW}
        title text NOT NULL,
        type text NOT NULL,
        start_on date NOT NULL,
        end_on date NOT NULL,
        parent_id uuid,
        school_year smallint NOT NULL
    """,
    "courses": f"""{EVERY_ROW}
        title text NOT NULL,
        course_code text,
        grades text[] NOT NULL,
        org_id uuid,
        school_year_id uuid,
        subjects text[] NOT NULL,
        subject_codes text[] NOT NULL
    """,
    "classes": f"""{EVERY_ROW}
        title text NOT NULL,
        grades text[] NOT NULL,
        course_id uuid,
        class_code text,
        class_type text NOT NULL,
        location text,
        school_id uuid NOT NULL,
        term_ids uuid[] NOT NULL,
        subjects text[] NOT NULL,
        subject_codes text[] NOT NULL,
        periods text[] NOT NULL
    """,
    "people": f"""{EVERY_ROW}
        is_student boolean NOT NULL DEFAULT false,
        enabled boolean NOT NULL,
        username text,
        user_ids text[] NOT NULL,
        given_name text NOT NULL,
        family_name text NOT NULL,
        middle_name text,
        preferred_given_name text,
        preferred_middle_name text,
        preferred_family_name text,
        pronouns text,
        identifier text,
        user_master_identifier text,
        email text,
        sms text,
        phone text,
        grades text[] NOT NULL,
        agent_ids uuid[] NOT NULL,
        primary_org_id uuid
    """,
    "roles": f"""{EVERY_ROW}
        person_id uuid NOT NULL,
        org_id uuid NOT NULL,
        role text NOT NULL,
        role_type text NOT NULL,
        begin_on date,
        end_on date
    """,
    "enrollments": f"""{EVERY_ROW}
        person_id uuid NOT NULL,
        class_id uuid NOT NULL,
        school_id uuid NOT NULL,
        role text NOT NULL,
        is_primary boolean,
        begin_on date,
        end_on date
    """,
    "demographics": f"""{EVERY_ROW.replace(" id uuid", " person_id uuid").replace(", id)", ", person_id)")}
        birth_on date,
        sex text,
        american_indian_or_alaska_native boolean,
        asian boolean,
        black_or_african_american boolean,
        native_hawaiian_or_other_pacific_islander boolean,
        white boolean,
        two_or_more_races boolean,
        hispanic_or_latino boolean,
        birth_country text,
        birth_state text,
        birth_city text,
        residence_status text
    """,
    "crosswalk": """
        district_id uuid NOT NULL,
        source text NOT NULL,
        type text NOT NULL,
        sourced_id text NOT NULL,
        row_id uuid NOT NULL,
        begin_on date NOT NULL DEFAULT current_date,
        end_on date,
        PRIMARY KEY (district_id, row_id, source, sourced_id, begin_on)
    """,
    "placements": """
        district_id uuid NOT NULL,
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        person_id uuid NOT NULL,
        school_id uuid NOT NULL,
        as_student boolean NOT NULL,
        begin_on date,
        end_on date
    """,
}
# Every index begins with the district, as every query does by its policy: so there is one best index for each.
INDEXES = (
    "CREATE UNIQUE INDEX crosswalk_current ON crosswalk (district_id, source, type, sourced_id) WHERE end_on IS NULL",
    "CREATE INDEX classes_of_school ON classes (district_id, school_id, title, id)",
    "CREATE INDEX roles_of_person ON roles (district_id, person_id)",
    "CREATE INDEX enrollments_of_class ON enrollments (district_id, class_id)",
    "CREATE INDEX enrollments_of_person ON enrollments (district_id, person_id)",
    "CREATE INDEX placements_of_person ON placements (district_id, person_id)",
    "CREATE INDEX placements_of_school ON placements (district_id, school_id)",
)

STAGES = {
    "orgs": "name, type, identifier, parent_sourced_id, sector, latitude, longitude",
    "academic_sessions": "title, type, start_date, end_date, parent_sourced_id, school_year",
    "courses": "school_year_sourced_id, title, course_code, grades, org_sourced_id, subjects, subject_codes",
    "classes": """title, grades, course_sourced_id, class_code, class_type, location, school_sourced_id,
        term_sourced_ids, subjects, subject_codes, periods""",
    "users": """enabled_user, org_sourced_ids, role, username, user_ids, given_name, family_name, middle_name,
        identifier, email, sms, phone, agent_sourced_ids, grades, user_master_identifier, preferred_given_name,
        preferred_middle_name, preferred_family_name, primary_org_sourced_id, pronouns""",
    "roles": "user_sourced_id, role_type, role, begin_date, end_date, org_sourced_id",
    "demographics": """birth_date, sex, american_indian_or_alaska_native, asian, black_or_african_american,
        native_hawaiian_or_other_pacific_islander, white, demographic_race_two_or_more_races,
        hispanic_or_latino_ethnicity, country_of_birth_code, state_of_birth_abbreviation, city_of_birth,
        public_school_residence_status""",
    "enrollments": """class_sourced_id, school_sourced_id, user_sourced_id, role, is_primary, begin_date, end_date""",
}


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    for table, columns in TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
    for index in INDEXES:
        op.execute(index)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY district ON {table} USING (district_id = {DISTRICT}) WITH CHECK (district_id = {DISTRICT})"
        )
    for table, may_see in SCHOOL_MAY_SEE.items():
        op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE FOR SELECT USING ({WHOLE_DISTRICT} OR ({may_see}))")
    for stage, columns in STAGES.items():
        texts = ", ".join(f"{name.strip()} text" for name in columns.split(","))
        op.execute(f"""
            CREATE TABLE stage.{stage} (
                import_id uuid NOT NULL,
                pos bigint NOT NULL,
                line bigint NOT NULL,
                refused boolean NOT NULL,
                sourced_id text NOT NULL,
                status text,
                date_last_modified text,
                metadata jsonb NOT NULL,
                {texts},
                PRIMARY KEY (import_id, pos)
            )
        """)
        op.execute(f"CREATE INDEX {stage}_named ON stage.{stage} (import_id, sourced_id)")
    op.execute("""
        CREATE TABLE stage.vanished (
            import_id uuid NOT NULL,
            file text NOT NULL,
            pos bigint GENERATED ALWAYS AS IDENTITY,
            row_id uuid NOT NULL,
            PRIMARY KEY (import_id, file, pos)
        )
    """)
    op.execute("CREATE INDEX vanished_row ON stage.vanished (import_id, row_id)")
    op.execute("""
        CREATE TABLE stage.touched (
            import_id uuid NOT NULL,
            person_id uuid NOT NULL,
            pos bigint GENERATED ALWAYS AS IDENTITY,
            PRIMARY KEY (person_id, import_id)
        )
    """)
    op.execute("CREATE INDEX touched_order ON stage.touched (import_id, pos)")
    op.execute("""
        CREATE TABLE stage.files (
            import_id uuid NOT NULL,
            file text NOT NULL,
            derived boolean NOT NULL,
            PRIMARY KEY (import_id, file)
        )
    """)


def downgrade() -> None:
    for stage in (*STAGES, "vanished", "touched", "files"):
        op.execute(f"DROP TABLE stage.{stage}")
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
