"""The job `reminder`: one message per subscription, period and distance, and always the nearest."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cron import reminder
from kit.ids import new_id
from notifications.planning import Reminder
from storage.renewals import _PERIOD, START, list_to_remind
from tests.integration.cron.watches import Watch
from tests.integration.state_updater.shops import Shop

MOSCOW = ZoneInfo("Europe/Moscow")


def _prepare(shop: Shop, watch: Watch, days: float) -> None:
    """The studio's clock is so many days before the end of its subscription, whose renewal is invoiced."""
    end = shop.one("SELECT max(current_period_end) FROM subscription WHERE state = 'active'")
    shop.set_clock(end - timedelta(days=days))
    watch.run("renewal")
    watch.settle()


def test_each_distance_is_told_once_with_what_is_to_be_paid(shop: Shop, watch: Watch) -> None:
    subscription_id, _ = watch.subscribe()
    _prepare(shop, watch, 7)
    assert [watch.run("reminder").count for _ in range(2)] == [1, 0]
    _prepare(shop, watch, 1)
    assert [watch.run("reminder").count for _ in range(2)] == [1, 0]
    assert watch.reminders() == [(subscription_id, "renewal", 7), (subscription_id, "renewal", 1)]
    facts = shop.rows("SELECT facts FROM notification WHERE kind = 'renewal'")
    invoice_id = shop.one("SELECT id FROM invoice WHERE period_start IS NOT NULL")
    assert {(each["amount_minor"], each["currency"], each["invoice_id"]) for (each,) in facts} == {
        (149_000, "RUB", str(invoice_id))
    }


def test_after_days_without_cron_only_the_nearest_is_told(shop: Shop, watch: Watch) -> None:
    subscription_id, _ = watch.subscribe()
    _prepare(shop, watch, 0.9)
    assert [watch.run("reminder").count for _ in range(2)] == [1, 0]
    assert watch.reminders() == [(subscription_id, "renewal", 1)]


def test_a_clock_that_is_set_forth_and_back_tells_nothing_twice(shop: Shop, watch: Watch) -> None:
    subscription_id, _ = watch.subscribe()
    for days in (6.5, 0.9, 6.5, -3, 0.9, 25, 6.9):
        _prepare(shop, watch, days)
        watch.run("reminder")
    assert watch.reminders() == [(subscription_id, "renewal", 7), (subscription_id, "renewal", 1)]


def test_a_farther_one_does_not_follow_a_nearer_one_when_the_clock_goes_back(
    shop: Shop, watch: Watch
) -> None:
    subscription_id, _ = watch.subscribe()
    for days in (0.9, 6.5):
        _prepare(shop, watch, days)
        watch.run("reminder")
    assert watch.reminders() == [(subscription_id, "renewal", 1)]


def test_it_waits_for_the_invoice_that_is_about_to_be_drawn(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=7))
    assert watch.run("reminder").count == 0
    _prepare(shop, watch, 7)
    assert watch.run("reminder").count == 1


def test_one_that_comes_before_invoices_are_drawn_does_without(shop: Shop) -> None:
    watch = Watch(shop, {"renewal_days_before": 3})
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=7))
    assert watch.run("reminder").count == 1
    assert shop.one("SELECT facts ->> 'invoice_id' FROM notification WHERE kind = 'renewal'") is None
    watch.close()


def test_one_that_is_to_end_is_told_that(shop: Shop, watch: Watch) -> None:
    subscription_id, end = watch.subscribe()
    watch.let_end(subscription_id)
    shop.set_clock(end - timedelta(days=6.5))
    assert [watch.run("reminder").count for _ in range(2)] == [1, 0]
    assert watch.reminders() == [(subscription_id, "period_end", 7)]


def test_one_that_was_renewed_is_told_of_its_new_end_only(shop: Shop, watch: Watch) -> None:
    subscription_id, end = watch.subscribe()
    _prepare(shop, watch, 5)
    invoice_id, attempt_id = shop.one("SELECT id FROM invoice WHERE period_start IS NOT NULL"), new_id()
    assert shop.tell(shop.start(attempt_id, invoice_id)) == ["applied"]
    assert shop.tell(shop.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert watch.period_end(subscription_id) > end + timedelta(days=27)
    shop.set_clock(end - timedelta(hours=12))
    assert watch.run("reminder").count == 0


def test_nothing_is_told_after_the_end(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end)
    watch.run("renewal")
    watch.settle()
    assert watch.run("reminder").count == 0


@pytest.mark.parametrize("hour", [0, 3, 9, 10, 15, 19, 20, 23])
def test_it_is_due_by_day_on_the_clock_of_the_studio(shop: Shop, watch: Watch, hour: int) -> None:
    """The studio lives at another time, in Moscow; messages are due by the world's clock."""
    _, end = watch.subscribe()
    at = (end - timedelta(days=5)).astimezone(MOSCOW).replace(hour=hour, minute=30)
    shop.set_clock(at)
    watch.run("renewal")
    watch.settle()
    assert watch.run("reminder").count == 1
    offset = timedelta(seconds=shop.one("SELECT offset_seconds FROM clock_offset"))
    due = (shop.one("SELECT due_at FROM notification WHERE kind = 'renewal'") + offset).astimezone(MOSCOW)
    assert 10 <= due.hour < 20
    assert due >= at.replace(microsecond=0)
    assert due - at < timedelta(hours=14)


def test_one_whose_day_would_come_too_late_is_not_told(shop: Shop, watch: Watch) -> None:
    shop.set_clock(datetime(2026, 11, 1, 3, tzinfo=MOSCOW))
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(hours=5))
    watch.run("renewal")
    watch.settle()
    assert watch.run("reminder").count == 0


def test_more_than_one_page_is_walked_through(
    shop: Shop, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder, "PAGE_LIMIT", 2)
    wanted = {watch.subscribe()[0] for _ in range(5)}
    _prepare(shop, watch, 3)
    assert watch.run("reminder").count == 5
    assert {subscription_id for subscription_id, _, _ in watch.reminders()} == wanted


def test_what_was_told_is_not_even_read_again(shop: Shop, watch: Watch) -> None:
    subscription_id, end = watch.subscribe()
    watch.let_end(subscription_id)
    now = end - timedelta(days=3)
    assert watch.run("reminder", now=now).count == 1
    with watch.desk.engine.begin() as connection:
        assert list_to_remind(connection, now, (7, 1), START) == []


@pytest.mark.parametrize("microseconds", [0, 1, 120_000, 999_999])
def test_the_databases_form_of_a_period_is_the_occasion_of_its_reminder(
    shop: Shop, microseconds: int
) -> None:
    end = datetime(2026, 3, 1, 4, 5, 6, microseconds, tzinfo=MOSCOW)
    row = "(SELECT CAST(:end AS timestamptz)) AS s (current_period_end)"
    written = shop.one(f"SELECT {_PERIOD} FROM {row}", end=end)  # noqa: S608
    told = Reminder(shop.studio_id, shop.customer_id, new_id(), "renewal", end, 7, None, None, None, "test")
    assert told.occasion == f"{written}7"
