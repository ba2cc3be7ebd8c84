"""Subscriptions and invoices: beginning, closing, numbering, and every refusal."""

from datetime import UTC, datetime
from threading import Thread
from uuid import UUID

import pytest

from bus.messages import AMOUNT_LIMIT_MINOR, Command, InvoiceLine
from kit.ids import new_id
from tests.integration.state_updater.shops import PRICE_MINOR, Shop, said


def _numbers(shop: Shop) -> list[int]:
    found = shop.rows("SELECT number FROM invoice WHERE studio_id = :studio AND number IS NOT NULL")
    return sorted(int(number.partition("-")[2]) for (number,) in found)


def test_subscribing_draws_and_opens_the_first_invoice(shop: Shop) -> None:
    subscription_id, invoice_id = shop.subscribe()
    ((state, number, total, currency, opened_at, expires_at),) = shop.rows(
        "SELECT state, number, total_minor, currency, opened_at, expires_at FROM invoice WHERE id = :id",
        id=invoice_id,
    )
    assert (state, total, currency) == ("open", PRICE_MINOR, "RUB")
    assert number == f"{opened_at.astimezone(UTC).year}-000001"
    assert (expires_at - opened_at).days == 3
    assert shop.state("subscription", subscription_id) == "incomplete"
    assert shop.one("SELECT metadata FROM subscription WHERE id = :id", id=subscription_id) == {"hall": 3}
    assert shop.balances() == {"customer_receivable": PRICE_MINOR, "sales": -PRICE_MINOR}
    steps = shop.rows(
        "SELECT version, trigger, from_state, to_state FROM state_event WHERE aggregate_id = :id"
        " ORDER BY version",
        id=invoice_id,
    )
    assert steps == [(1, "draw", "", "draft"), (2, "open", "draft", "open")]


def test_numbers_have_no_gap_though_refusals_stand_between(shop: Shop) -> None:
    absent = new_id()
    commands: list[Command] = []
    for _ in range(4):
        commands += [
            shop.create(new_id(), new_id()),
            shop.create(new_id(), new_id(), price_id=absent),
            shop.issue(new_id(), 500),
            shop.issue(new_id(), AMOUNT_LIMIT_MINOR, 1),
        ]
    answers = shop.send(*commands)
    assert [said(each) for each in answers] == ["applied", "not_found", "applied", "exceeds_amount_limit"] * 4
    shop.subscribe()
    assert _numbers(shop) == list(range(1, 10))


def test_numbers_have_no_gap_when_two_consumers_open_invoices_at_once(shop: Shop) -> None:
    groups = []
    for _ in range(6):
        shop.customer_id = shop.add_customer()
        groups.append([shop.accept(shop.issue(new_id(), 100)) for _ in range(5)])
    twin = Shop(shop.url, studio_id=shop.studio_id)
    other = Thread(target=lambda: [twin.apply(group) for group in groups[::2]])
    other.start()
    for group in groups[1::2]:
        shop.apply(group)
    other.join()
    twin.close()
    assert _numbers(shop) == list(range(1, 31))


def test_each_studio_counts_for_itself(shop: Shop, other_shop: Shop) -> None:
    shop.subscribe()
    other_shop.subscribe()
    shop.subscribe()
    assert (_numbers(shop), _numbers(other_shop)) == ([1, 2], [1])


def test_an_invoice_outside_subscriptions_is_the_sum_of_its_lines_and_pays_nothing_else(shop: Shop) -> None:
    invoice_id, attempt_id = new_id(), new_id()
    lines = (
        InvoiceLine(description="Барабаны", quantity=3, unit_amount_minor=100),
        InvoiceLine(description="Усилитель", quantity=1, unit_amount_minor=50),
    )
    assert (
        shop.tell(
            shop.issue(invoice_id, lines=lines),
            shop.start(attempt_id, invoice_id),
            shop.paid(attempt_id, invoice_id, amount_minor=350),
        )
        == ["applied"] * 3
    )
    assert shop.state("invoice", invoice_id) == "paid"
    assert shop.one("SELECT count(*) FROM invoice_line WHERE invoice_id = :id", id=invoice_id) == 2


