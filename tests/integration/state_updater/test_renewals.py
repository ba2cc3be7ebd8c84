"""Renewals over the real apply path, with the studio's clock moved: a period is invoiced once, begins when it
is paid, and nothing goes on unpaid."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from billing.subscriptions import renewal_invoice_id
from bus.messages import RecordPaymentOutcome
from kit.ids import new_id
from tests.integration.state_updater.shops import PRICE_MINOR, Shop

# Ten in the morning in Moscow.
LAST_OF_JANUARY = datetime(2027, 1, 31, 7, tzinfo=UTC)
DEARER_MINOR = PRICE_MINOR + 50_000
YEARLY_MINOR = 10 * PRICE_MINOR
DAY = timedelta(days=1)
LIFETIME = 3 * DAY


@dataclass
class Membership:
    """One active subscription of a shop."""

    shop: Shop
    id: UUID

    def column(self, name: str) -> Any:
        return self.shop.one(f"SELECT {name} FROM subscription WHERE id = :id", id=self.id)  # noqa: S608

    @property
    def state(self) -> str:
        return self.shop.state("subscription", self.id)

    @property
    def ends_at(self) -> datetime:
        ends_at: datetime = self.column("current_period_end")
        return ends_at

    @property
    def next_invoice_id(self) -> UUID:
        return renewal_invoice_id(self.id, self.ends_at)

    def wait_until(self, before_end: timedelta) -> None:
        self.shop.set_clock(self.ends_at - before_end)

    def renew(self) -> UUID:
        invoice_id = self.next_invoice_id
        assert self.shop.tell(self.shop.renew(self.id, self.ends_at)) == ["applied"]
        return invoice_id

    def offer(self, invoice_id: UUID, method: str = "widget") -> UUID:
        attempt_id = new_id()
        assert self.shop.tell(self.shop.start(attempt_id, invoice_id, method)) == ["applied"]
        return attempt_id

    def money(self, attempt_id: UUID, invoice_id: UUID, amount_minor: int) -> RecordPaymentOutcome:
        return self.shop.paid(attempt_id, invoice_id, self.id, amount_minor=amount_minor)

    def pay(self, invoice_id: UUID, amount_minor: int = PRICE_MINOR) -> RecordPaymentOutcome:
        paid = self.money(self.offer(invoice_id), invoice_id, amount_minor)
        assert self.shop.tell(paid) == ["applied"]
        return paid

    def invoices(self) -> list[tuple[str, int, datetime, datetime]]:
        """State, sum and period of every invoice that renews it, in time's order."""
        return self.shop.rows(
            "SELECT state, total_minor, period_start, period_end FROM invoice"
            " WHERE subscription_id = :id AND period_start IS NOT NULL ORDER BY period_start",
            id=self.id,
        )  # type: ignore[return-value]

    def told(self) -> list[str]:
        rows = self.shop.rows(
            "SELECT kind FROM outbox WHERE channel = 'event' AND kind LIKE 'subscription.%'"
            " AND body ->> 'subscription_id' = :id ORDER BY sequence",
            id=str(self.id),
        )
        return [kind.removeprefix("subscription.") for (kind,) in rows]


@pytest.fixture
def member(shop: Shop) -> Membership:
    """Since the last day of January."""
    shop.set_clock(LAST_OF_JANUARY)
    return Membership(shop, UUID(str(shop.pay().subscription_id)))


def _unapplied(shop: Shop, paid: RecordPaymentOutcome) -> str:
    (answer,) = shop.send(paid)
    assert answer.result is not None
    return str(answer.result["unapplied_reason"])


# ------------------------------------------------------------------ going on


def test_a_year_of_months_ends_each_on_the_day_it_began_where_the_month_has_it(member: Membership) -> None:
    ends = [member.ends_at]
    for _ in range(12):
        member.wait_until(before_end=3 * DAY)
        member.pay(member.renew())
        ends.append(member.ends_at)
    days = [28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 31, 29]
    assert [end.day for end in ends] == days
    assert {end.time() for end in ends} == {member.column("anchor_at").time()}
    periods = [(start, end) for _, _, start, end in member.invoices()]
    assert periods == list(pairwise(ends))
    assert member.told() == ["created", "activated", *["renewed"] * 12]
    assert member.shop.balances() == {"sales": -13 * PRICE_MINOR, "provider_clearing": 13 * PRICE_MINOR}


def test_the_invoice_can_be_paid_ahead_and_for_the_usual_time_after(member: Membership) -> None:
    member.wait_until(before_end=7 * DAY)
    invoice_id = member.renew()
    expires_at = member.shop.one("SELECT expires_at FROM invoice WHERE id = :id", id=invoice_id)
    assert expires_at == member.ends_at + LIFETIME
    assert member.state == "active"


