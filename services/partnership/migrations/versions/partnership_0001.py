"""Programmes, willingness with its history, matchings with their inputs, proposals, answers, the unmatched; stages."""

from alembic import op

revision = "partnership_0001"
down_revision = None
branch_labels = ("partnership",)
depends_on = "kernel_0001"

_DISTRICT = "district_id = (SELECT NULLIF(current_setting('app.district', true), '')::uuid)"
_WHOLE_DISTRICT = "(SELECT NULLIF(current_setting('app.schools', true), '')) IS NULL"
_OWN = "ANY ((SELECT string_to_array(current_setting('app.schools', true), ','))::uuid[])"
_TABLES = (
    "programmes",
    "areas",
    "conflicts",
    "willingness",
    "willingness_history",
    "matchings",
    "matching_inputs",
    "proposals",
    "answers",
    "unmatched",
)
_SCHOOLS = {
    "conflicts": f"school_id = {_OWN} OR other_school_id = {_OWN}",
    "willingness": f"school_id = {_OWN}",
    "willingness_history": f"school_id = {_OWN}",
    "matching_inputs": "false",
    "proposals": f"host_id = {_OWN} OR guest_id = {_OWN}",
    "answers": f"school_id = {_OWN}",
    "unmatched": f"school_id = {_OWN}",
}
"""What a caller limited to schools reaches, for reading and for writing alike: rows about its own schools."""


