"""Leave to take money of which the provider never told the end: it is asked, whatever its attempt is."""

from uuid import UUID

import pytest

from billing.payments import ADMISSION_ASKED_DAYS
from kit.ids import new_id
from state_updater.tasks.sweeps import sweep
from tests.integration.state_updater.shops import PRICE_MINOR
from tests.integration.state_updater.stages import TOTAL_MINOR
from tests.integration.state_updater.terminals import Terminal

UNHEARD_OF = "999999999"


def _offer_page(terminal: Terminal, attempt_id: UUID) -> None:
    terminal.start(attempt_id)
    assert terminal.apply_waiting() == ["requires_action"]


def _try(terminal: Terminal, attempt_id: UUID, button: str) -> str:
    """Pressed on the page; the provider's id of the transaction, of which no callback tells."""
    terminal.press(attempt_id, button)
    tries = [*terminal.books("captures"), *terminal.books("declines")]
    return str(max(int(each["transaction_id"]) for each in tries))


def _lose_hold(terminal: Terminal, button: str | None) -> tuple[UUID, UUID]:
    """Leave was given, the payer did his part or none, and the hold is over: (booking, attempt)."""
    booking_id, invoice_id, attempt_id = terminal.shop.awaiting(method="link")
    _offer_page(terminal, attempt_id)
    transaction_id = UNHEARD_OF if button is None else _try(terminal, attempt_id, button)
    terminal.shop.admit(invoice_id, attempt_id, transaction_id)
    sweep()
    assert terminal.sent_tasks() == []
    terminal.shop.pass_deadline(booking_id, minutes=16)
    sweep()
    assert terminal.apply_waiting() == ["ExpireHold"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "canceled"
    return booking_id, attempt_id


def _sweep_and_ask(terminal: Terminal, attempt_id: UUID) -> None:
    sweep()
    assert set(terminal.sent_tasks()) == {("look_up_payment", str(attempt_id))}
    terminal.look_up(attempt_id)


def _make_due(terminal: Terminal) -> None:
    terminal.shop.rows(
        "UPDATE provider_call SET next_at = clock_timestamp()"
        " WHERE studio_id = :studio AND next_at IS NOT NULL"
    )


def _is_closed(terminal: Terminal) -> bool:
    return bool(
        terminal.shop.one(
            "SELECT bool_and(closed_at IS NOT NULL) FROM check_admission WHERE studio_id = :studio"
        )
    )


def _nobody_asks(terminal: Terminal) -> bool:
    """What `billbus verify --settled` says of this studio."""
    finding = (
        "SELECT count(*) FROM invariant.settled_unanswered_admission_is_asked_about WHERE studio_id = :studio"
    )
    return terminal.shop.one(finding) == 1


def _assert_nothing_more_is_asked(terminal: Terminal, attempt_id: UUID) -> None:
    asked = terminal.requests("payments/get")
    _make_due(terminal)
    sweep()
    for _ in terminal.sent_tasks():
        terminal.look_up(attempt_id)
    assert terminal.requests("payments/get") == asked
    sweep()
    assert terminal.sent_tasks() == []
    assert not _nobody_asks(terminal)


def test_money_whose_callback_was_lost_finds_its_lost_booking(terminal: Terminal) -> None:
    booking_id, attempt_id = _lose_hold(terminal, "pay")
    _sweep_and_ask(terminal, attempt_id)
    assert not _nobody_asks(terminal)
    assert terminal.apply_waiting() == ["succeeded"]
    assert terminal.shop.state("booking", booking_id) == "confirmed"
    assert terminal.shop.state("payment_attempt", attempt_id) == "succeeded"
    assert terminal.shop.balances() == {"provider_clearing": TOTAL_MINOR, "sales": -TOTAL_MINOR}
    assert _is_closed(terminal)
    _assert_nothing_more_is_asked(terminal, attempt_id)


def test_money_whose_callback_was_lost_goes_back_when_the_time_is_taken(terminal: Terminal) -> None:
    booking_id, attempt_id = _lose_hold(terminal, "pay")
    terminal.shop.held(terminal.shop.offer_of(13), customer_id=terminal.shop.add_customer())
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"]
    assert terminal.shop.state("booking", booking_id) == "expired"
    sent = terminal.shop.rows("SELECT amount_minor, state FROM refund WHERE studio_id = :studio")
    assert sent == [(TOTAL_MINOR, "sent")]
    assert _is_closed(terminal)


def test_what_the_provider_declined_is_closed_and_changes_nothing(terminal: Terminal) -> None:
    booking_id, attempt_id = _lose_hold(terminal, "decline")
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["declined"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "canceled"
    assert terminal.shop.state("booking", booking_id) == "expired"
    assert _is_closed(terminal)
    _assert_nothing_more_is_asked(terminal, attempt_id)


def test_what_is_never_found_is_asked_about_for_days_and_then_told_to_people(terminal: Terminal) -> None:
    _, attempt_id = _lose_hold(terminal, None)
    _sweep_and_ask(terminal, attempt_id)
    sweep()
    assert terminal.sent_tasks() == []
    for _ in range(2):
        _make_due(terminal)
        _sweep_and_ask(terminal, attempt_id)
        assert not _nobody_asks(terminal)
    terminal.age_calls(minutes=ADMISSION_ASKED_DAYS * 24 * 60)
    _sweep_and_ask(terminal, attempt_id)
    sweep()
    assert terminal.sent_tasks() == []
    assert [call for call in terminal.calls() if call[0] == "look_up"] == [("look_up", "not_found")] * 4
    assert terminal.apply_waiting() == []
    assert terminal.shop.state("payment_attempt", attempt_id) == "canceled"
    assert not _is_closed(terminal)
    assert _nobody_asks(terminal)
    assert terminal.shop.tell(terminal.shop.retry(attempt_id)) == ["applied"]
    terminal.look_up(attempt_id)
    assert terminal.calls()[-1] == ("look_up", "not_found")


def test_the_first_question_is_never_too_late(terminal: Terminal) -> None:
    """Nothing ran for long, or a studio's clock was moved on."""
    booking_id, attempt_id = _lose_hold(terminal, "pay")
    terminal.shop.rows(
        "UPDATE check_admission SET admitted_at = admitted_at - make_interval(days => :days)"
        " WHERE studio_id = :studio",
        days=2 * ADMISSION_ASKED_DAYS,
    )
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"]
    assert terminal.shop.state("booking", booking_id) == "confirmed"


@pytest.mark.parametrize("fault", ["error_500_before_effect", "not_json"])
def test_an_answer_that_cannot_be_read_closes_nothing(terminal: Terminal, fault: str) -> None:
    _, attempt_id = _lose_hold(terminal, "pay")
    terminal.twin.script({"point": "payments/get", "kind": fault})
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.calls()[-1] == ("look_up", "unknown")
    assert terminal.apply_waiting() == []
    assert not _is_closed(terminal)
    _make_due(terminal)
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"]


def test_what_was_told_is_asked_again_until_it_is_applied(terminal: Terminal) -> None:
    _, attempt_id = _lose_hold(terminal, "pay")
    _sweep_and_ask(terminal, attempt_id)
    _make_due(terminal)
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"] * 2
    count = "SELECT count(*) FROM provider_payment WHERE studio_id = :studio"
    assert terminal.shop.one(count) == 1


def test_money_for_an_invoice_without_a_booking_is_found_too(terminal: Terminal) -> None:
    invoice_id, attempt_id = new_id(), new_id()
    shop = terminal.shop
    assert shop.tell(shop.issue(invoice_id), shop.start(attempt_id, invoice_id, "link")) == ["applied"] * 2
    _offer_page(terminal, attempt_id)
    shop.admit(invoice_id, attempt_id, _try(terminal, attempt_id, "pay"))
    assert shop.tell(shop.void(invoice_id)) == ["payment_in_progress"]
    _let_leave_lapse(terminal)
    assert shop.tell(shop.void(invoice_id)) == ["applied"]
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"]
    assert (
        shop.one("SELECT unapplied_reason FROM provider_payment WHERE studio_id = :studio") == "invoice_void"
    )
    assert _is_closed(terminal)


def _let_leave_lapse(terminal: Terminal) -> None:
    terminal.shop.rows(
        "UPDATE check_admission SET admitted_at = admitted_at - interval '301 seconds'"
        " WHERE studio_id = :studio"
    )


def test_money_of_an_attempt_that_another_has_replaced_pays_the_invoice(terminal: Terminal) -> None:
    shop = terminal.shop
    _, invoice_id, attempt_id = terminal.offer_link()
    _offer_page(terminal, attempt_id)
    shop.admit(invoice_id, attempt_id, _try(terminal, attempt_id, "pay"))
    _let_leave_lapse(terminal)
    newer_id = new_id()
    assert shop.tell(shop.start(newer_id, invoice_id, "widget")) == ["applied"]
    assert shop.state("payment_attempt", attempt_id) == "canceled"
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["succeeded"]
    assert shop.state("invoice", invoice_id) == "paid"
    assert shop.state("payment_attempt", newer_id) == "canceled"
    assert shop.balances() == {"provider_clearing": PRICE_MINOR, "sales": -PRICE_MINOR}


def test_a_transaction_before_the_last_one_is_asked_about_by_its_own_id(terminal: Terminal) -> None:
    subscription_id, invoice_id, attempt_id = terminal.offer_link()
    _offer_page(terminal, attempt_id)
    terminal.shop.admit(invoice_id, attempt_id, _try(terminal, attempt_id, "decline"))
    _let_leave_lapse(terminal)
    paid = terminal.shop.paid(
        attempt_id, invoice_id, subscription_id, transaction_id=_try(terminal, attempt_id, "pay")
    )
    assert terminal.shop.tell(paid) == ["applied"]
    assert not _is_closed(terminal)
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["declined"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "succeeded"
    assert _is_closed(terminal)


def test_a_decline_is_told_of_while_the_page_is_open(terminal: Terminal) -> None:
    _, invoice_id, attempt_id = terminal.offer_link()
    _offer_page(terminal, attempt_id)
    terminal.shop.admit(invoice_id, attempt_id, _try(terminal, attempt_id, "decline"))
    _let_leave_lapse(terminal)
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.apply_waiting() == ["declined"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "requires_action"
    assert _is_closed(terminal)


def test_a_decline_says_nothing_of_another_transaction_that_may_be_moving_money(terminal: Terminal) -> None:
    subscription_id, invoice_id, attempt_id = terminal.offer_link()
    _offer_page(terminal, attempt_id)
    terminal.shop.admit(invoice_id, attempt_id, _try(terminal, attempt_id, "decline"))
    _let_leave_lapse(terminal)
    pending = terminal.shop.outcome("pending", attempt_id, invoice_id, subscription_id)
    assert terminal.shop.tell(pending) == ["applied"]
    terminal.twin.script({"point": "payments/find", "kind": "error_500_before_effect"})
    _sweep_and_ask(terminal, attempt_id)
    assert terminal.calls()[-2:] == [("look_up", "unknown"), ("look_up", "declined")]
    assert terminal.apply_waiting() == []
    assert terminal.shop.state("payment_attempt", attempt_id) == "pending"
    assert not _is_closed(terminal)


def test_of_several_the_one_asked_about_longest_ago_is_next(terminal: Terminal) -> None:
    shop = terminal.shop
    booking_id, invoice_id, attempt_id = shop.awaiting(method="link")
    _offer_page(terminal, attempt_id)
    for transaction_id in ("11", "12"):
        shop.admit(invoice_id, attempt_id, transaction_id)
        _let_leave_lapse(terminal)
        shop.rows("UPDATE check_admission SET lapsed_at = admitted_at WHERE studio_id = :studio")
    shop.pass_deadline(booking_id)
    assert shop.tell(shop.expire_hold(booking_id)) == ["applied"]
    for _ in range(4):
        _sweep_and_ask(terminal, attempt_id)
        _make_due(terminal)
    asked = shop.rows(
        "SELECT request_id FROM provider_call WHERE attempt_id = :id AND kind = 'look_up'"
        " ORDER BY call_number",
        id=attempt_id,
    )
    assert asked == [("11",), ("12",)] * 2


def test_misses_of_a_transaction_prove_nothing_of_its_attempt(terminal: Terminal) -> None:
    """That nothing was sent is said after three misses of the attempt itself."""
    _, invoice_id, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": "orders/create", "kind": "cut_after_effect"})
    terminal.start(attempt_id)
    assert terminal.apply_waiting() == ["unknown"]
    terminal.shop.admit(invoice_id, attempt_id, UNHEARD_OF)
    _let_leave_lapse(terminal)
    terminal.age_calls(60)
    for _ in range(2):
        terminal.look_up(attempt_id)
        assert terminal.apply_waiting() == []
    assert [outcome for _, outcome in terminal.calls()] == ["unknown", *["not_found"] * 4]
    terminal.look_up(attempt_id)
    assert terminal.apply_waiting() == ["not_sent"]


def test_staff_may_have_it_asked_about_when_its_time_is_over(terminal: Terminal) -> None:
    shop = terminal.shop
    booking_id, invoice_id, attempt_id = shop.awaiting()
    shop.pass_deadline(booking_id, minutes=15)
    shop.admit(invoice_id, attempt_id)
    assert shop.tell(shop.expire_hold(booking_id), shop.retry(attempt_id)) == [
        "applied",
        "nothing_to_look_up",
    ]
    _let_leave_lapse(terminal)
    assert shop.tell(shop.retry(attempt_id)) == ["applied"]
    shop.rows("UPDATE check_admission SET closed_at = admitted_at WHERE studio_id = :studio")
    assert shop.tell(shop.retry(attempt_id)) == ["nothing_to_look_up"]
