"""Giving money back: asked for, decided on, sent, made elsewhere, heard of too early or too late."""

from uuid import UUID

import pytest

from billing.refunds import SEEN_AFTER
from bus.messages import RecordPaymentOutcome
from kit.ids import new_id
from state_updater.tasks.payments import REPEAT_WITHIN
from storage.provider_calls import Subject
from tests.integration.state_updater.shops import PRICE_MINOR, Shop, said


def _sums(shop: Shop, paid: RecordPaymentOutcome) -> tuple[int, int]:
    """(refunded, reserved) of a payment."""
    ((refunded, reserved),) = shop.rows(
        "SELECT refunded_minor, reserved_minor FROM provider_payment WHERE id = :id", id=paid.payment_id
    )
    return refunded, reserved


def _sent(shop: Shop, paid: RecordPaymentOutcome, amount_minor: int) -> UUID:
    """A refund that has gone to the worker, whose call is on record."""
    refund_id = new_id()
    assert (
        shop.tell(shop.request(refund_id, paid, amount_minor), shop.approve(refund_id, paid))
        == ["applied"] * 2
    )
    shop.call("refund", Subject("refund_id", refund_id, shop.studio_id, "test"))
    return refund_id


def test_a_refund_waits_for_staff_and_then_goes_out_once(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = new_id()
    (asked,) = shop.send(shop.request(refund_id, paid, 50_000))
    assert asked.result == {"refund_id": str(refund_id), "state": "requested"}
    assert _sums(shop, paid) == (0, 50_000)
    assert shop.tell(shop.approve(refund_id, paid), shop.approve(refund_id, paid)) == [
        "applied",
        "transition_refused",
    ]
    tasks = shop.rows("SELECT kind, body FROM outbox WHERE studio_id = :studio AND channel = 'task'")
    assert tasks == [("send_refund", {"refund_id": str(refund_id), "studio_id": str(shop.studio_id)})]
    shop.call("refund", Subject("refund_id", refund_id, shop.studio_id, "test"))
    assert shop.tell(shop.refunded(refund_id, paid, 50_000)) == ["applied"]
    assert _sums(shop, paid) == (50_000, 0)
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "partially_refunded"
    assert shop.balances() == {"provider_clearing": PRICE_MINOR - 50_000, "sales": 50_000 - PRICE_MINOR}


def test_a_studio_may_approve_by_itself(shop: Shop) -> None:
    shop.rows("UPDATE studio SET refund_policy = 'automatic' WHERE id = :studio")
    paid = shop.pay()
    (answer,) = shop.send(shop.request(new_id(), paid, 1))
    assert answer.result is not None
    assert answer.result["state"] == "sent"


def test_a_rejected_refund_frees_its_sum(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = new_id()
    assert shop.tell(
        shop.request(refund_id, paid, PRICE_MINOR),
        shop.request(new_id(), paid, 1),
        shop.reject(refund_id, paid),
        shop.reject(refund_id, paid),
        shop.approve(refund_id, paid),
        shop.request(new_id(), paid, 1),
    ) == ["applied", "exceeds_refundable", "applied", "transition_refused", "transition_refused", "applied"]
    assert _sums(shop, paid) == (0, 1)


def test_refunds_of_one_group_see_what_the_others_reserved(shop: Shop) -> None:
    paid = shop.pay()
    answers = shop.send(*(shop.request(new_id(), paid, 60_000) for _ in range(4)))
    assert [said(answer) for answer in answers] == [
        "applied",
        "applied",
        "exceeds_refundable",
        "exceeds_refundable",
    ]
    assert answers[2].problem == {"code": "exceeds_refundable", "refundable_minor": 29_000}


def test_a_whole_refund_in_two_parts_ends_refunded(shop: Shop) -> None:
    paid = shop.pay()
    for amount_minor in (100_000, 49_000):
        refund_id = _sent(shop, paid, amount_minor)
        shop.tell(shop.refunded(refund_id, paid, amount_minor))
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "refunded"
    assert shop.balances() == {}
    assert shop.tell(shop.request(new_id(), paid, 1)) == ["exceeds_refundable"]


def test_the_same_refund_told_twice_is_counted_once(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = _sent(shop, paid, 50_000)
    told = shop.refunded(refund_id, paid, 50_000)
    first, second = shop.send(told, told)
    assert first.state == "applied"
    assert second.result == {"refund_id": str(refund_id), "unchanged": True}
    assert _sums(shop, paid) == (50_000, 0)


def test_a_declined_refund_frees_its_sum_and_may_still_be_found_made(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = _sent(shop, paid, 50_000)
    shop.tell(shop.refunded(refund_id, paid, outcome="declined", decline_code="5204"))
    assert _sums(shop, paid) == (0, 0)
    assert shop.tell(shop.refunded(refund_id, paid, 50_000)) == ["applied"]
    assert shop.state("refund", refund_id) == "succeeded"
    assert _sums(shop, paid) == (50_000, 0)


def test_a_declined_refund_that_was_made_takes_the_place_of_those_that_only_wait(shop: Shop) -> None:
    paid = shop.pay()
    refund_id, waiting_id = _sent(shop, paid, PRICE_MINOR), new_id()
    shop.tell(shop.refunded(refund_id, paid, outcome="declined"))
    assert shop.tell(shop.request(waiting_id, paid, PRICE_MINOR)) == ["applied"]
    assert shop.tell(shop.refunded(refund_id, paid)) == ["applied"]
    assert shop.state("refund", waiting_id) == "withdrawn"
    assert _sums(shop, paid) == (PRICE_MINOR, 0)


def test_an_unknown_refund_keeps_its_sum(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = _sent(shop, paid, PRICE_MINOR)
    shop.tell(shop.refunded(refund_id, paid, outcome="unknown"))
    assert shop.state("refund", refund_id) == "unknown"
    assert _sums(shop, paid) == (0, PRICE_MINOR)
    assert shop.tell(shop.request(new_id(), paid, 1)) == ["exceeds_refundable"]
    assert shop.tell(shop.refunded(refund_id, paid)) == ["applied"]
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "refunded"


def test_an_unknown_refund_that_the_provider_never_made_frees_its_sum_when_somebody_has_looked(
    shop: Shop,
) -> None:
    paid = shop.pay()
    refund_id = _sent(shop, paid, 60_000)
    assert shop.tell(shop.decline(refund_id, paid)) == ["not_due"], "its answer may be on the way"
    assert shop.tell(shop.refunded(refund_id, paid, 60_000, outcome="unknown")) == ["applied"]
    assert shop.tell(shop.decline(refund_id, paid)) == ["not_due"], "it may still be sent again"
    assert REPEAT_WITHIN < SEEN_AFTER
    shop.rows(
        "UPDATE refund SET updated_at = updated_at - make_interval(hours => 1) WHERE id = :id", id=refund_id
    )
    (answer,) = shop.apply([shop.accept(shop.decline(refund_id, paid), "staff:test")])
    assert answer.state == "applied"
    assert (shop.state("refund", refund_id), _sums(shop, paid)) == ("declined", (0, 0))
    # Somebody has looked in the wrong place: money that has gone is a fact.
    assert shop.tell(shop.refunded(refund_id, paid, 60_000)) == ["applied"]
    assert (shop.state("refund", refund_id), _sums(shop, paid)) == ("succeeded", (60_000, 0))


@pytest.mark.parametrize("outcome", ["declined", "unknown"])
def test_only_success_makes_a_refund_that_nobody_asked_for(shop: Shop, outcome: str) -> None:
    paid = shop.pay()
    assert shop.tell(shop.refunded(new_id(), paid, outcome=outcome)) == ["not_found"]


def test_a_refund_in_the_cabinet_is_a_fact(shop: Shop) -> None:
    paid = shop.pay()
    refund_id = new_id()
    assert shop.tell(shop.refunded(refund_id, paid, 1_000)) == ["applied"]
    ((state, origin),) = shop.rows("SELECT state, origin FROM refund WHERE id = :id", id=refund_id)
    assert (state, origin) == ("succeeded", "provider")
    assert _sums(shop, paid) == (1_000, 0)


def test_a_refund_in_the_cabinet_withdraws_waiting_ones_as_far_as_needed(shop: Shop) -> None:
    paid = shop.pay()
    first, second, third = new_id(), new_id(), new_id()
    shop.tell(
        shop.request(first, paid, 60_000),
        shop.request(second, paid, 60_000),
        shop.request(third, paid, 20_000),
    )
    assert shop.tell(shop.refunded(new_id(), paid, 70_000)) == ["applied"]
    states = [shop.state("refund", each) for each in (first, second, third)]
    assert states == ["withdrawn", "withdrawn", "requested"]
    assert _sums(shop, paid) == (70_000, 20_000)


def test_one_that_is_out_is_not_withdrawn_and_what_exceeds_goes_to_unapplied(shop: Shop) -> None:
    paid = shop.pay()
    out = _sent(shop, paid, 100_000)
    shop.tell(shop.refunded(new_id(), paid, 100_000))
    assert shop.state("refund", out) == "sent"
    assert shop.tell(shop.refunded(out, paid, 100_000)) == ["applied"]
    assert _sums(shop, paid) == (PRICE_MINOR, 0)
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "refunded"
    assert shop.balances() == {"unapplied_refunds": 51_000, "provider_clearing": -51_000}


def test_a_refund_of_unapplied_money_leaves_invoices_alone(shop: Shop) -> None:
    paid = shop.pay()
    second = shop.paid(paid.attempt_id, paid.invoice_id, paid.subscription_id)
    shop.tell(second, shop.refunded(new_id(), second.model_copy(update={"invoice_id": None})))
    assert shop.state("invoice", UUID(str(paid.invoice_id))) == "paid"
    assert shop.balances() == {"provider_clearing": PRICE_MINOR, "sales": -PRICE_MINOR}


def test_staff_may_give_unapplied_money_back_and_a_customer_may_not_ask_for_it(shop: Shop) -> None:
    stray = shop.paid(None, None, customer_id=None)
    shop.tell(stray)
    asked = shop.request(new_id(), stray, 1_000, customer_id=shop.customer_id)
    by_staff = shop.request(new_id(), stray, 1_000, origin="staff")
    assert shop.tell(asked, by_staff) == ["not_found", "applied"]


@pytest.mark.parametrize("parts", [(9_000,), (4_000, 5_000), (PRICE_MINOR,)])
def test_a_refund_heard_of_before_its_payment_finds_its_place(shop: Shop, parts: tuple[int, ...]) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    nameless = {"customer_id": None, "payment_id": None, "invoice_id": None, "currency": None}
    for part in parts:
        assert shop.tell(shop.refunded(new_id(), paid, part, **nameless)) == ["applied"]
    assert shop.balances()["unapplied_refunds"] == sum(parts)
    assert shop.tell(paid) == ["applied"]
    assert _sums(shop, paid) == (sum(parts), 0)
    expected = "refunded" if sum(parts) == PRICE_MINOR else "partially_refunded"
    assert shop.state("invoice", invoice_id) == expected
    assert "unapplied_refunds" not in shop.balances()


def test_a_refund_accepted_before_its_payment_was_known_and_applied_after_it_counts(shop: Shop) -> None:
    """The callback saw no payment yet: it names no customer, payment or invoice."""
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    nameless = {"customer_id": None, "payment_id": None, "invoice_id": None, "currency": None}
    late = shop.accept(shop.refunded(new_id(), paid, 9_000, **nameless))
    assert shop.tell(paid) == ["applied"]
    (answer,) = shop.apply([late])
    assert answer.state == "applied"
    assert _sums(shop, paid) == (9_000, 0)
    assert shop.state("invoice", invoice_id) == "partially_refunded"
    told = shop.rows("SELECT body FROM outbox WHERE studio_id = :studio AND kind = 'invoice.refunded'")
    assert [body["customer_id"] for (body,) in told] == [str(shop.customer_id)]


def test_an_early_refund_of_more_than_was_taken_leaves_the_excess(shop: Shop) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    shop.tell(shop.refunded(new_id(), paid, PRICE_MINOR + 500, payment_id=None, invoice_id=None), paid)
    assert shop.state("invoice", invoice_id) == "refunded"
    assert shop.balances() == {"unapplied_refunds": 500, "provider_clearing": -500}


def test_a_refund_in_another_currency_than_its_payment_stays_unapplied(shop: Shop) -> None:
    paid = shop.pay()
    assert shop.tell(shop.refunded(new_id(), paid, 100, currency="USD")) == ["applied"]
    assert _sums(shop, paid) == (0, 0)


def test_a_refund_without_a_sum_is_parked(shop: Shop) -> None:
    paid = shop.pay()
    told = [shop.refunded(new_id(), paid, provider_refund_id=None), shop.refunded(new_id(), paid)]
    told[1] = told[1].model_copy(update={"amount_minor": None})
    assert shop.tell(*told) == ["money_without_sum"] * 2


def test_foreign_ids_read_as_absent_ones(shop: Shop, other_shop: Shop) -> None:
    paid, foreign = shop.pay(), other_shop.pay()
    refund_id, foreign_id = new_id(), new_id()
    shop.tell(shop.request(refund_id, paid, 1_000))
    other_shop.tell(other_shop.request(foreign_id, foreign, 1_000))
    stranger = shop.add_customer()
    answers = shop.send(
        shop.request(new_id(), foreign, 1_000, customer_id=shop.customer_id),
        shop.request(new_id(), paid, 1_000, customer_id=stranger),
        shop.request(new_id(), paid, 1_000, invoice_id=None),
        shop.request(new_id(), paid, 1_000, payment_id=new_id()),
        shop.approve(foreign_id, foreign, customer_id=shop.customer_id),
        shop.approve(refund_id, paid, customer_id=stranger),
        shop.reject(refund_id, foreign, customer_id=shop.customer_id),
        shop.approve(new_id(), paid),
    )
    assert [said(answer) for answer in answers] == ["not_found"] * len(answers)
    assert all(set(answer.problem or {}) == {"code", "what", "id"} for answer in answers)
    assert shop.state("refund", refund_id) == "requested"


def test_a_refund_is_looked_up_only_while_it_is_out(shop: Shop) -> None:
    paid, refund_id = shop.pay(), new_id()
    shop.tell(shop.request(refund_id, paid, 5_000))
    assert shop.tell(shop.retry(refund_id=refund_id)) == ["nothing_to_look_up"]
    shop.tell(shop.approve(refund_id, paid))
    (answer,) = shop.send(shop.retry(refund_id=refund_id))
    assert (answer.state, answer.result) == ("applied", {"refund_id": str(refund_id)})
    assert shop.state("refund", refund_id) == "sent"
    shop.tell(shop.refunded(refund_id, paid, 5_000))
    assert shop.tell(shop.retry(refund_id=refund_id)) == ["nothing_to_look_up"]
