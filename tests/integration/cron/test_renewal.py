"""The job `renewal`: each period is invoiced once and each ending happens once, whatever the clock does."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cron import renewal
from storage import renewals
from tests.integration.cron.watches import Watch
from tests.integration.state_updater.shops import PRICE_MINOR, Shop


def test_nothing_is_invoiced_before_its_time(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=7, minutes=1))
    assert watch.run("renewal").count == 0
    assert watch.accepted() == []


def test_the_next_period_is_invoiced_days_before_it_begins_by_the_clock_of_the_studio(
    shop: Shop, watch: Watch
) -> None:
    subscription_id, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=7))
    assert watch.run("renewal").count == 1
    assert watch.settle() == ["applied"]
    assert watch.renewal_invoices() == [(subscription_id, end)]


def test_a_period_shorter_than_the_days_before_is_invoiced_once_it_is_half_over(
    shop: Shop, watch: Watch
) -> None:
    shop.price_id = shop.add_price(PRICE_MINOR, period_unit="day")
    subscription_id, end = watch.subscribe()
    assert watch.run("renewal").count == 0, "who has just paid is not billed again"
    shop.set_clock(end - timedelta(hours=11))
    assert watch.run("renewal").count == 1
    assert watch.settle() == ["applied"]
    watch.pay_renewal(subscription_id, end)
    assert watch.period_end(subscription_id) == end + timedelta(days=1)
    assert watch.run("renewal").count == 0
    shop.set_clock(end + timedelta(hours=13))
    assert watch.run("renewal").count == 1


def test_run_twice_before_and_after_it_was_applied_invoices_once(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=3))
    assert [watch.run("renewal").count for _ in range(2)] == [1, 0]
    assert watch.settle() == ["applied"]
    assert [watch.run("renewal").count for _ in range(2)] == [0, 0]
    assert watch.accepted() == ["RenewSubscription"]


def test_a_clock_that_is_set_forth_and_back_invoices_once(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    counts = []
    for days in (6, -2, 20, 6, 1):
        shop.set_clock(end - timedelta(days=days))
        counts.append(watch.run("renewal").count)
    assert counts == [1, 0, 0, 0, 0]
    shop.set_clock(end - timedelta(days=6))
    assert watch.settle() == ["applied"]
    assert len(watch.renewal_invoices()) == 1


def test_a_clock_of_cron_that_is_set_forth_and_back_invoices_once(shop: Shop, watch: Watch) -> None:
    _, end = watch.subscribe()
    assert [watch.run("renewal", now=end + timedelta(days=days)).count for days in (400, -1, -29, 5)] == [
        1,
        0,
        0,
        0,
    ]
    assert watch.settle() == ["applied"]
    assert len(watch.renewal_invoices()) == 1


def test_more_than_one_page_is_walked_through_and_each_page_is_accepted_at_once(
    shop: Shop, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "PAGE_LIMIT", 2)
    wanted = {watch.subscribe()[0] for _ in range(5)}
    ending = watch.subscribe()[0]
    watch.let_end(ending)
    shop.set_clock(watch.period_end(ending) + timedelta(seconds=1))
    assert watch.run("renewal").count == 6
    assert watch.settle() == ["applied"] * 6
    assert {subscription_id for subscription_id, _ in watch.renewal_invoices()} == wanted
    assert shop.state("subscription", ending) == "canceled"
    transactions = shop.one(
        "SELECT count(DISTINCT xmin::text) FROM command_journal WHERE kind = 'RenewSubscription'"
    )
    assert transactions > 1


def test_one_that_is_to_end_is_not_invoiced_and_ends_when_its_period_is_over(
    shop: Shop, watch: Watch
) -> None:
    subscription_id, end = watch.subscribe()
    watch.let_end(subscription_id)
    shop.set_clock(end - timedelta(seconds=10))
    assert watch.run("renewal").count == 0
    shop.set_clock(end + timedelta(seconds=1))
    assert [watch.run("renewal").count for _ in range(2)] == [1, 0]
    assert watch.settle() == ["applied"]
    assert shop.state("subscription", subscription_id) == "canceled"
    assert watch.accepted() == ["EndSubscription"]


def test_what_was_refused_waits_for_another_day_and_is_told_in_the_run(shop: Shop, watch: Watch) -> None:
    subscription_id, end = watch.subscribe()
    watch.let_end(subscription_id)
    # Cron's clock is ahead; the database's decides.
    ahead = end + timedelta(minutes=1)
    assert watch.run("renewal", now=ahead).count == 1
    assert watch.settle() == ["not_due"]
    again = watch.run("renewal", now=ahead)
    assert (again.count, again.problem) == (1, "1 subscriptions are refused to renew or end.")
    assert watch.settle() == ["not_due"]
    assert watch.run("renewal", now=ahead).count == 0, "once on each day, not at every look"
    assert watch.run("renewal", now=ahead + timedelta(days=1)).count == 1
    shop.set_clock(end + timedelta(days=2))
    assert watch.settle() == ["applied"]
    assert watch.run("renewal").problem is None


def test_commands_name_their_job_and_all_of_one_renewal_share_a_correlation_id(
    shop: Shop, watch: Watch
) -> None:
    _, end = watch.subscribe()
    shop.set_clock(end - timedelta(days=2))
    watch.run("renewal")
    watch.settle()
    watch.run("reminder")
    ((principal, correlation_id),) = shop.rows(
        "SELECT principal, correlation_id FROM command_journal WHERE kind = 'RenewSubscription'"
    )
    assert principal == "cron:renewal"
    assert shop.one("SELECT correlation_id FROM notification WHERE kind = 'renewal'") == correlation_id


def test_a_canceled_or_unpaid_subscription_is_left_alone(shop: Shop, watch: Watch) -> None:
    subscription_id, end = watch.subscribe()
    customer_id = shop.customer_id
    assert shop.tell(shop.cancel(subscription_id, None, customer_id=customer_id)) == ["applied"]
    shop.subscribe()
    shop.set_clock(end)
    assert watch.run("renewal").count == 0


def test_walks_are_bounded_in_the_index_of_period_ends(watch: Watch) -> None:
    """From where the last page stopped to the latest end that may be due: nothing beyond is read."""
    asked = {"now": datetime.now(UTC), "limit": 200, "days": 7, "most_days": 7, "days_before": [7]}
    asked |= {"after_end": renewals.START.period_end, "after_id": renewals.START.subscription_id}
    with watch.desk.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql("SET LOCAL enable_sort = off")
        for statement in (renewals._TO_RENEW, renewals._TO_END, renewals._TO_REMIND):
            words = statement.text.replace("CAST(:days AS integer[])", "CAST(:days_before AS integer[])")
            plan = "\n".join(connection.execute(text(f"EXPLAIN {words}"), asked).scalars())
            _, _, walk = plan.partition("subscription_period_end on subscription")
            condition = walk.partition("Index Cond: ")[2].partition("\n")[0]
            assert "current_period_end, id) > ROW" in condition, plan
            assert "current_period_end <=" in condition, plan
