"""The gauges that the relay reads from storage, by its own role, over rows that were planted for them."""

import re
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kit.ids import new_id
from runtime import storage_gauges as gauges
from storage.database import create_role_engine
from tests.databases import Databases
from tests.integration.state_updater.shops import Shop
from tests.integration.state_updater.stages import TOTAL_MINOR, Stage

NOTIFICATION = """
    INSERT INTO notification (id, studio_id, customer_id, kind, channel, subject_id, occasion, facts,
        causation_id, correlation_id, due_at, tries, state, finished_at)
    SELECT gen_random_uuid(), :studio, :customer, 'refund', 'email', gen_random_uuid(), 'x', '{}',
        gen_random_uuid(), 'x', now() - CAST(:due AS interval), :tries, :state,
        CASE WHEN :state <> 'planned' THEN now() - CAST(:due AS interval) END
    FROM generate_series(1, :times)
"""
EVENT = """
    INSERT INTO event_log (event_id, studio_id, kind, schema_version, is_error, subject_id, body,
        correlation_id, occurred_at, received_at, indexed_at)
    SELECT gen_random_uuid(), :studio, 'invoice.paid', 1, false, gen_random_uuid(), '{}', 'x', now(),
        now() - CAST(:age AS interval), CASE WHEN :is_indexed THEN now() END
"""
RUN = """
    INSERT INTO job_run (job, due_at, started_at, finished_at, outcome)
    VALUES (:job, now() + CAST(:due AS interval), now(), to_timestamp(:at), :outcome)
"""


@pytest.fixture
def shop(databases: Databases) -> Iterator[Stage]:
    with databases.fresh() as url:
        opened = Stage(url)
        opened.set_up()
        yield opened
        opened.close()


@pytest.fixture
def relay(shop: Shop) -> Iterator[Engine]:
    engine = create_role_engine(shop.url, "billbus_relay", "test")
    yield engine
    engine.dispose()


def read(relay: Engine) -> dict[str, float]:
    """By name, with the value of the label behind a space."""
    with relay.begin() as connection:
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in gauges.storage_gauges(connection)
            for sample in family.samples
        }


def test_of_nothing_all_is_zero_and_the_database_is_up(relay: Engine) -> None:
    seen = read(relay)
    assert seen.pop("billbus_database_up") == 1
    assert set(seen.values()) == {0}
    assert len(seen) == 4 + 4 + 1 + 2 * len(gauges.JOBS) + 3 + 2


def test_every_name_in_the_room_is_one_that_is_shown(relay: Engine) -> None:
    """Alerts are compared with the names in the file, for some come only with their rows."""
    with relay.begin() as connection:
        shown = {family.name for family in gauges.storage_gauges(connection)}
    assert shown == set(re.findall(r'"(billbus_\w+)"', Path(gauges.__file__).read_text()))


