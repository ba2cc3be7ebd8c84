"""Migrations up and down, on each server, and the classes and machines that must say the same as the SQL."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_mock_engine, text

from cli.machines import difference
from models import migrate, roles
from models.tables import Base
from tests.databases import owner_engine

_LEFT_OVER = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic\\_version%'
    UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'invariant'
""")

# What Postgres itself says of a schema, names of constraints aside.
_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
        a.attidentity::text, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0
        AND NOT a.attisdropped
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = CAST(:schema AS regnamespace) AND contype <> 'n'
"""
_INDEXES = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = :schema"


def test_migrations_go_up_down_and_up_again(each_empty_database_url: str) -> None:
    url = each_empty_database_url
    assert migrate.current(url) is None
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    migrate.downgrade(url, "base")
    assert migrate.current(url) is None
    with owner_engine(url).connect() as connection:
        assert connection.scalars(_LEFT_OVER).all() == []
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()


def test_upgrading_twice_changes_nothing(each_database_url: str) -> None:
    migrate.upgrade(each_database_url)
    assert migrate.current(each_database_url) == migrate.head()


def test_migrators_that_meet_wait_for_each_other(each_empty_database_url: str) -> None:
    errors: list[BaseException] = []

    def upgrade() -> None:
        try:
            migrate.upgrade(each_empty_database_url)
        except BaseException as error:  # shown below
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert migrate.current(each_empty_database_url) == migrate.head()


def test_missing_roles_are_named(each_empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "ROLES", (*roles.ROLES, "billbus_nobody"))
    with pytest.raises(migrate.RolesMissing, match=r"billbus_nobody: run `billbus db bootstrap`"):
        migrate.upgrade(each_empty_database_url)
    assert migrate.current(each_empty_database_url) is None


def test_alembic_sees_no_difference_between_classes_and_database(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@pytest.mark.parametrize(
    "catalog", [_COLUMNS, _CONSTRAINTS, _INDEXES], ids=["columns", "constraints", "indexes"]
)
def test_classes_make_the_very_schema_of_the_migrations(each_database_url: str, catalog: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        migrated = _describe(connection, catalog, "public")
        _create_from_classes(connection)
        made = _describe(connection, catalog, "classes")
    assert made == migrated
    assert len(made) > 40


def _describe(connection: Connection, catalog: str, schema: str) -> set[tuple[str, ...]]:
    connection.execute(text(f"SET LOCAL search_path = {schema}"))
    rows = {tuple(row) for row in connection.execute(text(catalog), {"schema": schema})}
    described = {tuple(value.replace(f"{schema}.", "") for value in row) for row in rows}
    return {row for row in described if not row[0].startswith("alembic_version")}


def _create_from_classes(connection: Connection) -> None:
    connection.execute(text("CREATE SCHEMA classes"))
    connection.execute(text("SET LOCAL search_path = classes"))
    recorder = create_mock_engine(
        "postgresql+psycopg://",
        lambda statement, *_: connection.execute(statement),
    )
    Base.metadata.create_all(recorder, checkfirst=False)


def test_database_and_code_have_the_same_machines(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        assert difference(connection) == ([], [])
        connection.execute(text("DELETE FROM machine_transition WHERE to_state = 'void'"))
        connection.execute(text("INSERT INTO machine_transition VALUES ('invoice', 'void', 'open')"))
        missing, surplus = difference(connection)
    assert missing == [("invoice", "draft", "void"), ("invoice", "open", "void")]
    assert surplus == [("invoice", "void", "open")]
