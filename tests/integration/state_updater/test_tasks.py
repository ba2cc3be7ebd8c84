"""The worker's tasks against the real twin: recorded before any byte leaves, once at the provider, unknown
until there is evidence. Task functions run in this process; what they want sent lies in a Celery folder.
"""

import threading
from uuid import UUID

import pytest
from celery import current_app
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from bus.messages import RetryLookUp
from kit.ids import new_id
from state_updater.tasks import desk as desk_module
from state_updater.tasks import sweeps
from state_updater.tasks.sweeps import sweep
from storage.provider_calls import Subject, begin_call
from tests.contract.providers.terminals import until
from tests.integration.state_updater.shops import PRICE_MINOR, Shop
from tests.integration.state_updater.stages import TOTAL_MINOR
from tests.integration.state_updater.terminals import Terminal

CREATE, REFUND = "orders/create", "payments/refund"


def test_a_page_is_asked_for_and_offered(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.start(attempt_id)
    assert terminal.calls() == [("create", "requires_action")]
    assert terminal.apply_waiting() == ["requires_action"]
    ((state, url),) = terminal.shop.rows(
        "SELECT state, redirect_url FROM payment_attempt WHERE id = :id", id=attempt_id
    )
    assert state == "requires_action"
    assert url.startswith(terminal.twin.url)


def test_every_call_is_told_of_under_the_correlation_id_of_its_request(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    with capture_logs([merge_contextvars]) as lines:
        terminal.start(attempt_id)
    (line,) = [line for line in lines if line["event"] == "provider was called"]
    assert (line["trace.id"], line["attempt_id"]) == ("test", str(attempt_id))
    assert (line["kind"], line["outcome"]) == ("create", "requires_action")


def test_the_call_is_on_record_before_any_byte_leaves(terminal: Terminal) -> None:
    """While the provider is still answering, everybody can read that it was asked."""
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": "slow", "milliseconds": 1500})
    calling = threading.Thread(target=terminal.start, args=[attempt_id])
    calling.start()
    try:
        until(lambda: terminal.books("orders"), "the provider's page")
        assert terminal.calls() == [("create", None)], "the provider was asked without a record"
    finally:
        calling.join()


def test_a_task_that_runs_twice_asks_once(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    for _ in range(3):
        terminal.start(attempt_id)
    assert terminal.requests(CREATE) == 1
    terminal.apply_waiting()
    terminal.start(attempt_id)
    assert terminal.requests(CREATE) == 1


def test_a_call_that_is_out_keeps_a_second_task_from_calling(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.shop.call(
        "create", Subject("attempt_id", attempt_id, terminal.shop.studio_id, "test"), outcome=None
    )
    terminal.start(attempt_id)
    terminal.look_up(attempt_id)
    assert terminal.calls() == [("create", None)]
    assert terminal.requests(CREATE) == 0
    terminal.age_calls(10)
    sweep()
    terminal.apply_waiting()


@pytest.mark.parametrize(
    "fault", ["cut_after_effect", "error_500_after_effect", "error_500_before_effect", "not_json"]
)
def test_a_lost_answer_is_unknown_and_looking_up_resolves_it_with_the_same_request(
    terminal: Terminal, fault: str
) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": fault})
    terminal.start(attempt_id)
    assert terminal.apply_waiting() == ["unknown"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "unknown"
    terminal.look_up(attempt_id)
    assert terminal.calls() == [
        ("create", "unknown"),
        ("look_up", "not_found"),
        ("create", "requires_action"),
    ]
    assert terminal.apply_waiting() == ["requires_action"]
    assert len(terminal.books("orders")) == 1


def test_nothing_went_out_is_said_only_of_a_request_that_was_the_first(terminal: Terminal) -> None:
    """A repeat that finds the provider's door shut proves nothing about the request before it."""
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": "cut_after_effect"})
    terminal.start(attempt_id)
    terminal.apply_waiting()
    _shut_door(terminal)
    terminal.start(attempt_id)
    assert terminal.calls()[-1] == ("create", "unknown")
    terminal.apply_waiting()
    assert terminal.shop.state("payment_attempt", attempt_id) == "unknown"


def _shut_door(terminal: Terminal) -> None:
    terminal.shop.rows("UPDATE provider_account SET api_url = 'http://127.0.0.1:9' WHERE studio_id = :studio")
    for client in desk_module.desk()._clients.values():
        client.close()
    desk_module.desk()._clients.clear()


def test_what_never_left_is_not_sent(terminal: Terminal) -> None:
    subscription_id, invoice_id, attempt_id = terminal.offer_link()
    _shut_door(terminal)
    terminal.start(attempt_id)
    assert terminal.apply_waiting() == ["not_sent"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "not_sent"
    assert terminal.shop.tell(terminal.shop.start(new_id(), invoice_id)) == ["applied"]
    assert subscription_id is not None


def test_a_forgotten_request_is_never_repeated(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": "cut_after_effect"})
    terminal.start(attempt_id)
    terminal.apply_waiting()
    terminal.age_calls(55)
    terminal.start(attempt_id)
    terminal.look_up(attempt_id)
    assert terminal.calls() == [("create", "unknown"), ("create", "unknown"), ("look_up", "not_found")]
    cause = terminal.shop.one(
        "SELECT answer ->> 'cause' FROM provider_call WHERE studio_id = :studio AND call_number = 2"
    )
    assert cause == "request_id_forgotten"
    assert terminal.requests(CREATE) == 1
    terminal.apply_waiting()
    assert terminal.shop.state("payment_attempt", attempt_id) == "unknown"


def test_absence_proves_something_only_late_and_said_often(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": "cut_after_effect"})
    terminal.start(attempt_id)
    terminal.apply_waiting()
    terminal.age_calls(60)
    for seen in ("unknown", "unknown", "not_sent"):
        terminal.look_up(attempt_id)
        terminal.apply_waiting()
        assert terminal.shop.state("payment_attempt", attempt_id) == seen


def test_a_lost_task_is_sent_again(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    sweep()
    assert terminal.sent_tasks() == []
    terminal.shop.rows(
        "UPDATE payment_attempt SET updated_at = updated_at - interval '1 minute' WHERE id = :id",
        id=attempt_id,
    )
    sweep()
    assert terminal.sent_tasks() == [("start_payment", str(attempt_id))]


def test_a_worker_that_never_came_back_leaves_unknown_and_a_look_up(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.shop.call(
        "create", Subject("attempt_id", attempt_id, terminal.shop.studio_id, "test"), outcome=None
    )
    sweep()
    assert terminal.calls() == [("create", None)]
    terminal.age_calls(10)
    sweep()
    assert terminal.calls() == [("create", "unknown")]
    assert terminal.apply_waiting() == ["unknown"]
    tasks = terminal.sent_tasks()
    sweep()
    assert [*tasks, *terminal.sent_tasks()] == [("look_up_payment", str(attempt_id))]


def test_a_late_answer_replaces_the_unknown_of_its_lease(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.twin.script({"point": CREATE, "kind": "slow", "milliseconds": 1200})
    calling = threading.Thread(target=terminal.start, args=[attempt_id])
    calling.start()
    until(lambda: terminal.calls() == [("create", None)], "the record")
    terminal.age_calls(10)
    sweep()
    assert terminal.apply_waiting() == ["unknown"]
    calling.join()
    assert terminal.calls() == [("create", "requires_action")]
    assert terminal.apply_waiting() == ["requires_action"]
    assert terminal.shop.state("payment_attempt", attempt_id) == "requires_action"


def test_a_silent_page_is_asked_about_and_its_money_found(terminal: Terminal) -> None:
    told = terminal.pay_link()
    assert told.amount_minor == PRICE_MINOR
    assert terminal.shop.state("invoice", UUID(str(told.invoice_id))) == "paid"


def test_a_declined_try_that_is_looked_up_again_and_again_is_no_news(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.offer_link()
    terminal.start(attempt_id)
    assert terminal.apply_waiting() == ["requires_action"]
    terminal.press(attempt_id, "decline")
    for _ in range(2):
        terminal.look_up(attempt_id)
        assert terminal.apply_waiting() == []
    assert terminal.calls()[1:] == [("look_up", "declined")] * 2
    assert terminal.shop.state("payment_attempt", attempt_id) == "requires_action"


def test_what_has_come_to_rest_is_not_asked_about_for_ever(terminal: Terminal) -> None:
    """The callback came between two look-ups: the due time of the next one must go."""
    subscription_id, invoice_id, attempt_id = terminal.offer_link()
    terminal.start(attempt_id)
    terminal.apply_waiting()
    terminal.shop.tell(terminal.shop.paid(attempt_id, invoice_id, subscription_id))
    for _ in range(2):
        terminal.shop.rows(
            "UPDATE provider_call SET next_at = clock_timestamp()"
            " WHERE studio_id = :studio AND next_at IS NOT NULL"
        )
        sweep()
        for _, subject in terminal.sent_tasks():
            terminal.look_up(UUID(subject))
    assert (
        terminal.shop.rows("SELECT FROM provider_call WHERE studio_id = :studio AND next_at IS NOT NULL")
        == []
    )
    sweep()
    assert terminal.sent_tasks() == []


def test_an_invoice_whose_time_is_over_gets_one_expiry_per_window(terminal: Terminal) -> None:
    subscription_id, invoice_id, _ = terminal.shop.offer("widget")
    terminal.shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    sweep()
    sweep()
    assert terminal.apply_waiting() in (["ExpireInvoice"], ["ExpireInvoice"] * 2)  # a window may end between
    assert terminal.shop.state("invoice", invoice_id) == "expired"
    assert terminal.shop.state("subscription", subscription_id) == "canceled"
    sweep()
    assert terminal.apply_waiting() == []


def test_a_hold_whose_time_is_over_gets_one_expiry_per_window(terminal: Terminal) -> None:
    booking_id = terminal.shop.held()
    sweep()
    assert terminal.apply_waiting() == []
    terminal.shop.pass_deadline(booking_id)
    sweep()
    sweep()
    assert terminal.apply_waiting() in (["ExpireHold"], ["ExpireHold"] * 2)  # a window may end between
    assert terminal.shop.state("booking", booking_id) == "expired"
    sweep()
    assert terminal.apply_waiting() == []


def test_a_hold_that_waits_for_money_is_let_go_when_its_wait_is_over(terminal: Terminal) -> None:
    booking_id, invoice_id, attempt_id = terminal.shop.awaiting()
    assert terminal.shop.tell(terminal.shop.outcome("pending", attempt_id, invoice_id)) == ["applied"]
    terminal.shop.pass_deadline(booking_id)
    sweep()
    # Nor is its invoice, whose time is over too: that is left to it.
    assert terminal.apply_waiting() == []
    assert terminal.shop.state("booking", booking_id) == "awaiting_payment"
    terminal.shop.pass_deadline(booking_id, minutes=16)
    sweep()
    assert terminal.apply_waiting() == ["ExpireHold"]
    assert terminal.shop.state("booking", booking_id) == "expired"
    assert terminal.shop.state("invoice", invoice_id) == "expired"


def test_a_hold_whose_expiry_was_refused_gets_another_in_the_next_window(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money began to move after the sweep had looked."""
    booking_id, invoice_id, attempt_id = terminal.shop.awaiting()
    terminal.shop.pass_deadline(booking_id)
    monkeypatch.setattr(sweeps, "HOLD_WINDOW_SECONDS", 1)
    sweep()
    assert terminal.shop.tell(terminal.shop.outcome("pending", attempt_id, invoice_id)) == ["applied"]
    assert set(terminal.apply_waiting()) == {"ExpireHold"}
    assert terminal.shop.state("booking", booking_id) == "awaiting_payment"
    assert terminal.shop.tell(terminal.shop.outcome("declined", attempt_id, invoice_id)) == ["applied"]
    until(lambda: sweep() or terminal.apply_waiting() != [], "the hold is looked at again")
    assert terminal.shop.state("booking", booking_id) == "expired"


def test_the_invoice_of_a_surcharge_expires_as_any_other(terminal: Terminal) -> None:
    booking_id, _ = terminal.shop.confirmed()
    offer, invoice_id = terminal.shop.offer_of(20, total_minor=2 * TOTAL_MINOR), new_id()
    assert terminal.shop.tell(terminal.shop.move(booking_id, offer, invoice_id)) == ["applied"]
    terminal.shop.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    sweep()
    assert terminal.apply_waiting() == ["ExpireInvoice"]
    assert terminal.shop.state("invoice", invoice_id) == "expired"
    assert terminal.shop.state("booking", booking_id) == "confirmed"


def test_a_visit_that_is_over_is_completed_an_hour_later(terminal: Terminal) -> None:
    booking_id, _ = terminal.shop.confirmed()
    terminal.shop.set_clock(terminal.shop.at(14 + 59 / 60))
    sweep()
    assert terminal.apply_waiting() == []
    terminal.shop.set_clock(terminal.shop.at(15.01))
    sweep()
    sweep()
    assert terminal.apply_waiting() == ["CompleteBooking"]
    assert terminal.shop.state("booking", booking_id) == "completed"


def test_another_studios_clock_makes_nothing_due_here(terminal: Terminal, other_shop: Shop) -> None:
    booking_id = terminal.shop.held()
    other_shop.set_clock(terminal.shop.at(1_000))
    sweep()
    assert terminal.apply_waiting() == []
    assert terminal.shop.state("booking", booking_id) == "held"


def test_a_refund_is_sent_once_and_counted(terminal: Terminal) -> None:
    refund_id = terminal.approved_refund()
    for _ in range(3):
        terminal.send_refund(refund_id)
    assert terminal.requests(REFUND) == 1
    assert terminal.apply_waiting() == ["succeeded"]
    terminal.send_refund(refund_id)
    assert [each["amount_minor"] for each in terminal.books("refunds")] == [50_000]
    assert terminal.shop.state("refund", refund_id) == "succeeded"


@pytest.mark.parametrize(
    ("fault", "then"), [("cut_after_effect", "succeeded"), ("error_500_after_effect", "succeeded")]
)
def test_a_refund_whose_answer_was_lost_is_found_and_not_sent_again(
    terminal: Terminal, fault: str, then: str
) -> None:
    refund_id = terminal.approved_refund()
    terminal.twin.script({"point": REFUND, "kind": fault})
    terminal.send_refund(refund_id)
    assert terminal.apply_waiting() == ["unknown"]
    terminal.look_up_refund(refund_id)
    assert terminal.apply_waiting() == [then]
    assert terminal.requests(REFUND) == 1
    assert len(terminal.books("refunds")) == 1


def test_a_refund_that_never_had_an_effect_is_sent_again_while_it_is_the_same_request(
    terminal: Terminal,
) -> None:
    refund_id = terminal.approved_refund()
    terminal.twin.script({"point": REFUND, "kind": "error_500_before_effect"})
    terminal.send_refund(refund_id)
    terminal.apply_waiting()
    terminal.look_up_refund(refund_id)
    assert terminal.apply_waiting() == ["succeeded"]
    assert len(terminal.books("refunds")) == 1


def test_a_refund_that_the_provider_has_forgotten_is_never_sent_again(terminal: Terminal) -> None:
    refund_id = terminal.approved_refund()
    terminal.twin.script({"point": REFUND, "kind": "error_500_before_effect"})
    terminal.send_refund(refund_id)
    terminal.apply_waiting()
    terminal.age_calls(55)
    terminal.look_up_refund(refund_id)
    terminal.send_refund(refund_id)
    assert terminal.apply_waiting() in ([], ["unknown"])
    assert terminal.books("refunds") == []
    assert terminal.shop.state("refund", refund_id) == "unknown"


def test_a_refund_that_did_not_leave_stays_sent_and_is_due_again(terminal: Terminal) -> None:
    refund_id = terminal.approved_refund()
    _shut_door(terminal)
    terminal.send_refund(refund_id)
    assert terminal.apply_waiting() == []
    assert terminal.calls()[-1] == ("refund", "not_sent")
    assert terminal.shop.state("refund", refund_id) == "sent"
    terminal.age_calls(5)
    sweep()
    assert ("look_up_refund", str(refund_id)) in terminal.sent_tasks()


def test_a_lost_refund_task_and_a_dead_worker_are_seen_by_the_sweep(terminal: Terminal) -> None:
    refund_id = terminal.approved_refund()
    terminal.shop.rows(
        "UPDATE refund SET updated_at = updated_at - interval '1 minute' WHERE id = :id", id=refund_id
    )
    sweep()
    assert ("send_refund", str(refund_id)) in terminal.sent_tasks()
    with terminal.shop.worker.begin() as connection:
        subject = Subject("refund_id", refund_id, terminal.shop.studio_id, "test")
        begin_call(connection, subject, "refund", request_id=str(refund_id), body_hash=b"", lease_seconds=0.0)
    sweep()
    assert terminal.apply_waiting() == ["unknown"]
    assert terminal.shop.state("refund", refund_id) == "unknown"


def _run_wanted(terminal: Terminal, command: RetryLookUp) -> list[str]:
    """Applies the command and runs the task that it left in the outbox, as the relay would send it."""
    received = terminal.shop.accept(command, "staff:test")
    assert [answer.state for answer in terminal.shop.apply([received])] == ["applied"]
    wanted = terminal.shop.rows(
        "SELECT kind, body FROM outbox WHERE causation_id = :id AND channel = 'task'", id=received.command_id
    )
    for kind, body in wanted:
        current_app.tasks[kind](**body, correlation_id="test")
    return [kind for kind, _ in wanted]


def test_staff_need_not_wait_for_the_look_up_of_a_page(terminal: Terminal) -> None:
    _, invoice_id, attempt_id = terminal.offer_link()
    terminal.start(attempt_id)
    terminal.apply_waiting()
    terminal.press(attempt_id, "pay")
    assert _run_wanted(terminal, terminal.shop.retry(attempt_id)) == ["look_up_payment"]
    assert terminal.calls() == [("create", "requires_action"), ("look_up", "succeeded")]
    assert terminal.apply_waiting() == ["succeeded"]
    assert terminal.shop.state("invoice", invoice_id) == "paid"
    assert terminal.shop.tell(terminal.shop.retry(attempt_id)) == ["nothing_to_look_up"]


def test_staff_need_not_wait_for_the_look_up_of_a_refund(terminal: Terminal) -> None:
    refund_id = terminal.approved_refund()
    terminal.twin.script({"point": REFUND, "kind": "cut_after_effect"})
    terminal.send_refund(refund_id)
    assert terminal.apply_waiting() == ["unknown"]
    assert _run_wanted(terminal, terminal.shop.retry(refund_id=refund_id)) == ["look_up_refund"]
    assert terminal.apply_waiting() == ["succeeded"]
    assert terminal.requests(REFUND) == 1


def test_a_look_up_that_staff_wants_does_nothing_while_a_call_is_out(terminal: Terminal) -> None:
    _, _, attempt_id = terminal.shop.offer()
    subject = Subject("attempt_id", attempt_id, terminal.shop.studio_id, "test")
    terminal.shop.call("look_up", subject, outcome=None)
    assert _run_wanted(terminal, terminal.shop.retry(attempt_id)) == ["look_up_payment"]
    assert terminal.calls() == [("look_up", None)]
    terminal.age_calls(10)
    sweep()


def test_a_look_up_that_comes_too_late_asks_nobody(terminal: Terminal) -> None:
    """The callback is applied between the command and its task."""
    subscription_id, invoice_id, attempt_id = terminal.shop.offer()
    received = terminal.shop.accept(terminal.shop.retry(attempt_id), "staff:test")
    terminal.shop.apply([received])
    terminal.shop.tell(terminal.shop.paid(attempt_id, invoice_id, subscription_id))
    terminal.look_up(attempt_id)
    assert terminal.calls() == []
