"""Two offices with something of each kind in them, and what attacks on them need."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.integration.admin_api.actions.conftest import own_office, services
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import things

__all__ = ["own_office", "services", "things"]


@pytest.fixture
def contents(office: Office) -> Callable[[], dict[str, str]]:
    """A hash of all rows of each table; of the audit, exports left out: reading them out is written down."""

    def read() -> dict[str, str]:
        with office.shop.owner.begin() as connection:
            tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
            return {table: str(connection.scalar(text(_hash_of(table)))) for table in tables.all()}

    return read


def _hash_of(table: str) -> str:
    condition = "WHERE action <> 'export'" if table == "audit" else ""
    return f"SELECT md5(coalesce(string_agg(x::text, '|' ORDER BY x::text), '')) FROM {table} x {condition}"  # noqa: S608