def test_an_unknown_outcome_is_as_old_as_the_clock_of_its_studio_says(relay: Engine, shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    assert shop.tell(shop.outcome("unknown", attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert read(relay)["billbus_oldest_unknown_seconds attempt"] < 60
    shop.rows(
        "UPDATE payment_attempt SET updated_at = updated_at - interval '20 minutes' WHERE id = :id",
        id=attempt_id,
    )
    assert 1200 <= read(relay)["billbus_oldest_unknown_seconds attempt"] < 1260
    shop.rows("INSERT INTO clock_offset VALUES (:studio, -600)")
    assert 600 <= read(relay)["billbus_oldest_unknown_seconds attempt"] < 660
    assert read(relay)["billbus_oldest_unknown_seconds refund"] == 0


def test_leave_to_take_money_is_unknown_from_the_end_of_its_time_until_it_is_closed(
    relay: Engine, shop: Stage
) -> None:
    _, invoice_id, attempt_id = shop.awaiting()
    shop.admit(invoice_id, attempt_id)
    assert read(relay)["billbus_oldest_unknown_seconds admission"] == 0
    shop.rows("UPDATE check_admission SET admitted_at = admitted_at - interval '20 minutes'")
    assert 900 <= read(relay)["billbus_oldest_unknown_seconds admission"] < 960
    shop.rows("UPDATE check_admission SET closed_at = admitted_at")
    assert read(relay)["billbus_oldest_unknown_seconds admission"] == 0


def test_a_hold_is_overdue_from_its_deadline_by_the_clock_of_its_studio(relay: Engine, shop: Stage) -> None:
    booking_id = shop.held()
    assert read(relay)["billbus_hold_overdue_seconds"] == 0
    shop.pass_deadline(booking_id, minutes=20)
    assert 1200 <= read(relay)["billbus_hold_overdue_seconds"] < 1260
    assert shop.tell(shop.let_go(booking_id)) == ["applied"]
    assert read(relay)["billbus_hold_overdue_seconds"] == 0


def test_a_promised_refund_is_open_from_its_decline_until_it_is_made_good(relay: Engine, shop: Stage) -> None:
    booking_id, paid = shop.confirmed()
    assert shop.tell(shop.let_go(booking_id)) == ["applied"]
    refund_id = shop.one("SELECT id FROM refund WHERE studio_id = :studio")
    assert read(relay)["billbus_refunds_declined_open"] == 0
    assert shop.tell(shop.refunded(refund_id, paid, outcome="declined", decline_code="5204")) == ["applied"]
    assert read(relay)["billbus_refunds_declined_open"] == 1
    assert shop.tell(shop.request(new_id(), paid, TOTAL_MINOR, origin="staff")) == ["applied"]
    assert read(relay)["billbus_refunds_declined_open"] == 0


def test_a_parked_command_and_what_waits_are_counted(relay: Engine, shop: Shop) -> None:
    shop.subscribe()
    shop.accept(shop.create(new_id(), new_id()))
    shop.rows(
        "UPDATE command_journal SET accepted_at = accepted_at - interval '2 minutes' WHERE state = 'accepted'"
    )
    seen = read(relay)
    assert seen["billbus_oldest_accepted_seconds"] >= 120
    assert seen["billbus_outbox_waiting"] > 0
    assert seen["billbus_parked_commands"] == 0
    shop.rows(
        "UPDATE command_journal SET state = 'parked', answered_at = now(), problem = '{}'"
        " WHERE state = 'accepted'"
    )
    assert read(relay)["billbus_parked_commands"] == 1


def test_a_job_is_told_by_its_last_good_run_and_by_how_its_last_one_ended(relay: Engine, shop: Shop) -> None:
    now = time()
    runs: list[tuple[str, str, float, str]] = [
        ("backup", "-2 days", now - 172_800, "done"),
        ("backup", "-1 day", now - 86_400, "failed"),
        ("renewal", "-20 minutes", now - 1_200, "failed"),
        ("renewal", "-10 minutes", now - 600, "done"),
        # Of a clock that ran ahead.
        ("renewal", "300 days", now - 9_000, "failed"),
    ]
    for job, due, at, outcome in runs:
        shop.rows(RUN, job=job, due=due, at=at, outcome=outcome)
    shop.rows("INSERT INTO job_run (job, due_at, started_at) VALUES ('renewal', now(), now())")
    seen = read(relay)
    success = {job: seen[f"billbus_job_last_success_timestamp_seconds {job}"] for job in gauges.JOBS}
    assert success["backup"] == pytest.approx(now - 172_800, abs=1)
    assert success["renewal"] == pytest.approx(now - 600, abs=1)
    assert (success["reminder"], success["restore_drill"]) == (0, 0)
    failed = [seen[f"billbus_job_failed {job}"] for job in ("backup", "renewal", "reminder", "restore_drill")]
    assert failed == [1, 0, 0, 0]


def test_messages_are_counted_that_are_overdue_retried_or_given_up(relay: Engine, shop: Shop) -> None:
    def plant(times: int, due: str, tries: int = 0, state: str = "planned") -> None:
        facts: dict[str, Any] = {"due": due, "tries": tries, "state": state, "times": times}
        shop.rows(NOTIFICATION, customer=shop.customer_id, **facts)

    plant(2, "11 minutes")
    plant(4, "1 minute")
    plant(3, "-5 minutes", tries=2)
    plant(5, "23 hours", state="failed")
    plant(7, "25 hours", state="failed")
    plant(9, "1 hour", state="sent")
    seen = read(relay)
    assert [seen[f"billbus_notifications_{name}"] for name in ("overdue", "retried", "failed_day")] == [
        2,
        3,
        5,
    ]


def test_events_wait_for_the_index_until_it_has_taken_them(relay: Engine, shop: Shop) -> None:
    for age, is_indexed in (("1 hour", True), ("20 minutes", False), ("1 minute", False)):
        shop.rows(EVENT, age=age, is_indexed=is_indexed)
    seen = read(relay)
    assert seen["billbus_index_waiting"] == 2
    assert 1200 <= seen["billbus_index_lag_seconds"] < 1260


def test_what_waits_beyond_the_limit_is_not_read(
    relay: Engine, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "LOOK_LIMIT", 2)
    for _ in range(3):
        shop.rows(EVENT, age="1 minute", is_indexed=False)
    assert read(relay)["billbus_index_waiting"] == 2


def test_a_look_serves_many_scrapes(relay: Engine, shop: Shop) -> None:
    collector = gauges.StorageCollector(relay.begin)
    first = collector.collect()
    shop.rows(EVENT, age="1 minute", is_indexed=False)
    assert [one is another for one, another in zip(first, collector.collect(), strict=True)].count(False) == 0


def test_while_the_database_is_away_only_that_is_told(shop: Shop) -> None:
    away = create_role_engine(shop.url.rpartition("@")[0] + "@127.0.0.1:9/none", "billbus_relay", "test")
    seen = [
        (family.name, sample.value)
        for family in gauges.StorageCollector(away.begin).collect()
        for sample in family.samples
    ]
    assert seen == [("billbus_database_up", 0)]
    away.dispose()


def test_statements_follow_indexes(relay: Engine) -> None:
    """Of the tables that grow for ever none is read from its beginning to its end."""
    asked = {"jobs": list(gauges.JOBS), "runs": 5, "overdue": 5, "limit": 5, "admission_seconds": 5}
    with relay.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement in (gauges._JOBS, gauges._MESSAGES, gauges._INDEX, gauges._UNKNOWN, gauges._OWED):
            plan = "\n".join(connection.execute(text(f"EXPLAIN {statement.text}"), asked).scalars())
            assert "Seq Scan on" not in plan.replace("Seq Scan on clock_offset", ""), plan
