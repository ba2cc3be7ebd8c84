"""A studio with a past and a place for its backups, for each test anew."""

from pathlib import Path

import pytest

from tests.integration.backups.shop import Shop, open_shop


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Shop:
    """On the server that all tests run on."""
    return open_shop(database_url, tmp_path)


@pytest.fixture
def shop_of_each(each_database_url: str, tmp_path: Path) -> Shop:
    """On each version of PostgreSQL that is here."""
    return open_shop(each_database_url, tmp_path)