def test_an_invoice_drawn_late_still_gives_time_to_pay(member: Membership) -> None:
    member.wait_until(before_end=-10 * DAY)
    (answer,) = member.shop.send(member.shop.renew(member.id, member.ends_at))
    assert answer.result == {"invoice_id": str(member.next_invoice_id)}
    term = member.shop.one(
        "SELECT expires_at - created_at FROM invoice WHERE id = :id", id=member.next_invoice_id
    )
    assert term == LIFETIME


def test_paid_in_its_grace_the_period_begins_where_the_last_one_ended(member: Membership) -> None:
    ended_at, invoice_id = member.ends_at, member.renew()
    member.wait_until(before_end=-2 * DAY)
    assert member.shop.tell(member.shop.expire(invoice_id, member.id)) == ["not_due"]
    member.pay(invoice_id)
    assert member.column("current_period_start") == ended_at
    assert member.ends_at.date().isoformat() == "2027-03-31"


def test_a_refunded_renewal_leaves_the_subscription_to_a_person(member: Membership) -> None:
    paid, refund_id = member.pay(member.renew()), new_id()
    shop = member.shop
    assert (
        shop.tell(shop.request(refund_id, paid, PRICE_MINOR), shop.approve(refund_id, paid))
        == ["applied"] * 2
    )
    assert shop.tell(shop.refunded(refund_id, paid)) == ["applied"]
    assert member.invoices()[0][0] == "refunded"
    assert (member.state, member.ends_at.month) == ("active", 3)


# ------------------------------------------------------------------ once


def test_a_period_is_invoiced_once_however_often_it_is_asked_for(member: Membership) -> None:
    renew, invoice_id = member.shop.renew(member.id, member.ends_at), member.next_invoice_id
    first, second = member.shop.send(renew, renew)
    assert first.result == {"invoice_id": str(invoice_id)}
    assert second.result == {"invoice_id": str(invoice_id), "unchanged": True}
    member.pay(invoice_id)
    (late,) = member.shop.send(renew)
    assert late.result == second.result
    assert [state for state, *_ in member.invoices()] == ["paid"]
    assert member.told() == ["created", "activated", "renewed"]


def test_an_invoice_id_of_another_making_is_not_taken(member: Membership) -> None:
    renew = member.shop.renew(member.id, member.ends_at, invoice_id=new_id())
    assert member.shop.tell(renew) == ["ids_disagree"]
    assert member.invoices() == []


@pytest.mark.parametrize("off", [-DAY, DAY, timedelta(microseconds=1)])
def test_a_period_begins_nowhere_but_where_the_last_one_ends(member: Membership, off: timedelta) -> None:
    assert member.shop.tell(member.shop.renew(member.id, member.ends_at + off)) == ["period_moved"]
    assert member.invoices() == []


def test_only_an_active_subscription_is_renewed(shop: Shop, member: Membership) -> None:
    incomplete, _ = shop.subscribe()
    assert shop.tell(shop.renew(incomplete, LAST_OF_JANUARY)) == ["transition_refused"]
    assert shop.tell(shop.cancel(member.id, None), shop.renew(member.id, member.ends_at)) == [
        "applied", "transition_refused",
    ]  # fmt: skip


def test_subscriptions_of_others_are_not_there(shop: Shop, other_shop: Shop, member: Membership) -> None:
    stranger = shop.add_customer()
    assert (
        shop.tell(
            shop.renew(member.id, member.ends_at, customer_id=stranger),
            shop.end(member.id, customer_id=stranger),
        )
        == ["not_found"] * 2
    )
    assert other_shop.tell(other_shop.renew(member.id, member.ends_at), other_shop.end(member.id)) == [
        "not_found", "not_found",
    ]  # fmt: skip


# ------------------------------------------------------------------ not paid


def test_an_unpaid_renewal_ends_the_subscription_after_its_grace(member: Membership) -> None:
    invoice_id, balances = member.renew(), {"sales": -PRICE_MINOR, "provider_clearing": PRICE_MINOR}
    page_id = member.offer(invoice_id)
    member.wait_until(before_end=-LIFETIME - timedelta(minutes=1))
    assert member.state == "active"
    assert member.shop.tell(member.shop.expire(invoice_id, member.id)) == ["applied"]
    assert (member.state, member.invoices()[0][0]) == ("canceled", "expired")
    assert member.shop.state("payment_attempt", page_id) == "canceled"
    assert member.told() == ["created", "activated", "canceled"]
    assert member.shop.balances() == balances
    # Money that comes after all gives nothing, and waits for a person.
    assert _unapplied(member.shop, member.money(page_id, invoice_id, PRICE_MINOR)) == "invoice_expired"
    assert member.state == "canceled"


