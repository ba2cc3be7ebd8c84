"""A log, a cluster that misbehaves on demand, and the indexer between them."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from integrations.search_index import Indexer
from runtime.settings import EventSettings
from storage.database import create_role_engine
from tests.integration.search_index.cluster import Cluster, serving
from tests.integration.search_index.log import NOVEMBER, EventLog, open_log

MakeIndexer = Callable[..., Indexer]


@pytest.fixture
def event_log(database_url: str) -> Iterator[EventLog]:
    engine = create_role_engine(database_url, "billbus_events", "test")
    yield open_log(database_url, engine)
    engine.dispose()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def cluster_url(cluster: Cluster) -> Iterator[str]:
    with serving(cluster) as url:
        yield url


@pytest.fixture
def make_indexer(event_log: EventLog) -> Iterator[MakeIndexer]:
    """Of the cluster at a URL; closed with the test."""
    made: list[Indexer] = []

    def make(url: str, **settings: str) -> Indexer:
        given = EventSettings.model_validate(
            {"database_url": event_log.url, "elasticsearch_url": url, **settings}
        )
        made.append(Indexer(event_log.engine, given, lambda: NOVEMBER + timedelta(seconds=3)))
        return made[-1]

    yield make
    for indexer in made:
        indexer.close()


@pytest.fixture
def indexer(make_indexer: MakeIndexer, cluster_url: str) -> Indexer:
    return make_indexer(cluster_url)
