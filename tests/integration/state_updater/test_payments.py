"""Paying: what each outcome does, in whatever order it is told."""

from dataclasses import dataclass
from itertools import chain, permutations
from typing import Any
from uuid import UUID

import pytest

from billing.payments import received_payment_id
from bus.messages import Command
from kit.ids import new_id
from storage.provider_calls import Subject
from tests.integration.state_updater.shops import PRICE_MINOR, Shop, said


def test_a_client_subscribes_pays_and_is_active(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    assert shop.state("payment_attempt", attempt_id) == "requires_action"
    assert shop.tell(shop.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert shop.state("invoice", invoice_id) == "paid"
    assert shop.state("payment_attempt", attempt_id) == "succeeded"
    ((state, start, end),) = shop.rows(
        "SELECT state, current_period_start, current_period_end FROM subscription WHERE id = :id",
        id=subscription_id,
    )
    assert state == "active"
    assert 28 <= (end - start).days <= 31
    assert shop.balances() == {"provider_clearing": PRICE_MINOR, "sales": -PRICE_MINOR}


def test_the_whole_story_in_one_group_is_the_same_story(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id, refund_id = new_id(), new_id(), new_id(), new_id()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    answers = shop.send(
        shop.create(subscription_id, invoice_id),
        shop.start(attempt_id, invoice_id),
        paid,
        shop.request(refund_id, paid, 1_000),
        shop.approve(refund_id, paid),
        shop.refunded(refund_id, paid),
        shop.cancel(subscription_id, invoice_id),
    )
    assert [answer.state for answer in answers] == ["applied"] * 7
    assert shop.state("invoice", invoice_id) == "partially_refunded"
    assert shop.state("subscription", subscription_id) == "canceled"
    assert shop.balances() == {"provider_clearing": PRICE_MINOR - 1_000, "sales": 1_000 - PRICE_MINOR}


def test_a_widget_asks_nothing_of_the_provider_and_a_link_leaves_one_task(shop: Shop) -> None:
    shop.offer("widget")
    _, _, attempt_id = shop.offer("link")
    assert shop.state("payment_attempt", attempt_id) == "sent"
    tasks = shop.rows("SELECT kind, body FROM outbox WHERE studio_id = :studio AND channel = 'task'")
    assert tasks == [("start_payment", {"attempt_id": str(attempt_id), "studio_id": str(shop.studio_id)})]


def test_starting_again_by_the_same_method_finds_the_same_attempt(shop: Shop) -> None:
    _, invoice_id, attempt_id = shop.offer()
    (answer,) = shop.send(shop.start(new_id(), invoice_id))
    assert answer.result == {"attempt_id": str(attempt_id), "unchanged": True}


def test_another_method_supersedes_an_open_page(shop: Shop) -> None:
    _, invoice_id, page_id = shop.offer("widget")
    link_id = new_id()
    assert shop.tell(shop.start(link_id, invoice_id, "link")) == ["applied"]
    assert shop.state("payment_attempt", page_id) == "canceled"
    assert shop.state("payment_attempt", link_id) == "sent"


def test_another_account_supersedes_an_open_page(shop: Shop) -> None:
    _, invoice_id, page_id = shop.offer()
    other_account_id, second_id = new_id(), new_id()
    with shop.owner.begin() as connection:
        shop.add_account(connection, other_account_id)
    assert shop.tell(shop.start(second_id, invoice_id, provider_account_id=other_account_id)) == ["applied"]
    assert shop.state("payment_attempt", page_id) == "canceled"


@pytest.mark.parametrize("state", ["sent", "pending", "unknown"])
def test_while_money_may_be_moving_nothing_takes_the_invoice_away(shop: Shop, state: str) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    if state != "sent":
        shop.tell(shop.outcome(state, attempt_id, invoice_id, subscription_id))
    shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    assert (
        shop.tell(
            shop.start(new_id(), invoice_id, "widget"),
            shop.void(invoice_id, subscription_id),
            shop.expire(invoice_id, subscription_id),
            shop.cancel(subscription_id, invoice_id),
        )
        == ["payment_in_progress"] * 4
    )
    assert shop.state("payment_attempt", attempt_id) == state
    assert shop.state("invoice", invoice_id) == "open"


@pytest.mark.parametrize("outcome", ["requires_action", "pending", "declined", "not_sent", "unknown"])
def test_each_outcome_moves_a_sent_attempt(shop: Shop, outcome: str) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    told = shop.outcome(
        outcome, attempt_id, invoice_id, subscription_id, redirect_url="http://p", decline_code="5051"
    )
    assert shop.tell(told) == ["applied"]
    assert shop.state("payment_attempt", attempt_id) == outcome
    ((redirect_url, decline_code),) = shop.rows(
        "SELECT redirect_url, decline_code FROM payment_attempt WHERE id = :id", id=attempt_id
    )
    assert (redirect_url, decline_code) == ("http://p", "5051")


def test_a_decline_on_an_open_page_counts_a_try_and_keeps_the_attempt(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    declined = shop.outcome("declined", attempt_id, invoice_id, subscription_id, decline_code="5051")
    first, second = shop.send(declined, declined)
    assert first.result == {"outcome": "declined", "attempt_id": str(attempt_id), "page_still_open": True}
    assert second.state == "applied"
    ((state, declines, code),) = shop.rows(
        "SELECT state, declines, decline_code FROM payment_attempt WHERE id = :id", id=attempt_id
    )
    assert (state, declines, code) == ("requires_action", 2, "5051")
    assert shop.tell(shop.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert shop.state("invoice", invoice_id) == "paid"


def test_unknown_does_not_decay_by_itself(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    unknown = shop.outcome("unknown", attempt_id, invoice_id, subscription_id)
    first, second = shop.send(unknown, unknown)
    assert first.result == {"outcome": "unknown", "attempt_id": str(attempt_id), "state": "unknown"}
    assert second.result == {"outcome": "unknown", "attempt_id": str(attempt_id), "unchanged": True}


@pytest.mark.parametrize("late", ["requires_action", "pending", "declined", "not_sent", "unknown"])
def test_after_success_every_other_outcome_is_late(shop: Shop, late: str) -> None:
    paid = shop.pay()
    (answer,) = shop.send(shop.outcome(late, paid.attempt_id, paid.invoice_id, paid.subscription_id))
    assert answer.result == {"outcome": late, "attempt_id": str(paid.attempt_id), "unchanged": True}
    assert shop.state("payment_attempt", UUID(str(paid.attempt_id))) == "succeeded"


@pytest.mark.parametrize("before", ["declined", "not_sent"])
def test_late_money_makes_the_attempt_succeeded_and_pays_an_open_invoice(shop: Shop, before: str) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    shop.tell(shop.outcome(before, attempt_id, invoice_id, subscription_id))
    page_id = new_id()
    shop.tell(shop.start(page_id, invoice_id))
    assert shop.tell(shop.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert shop.state("payment_attempt", attempt_id) == "succeeded"
    assert shop.state("payment_attempt", page_id) == "canceled"
    assert shop.state("invoice", invoice_id) == "paid"


def test_what_another_attempt_in_flight_brings_later_is_unapplied(shop: Shop) -> None:
    subscription_id, invoice_id, page_id = shop.offer("widget")
    link_id = new_id()
    shop.tell(shop.start(link_id, invoice_id, "link"), shop.paid(page_id, invoice_id, subscription_id))
    assert shop.state("payment_attempt", link_id) == "sent"
    (answer,) = shop.send(shop.paid(link_id, invoice_id, subscription_id))
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == "invoice_paid"
    assert shop.state("payment_attempt", link_id) == "succeeded"
    assert shop.balances()["unapplied_receipts"] == -PRICE_MINOR


def test_the_same_money_told_twice_is_counted_once(shop: Shop) -> None:
    paid = shop.pay()
    together = shop.send(paid, paid)
    assert [answer.result for answer in together] == [
        {"outcome": "succeeded", "payment_id": str(paid.payment_id), "unchanged": True}
    ] * 2
    assert shop.balances()["provider_clearing"] == PRICE_MINOR


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_minor": PRICE_MINOR - 1}, "other_amount"),
        ({"amount_minor": PRICE_MINOR + 1}, "other_amount"),
        ({"currency": "USD"}, "other_currency"),
    ],
)
def test_money_that_does_not_fit_is_kept_and_gives_nothing(
    shop: Shop, changes: dict[str, Any], reason: str
) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id, **changes)
    (answer,) = shop.send(paid)
    told = {"outcome": "succeeded", "payment_id": str(paid.payment_id), "unapplied_reason": reason}
    assert answer.result == told
    assert shop.state("invoice", invoice_id) == "open"
    assert shop.state("subscription", subscription_id) == "incomplete"
    assert shop.state("payment_attempt", attempt_id) == "succeeded"
    events = shop.rows("SELECT body FROM outbox WHERE studio_id = :studio AND kind = 'payment.unapplied'")
    assert [body["reason"] for (body,) in events] == [reason]
    balance = -int(str(paid.amount_minor))
    unapplied = (
        "SELECT balance_minor FROM invariant.account_balance"
        " WHERE studio_id = :studio AND currency = :currency AND kind = 'unapplied_receipts'"
    )
    assert shop.one(unapplied, currency=paid.currency) == balance


def test_after_money_that_did_not_fit_the_invoice_can_still_be_paid(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    shop.tell(shop.paid(attempt_id, invoice_id, subscription_id, amount_minor=5))
    again = new_id()
    assert (
        shop.tell(shop.start(again, invoice_id), shop.paid(again, invoice_id, subscription_id))
        == ["applied"] * 2
    )
    assert shop.state("subscription", subscription_id) == "active"


def test_money_for_an_order_that_nobody_knows_is_kept(shop: Shop) -> None:
    (answer,) = shop.send(shop.paid(None, None, customer_id=None))
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == "unknown_order"


def test_a_page_paid_twice_pays_once(shop: Shop) -> None:
    paid = shop.pay()
    (answer,) = shop.send(shop.paid(paid.attempt_id, paid.invoice_id, paid.subscription_id))
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == "paid_twice"


def test_money_through_another_account_than_the_attempts_is_unapplied(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    other_account_id = new_id()
    with shop.owner.begin() as connection:
        shop.add_account(connection, other_account_id)
    (answer,) = shop.send(
        shop.paid(attempt_id, invoice_id, subscription_id, provider_account_id=other_account_id)
    )
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == "foreign_account"
    assert shop.state("invoice", invoice_id) == "open"


@pytest.mark.parametrize("way", ["void", "expire"])
def test_money_for_a_closed_invoice_never_revives_it(shop: Shop, way: str) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    close = shop.void if way == "void" else shop.expire
    assert shop.tell(close(invoice_id, subscription_id)) == ["applied"]
    assert shop.state("payment_attempt", attempt_id) == "canceled"
    (answer,) = shop.send(shop.paid(attempt_id, invoice_id, subscription_id))
    assert answer.result is not None
    assert answer.result["unapplied_reason"] == {"void": "invoice_void", "expire": "invoice_expired"}[way]
    assert shop.state("subscription", subscription_id) == "canceled"
    assert shop.state("payment_attempt", attempt_id) == "succeeded"


def test_money_without_a_sum_is_parked_not_lost(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    assert (
        shop.tell(
            shop.outcome("succeeded", attempt_id, invoice_id, subscription_id),
            shop.paid(attempt_id, invoice_id, subscription_id, amount_minor=None),
        )
        == ["money_without_sum"] * 2
    )
    assert shop.state("payment_attempt", attempt_id) == "requires_action"


def test_money_that_names_an_invoice_without_its_subscription_waits_for_a_person(shop: Shop) -> None:
    _, invoice_id, attempt_id = shop.offer()
    assert shop.tell(shop.paid(attempt_id, invoice_id, None)) == ["ids_disagree"]
    assert shop.state("invoice", invoice_id) == "open"


def test_an_outcome_for_an_attempt_that_nobody_knows_is_refused(shop: Shop) -> None:
    assert (
        shop.tell(shop.outcome("declined", new_id(), None), shop.outcome("declined", None, None))
        == ["not_found"] * 2
    )


def test_an_inactive_account_starts_nothing_and_still_records_money(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    shop.rows("UPDATE provider_account SET is_active = false WHERE id = :id", id=shop.account_id)
    assert shop.tell(shop.start(new_id(), invoice_id, "link")) == ["provider_account_inactive"]
    assert shop.tell(shop.paid(attempt_id, invoice_id, subscription_id)) == ["applied"]


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one group"])
def test_every_order_of_a_history_ends_in_the_same_money(shop: Shop, together: bool) -> None:
    """Two payments of one page, a decline, a refund in the cabinet and an expiry, told in all 120 orders.

    Which of the two payments is matched, and whether the expiry came before both, is decided by the order;
    everything else is a function of that.
    """
    orders = list(permutations(["first", "second", "decline", "refund", "expire"]))
    stories = [_Story.begin(shop, f"{together}-{number}") for number in range(len(orders))]
    shop.send(*(command for story in stories for command in story.beginning))
    shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE studio_id = :studio")
    told = [[story.told[name] for name in order] for story, order in zip(stories, orders, strict=True)]
    groups = [list(chain(*told))] if together else [list(step) for step in zip(*told, strict=True)]
    for group in groups:
        assert {said(answer) for answer in shop.send(*group)} <= {"applied", "transition_refused"}
    seen: dict[tuple[object, ...], set[tuple[object, ...]]] = {}
    for story in stories:
        decided, money = _money(shop, story.invoice_id, story.transactions)
        seen.setdefault(decided, set()).add(money)
    assert len(seen) == 3  # the first matched, the second matched, expired before both
    assert all(len(ends) == 1 for ends in seen.values()), seen
    assert set(shop.balances()) <= {"provider_clearing", "sales", "unapplied_receipts"}


@dataclass
class _Story:
    """One customer's page, and what may be told of it, by name."""

    invoice_id: UUID
    transactions: dict[str, str]
    beginning: list[Command]
    told: dict[str, Command]

    @classmethod
    def begin(cls, shop: Shop, name: str) -> "_Story":
        shop.customer_id = shop.add_customer()
        subscription_id, invoice_id, attempt_id = new_id(), new_id(), new_id()
        transactions = {each: f"{each}-{name}" for each in ("first", "second")}
        first = shop.paid(attempt_id, invoice_id, subscription_id, transactions["first"])
        # Accepted when nobody knew the payment: it names no customer, payment, invoice or currency.
        nameless = {"customer_id": None, "payment_id": None, "invoice_id": None, "currency": None}
        return cls(
            invoice_id,
            transactions,
            [shop.create(subscription_id, invoice_id), shop.start(attempt_id, invoice_id)],
            {
                "first": first,
                "second": shop.paid(attempt_id, invoice_id, subscription_id, transactions["second"]),
                "decline": shop.outcome("declined", attempt_id, invoice_id, subscription_id),
                "refund": shop.refunded(new_id(), first, 40_000, **nameless),
                "expire": shop.expire(invoice_id, subscription_id),
            },
        )


def _money(
    shop: Shop, invoice_id: UUID, transactions: dict[str, str]
) -> tuple[tuple[object, ...], tuple[object, ...]]:
    """(what the order decided, what became of the money)"""
    payments = {
        name: shop.rows(
            "SELECT invoice_id IS NOT NULL, amount_minor, refunded_minor, reserved_minor"
            " FROM provider_payment WHERE id = :id",
            id=received_payment_id(shop.account_id, transaction_id),
        )[0]
        for name, transaction_id in transactions.items()
    }
    invoice = shop.rows(
        "SELECT i.state, i.paid_minor, i.refunded_minor, s.state, a.state, (SELECT count(*) FROM refund r"
        " WHERE r.provider_payment_id = :first AND r.state = 'succeeded' AND r.amount_minor = 40000)"
        " FROM invoice i JOIN subscription s ON s.id = i.subscription_id JOIN payment_attempt a"
        " ON a.invoice_id = i.id WHERE i.id = :id",
        id=invoice_id,
        first=received_payment_id(shop.account_id, transactions["first"]),
    )[0]
    decided = (payments["first"][0], payments["second"][0])
    assert payments["first"][2] == 40_000
    assert invoice[-1] == 1
    return decided, (*payments["first"], *payments["second"], *invoice)


def test_a_call_that_is_live_keeps_others_from_calling(shop: Shop) -> None:
    _, _, attempt_id = shop.offer("link")
    subject = Subject("attempt_id", attempt_id, shop.studio_id, "test")
    shop.call("create", subject, outcome=None)
    with pytest.raises(AssertionError):
        shop.call("look_up", subject)


def test_a_look_up_may_be_wanted_while_there_is_something_to_find(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    first = shop.tell(shop.retry(attempt_id))
    assert first == ["nothing_to_look_up"], "its first request is on its way"
    for told in ("unknown", "pending", "requires_action"):
        assert shop.tell(shop.outcome(told, attempt_id, invoice_id, subscription_id)) == ["applied"]
        (answer,) = shop.send(shop.retry(attempt_id))
        assert (answer.state, answer.result) == ("applied", {"attempt_id": str(attempt_id)})
        assert shop.state("payment_attempt", attempt_id) == told
    shop.tell(shop.paid(attempt_id, invoice_id, subscription_id))
    (answer,) = shop.send(shop.retry(attempt_id))
    assert answer.problem == {"code": "nothing_to_look_up", "state": "succeeded"}


def test_a_look_up_is_wanted_of_what_is_there(shop: Shop, other_shop: Shop) -> None:
    _, _, attempt_id = other_shop.offer()
    assert (
        shop.tell(shop.retry(attempt_id), shop.retry(new_id()), shop.retry(refund_id=new_id()))
        == ["not_found"] * 3
    )
    assert other_shop.tell(other_shop.retry(attempt_id, customer_id=other_shop.add_customer())) == [
        "not_found"
    ]
