"""The page of one thing: what belongs to it, and the one timeline of what happened."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from admin_api.listings import LISTINGS
from admin_api.listings.details.customers import customer_card
from admin_api.listings.details.invoices import invoice_detail
from admin_api.listings.details.parked import parked_detail
from admin_api.listings.details.payments import payment_detail, received_detail, refund_detail
from admin_api.listings.details.plans import plan_detail
from admin_api.listings.details.subscriptions import subscription_detail
from admin_api.queries.timeline import Moment
from kit.ids import derived_id, new_id
from state_updater.apply import Received
from storage.audit import write_audit
from storage.database import tenant
from storage.journal import accept
from storage.provider_calls import Subject
from tests.integration.admin_api.listings.conftest import DeskOf, Past
from tests.integration.state_updater.shops import PRICE_MINOR
from web.problems import Problem


def told(timeline: list[Moment]) -> list[tuple[str, str]]:
    return [(moment.kind, moment.what) for moment in timeline]


def in_order(wanted: list[tuple[str, str]], timeline: list[Moment]) -> bool:
    rest = iter(told(timeline))
    return all(one in rest for one in wanted)


def test_invoice_page_tells_everything_in_order(desk_of: DeskOf, past: Past) -> None:
    assert past.paid.invoice_id is not None
    invoice = invoice_detail(desk_of(past.office), past.paid.invoice_id)
    assert [(step.trigger, step.to_state) for step in invoice.path] == [
        ("draw", "draft"),
        ("open", "open"),
        ("pay", "paid"),
    ]
    assert invoice.allowed_triggers == ["refund"]
    assert [(line.quantity, line.amount.amount_minor) for line in invoice.lines] == [(1, PRICE_MINOR)]
    assert [attempt.id for attempt in invoice.attempts] == [past.paid.attempt_id]
    assert [(call.kind, call.outcome) for call in invoice.calls] == [("look_up", "unknown")]
    assert [received.id for received in invoice.received] == [past.paid.payment_id]
    assert [refund.id for refund in invoice.refunds] == [past.refund_id]
    assert ("customer_receivable", "sales") in {(row.debit, row.credit) for row in invoice.ledger}
    assert in_order(
        [
            ("command", "CreateSubscription"),
            ("command", "StartPayment"),
            ("command", "RecordPaymentOutcome"),
            ("answer", "RecordPaymentOutcome"),
            ("call", "look_up"),
            ("command", "RequestRefund"),
            ("answer", "RequestRefund"),
        ],
        invoice.timeline,
    )
    assert {"callback", "event"} <= {moment.kind for moment in invoice.timeline}
    assert all(moment.outcome == "applied" for moment in invoice.timeline if moment.kind == "answer")
    assert [moment.at for moment in invoice.timeline] == sorted(moment.at for moment in invoice.timeline)


def test_timeline_has_the_subscription_that_the_money_began(desk_of: DeskOf, past: Past) -> None:
    assert past.paid.invoice_id is not None
    invoice = invoice_detail(desk_of(past.office), past.paid.invoice_id)
    steps = {(one.machine, one.what) for one in invoice.timeline if one.kind == "event"}
    assert {("subscription", "create"), ("subscription", "activate"), ("payment", "succeed")} <= steps


def _give(past: Past, command_id: UUID, action: str, subject_id: UUID, principal: str) -> None:
    with past.office.shop.owner.begin() as connection:
        write_audit(
            connection,
            studio_id=past.office.shop.studio_id,
            principal=principal,
            action=action,
            subject_id=subject_id,
            remote_address=None,
            correlation_id="test",
            facts={"command_id": str(command_id)},
        )


def test_refused_command_of_staff_is_told_with_who_gave_it_and_why_not(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    desk = desk_of(past.office, "manager")
    assert past.paid.invoice_id is not None
    received: Received = shop.accept(
        shop.void(past.paid.invoice_id, past.paid.subscription_id), desk.principal
    )
    _give(past, received.command_id, "VoidInvoice", past.paid.invoice_id, desk.principal)
    assert shop.apply([received])[0].state == "refused"
    timeline = invoice_detail(desk, past.paid.invoice_id).timeline
    (given,) = (one for one in timeline if one.what == "VoidInvoice" and one.kind == "command")
    (answer,) = (one for one in timeline if one.what == "VoidInvoice" and one.kind == "answer")
    assert given.who is not None
    assert (given.who.kind, given.who.name) == ("staff", "Manager")
    assert (answer.outcome, answer.code) == ("refused", "transition_refused")
    assert answer.command_id == received.command_id


def test_answer_of_a_look_up_is_told_even_if_it_changed_nothing(desk_of: DeskOf, other_past: Past) -> None:
    shop = other_past.office.shop
    subscription_id, invoice_id, attempt_id = shop.offer("link")
    call_id = shop.call("look_up", Subject("attempt_id", attempt_id, shop.studio_id, "test"), "pending")
    command = shop.outcome("pending", attempt_id, invoice_id, subscription_id)
    with tenant(shop.worker, shop.studio_id) as connection:
        accept(
            connection,
            command,
            command_id=derived_id("task", call_id, "pending"),
            request_hash=b"x",
            principal=f"task:{call_id}",
            correlation_id="test",
            causation_id=call_id,
        )
    timeline = payment_detail(desk_of(other_past.office), attempt_id).timeline
    assert in_order([("call", "look_up"), ("command", "RecordPaymentOutcome")], timeline)
    with shop.owner.begin() as connection:
        connection.execute(text("DELETE FROM command_journal WHERE principal = :p"), {"p": f"task:{call_id}"})


def test_money_pages_tell_their_own_story(desk_of: DeskOf, past: Past) -> None:
    desk = desk_of(past.office)
    assert past.paid.attempt_id is not None
    assert past.paid.payment_id is not None
    attempt = payment_detail(desk, past.paid.attempt_id)
    assert [step.to_state for step in attempt.path][-1] == "succeeded"
    assert [one.id for one in attempt.received] == [past.paid.payment_id]
    refund = refund_detail(desk, past.refund_id)
    assert refund.allowed_triggers == ["approve", "reject", "withdraw"]
    assert [one.id for one in refund.received] == [past.paid.payment_id]
    assert told(refund.timeline) == [
        ("command", "RequestRefund"),
        ("event", "request"),
        ("answer", "RequestRefund"),
    ]
    received = received_detail(desk, past.paid.payment_id)
    assert [one.id for one in received.refunds] == [past.refund_id]
    assert in_order([("callback", "pay"), ("event", "succeed")], received.timeline)
    stray = received_detail(desk, past.stray_id)
    assert {one.credit for one in stray.ledger} == {"unapplied_receipts"}
    assert in_order([("command", "RecordPaymentOutcome")], stray.timeline)


def test_subscription_page_has_its_invoices_and_what_was_written_down(desk_of: DeskOf, past: Past) -> None:
    assert past.paid.subscription_id is not None
    subscription = subscription_detail(desk_of(past.office), past.paid.subscription_id)
    assert subscription.metadata == {"hall": 3}
    assert [one.id for one in subscription.invoices] == [past.paid.invoice_id]
    assert subscription.allowed_triggers == ["change", "renew", "let_end", "cancel"]
    assert [step.trigger for step in subscription.path] == ["create", "activate"]


def test_customer_card_has_it_all_and_the_sums(desk_of: DeskOf, past: Past) -> None:
    shop = past.office.shop
    card = customer_card(desk_of(past.office), shop.customer_id)
    assert (card.paid.amount_minor, card.refunded.amount_minor) == (PRICE_MINOR, 0)
    owed = shop.one(
        "SELECT sum(total_minor) FROM invoice WHERE customer_id = :id AND state = 'open'", id=shop.customer_id
    )
    assert (card.open.amount_minor, card.open.currency) == (owed, "RUB")
    assert {past.paid.invoice_id, past.open_invoice_id} <= {one.id for one in card.invoices}
    assert past.paid.attempt_id in {one.id for one in card.payments}
    assert [one.id for one in card.refunds] == [past.refund_id]
    assert [(note.body, note.who.name) for note in card.notes] == [("Prefers mornings", "Owner")]
    assert "register" in {one.action for one in card.audit}


def test_support_sees_the_card_without_the_audit(desk_of: DeskOf, past: Past) -> None:
    card = customer_card(desk_of(past.office, "support"), past.office.shop.customer_id)
    assert card.invoices
    assert card.audit == []


def test_parked_command_is_shown_as_it_came(desk_of: DeskOf, past: Past) -> None:
    parked = parked_detail(desk_of(past.office), past.parked_id)
    assert isinstance(parked.body, dict)
    assert parked.body["invoice_id"] == str(past.open_invoice_id)
    assert parked.problem == {"code": "invariant_violated"}
    assert parked.schema_version == 1
    _give(past, past.parked_id, "replay_command", past.parked_id, "cli:somebody")
    history = parked_detail(desk_of(past.office), past.parked_id).history
    assert [(one.action, one.who.kind, one.who.name) for one in history] == [
        ("replay_command", "cli", "somebody")
    ]


@pytest.mark.parametrize("body", [None, b"\xff\xfe", b"[1,", b'"\\ud800"'])
def test_parked_body_that_is_no_json_is_shown_all_the_same(
    desk_of: DeskOf, past: Past, body: bytes | None
) -> None:
    shop = past.office.shop
    before = shop.one("SELECT body FROM command_journal WHERE command_id = :id", id=past.parked_id)
    change = text("UPDATE command_journal SET body = :body WHERE command_id = :id")
    with shop.owner.begin() as connection:
        connection.execute(change, {"id": past.parked_id, "body": body})
    parked = parked_detail(desk_of(past.office), past.parked_id)
    with shop.owner.begin() as connection:
        connection.execute(change, {"id": past.parked_id, "body": before})
    assert (parked.body is None) == (body is None)
    assert parked.model_dump_json()


def test_plan_tells_which_price_holds_now_and_which_is_coming(desk_of: DeskOf, other_past: Past) -> None:
    shop = other_past.office.shop
    now = datetime.now(UTC)
    late, current = (
        shop.add_price(300, now + timedelta(days=30)),
        shop.add_price(200, now - timedelta(days=1)),
    )
    plan = plan_detail(desk_of(other_past.office), shop.plan_id)
    standing = {one.id: (one.standing, one.active_subscriptions) for one in plan.prices}
    assert standing[late] == ("coming", 0)
    assert standing[current] == ("current", 0)
    assert standing[shop.price_id] == ("current", 1)
    newer = shop.add_price(250, now - timedelta(hours=1))
    standing = {one.id: one.standing for one in plan_detail(desk_of(other_past.office), shop.plan_id).prices}  # type: ignore[misc]
    assert (standing[newer], standing[current]) == ("current", "past")


@pytest.mark.parametrize("name", LISTINGS)
def test_absent_thing_is_not_found(desk_of: DeskOf, past: Past, name: str) -> None:
    detail = LISTINGS[name].detail
    assert detail is not None
    with pytest.raises(Problem) as absent:
        detail(desk_of(past.office), new_id())
    assert absent.value.status == 404
