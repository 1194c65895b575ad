"""What belongs to a person, a class or a result is found in the order in which it is told: nothing is left to sort."""

from alembic import op

revision = "roster_0012"
down_revision = "roster_0011"
branch_labels = None
depends_on = None

ORDERS = {
    "roles_of_person": ("roles (district_id, person_id", "role_type, sourced_id"),
    "user_profiles_of_person": ("user_profiles (district_id, person_id", "sourced_id"),
    "user_resources_of_person": ("user_resources (district_id, person_id", "resource"),
    "class_resources_of_class": ("class_resources (district_id, class_id", "resource"),
    "line_item_objectives_of_line_item": ("line_item_objectives (district_id, line_item", "sourced_id"),
    "result_objectives_of_result": ("result_objectives (district_id, result", "sourced_id"),
}


def upgrade() -> None:
    _replace({name: f"{found}, {order})" for name, (found, order) in ORDERS.items()})


def downgrade() -> None:
    _replace({name: f"{found})" for name, (found, _) in ORDERS.items()})


def _replace(indexes: dict[str, str]) -> None:
    op.execute("SET lock_timeout = '5s'")
    for name, columns in indexes.items():
        op.execute(f"CREATE INDEX {name}_now ON {columns}")
        op.execute(f"DROP INDEX {name}")
        op.execute(f"ALTER INDEX {name}_now RENAME TO {name}")
