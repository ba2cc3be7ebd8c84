"""Against a server that searches: an in-memory one that speaks as OpenSearch does.

It is no Elasticsearch, and knows no policies and no data streams.
"""

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from elastic_transport import HttpHeaders, Urllib3HttpNode
from elastic_transport._node import NodeApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import Elasticsearch
from osmem_server import OsmemServer

from integrations.search_index import Indexer
from integrations.search_index.indexer import REFUSED_DELAY_SECONDS, TEMPLATE
from integrations.search_index.setup import extend_indices
from runtime.settings import EventSettings
from tests.integration.search_index.log import NOVEMBER, EventLog
from tests.unit.integrations.search_index.files import DEPLOY, template

TEMPLATES = DEPLOY / "elasticsearch" / "templates"


class PlainNode(Urllib3HttpNode):
    """Says `application/json`: the server knows no media type of a version."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        plain = HttpHeaders(
            {
                name: value.split(";")[0].replace("vnd.elasticsearch+", "")
                for name, value in (headers or {}).items()
            }
        )
        return super().perform_request(method, target, body, plain, request_timeout)


@pytest.fixture(scope="module")
def server() -> Iterator[OsmemServer]:
    with OsmemServer.start(japanese=False) as started:
        yield started
    if started.process.stdout is not None:
        started.process.stdout.close()  # which it leaves to us


@pytest.fixture
def search(server: OsmemServer) -> Iterator[Elasticsearch]:
    """A cluster of the test's own, with our index template but for its policy."""
    ours: dict[str, Any] = copy.deepcopy(template(TEMPLATE))
    del ours["template"]["settings"]["index"]["lifecycle"]
    with server.clone() as clone:
        client = Elasticsearch(clone.url, node_class=PlainNode, max_retries=0, request_timeout=10)
        client.indices.put_index_template(name=TEMPLATE, **{**ours, "meta": ours.pop("_meta")})
        yield client
        client.close()


@pytest.fixture
def indexer(event_log: EventLog, search: Elasticsearch) -> Indexer:
    settings = EventSettings.model_validate({"database_url": event_log.url})
    return Indexer(event_log.engine, settings, lambda: NOVEMBER, search)


def found(search: Elasticsearch, **query: Any) -> list[dict[str, Any]]:
    search.indices.refresh(index="billing-events-*")
    hits = search.search(index="billing-events-*", query=query, size=100)["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def test_events_are_found_by_what_people_look_for(
    event_log: EventLog, search: Elasticsearch, indexer: Indexer
) -> None:
    event_log.add(2)
    event_log.add(invoice_id="0d1bb7d8-5a3b-7c55-8d51-000000000001", amount_minor=100)
    event_log.add(at=NOVEMBER + timedelta(days=30))
    assert indexer.index_page() == 0.0
    assert event_log.waiting() == 0
    (one,) = found(search, term={"invoice.id": "0d1bb7d8-5a3b-7c55-8d51-000000000001"})
    assert one["amount_minor"] == 100
    assert len(found(search, term={"trace.id": "trace-1"})) == 4
    assert len(found(search, range={"@timestamp": {"gte": "2026-12-01"}})) == 1
    assert set(search.indices.get(index="billing-events-*")) == {
        "billing-events-2026.11",
        "billing-events-2026.12",
    }


def test_money_of_a_day_adds_up(event_log: EventLog, search: Elasticsearch, indexer: Indexer) -> None:
    event_log.add(3)
    event_log.add(amount_minor=700, currency="JPY")
    indexer.index_page()
    search.indices.refresh(index="billing-events-*")
    answer = search.search(
        index="billing-events-*",
        size=0,
        aggs={"by": {"terms": {"field": "currency"}, "aggs": {"sum": {"sum": {"field": "amount"}}}}},
    )
    sums = {bucket["key"]: bucket["sum"]["value"] for bucket in answer["aggregations"]["by"]["buckets"]}
    assert sums == {"RUB": 13_500.0, "JPY": 700.0}


def test_events_that_are_sent_twice_are_there_once(
    event_log: EventLog, search: Elasticsearch, indexer: Indexer
) -> None:
    event_log.add(5)
    indexer.index_page()
    event_log.rows("UPDATE event_log SET indexed_at = NULL, index_due_at = now()")
    event_log.add(5)
    assert indexer.index_page() == 0.0
    assert event_log.waiting() == 0
    assert len(found(search, match_all={})) == 10


def test_a_value_of_another_type_is_refused_alone(
    event_log: EventLog, search: Elasticsearch, indexer: Indexer
) -> None:
    (bad,) = event_log.add(amount_minor="many")
    event_log.add(2)
    assert indexer.index_page() == 0.0
    assert len(found(search, match_all={})) == 2
    ((waiting, problem),) = event_log.rows(
        "SELECT event_id, index_problem FROM event_log WHERE indexed_at IS NULL"
    )
    assert waiting == bad
    assert problem.startswith("400 ")


def test_a_field_that_the_template_does_not_know_is_refused(search: Elasticsearch) -> None:
    answer = search.bulk(
        operations=[{"create": {"_index": "billing-events-2026.11", "_id": "1"}}, {"new_field": "x"}]
    )
    assert answer["items"][0]["create"]["status"] == 400
    assert "strict" in answer["items"][0]["create"]["error"]["type"]


def test_the_index_of_this_month_learns_the_fields_of_an_update(
    event_log: EventLog, search: Elasticsearch, indexer: Indexer
) -> None:
    mappings = copy.deepcopy(template(TEMPLATE)["template"]["mappings"])
    del mappings["properties"]["booking"]
    with httpx.Client(base_url=search.transport.node_pool.get().base_url) as client:
        extend_indices(client, TEMPLATES / f"{TEMPLATE}.json")  # there is no index yet
        search.indices.put_index_template(
            name=TEMPLATE, index_patterns="billing-events-*", template={"mappings": mappings}
        )
        event_log.add(booking_id="0d1bb7d8-5a3b-7c55-8d51-000000000001")
        indexer.index_page()
        assert event_log.waiting() == 1
        extend_indices(client, TEMPLATES / f"{TEMPLATE}.json")
    event_log.pass_time(REFUSED_DELAY_SECONDS)
    indexer.index_page()
    assert event_log.waiting() == 0
    assert len(found(search, term={"booking.id": "0d1bb7d8-5a3b-7c55-8d51-000000000001"})) == 1