def upgrade() -> None:
    op.execute("SET lock_timeout = '5s'")
    op.execute("""
        CREATE TABLE programmes (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            code text NOT NULL,
            title text NOT NULL,
            partnerships integer NOT NULL,
            budget numeric NOT NULL,
            cost_per_partnership numeric NOT NULL,
            currency text NOT NULL,
            max_distance_km double precision,
            balance jsonb NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            UNIQUE (district_id, code)
        )
    """)
    op.execute("CREATE INDEX programmes_by_title ON programmes (district_id, title, id)")
    op.execute("""
        CREATE TABLE areas (
            programme_id uuid NOT NULL REFERENCES programmes,
            ordinal integer NOT NULL,
            district_id uuid NOT NULL,
            code text NOT NULL,
            title text NOT NULL,
            identifiers text[] NOT NULL,
            competencies uuid[] NOT NULL,
            PRIMARY KEY (programme_id, ordinal)
        )
    """)
    op.execute("""
        CREATE TABLE conflicts (
            programme_id uuid NOT NULL REFERENCES programmes,
            ordinal integer NOT NULL,
            district_id uuid NOT NULL,
            school_id uuid NOT NULL,
            other_school_id uuid NOT NULL,
            reason text NOT NULL,
            PRIMARY KEY (programme_id, ordinal)
        )
    """)
    op.execute("""
        CREATE TABLE willingness (
            school_id uuid NOT NULL,
            area text NOT NULL,
            district_id uuid NOT NULL,
            role text NOT NULL CHECK (role IN ('offers', 'seeks')),
            eagerness integer NOT NULL CHECK (eagerness BETWEEN 1 AND 5),
            capacity integer NOT NULL CHECK (capacity > 0),
            diagnostics_allowed boolean NOT NULL,
            version integer NOT NULL,
            declared_at timestamptz NOT NULL DEFAULT now(),
            declared_by text NOT NULL,
            PRIMARY KEY (school_id, area)
        )
    """)
    op.execute("CREATE INDEX willingness_area ON willingness (district_id, area)")
    op.execute("""
        CREATE TABLE willingness_history (
            school_id uuid NOT NULL,
            area text NOT NULL,
            version integer NOT NULL,
            district_id uuid NOT NULL,
            role text NOT NULL CHECK (role IN ('offers', 'seeks', 'withdrawn')),
            eagerness integer NOT NULL,
            capacity integer NOT NULL,
            diagnostics_allowed boolean NOT NULL,
            declared_at timestamptz NOT NULL DEFAULT now(),
            declared_by text NOT NULL,
            PRIMARY KEY (school_id, area, version)
        )
    """)
    op.execute("""
        CREATE TABLE matchings (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            programme_id uuid NOT NULL REFERENCES programmes,
            state text NOT NULL CHECK (state IN ('queued', 'solving', 'proposed', 'infeasible', 'failed')),
            requested_at timestamptz NOT NULL DEFAULT now(),
            requested_by text NOT NULL,
            finished_at timestamptz,
            done integer NOT NULL,
            total integer NOT NULL,
            proposals integer NOT NULL,
            unmatched integer NOT NULL,
            explanation text,
            snapshot_at timestamptz
        )
    """)
    op.execute("CREATE INDEX matchings_programme ON matchings (programme_id, requested_at, id)")
    op.execute("""
        CREATE TABLE matching_inputs (
            matching_id uuid PRIMARY KEY REFERENCES matchings,
            district_id uuid NOT NULL,
            inputs jsonb NOT NULL,
            frozen_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        CREATE TABLE proposals (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            programme_id uuid NOT NULL REFERENCES programmes,
            matching_id uuid NOT NULL REFERENCES matchings,
            area text NOT NULL,
            host_id uuid NOT NULL,
            guest_id uuid NOT NULL CHECK (host_id <> guest_id),
            state text NOT NULL CHECK (state IN ('proposed', 'accepted', 'declined', 'withdrawn', 'superseded')),
            reason text NOT NULL,
            host_basis text NOT NULL,
            guest_basis text NOT NULL,
            distance_km double precision,
            grounds jsonb NOT NULL,
            host_answer text,
            guest_answer text,
            declined_because text,
            proposed_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX proposals_programme ON proposals (programme_id, state, id)")
    op.execute("CREATE INDEX proposals_matching ON proposals (matching_id, id)")
    op.execute("CREATE INDEX proposals_host ON proposals (host_id)")
    op.execute("CREATE INDEX proposals_guest ON proposals (guest_id)")
    op.execute("""
        CREATE TABLE answers (
            proposal_id uuid NOT NULL REFERENCES proposals,
            school_id uuid NOT NULL,
            district_id uuid NOT NULL,
            answer text NOT NULL,
            because text,
            answered_at timestamptz NOT NULL DEFAULT now(),
            answered_by text NOT NULL,
            PRIMARY KEY (proposal_id, school_id)
        )
    """)
    op.execute("""
        CREATE TABLE unmatched (
            id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            matching_id uuid NOT NULL REFERENCES matchings,
            school_id uuid NOT NULL,
            area text NOT NULL,
            role text NOT NULL,
            reason text NOT NULL
        )
    """)
    op.execute("CREATE INDEX unmatched_matching ON unmatched (matching_id, id)")
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY district ON {table} USING ({_DISTRICT}) WITH CHECK ({_DISTRICT})")
    for table, own in _SCHOOLS.items():
        rule = f"{_WHOLE_DISTRICT} OR {own}"
        op.execute(f"CREATE POLICY school ON {table} AS RESTRICTIVE USING ({rule}) WITH CHECK ({rule})")
    op.execute("""
        CREATE TABLE stage.programmes (
            import_id uuid PRIMARY KEY,
            content jsonb NOT NULL
        )
    """)
    op.execute("""
        CREATE TABLE stage.willingness (
            import_id uuid NOT NULL,
            line bigint NOT NULL,
            school_id uuid NOT NULL,
            area text NOT NULL,
            role text NOT NULL,
            eagerness integer NOT NULL,
            capacity integer NOT NULL,
            diagnostics_allowed boolean NOT NULL,
            PRIMARY KEY (import_id, line)
        )
    """)
    op.execute("""
        CREATE TABLE stage.matchings_due (
            matching_id uuid PRIMARY KEY,
            district_id uuid NOT NULL,
            due_at timestamptz NOT NULL DEFAULT now()
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE stage.matchings_due, stage.willingness, stage.programmes")
    op.execute(f"DROP TABLE {', '.join(reversed(_TABLES))}")
