"""One history for this folder: its tests look at it, or change it and roll back."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.integration.verify.history import History, make_history


@pytest.fixture(scope="module")
def history(databases: Databases) -> Iterator[History]:
    with databases.fresh() as url:
        yield make_history(url)
