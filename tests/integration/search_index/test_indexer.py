"""What is logged comes into the index once, whatever the cluster does, and the bytes that go there."""

import base64
import json
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from integrations.search_index import Indexer, bulk
from integrations.search_index.indexer import (
    LONGEST_DELAY_SECONDS,
    PAGE_LIMIT,
    POLL_SECONDS,
    REFUSED_DELAY_SECONDS,
)
from tests.integration.search_index.cluster import Behavior, Cluster, Items, Reset, Slow, Status, serving
from tests.integration.search_index.conftest import MakeIndexer
from tests.integration.search_index.log import NOVEMBER, EventLog

DAY_SECONDS = 86_400.0


def problems(event_log: EventLog) -> list[str | None]:
    return [row[0] for row in event_log.rows("SELECT index_problem FROM event_log ORDER BY sequence")]


def ids_of(cluster: Cluster) -> set[UUID]:
    return {UUID(one) for _, one in cluster.documents}


def test_the_request_creates_documents_by_event_id_in_the_month_of_the_event(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    # Midnight in Moscow on the first of December is still November in UTC.
    moscow = timezone(timedelta(hours=3))
    (first,) = event_log.add(at=datetime(2026, 12, 1, 2, tzinfo=moscow))
    (second,) = event_log.add(at=datetime(2026, 12, 1, 3, tzinfo=moscow))
    assert indexer.index_page() == 0.0
    (body,) = cluster.bulks
    assert body.endswith(b"\n")
    lines = [json.loads(line) for line in body.splitlines()]
    assert lines[0] == {"create": {"_id": str(first), "_index": "billing-events-2026.11"}}
    assert lines[2] == {"create": {"_id": str(second), "_index": "billing-events-2026.12"}}
    assert lines[1]["@timestamp"] == "2026-11-30T23:00:00+00:00"
    assert lines[1]["event"]["action"] == "payment.succeeded"
    assert lines[1]["amount_minor"] == 450_000
    assert event_log.waiting() == 0
    assert indexer.index_page() == POLL_SECONDS
    assert len(cluster.bulks) == 1


def test_it_says_who_it_is_with_every_request(
    event_log: EventLog, cluster: Cluster, cluster_url: str, make_indexer: MakeIndexer
) -> None:
    event_log.add()
    make_indexer(cluster_url, elasticsearch_api_key="id-and-key").index_page()
    make_indexer(cluster_url.replace("//", "//u:p%40w@")).index_page()
    event_log.add()
    make_indexer(cluster_url.replace("//", "//u:p%40w@")).index_page()
    assert {one["authorization"] for one in cluster.headers} == {
        "ApiKey id-and-key",
        "Basic " + base64.b64encode(b"u:p@w").decode(),
    }


def test_settings_that_cannot_be_used_end_the_process_with_a_sentence(make_indexer: MakeIndexer) -> None:
    with pytest.raises(SystemExit, match="billbus: ELASTICSEARCH_URL or ELASTICSEARCH_CA_FILE"):
        make_indexer("https://elasticsearch:9200", elasticsearch_ca_file="/nowhere/ca.pem")


@pytest.mark.parametrize(
    "behavior",
    [
        Status(429, {"Retry-After": "7"}),
        Status(503),
        Status(502, {}, "<html>a gateway's page</html>"),
        Status(401),
        Status(200, {}, '{"took":1}'),
        Reset(is_taken=False),
        Reset(is_taken=True),
        Items(dict.fromkeys(range(3), (429, "es_rejected_execution_exception"))),
        Items({}, cut=3),
    ],
    ids=lambda behavior: repr(behavior)[:40],
)
def test_a_page_that_was_not_taken_stays_and_is_taken_later_once(
    behavior: Behavior, event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    added = event_log.add(3)
    cluster.script.append(behavior)
    delay = one_turn(indexer)
    assert delay >= 1.0
    assert event_log.waiting() == 3
    assert len(cluster.bulks) == 1
    # Not hotly: nothing is due meanwhile.
    assert one_turn(indexer) == POLL_SECONDS
    event_log.pass_time(130)
    assert one_turn(indexer) == 0.0
    assert event_log.waiting() == 0
    assert ids_of(cluster) == set(added)
    assert len(cluster.created) == 3
    assert problems(event_log) == [None] * 3


def one_turn(indexer: Indexer) -> float:
    """What `run` does between two waits."""
    return indexer.turn()


def test_what_a_busy_cluster_asks_for_is_waited_and_no_more_than_five_minutes(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    event_log.add()
    delays = []
    for asked in ("7", "4000", "soon"):
        cluster.script.append(Status(429, {"Retry-After": asked}))
        delays.append(indexer.index_page())
        event_log.pass_time(LONGEST_DELAY_SECONDS)
    assert delays == [7.0, LONGEST_DELAY_SECONDS, 4.0]
    assert (problems(event_log)[0] or "").startswith("ApiError 429: ")


def test_some_of_a_page_are_taken_and_the_others_come_again(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    added = event_log.add(4)
    cluster.script.append(
        Items({0: (429, "es_rejected_execution_exception"), 2: (503, "unavailable_shards_exception")})
    )
    assert indexer.index_page() == 1.0
    assert event_log.waiting() == 2
    assert ids_of(cluster) == {added[1], added[3]}
    event_log.pass_time(2)
    assert indexer.index_page() == 0.0
    assert [len(body.splitlines()) for body in cluster.bulks] == [8, 4]
    assert ids_of(cluster) == set(added)


def test_a_document_that_no_mapping_fits_holds_no_other_up_and_is_never_lost(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    (bad,) = event_log.add(amount_minor="many")
    good = event_log.add(2)
    cluster.refuses = lambda document: document["amount_minor"] == "many"
    assert indexer.index_page() == 0.0
    assert ids_of(cluster) == set(good)
    assert problems(event_log) == [f"400 document_parsing_exception: of {bad}", None, None]
    event_log.pass_time(REFUSED_DELAY_SECONDS - 60)
    assert indexer.index_page() == POLL_SECONDS
    # Somebody corrects the template.
    cluster.refuses = lambda _: False
    event_log.pass_time(120)
    assert indexer.index_page() == 0.0
    assert event_log.waiting() == 0


def test_a_request_that_is_too_large_is_sent_in_parts(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    event_log.add(9)
    (large,) = event_log.add(reason="x" * 20_000)
    cluster.bytes_max = 3_000
    assert indexer.index_page() == 0.0
    assert len(cluster.documents) == 9
    assert event_log.rows("SELECT event_id FROM event_log WHERE indexed_at IS NULL") == [(large,)]
    assert "too large" in (problems(event_log)[-1] or "")
    assert len(cluster.bulks) < 20


def test_a_page_is_sent_in_requests_of_bounded_size(
    event_log: EventLog, cluster: Cluster, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_log.add(40)
    monkeypatch.setattr(bulk, "REQUEST_BYTES_MAX", 5_000)
    assert indexer.index_page() == 0.0
    assert len(cluster.bulks) > 2
    assert max(map(len, cluster.bulks)) <= 5_000
    assert len(cluster.created) == 40


def test_the_second_request_fails_and_the_first_counts(
    event_log: EventLog, cluster: Cluster, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_log.add(20)
    monkeypatch.setattr(bulk, "REQUEST_BYTES_MAX", 5_000)
    cluster.script.extend([Items({}), Status(503)])
    assert indexer.index_page() == 1.0
    assert 0 < len(cluster.created) < 20
    assert event_log.waiting() == 20 - len(cluster.created)
    event_log.pass_time(2)
    indexer.index_page()
    assert event_log.waiting() == 0
    assert len(cluster.created) == len(set(cluster.created)) == 20


def test_a_slow_cluster_is_left_after_the_time_out_and_finds_its_documents_later(
    event_log: EventLog,
    cluster: Cluster,
    cluster_url: str,
    make_indexer: MakeIndexer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "REQUEST_TIMEOUT_SECONDS", 0.3)
    indexer = make_indexer(cluster_url)
    event_log.add(2)
    cluster.script.append(Slow(1.0))
    began_at = time.monotonic()
    assert indexer.index_page() == 1.0
    assert time.monotonic() - began_at < 0.9
    assert (problems(event_log)[0] or "").startswith("ConnectionTimeout")
    event_log.pass_time(2)
    assert indexer.index_page() == 0.0
    assert event_log.waiting() == 0
    assert len(cluster.created) == 2


def test_without_the_index_template_nothing_is_sent(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    event_log.add()
    cluster.has_template = False
    assert indexer.index_page() == 1.0
    assert cluster.bulks == []
    assert (problems(event_log)[0] or "").startswith("TemplateMissing")
    cluster.has_template = True
    event_log.pass_time(2)
    assert indexer.index_page() == 0.0
    event_log.add()
    indexer.index_page()
    assert [method for method, _ in cluster.asked] == ["HEAD", "HEAD", "PUT", "PUT"]


def test_a_cluster_that_is_away_for_a_day_costs_rows_and_little_else(
    event_log: EventLog, cluster: Cluster, make_indexer: MakeIndexer
) -> None:
    """Two days' time passes for the rows; what is logged meanwhile all waits, and is all taken after it."""
    with serving(cluster) as url:
        pass  # an address where nobody listens
    indexer = make_indexer(url)
    waited, turns = 0.0, 0
    while waited < DAY_SECONDS:
        event_log.add()
        delay = indexer.index_page()
        assert delay <= LONGEST_DELAY_SECONDS
        event_log.pass_time(delay)
        waited += delay
        turns += 1
    assert turns < 2 * DAY_SECONDS / LONGEST_DELAY_SECONDS
    assert event_log.waiting() == turns
    assert event_log.rows("SELECT max(index_tries) FROM event_log")[0][0] <= turns
    with serving(cluster) as url:
        well = make_indexer(url)
        event_log.pass_time(LONGEST_DELAY_SECONDS)
        while well.index_page() == 0.0:
            pass
    assert event_log.waiting() == 0
    assert len(cluster.created) == len(set(cluster.created)) == turns


def test_a_page_is_bounded_however_many_wait(event_log: EventLog, cluster: Cluster, indexer: Indexer) -> None:
    event_log.add(PAGE_LIMIT + 20)
    assert indexer.index_page() == 0.0
    assert len(cluster.created) == PAGE_LIMIT
    indexer.index_page()
    assert event_log.waiting() == 0


def test_two_indexers_create_each_document_once(
    event_log: EventLog, cluster: Cluster, cluster_url: str, make_indexer: MakeIndexer
) -> None:
    event_log.add(1_200)
    two = [make_indexer(cluster_url), make_indexer(cluster_url)]
    threads = [threading.Thread(target=indexer.run) for indexer in two]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    while event_log.waiting() and time.monotonic() < until:
        time.sleep(0.05)
    for indexer in two:
        indexer.is_stopping = True
    for thread in threads:
        thread.join(5)
    assert event_log.waiting() == 0
    assert len(cluster.created) == len(set(cluster.created)) == 1_200


def test_postgres_away_ends_nothing(
    event_log: EventLog, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> float:
        raise OperationalError("SELECT", None, Exception("no connection"))

    monkeypatch.setattr(indexer, "index_page", away)
    assert [indexer.turn() for _ in range(3)] == [1.0, 2.0, 4.0]


def test_billing_writes_its_log_while_the_cluster_hangs(
    event_log: EventLog, cluster: Cluster, indexer: Indexer
) -> None:
    event_log.add(PAGE_LIMIT)
    cluster.script.append(Slow(1.5))
    hanging = threading.Thread(target=indexer.index_page)
    hanging.start()
    until = time.monotonic() + 5
    while not cluster.bulks and time.monotonic() < until:
        time.sleep(0.01)
    began_at = time.monotonic()
    event_log.add(50)
    assert hanging.is_alive()
    assert time.monotonic() - began_at < 1.0
    hanging.join()
    assert event_log.waiting() == 50


def test_late_events_go_to_their_own_month(event_log: EventLog, cluster: Cluster, indexer: Indexer) -> None:
    event_log.add(at=NOVEMBER.astimezone(UTC) - timedelta(days=400))
    indexer.index_page()
    assert [index for index, _ in cluster.documents] == ["billing-events-2025.10"]
