"""A studio with a past and a place for its backups, for each test anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import BOTH_SERVERS, Databases
from tests.integration.backups.shop import Shop, open_shop
from tests.integration.verify.history import make_history


@pytest.fixture
def shop(databases: Databases, tmp_path: Path) -> Iterator[Shop]:
    """On the server that all tests run on."""
    with databases.fresh(filled_by=make_history) as url:
        yield open_shop(url, tmp_path)


@pytest.fixture(params=BOTH_SERVERS)
def shop_of_each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """On each version of PostgreSQL that is here."""
    with request.getfixturevalue(request.param).fresh(filled_by=make_history) as url:
        yield open_shop(url, tmp_path)