@pytest.mark.parametrize("state", ["paid", "void", "expired", "refunded"])
def test_an_invoice_that_is_not_open_cannot_be_closed_or_paid_again(shop: Shop, state: str) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    ways: dict[str, list[Command]] = {
        "paid": [paid],
        "void": [shop.void(invoice_id, subscription_id)],
        "expired": [shop.expire(invoice_id, subscription_id)],
        "refunded": [paid, shop.refunded(new_id(), paid)],
    }
    shop.tell(*ways[state])
    assert shop.state("invoice", invoice_id) == state
    answers = [
        *shop.send(shop.void(invoice_id, subscription_id)),
        *shop.send(shop.expire(invoice_id, subscription_id)),
        *shop.send(shop.start(new_id(), invoice_id)),
    ]
    assert [said(answer) for answer in answers] == ["transition_refused"] * 3
    assert answers[0].problem == {
        "code": "transition_refused", "machine": "invoice", "state": state, "trigger": "void",
    }  # fmt: skip


def test_closing_takes_the_page_and_the_unborn_subscription_with_it(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    assert shop.tell(shop.void(invoice_id, subscription_id)) == ["applied"]
    assert shop.state("payment_attempt", attempt_id) == "canceled"
    assert shop.state("subscription", subscription_id) == "canceled"
    assert shop.balances() == {}


def test_closing_without_naming_the_subscription_would_leave_it_behind(shop: Shop) -> None:
    subscription_id, invoice_id = shop.subscribe()
    assert shop.tell(shop.void(invoice_id, None)) == ["ids_disagree"]
    assert shop.state("subscription", subscription_id) == "incomplete"
    assert shop.state("invoice", invoice_id) == "open"


def test_nothing_expires_before_its_time_by_the_databases_clock(shop: Shop) -> None:
    subscription_id, invoice_id = shop.subscribe()
    expire = shop.expire(invoice_id, subscription_id)
    assert shop.tell(expire) == ["not_due"]
    shop.rows("INSERT INTO clock_offset VALUES (:studio, 3 * 86400)")
    assert shop.tell(expire) == ["applied"]
    occurred_at = shop.one(
        "SELECT occurred_at FROM state_event WHERE aggregate_id = :id AND to_state = 'expired'", id=invoice_id
    )
    assert occurred_at > datetime.now(UTC)


def test_canceling_before_the_first_payment_takes_the_invoice_back(shop: Shop) -> None:
    subscription_id, invoice_id, _ = shop.offer()
    assert shop.tell(shop.cancel(subscription_id, invoice_id)) == ["applied"]
    assert shop.state("invoice", invoice_id) == "void"
    assert shop.tell(shop.cancel(subscription_id, invoice_id)) == ["transition_refused"]


def test_canceling_an_active_subscription_leaves_its_paid_invoice(shop: Shop) -> None:
    paid = shop.pay()
    assert shop.tell(shop.cancel(UUID(str(paid.subscription_id)), paid.invoice_id)) == ["applied"]
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "paid"


def test_the_invoice_of_another_subscription_is_not_taken_along(shop: Shop) -> None:
    paid = shop.pay()
    _, other_invoice_id = shop.subscribe()
    assert shop.tell(shop.cancel(UUID(str(paid.subscription_id)), other_invoice_id)) == ["applied"]
    assert shop.state("invoice", other_invoice_id) == "open"


def test_a_plan_that_is_not_sold_any_more_is_refused(shop: Shop) -> None:
    shop.rows("UPDATE plan SET is_active = false WHERE id = :id", id=shop.plan_id)
    assert shop.tell(shop.create(new_id(), new_id())) == ["price_not_available"]


def test_foreign_ids_read_as_absent_ones(shop: Shop, other_shop: Shop) -> None:
    foreign_subscription, foreign_invoice = other_shop.subscribe()
    subscription_id, invoice_id = shop.subscribe()
    stranger = shop.add_customer()
    answers = shop.send(
        shop.create(new_id(), new_id(), price_id=other_shop.price_id),
        shop.create(new_id(), new_id(), customer_id=other_shop.customer_id),
        shop.issue(new_id(), customer_id=other_shop.customer_id),
        shop.cancel(foreign_subscription, None),
        shop.cancel(subscription_id, None, customer_id=stranger),
        shop.void(foreign_invoice),
        shop.void(invoice_id, subscription_id, customer_id=stranger),
        shop.expire(foreign_invoice),
        shop.start(new_id(), foreign_invoice),
        shop.start(new_id(), invoice_id, customer_id=stranger),
        shop.start(new_id(), invoice_id, provider_account_id=other_shop.account_id),
        shop.start(new_id(), new_id()),
    )
    assert [said(answer) for answer in answers] == ["not_found"] * len(answers)
    assert all(set(answer.problem or {}) == {"code", "what", "id"} for answer in answers)
    assert other_shop.state("invoice", foreign_invoice) == shop.state("invoice", invoice_id) == "open"
