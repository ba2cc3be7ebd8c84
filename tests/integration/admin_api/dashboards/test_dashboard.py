"""The studio's numbers, against what was really done there and what was never anybody else's."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from admin_api.dashboards.periods import period_of
from admin_api.dashboards.reading import LIST_LIMIT, read_dashboard
from admin_api.dashboards.views import Dashboard
from admin_api.desk import Desk
from billing.ledger import Posting
from kit.ids import new_id
from tests.integration.admin_api.dashboards.rows import attempt, post, promise_declined, receive, subscribe
from tests.integration.state_updater.shops import PRICE_MINOR, Shop
from web.problems import Problem

Sit = Callable[..., Desk]
# Noon on the 21st in Moscow.
NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)


def read(desk: Desk, *asked: str) -> Dashboard:
    return read_dashboard(desk, period_of(desk, *asked))


def revenue_of(board: Dashboard, currency: str = "RUB") -> dict[date, tuple[int, int, int]]:
    return {
        row.on: (row.received_minor, row.refunded_minor, row.net_minor)
        for row in board.charts.revenue_by_day
        if row.currency == currency and (row.received_minor or row.refunded_minor)
    }


def steps_of(board: Dashboard) -> dict[str, int]:
    return {row.step: row.count for row in board.charts.payment_funnel if row.count}


def test_numbers_are_those_of_what_was_done(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    first, second = shop.pay(), shop.pay()
    refund_id = new_id()
    assert shop.tell(shop.request(refund_id, first, 50_000, origin="staff")) == ["applied"]
    assert shop.tell(shop.refunded(new_id(), second, 20_000)) == ["applied"]
    assert shop.tell(shop.paid(None, None, amount_minor=7_700)) == ["applied"]
    shop.subscribe()
    _subscription, invoice_id, attempt_id = shop.offer()
    assert shop.tell(shop.outcome("pending", attempt_id, invoice_id)) == ["applied"]
    other_shop.pay()
    other_shop.offer()

    numbers = read(sit(shop)).numbers

    (revenue,) = numbers.revenue
    assert revenue.received_minor == 2 * PRICE_MINOR + 7_700
    assert revenue.refunded_minor == 20_000
    assert revenue.net_minor == 2 * PRICE_MINOR + 7_700 - 20_000
    assert numbers.active_subscriptions == 2
    assert (numbers.open_invoices.count, numbers.open_invoices.sum.amount_minor) == (2, 2 * PRICE_MINOR)
    assert [(one.count, one.sum.amount_minor) for one in numbers.unapplied_money] == [(1, 7_700)]
    assert numbers.uncertain_attempts == 1
    assert (numbers.parked_commands, numbers.unapplied_commands) == (0, 0)
    assert numbers.oldest_unapplied_command_age_seconds is None


def test_charts_are_those_of_what_was_done(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    shop.pay()
    paid = shop.pay()
    assert shop.tell(shop.refunded(new_id(), paid)) == ["applied"]
    _subscription, invoice_id, attempt_id = shop.offer()
    declined = shop.outcome(
        "declined", attempt_id, invoice_id, decline_code="5051", decline_category="soft", transaction_id="t"
    )
    assert shop.tell(declined) == ["applied"]
    shop.subscribe()
    other_shop.pay()

    charts = read(sit(shop)).charts

    states = {row.state: row.count for row in charts.invoices_by_state if row.count}
    assert states == {"open": 2, "paid": 1, "refunded": 1}
    # The page of the declined one is open still: the payer may try another card.
    assert {row.step: row.count for row in charts.payment_funnel if row.count} == {
        "started": 3,
        "page_shown": 3,
        "succeeded": 2,
        "under_way": 1,
    }
    assert [(row.category, row.code, row.count) for row in charts.declines] == [("soft", "5051", 1)]
    assert sum(row.started for row in charts.subscriptions_by_day) == 2
    assert charts.subscriptions_by_day[-1].on == charts.revenue_by_day[-1].on
    assert len(charts.revenue_by_day) == 30


def test_money_falls_on_the_day_of_the_studio(shop: Shop, sit: Sit) -> None:
    # Half past eleven in the evening of the 20th, and half past midnight of the 21st, in Moscow.
    post(shop, Posting.PAYMENT_MATCHED, 100, datetime(2026, 11, 20, 20, 30, tzinfo=UTC))
    post(shop, Posting.PAYMENT_UNAPPLIED, 20, datetime(2026, 11, 20, 21, 30, tzinfo=UTC))
    post(shop, Posting.REFUND_MATCHED, 3, datetime(2026, 11, 20, 20, 59, 59, tzinfo=UTC))
    post(shop, Posting.REFUND_EXCESS, 4, datetime(2026, 11, 20, 21, tzinfo=UTC))
    # These move no money of the provider's.
    for posting in (Posting.INVOICE_OPENED, Posting.INVOICE_CLOSED, Posting.EXCESS_MATCHED):
        post(shop, posting, 1_000, NOON)
    assert revenue_of(read(sit(shop, now=NOON))) == {
        date(2026, 11, 20): (100, 3, 97),
        date(2026, 11, 21): (20, 4, 16),
    }


def test_a_period_ends_where_the_next_begins(shop: Shop, sit: Sit) -> None:
    for hour, amount_minor in ((20, 1), (21, 10)):
        post(shop, Posting.PAYMENT_MATCHED, amount_minor, datetime(2026, 10, 31, hour, tzinfo=UTC))
    desk = sit(shop, now=NOON)
    october = read(desk, "2026-10-01", "2026-10-31").numbers.revenue
    november = read(desk, "2026-11-01", "2026-11-30").numbers.revenue
    assert [one.net_minor for one in october + november] == [1, 10]


def test_the_hour_that_comes_twice_is_one_day(shop: Shop, sit: Sit) -> None:
    shop.rows("UPDATE studio SET timezone = 'Europe/Berlin' WHERE id = :studio")
    # From midnight to midnight, 25 hours apart; the first and the last second, and the ones around.
    for at, amount_minor in (
        (datetime(2026, 10, 24, 21, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 10, 24, 22, 0, 0, tzinfo=UTC), 10),
        (datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), 100),
        (datetime(2026, 10, 25, 23, 0, 0, tzinfo=UTC), 1_000),
    ):
        post(shop, Posting.PAYMENT_MATCHED, amount_minor, at)
    board = read(sit(shop, now=NOON), "2026-10-01", "2026-10-31")
    assert {on: net for on, (_, _, net) in revenue_of(board).items()} == {
        date(2026, 10, 24): 1,
        date(2026, 10, 25): 110,
        date(2026, 10, 26): 1_000,
    }


def test_currencies_are_never_added_up(shop: Shop, sit: Sit) -> None:
    post(shop, Posting.PAYMENT_MATCHED, 500, NOON)
    post(shop, Posting.PAYMENT_UNAPPLIED, 70, NOON, currency="USD")
    post(shop, Posting.REFUND_UNAPPLIED, 30, NOON, currency="USD")
    receive(shop, NOON, 70, "USD", refunded_minor=30)
    receive(shop, NOON, 900)
    # Given back as a whole: nothing of it waits for anybody.
    receive(shop, NOON, 11, "USD", refunded_minor=11)

    board = read(sit(shop, now=NOON))

    assert [(one.currency, one.net_minor) for one in board.numbers.revenue] == [("RUB", 500), ("USD", 40)]
    assert revenue_of(board, "USD") == {date(2026, 11, 21): (70, 30, 40)}
    unapplied = board.numbers.unapplied_money
    assert [(one.sum.currency, one.sum.amount_minor, one.count) for one in unapplied] == [
        ("RUB", 900, 1),
        ("USD", 40, 1),
    ]
    remaining = {(one.remaining.currency, one.remaining.amount_minor) for one in board.lists.unapplied_money}
    assert remaining == {("RUB", 900), ("USD", 40)}


def test_funnel_is_of_attempts_that_began_in_the_period(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    before = datetime(2026, 11, 14, 20, 59, 59, tzinfo=UTC)
    for state, version in (("intent", 1), ("canceled", 2), ("canceled", 3), ("sent", 2), ("unknown", 3)):
        attempt(shop, state, NOON, version)
    attempt(shop, "declined", NOON, decline=("hard", "5005"))
    attempt(shop, "succeeded", NOON, decline=("hard", "5005"))
    attempt(shop, "succeeded", before, decline=("soft", "5051"))
    attempt(other_shop, "declined", NOON, decline=("soft", "5051"))

    board = read(sit(shop, now=NOON), "2026-11-15", "2026-11-21")

    steps = steps_of(board)
    assert steps == {
        "started": 7,
        "page_shown": 5,
        "succeeded": 1,
        "declined": 1,
        "canceled": 2,
        "unknown": 1,
        "under_way": 2,
    }
    assert sum(steps.values()) == 2 * steps["started"] + steps["page_shown"]
    assert [(row.category, row.code, row.count) for row in board.charts.declines] == [("hard", "5005", 2)]


def test_subscriptions_begin_and_end_on_their_days(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    taken = datetime(2026, 11, 18, 20, 30, tzinfo=UTC)
    subscribe(shop, taken)
    subscribe(shop, taken + timedelta(hours=1), canceled_at=NOON)
    subscribe(shop, taken, is_paid=False)
    subscribe(shop, taken, is_paid=False, canceled_at=NOON)
    subscribe(shop, taken - timedelta(days=300), canceled_at=NOON - timedelta(days=1))
    subscribe(other_shop, taken)

    board = read(sit(shop, now=NOON))

    moved = {row.on.day: (row.started, row.canceled) for row in board.charts.subscriptions_by_day}
    assert {day: counts for day, counts in moved.items() if counts != (0, 0)} == {
        18: (1, 0),
        19: (1, 0),
        20: (0, 1),
        21: (0, 1),
    }
    assert board.numbers.active_subscriptions == 1


def test_what_was_not_applied_is_listed_oldest_first(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    older = shop.accept(shop.issue(new_id()))
    newer = shop.accept(shop.issue(new_id()))
    parked = shop.accept(shop.issue(new_id()))
    other_shop.accept(other_shop.issue(new_id()))
    shop.rows(
        "UPDATE command_journal SET accepted_at = accepted_at - interval '90 seconds' WHERE command_id = :id",
        id=older.command_id,
    )
    shop.rows(
        "UPDATE command_journal SET state = 'parked', answered_at = now(), problem = '{}'"
        " WHERE command_id = :id",
        id=parked.command_id,
    )

    board = read(sit(shop))

    assert [one.command_id for one in board.lists.open_commands] == [older.command_id, newer.command_id]
    assert (board.numbers.unapplied_commands, board.numbers.parked_commands) == (2, 1)
    age = board.numbers.oldest_unapplied_command_age_seconds
    assert age is not None
    assert 90 <= age < 120
    assert board.lists.open_commands[0].age_seconds == age


def test_lists_are_bounded_and_the_number_has_them_all(shop: Shop, sit: Sit) -> None:
    for minute in range(LIST_LIMIT + 3):
        receive(shop, NOON - timedelta(minutes=minute), 100)
    board = read(sit(shop, now=NOON))
    received = [one.received_at for one in board.lists.unapplied_money]
    assert len(received) == LIST_LIMIT
    assert received == sorted(received)
    assert received[0] == NOON - timedelta(minutes=LIST_LIMIT + 2)
    assert board.numbers.unapplied_money[0].count == LIST_LIMIT + 3


def test_what_was_promised_and_declined_is_counted_and_named(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    assert read(sit(shop, now=NOON)).numbers.owed_refunds == []
    later = promise_declined(shop, NOON, 300)
    sooner = promise_declined(shop, NOON - timedelta(days=1), 500)
    promise_declined(other_shop, NOON, 900)
    board = read(sit(shop, now=NOON))
    assert [(one.count, one.sum.amount_minor) for one in board.numbers.owed_refunds] == [(2, 800)]
    named = [(one.payment_id, one.remaining.amount_minor) for one in board.lists.owed_refunds]
    assert named == [(sooner, 500), (later, 300)]


def test_uncertain_attempts_name_their_invoice(shop: Shop, sit: Sit) -> None:
    _subscription, invoice_id, attempt_id = shop.offer("link")
    assert shop.tell(shop.outcome("unknown", attempt_id, invoice_id)) == ["applied"]
    (listed,) = read(sit(shop)).lists.uncertain_attempts
    number = shop.one("SELECT number FROM invoice WHERE id = :id", id=invoice_id)
    assert (listed.attempt_id, listed.invoice_number, listed.state) == (attempt_id, number, "unknown")


def test_a_studio_without_anything_has_its_zeros(shop: Shop, sit: Sit) -> None:
    board = read(sit(shop))
    assert [(one.currency, one.net_minor) for one in board.numbers.revenue] == [("RUB", 0)]
    assert {row.count for row in board.charts.invoices_by_state} == {0}
    assert steps_of(board) == {}
    assert board.lists.open_commands == []


def test_a_test_studio_counts_by_its_own_clock(shop: Shop, sit: Sit) -> None:
    shop.rows(
        "INSERT INTO clock_offset (studio_id, offset_seconds) VALUES (:studio, :seconds)", seconds=86_400 * 40
    )
    board = read(sit(shop, now=NOON))
    assert board.period.to_on == date(2026, 12, 31)
    assert board.as_of == NOON + timedelta(days=40)


@pytest.mark.parametrize("role", ["platform_admin"])
def test_the_platform_does_not_read_a_studios_dashboard(shop: Shop, sit: Sit, role: str) -> None:
    with pytest.raises(Problem) as caught:
        read(sit(shop, role))
    assert caught.value.status == 403
