"""Subscriptions, invoices, refunds and look-ups: buttons whose commands the real updater applies."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kit.ids import new_id
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.state_updater.shops import PRICE_MINOR
from web.problems import Problem

WHY = "Выставлен дважды"


def test_subscription_is_made_put_on_another_price_and_canceled(manager: Clerk) -> None:
    shop = manager.shop
    done = manager.press("create_subscription", shop.customer_id, price_id=shop.price_id)
    answer = manager.apply(done.operation)
    assert answer.state == "applied"
    (subscription_id,) = (
        row[0] for row in shop.rows("SELECT id FROM subscription WHERE studio_id = :studio")
    )
    assert shop.state("subscription", subscription_id) == "incomplete"
    assert manager.open("subscriptions", subscription_id) == {"cancel_subscription"}
    assert manager.tell("cancel_subscription", subscription_id) == "applied"
    assert manager.open("subscriptions", subscription_id) == set()
    assert manager.codes("cancel_subscription", subscription_id) == ["transition_refused"]


def test_active_subscription_changes_its_price_from_the_next_period(manager: Clerk) -> None:
    subscription_id = manager.shop.pay().subscription_id
    assert subscription_id is not None
    price_id = manager.shop.add_price()
    assert manager.codes("change_subscription", subscription_id, price_id=price_id) == [
        "step.subscription.change",
        "event",
    ]
    assert manager.tell("change_subscription", subscription_id, price_id=price_id) == "applied"
    assert (
        manager.shop.one("SELECT price_id FROM subscription WHERE id = :id", id=subscription_id) == price_id
    )


def test_active_subscription_is_let_end_with_its_period(manager: Clerk) -> None:
    shop, subscription_id = manager.shop, manager.shop.pay().subscription_id
    assert subscription_id is not None
    ends_at = shop.one("SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id)
    assert shop.tell(shop.renew(subscription_id, ends_at)) == ["applied"]
    assert manager.open("subscriptions", subscription_id) == {
        "change_subscription", "cancel_subscription", "cancel_subscription_at_period_end",
    }  # fmt: skip
    assert manager.codes("cancel_subscription_at_period_end", subscription_id)[:2] == [
        "step.invoice.void", "step.subscription.let_end",
    ]  # fmt: skip
    assert manager.tell("cancel_subscription_at_period_end", subscription_id) == "applied"
    assert shop.state("subscription", subscription_id) == "active"
    assert manager.open("subscriptions", subscription_id) == {"cancel_subscription"}
    assert manager.codes("change_subscription", subscription_id, price_id=shop.add_price()) == [
        "subscription_ending",
    ]  # fmt: skip


def test_invoice_is_issued_foreseen_and_voided_once(manager: Clerk) -> None:
    shop = manager.shop
    lines = [{"description": "Зал", "quantity": 2, "unit_amount_minor": 149_050}]
    foreseen = manager.foresee("issue_invoice", shop.customer_id, lines=lines)
    assert [line.code for line in foreseen.lines][:3] == [
        "step.invoice.draw",
        "step.invoice.open",
        "posting.invoice_opened",
    ]
    assert foreseen.lines[2].facts == {"amount_minor": 298_100, "currency": "RUB"}
    assert shop.rows("SELECT FROM invoice WHERE studio_id = :studio") == []
    assert manager.tell("issue_invoice", shop.customer_id, lines=lines) == "applied"
    invoice_id = shop.one("SELECT id FROM invoice WHERE studio_id = :studio")
    assert manager.open("invoices", invoice_id) == {"void_invoice"}
    assert manager.tell("void_invoice", invoice_id, reason=WHY) == "applied"
    assert shop.state("invoice", invoice_id) == "void"
    assert manager.tell("void_invoice", invoice_id, reason=WHY) == "transition_refused"


def test_form_sent_twice_is_one_command_with_one_audit(manager: Clerk) -> None:
    _, invoice_id = manager.shop.subscribe()
    first = manager.press("void_invoice", invoice_id, key="once", reason=WHY)
    again = manager.press("void_invoice", invoice_id, key="once", reason=WHY)
    assert first == again
    assert manager.audits(invoice_id) == ["VoidInvoice"]
    with pytest.raises(Problem) as reused:
        manager.press("void_invoice", invoice_id, key="once", reason="другая")
    assert (reused.value.status, reused.value.code) == (422, "idempotency_key_reused")


def test_two_managers_who_press_at_once_void_once(manager: Clerk, owner: Clerk) -> None:
    _, invoice_id = manager.shop.subscribe()
    with ThreadPoolExecutor(2) as pool:
        pressed = list(
            pool.map(lambda clerk: clerk.press("void_invoice", invoice_id, reason=WHY), (manager, owner))
        )
    states = sorted(manager.apply(done.operation).state for done in pressed)
    assert states == ["applied", "refused"]
    assert manager.shop.balances() == {}


def test_invoice_with_a_payment_on_its_way_is_not_offered_for_voiding(manager: Clerk) -> None:
    shop = manager.shop
    subscription_id, invoice_id, attempt_id = shop.offer()
    assert "void_invoice" in manager.open("invoices", invoice_id)
    assert shop.tell(shop.outcome("unknown", attempt_id, invoice_id, subscription_id)) == ["applied"]
    assert "void_invoice" not in manager.open("invoices", invoice_id)
    assert manager.codes("void_invoice", invoice_id, reason=WHY) == ["payment_in_progress"]
    assert manager.open("payments", attempt_id) == {"retry_look_up_of_payment"}
    assert manager.codes("retry_look_up_of_payment", attempt_id) == ["task.look_up_payment"]
    assert manager.tell("retry_look_up_of_payment", attempt_id) == "applied"


def test_refund_is_asked_for_in_part_then_approved_and_rejected(manager: Clerk, support: Clerk) -> None:
    shop = manager.shop
    paid = shop.pay()
    assert paid.invoice_id is not None
    part = {"amount_minor": 49_050, "reason": "Заболел"}
    assert support.tell("request_refund", paid.invoice_id, **part) == "applied"
    assert support.tell("request_refund", paid.invoice_id, **part) == "applied"
    first, second = (
        row[0] for row in shop.rows("SELECT id FROM refund WHERE studio_id = :studio ORDER BY created_at, id")
    )
    assert shop.one("SELECT origin FROM refund WHERE id = :id", id=first) == "staff"
    assert support.open("refunds", first) == set()
    assert manager.open("refunds", first) == {"approve_refund", "reject_refund"}
    assert manager.codes("approve_refund", first)[:2] == ["step.refund.approve", "step.refund.send"]
    assert manager.tell("approve_refund", first) == "applied"
    assert manager.tell("reject_refund", second, reason="Уже был") == "applied"
    assert shop.state("refund", first) == "sent"
    assert manager.open("refunds", first) == {"retry_look_up_of_refund"}
    assert manager.tell("approve_refund", second) == "transition_refused"


def test_unknown_refund_is_settled_by_who_has_looked_at_the_provider(manager: Clerk, support: Clerk) -> None:
    shop = manager.shop
    paid = shop.pay()
    assert manager.tell("request_refund", paid.invoice_id, amount_minor=100, reason="Заболел") == "applied"
    (refund_id,) = shop.rows("SELECT id FROM refund WHERE studio_id = :studio")[0]
    assert manager.tell("approve_refund", refund_id) == "applied"
    assert shop.tell(shop.refunded(refund_id, paid, 100, outcome="unknown")) == ["applied"]
    assert "decline_refund" not in support.open("refunds", refund_id)
    assert manager.open("refunds", refund_id) == {"retry_look_up_of_refund", "decline_refund"}
    assert manager.tell("decline_refund", refund_id, reason="В кабинете нет") == "not_due"
    shop.rows(
        "UPDATE refund SET updated_at = updated_at - make_interval(hours => 1) WHERE id = :id", id=refund_id
    )
    assert manager.codes("decline_refund", refund_id, reason="В кабинете нет") == [
        "step.refund.decline",
        "event",
    ]
    assert manager.tell("decline_refund", refund_id, reason="В кабинете нет") == "applied"
    assert shop.state("refund", refund_id) == "declined"


def test_more_than_was_paid_is_refused_at_once(manager: Clerk) -> None:
    paid = manager.shop.pay()
    too_much = {"amount_minor": PRICE_MINOR + 1, "reason": "всё"}
    foreseen = manager.foresee("request_refund", paid.invoice_id, **too_much)
    assert foreseen.refusal == {"code": "nothing_refundable", "refundable_minor": PRICE_MINOR}
    with pytest.raises(Problem) as refused:
        manager.press("request_refund", paid.invoice_id, **too_much)
    assert (refused.value.status, refused.value.code) == (409, "nothing_refundable")
    assert manager.audits(paid.invoice_id) == []


def test_two_managers_who_refund_everything_at_once_give_it_back_once(manager: Clerk, owner: Clerk) -> None:
    paid = manager.shop.pay()
    everything = {"amount_minor": PRICE_MINOR, "reason": "всё"}
    with ThreadPoolExecutor(2) as pool:
        pressed = list(
            pool.map(
                lambda clerk: clerk.press("request_refund", paid.invoice_id, **everything), (manager, owner)
            )
        )
    assert sorted(manager.apply(done.operation).state for done in pressed) == ["applied", "refused"]


def test_unapplied_money_is_given_back_by_staff(manager: Clerk) -> None:
    shop = manager.shop
    stray = shop.paid(None, None)
    assert shop.tell(stray) == ["applied"]
    assert stray.payment_id is not None
    assert manager.open("received", stray.payment_id) == {"refund_received"}
    wish = {"amount_minor": PRICE_MINOR, "reason": "Чужие деньги"}
    assert manager.tell("refund_received", stray.payment_id, **wish) == "applied"
    refund_id = shop.one("SELECT id FROM refund WHERE provider_payment_id = :id", id=stray.payment_id)
    assert manager.tell("approve_refund", refund_id) == "applied"


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("void_invoice", {"reason": WHY}),
        ("request_refund", {"amount_minor": 1, "reason": WHY}),
        ("cancel_subscription", {}),
        ("cancel_subscription_at_period_end", {}),
        ("approve_refund", {}),
        ("retry_look_up_of_payment", {}),
        ("refund_received", {"amount_minor": 1, "reason": WHY}),
    ],
)
def test_what_belongs_to_another_studio_is_not_there(
    manager: Clerk, stranger: Clerk, name: str, fields: dict[str, object]
) -> None:
    shop = manager.shop
    paid = shop.pay()
    refund_id = new_id()
    assert shop.tell(shop.request(refund_id, paid, 1)) == ["applied"]
    subject_id = {
        "cancel_subscription": paid.subscription_id,
        "cancel_subscription_at_period_end": paid.subscription_id,
        "approve_refund": refund_id,
        "retry_look_up_of_payment": paid.attempt_id,
        "refund_received": paid.payment_id,
    }.get(name, paid.invoice_id)
    for attempt in (stranger.press, stranger.foresee):
        with pytest.raises(Problem) as absent:
            attempt(name, subject_id, **fields)
        assert absent.value.status == 404


def test_a_price_or_customer_of_another_studio_is_not_there(manager: Clerk, stranger: Clerk) -> None:
    foreign, own = stranger.shop, manager.shop
    for customer_id, price_id in ((own.customer_id, foreign.price_id), (foreign.customer_id, own.price_id)):
        with pytest.raises(Problem) as absent:
            manager.press("create_subscription", customer_id, price_id=price_id)
        assert absent.value.status == 404


def test_role_without_the_permission_neither_does_nor_foresees(support: Clerk) -> None:
    _, invoice_id = support.shop.subscribe()
    assert support.open("invoices", invoice_id) == set()
    for attempt in (support.press, support.foresee):
        with pytest.raises(Problem) as forbidden:
            attempt("void_invoice", invoice_id, reason=WHY)
        assert forbidden.value.status == 403


def test_foreseeing_writes_nothing_and_says_what_the_updater_then_does(manager: Clerk) -> None:
    shop = manager.shop
    subscription_id, invoice_id = shop.subscribe()
    foreseen = manager.foresee("void_invoice", invoice_id, reason=WHY)
    reached = {line.code: line.facts["to_state"] for line in foreseen.lines if line.code.startswith("step.")}
    assert shop.state("invoice", invoice_id) == "open"
    assert manager.tell("void_invoice", invoice_id, reason=WHY) == "applied"
    assert reached == {
        "step.invoice.void": shop.state("invoice", invoice_id),
        "step.subscription.cancel": shop.state("subscription", subscription_id),
    }