def test_while_money_may_be_moving_a_renewal_does_not_expire(member: Membership) -> None:
    invoice_id = member.renew()
    attempt_id = member.offer(invoice_id, "link")
    member.wait_until(before_end=-LIFETIME - timedelta(minutes=1))
    assert member.shop.tell(member.shop.expire(invoice_id, member.id)) == ["payment_in_progress"]
    assert member.shop.tell(member.money(attempt_id, invoice_id, PRICE_MINOR)) == ["applied"]
    assert (member.state, member.ends_at.month) == ("active", 3)


def test_a_renewal_that_is_taken_back_lets_the_paid_period_run_out(member: Membership) -> None:
    assert member.shop.tell(member.shop.void(member.renew(), member.id)) == ["applied"]
    assert member.state == "active"
    assert member.told() == ["created", "activated", "ending"]
    member.wait_until(before_end=timedelta())
    assert member.shop.tell(member.shop.end(member.id)) == ["applied"]
    assert member.state == "canceled"


def test_a_renewal_that_is_taken_back_after_its_period_began_ends_the_subscription(
    member: Membership,
) -> None:
    invoice_id = member.renew()
    member.wait_until(before_end=-timedelta(minutes=1))
    assert member.shop.tell(member.shop.void(invoice_id, member.id)) == ["applied"]
    assert (member.state, member.told()[-1]) == ("canceled", "canceled")


# ------------------------------------------------------------------ ending


def test_whoever_cancels_at_the_end_of_the_period_keeps_what_is_paid_for(member: Membership) -> None:
    shop, ends_at = member.shop, member.ends_at
    let_end = shop.cancel(member.id, None, at_period_end=True)
    first, second = shop.send(let_end, let_end)
    assert first.result == {"subscription_id": str(member.id)}
    assert second.result == {"subscription_id": str(member.id), "unchanged": True}
    assert (member.state, member.column("cancel_at_period_end"), member.ends_at) == ("active", True, ends_at)
    assert shop.tell(
        shop.renew(member.id, ends_at), shop.change(member.id, shop.add_price()), shop.end(member.id)
    ) == ["subscription_ending", "subscription_ending", "not_due"]
    shop.set_clock(ends_at)
    assert shop.tell(shop.end(member.id), shop.end(member.id)) == ["applied", "transition_refused"]
    assert (member.state, member.column("canceled_at") >= ends_at) == ("canceled", True)
    assert member.told() == ["created", "activated", "ending", "canceled"]
    assert member.invoices() == []


def test_what_goes_on_is_not_ended_by_the_clock(member: Membership) -> None:
    member.wait_until(before_end=-DAY)
    assert member.shop.tell(member.shop.end(member.id)) == ["not_due"]
    assert member.state == "active"


@pytest.mark.parametrize(("at_period_end", "state"), [(True, "active"), (False, "canceled")])
@pytest.mark.parametrize("is_named", [True, False])
def test_canceling_takes_the_renewal_back_also_one_that_its_sender_did_not_know(
    member: Membership, at_period_end: bool, state: str, is_named: bool
) -> None:
    shop, invoice_id = member.shop, member.renew()
    page_id = member.offer(invoice_id)
    cancel = shop.cancel(member.id, invoice_id if is_named else None, at_period_end=at_period_end)
    assert shop.tell(cancel) == ["applied"]
    assert (member.state, member.invoices()[0][0]) == (state, "void")
    assert shop.state("payment_attempt", page_id) == "canceled"
    assert shop.balances() == {"sales": -PRICE_MINOR, "provider_clearing": PRICE_MINOR}
    assert _unapplied(shop, member.money(page_id, invoice_id, PRICE_MINOR)) == "invoice_void"
    assert member.state == state


@pytest.mark.parametrize("at_period_end", [True, False])
@pytest.mark.parametrize("is_named", [True, False])
def test_while_money_may_be_moving_nothing_is_canceled(
    member: Membership, at_period_end: bool, is_named: bool
) -> None:
    shop, invoice_id = member.shop, member.renew()
    member.offer(invoice_id, "link")
    cancel = shop.cancel(member.id, invoice_id if is_named else None, at_period_end=at_period_end)
    assert shop.tell(cancel) == ["payment_in_progress"]
    assert (member.state, member.column("cancel_at_period_end")) == ("active", False)
    assert member.invoices()[0][0] == "open"


