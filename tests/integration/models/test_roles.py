"""Bootstrapping roles: idempotent, by a superuser and by a login that may only create roles."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from models import migrate, roles
from tests.databases import owner_engine

_POWERS = text("""
    SELECT rolname FROM pg_roles
    WHERE rolname = ANY(:roles) AND (rolsuper OR rolbypassrls OR rolcanlogin OR rolcreaterole OR rolcreatedb)
""")


def _as_login(url: str, login: str) -> Engine:
    login_url = make_url(url).set(drivername="postgresql+psycopg", username=login, password="secret")
    return create_engine(login_url, poolclass=NullPool)


@pytest.fixture
def creator(each_empty_database_url: str) -> Iterator[Engine]:
    """A login without superuser rights that may create roles, and owns the database."""
    database = make_url(each_empty_database_url).database
    with owner_engine(each_empty_database_url).begin() as connection:
        connection.execute(text("CREATE ROLE creator LOGIN CREATEROLE PASSWORD 'secret'"))
        connection.execute(text(f"ALTER DATABASE {database} OWNER TO creator"))
    yield _as_login(each_empty_database_url, "creator")
    with owner_engine(each_empty_database_url).begin() as connection:
        connection.execute(text("REASSIGN OWNED BY creator TO CURRENT_USER"))
        connection.execute(text("DROP OWNED BY creator CASCADE"))
        connection.execute(text("DROP ROLE creator"))


def test_bootstrapping_again_creates_nothing(each_database_url: str) -> None:
    with owner_engine(each_database_url).begin() as connection:
        assert roles.bootstrap(connection) == []


def test_no_role_has_powers_of_its_own(each_database_url: str) -> None:
    with owner_engine(each_database_url).connect() as connection:
        assert connection.scalars(_POWERS, {"roles": list(roles.ROLES)}).all() == []


def test_login_that_may_create_roles_bootstraps_and_takes_them(
    creator: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The house's roles are the cluster's and are there already; these stand for them.
    monkeypatch.setattr(roles, "ROLES", ("billbus_trial_one", "billbus_trial_two"))
    try:
        with creator.begin() as connection:
            assert roles.bootstrap(connection) == ["billbus_trial_one", "billbus_trial_two"]
            assert roles.bootstrap(connection) == []
        for role in roles.ROLES:
            with creator.connect() as connection:
                connection.execute(text(f"SET ROLE {role}"))
                assert connection.scalar(text("SELECT current_user")) == role
    finally:
        with creator.begin() as connection:
            connection.execute(text("DROP ROLE billbus_trial_one, billbus_trial_two"))


def test_login_without_superuser_rights_migrates(creator: Engine) -> None:
    url = creator.url.render_as_string(hide_password=False)
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    with pytest.raises(ProgrammingError, match="permission denied"), creator.connect() as connection:
        connection.execute(text("SET ROLE billbus_api"))
