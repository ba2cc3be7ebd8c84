"""A login per service takes its own role and nothing else, on every version of PostgreSQL that is here."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url

from models.logins import LOGINS, Login, LoginRefused, close_database, ensure_login
from models.roles import ROLES
from tests.databases import owner_engine

PASSWORD, OTHER_PASSWORD = "it's/a@secret%", "another"


@pytest.fixture
def owner(each_database_url: str) -> Iterator[Engine]:
    """The logins are the cluster's, so they are gone after the test."""
    engine = owner_engine(each_database_url)
    yield engine
    with engine.begin() as connection:
        for login in LOGINS:
            if _exists(engine, login):
                connection.execute(text(f"DROP OWNED BY {login}"))
            connection.execute(text(f"DROP ROLE IF EXISTS {login}"))


def _exists(engine: Engine, login: str) -> bool:
    with engine.connect() as connection:
        found = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": login})
        return found is not None


def set_logins(owner: Engine, password: str = PASSWORD) -> list[str]:
    """The names of those that were made."""
    with owner.begin() as connection:
        close_database(connection)
        return [name for name in LOGINS if ensure_login(connection, Login(name, password))]


def log_in(url: str, login: str, password: str = PASSWORD) -> psycopg.Connection[tuple[object, ...]]:
    driver_url = make_url(url).set(drivername="postgresql", username=login, password=password)
    return psycopg.connect(driver_url.render_as_string(hide_password=False), connect_timeout=5)


def test_each_login_takes_its_own_roles_and_no_other(owner: Engine, each_database_url: str) -> None:
    set_logins(owner)
    for login, roles in LOGINS.items():
        for role in roles:
            with log_in(each_database_url, login) as connection:
                connection.execute(f"SET ROLE {role}".encode())
        for other in sorted(set(ROLES) - set(roles)):
            with (
                log_in(each_database_url, login) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute(f"SET ROLE {other}".encode())


def test_login_that_takes_no_role_sees_nothing(owner: Engine, each_database_url: str) -> None:
    set_logins(owner)
    for login in LOGINS:
        with (
            log_in(each_database_url, login) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT 1 FROM studio")
        with (
            log_in(each_database_url, login) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TEMPORARY TABLE mine (id integer)")


def test_second_time_makes_nothing_and_changes_a_changed_password(
    owner: Engine, each_database_url: str
) -> None:
    assert set_logins(owner) == list(LOGINS)
    assert set_logins(owner, OTHER_PASSWORD) == []
    log_in(each_database_url, "cron", OTHER_PASSWORD).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        log_in(each_database_url, "cron", PASSWORD)


def test_what_else_a_login_was_given_is_taken_away(owner: Engine, each_database_url: str) -> None:
    set_logins(owner)
    with owner.begin() as connection:
        connection.execute(text("GRANT billbus_api, pg_monitor TO cron"))
        connection.execute(text("GRANT billbus_cron TO cron WITH ADMIN OPTION"))
        connection.execute(text("GRANT SELECT ON studio TO cron"))
        connection.execute(text("GRANT UPDATE (name) ON studio TO cron"))
        connection.execute(text("GRANT CREATE ON SCHEMA public TO cron"))
        connection.execute(text("ALTER ROLE cron INHERIT"))
    set_logins(owner)
    with log_in(each_database_url, "cron") as connection:
        shown = connection.execute(
            "SELECT pg_has_role('billbus_api', 'MEMBER'), pg_has_role('pg_monitor', 'MEMBER'),"
            " pg_has_role('billbus_cron', 'MEMBER WITH ADMIN OPTION'), pg_has_role('billbus_cron', 'USAGE'),"
            " has_table_privilege('studio', 'SELECT'), has_any_column_privilege('studio', 'UPDATE'),"
            " has_schema_privilege('public', 'CREATE')"
        ).fetchone()
        assert shown == (False,) * 7
        connection.execute("SET ROLE billbus_cron")


def test_nobody_else_may_connect(owner: Engine, each_database_url: str) -> None:
    set_logins(owner)
    with owner.begin() as connection:
        connection.execute(text("CREATE ROLE stranger LOGIN PASSWORD 'secret'"))
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            log_in(each_database_url, "stranger", "secret")
    finally:
        with owner.begin() as connection:
            connection.execute(text("DROP ROLE stranger"))


@pytest.mark.parametrize("power", ["SUPERUSER", "CREATEROLE", "BYPASSRLS", "CREATEDB"])
def test_login_of_somebody_with_powers_is_refused_and_left_alone(owner: Engine, power: str) -> None:
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE worker LOGIN {power}"))
    with pytest.raises(LoginRefused, match="The login worker has powers"):
        set_logins(owner)
    assert not _exists(owner, "client_api"), "half of it was done"


def test_server_is_given_a_verifier_and_no_password(owner: Engine) -> None:
    with owner.begin() as connection:
        ensure_login(connection, Login("events", PASSWORD))
        stored = connection.scalar(text("SELECT rolpassword FROM pg_authid WHERE rolname = 'events'"))
        assert str(stored).startswith("SCRAM-SHA-256$")
    assert PASSWORD not in repr(Login("events", PASSWORD))