def test_canceling_at_once_is_open_to_what_is_ending(member: Membership) -> None:
    shop = member.shop
    assert (
        shop.tell(shop.cancel(member.id, None, at_period_end=True), shop.cancel(member.id, None))
        == ["applied"] * 2
    )
    assert member.told()[2:] == ["ending", "canceled"]


def test_what_was_never_paid_for_has_no_end_to_wait_for(shop: Shop) -> None:
    subscription_id, invoice_id = shop.subscribe()
    assert shop.tell(shop.cancel(subscription_id, invoice_id, at_period_end=True)) == ["transition_refused"]
    assert shop.state("invoice", invoice_id) == "open"


@pytest.mark.parametrize("at_period_end", [True, False])
def test_a_renewal_and_a_cancellation_in_one_group_follow_each_other(
    member: Membership, at_period_end: bool
) -> None:
    shop = member.shop
    renew = shop.renew(member.id, member.ends_at)
    cancel = shop.cancel(member.id, None, at_period_end=at_period_end)
    assert [answer.state for answer in shop.send(renew, cancel)] == ["applied", "applied"]
    assert [state for state, *_ in member.invoices()] == ["void"]


def test_a_cancellation_and_a_renewal_in_one_group_follow_each_other(member: Membership) -> None:
    shop = member.shop
    let_end = shop.cancel(member.id, None, at_period_end=True)
    _, refused = shop.send(let_end, shop.renew(member.id, member.ends_at))
    assert refused.problem == {"code": "subscription_ending", "subscription_id": str(member.id)}
    assert member.invoices() == []


# ------------------------------------------------------------------ prices


def test_a_period_costs_what_is_in_force_when_it_begins(member: Membership) -> None:
    shop = member.shop
    dearer = shop.add_price(DEARER_MINOR, member.ends_at, "month")
    shop.add_price(3 * DEARER_MINOR, member.ends_at + timedelta(microseconds=1), "month")
    invoice_id = member.renew()
    assert [total_minor for _, total_minor, *_ in member.invoices()] == [DEARER_MINOR]
    line = shop.rows("SELECT price_id, description FROM invoice_line WHERE invoice_id = :id", id=invoice_id)
    assert line == [(dearer, "Месяц")]
    assert member.column("price_id") == dearer
    assert member.told() == ["created", "activated", "changed"]
    member.pay(invoice_id, DEARER_MINOR)
    assert member.column("price_id") == dearer


def test_a_price_that_is_set_later_leaves_the_drawn_invoice(member: Membership) -> None:
    invoice_id = member.renew()
    member.shop.add_price(DEARER_MINOR, member.ends_at - DAY, "month")
    member.pay(invoice_id)
    assert member.column("price_id") == member.shop.price_id
    member.renew()
    assert [total_minor for _, total_minor, *_ in member.invoices()] == [PRICE_MINOR, DEARER_MINOR]


def test_a_plan_that_is_not_sold_any_more_still_renews(member: Membership) -> None:
    member.shop.rows("UPDATE plan SET is_active = false WHERE id = :id", id=member.shop.plan_id)
    member.pay(member.renew())
    assert member.ends_at.month == 3


def test_a_change_before_the_invoice_is_drawn_renews_by_the_other_period(member: Membership) -> None:
    shop = member.shop
    shop.tell(shop.change(member.id, shop.add_price(YEARLY_MINOR)))
    member.pay(member.renew(), YEARLY_MINOR)
    assert member.ends_at.date().isoformat() == "2028-02-29"


def test_a_change_and_a_renewal_in_one_group_are_at_the_new_price(member: Membership) -> None:
    shop = member.shop
    yearly = shop.add_price(YEARLY_MINOR)
    dearer = shop.add_price(2 * YEARLY_MINOR, LAST_OF_JANUARY + DAY)
    change, renew = shop.change(member.id, yearly), shop.renew(member.id, member.ends_at)
    assert [answer.state for answer in shop.send(change, renew)] == ["applied", "applied"]
    assert [total_minor for _, total_minor, *_ in member.invoices()] == [2 * YEARLY_MINOR]
    assert member.column("price_id") == dearer


def test_a_change_after_the_invoice_was_drawn_waits_for_the_period_after(member: Membership) -> None:
    shop, invoice_id = member.shop, member.renew()
    yearly = shop.add_price(YEARLY_MINOR)
    assert shop.tell(shop.change(member.id, yearly)) == ["applied"]
    member.pay(invoice_id)
    assert (member.ends_at.date().isoformat(), member.column("price_id")) == ("2027-03-31", yearly)
    member.pay(member.renew(), YEARLY_MINOR)
    assert member.ends_at.date().isoformat() == "2028-03-31"
    assert [total_minor for _, total_minor, *_ in member.invoices()] == [PRICE_MINOR, YEARLY_MINOR]
