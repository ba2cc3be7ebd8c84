"""Which holds, invoices and visits the worker's sweep finds, however many there are."""

from datetime import timedelta
from uuid import UUID

import pytest

import storage.bookings
import storage.invoices
from booking.rules.machine import EXPIRY_WAIT
from kit.ids import new_id
from storage.bookings import finished_bookings, overdue_holds
from storage.invoices import expired_invoices
from tests.integration.state_updater.stages import Stage


def _overdue(stage: Stage) -> list[UUID]:
    with stage.worker.begin() as connection:
        return [due.id for due in overdue_holds(connection) if due.studio_id == stage.studio_id]


@pytest.mark.parametrize("why", ["sent", "admitted"])
def test_who_waits_for_money_keeps_nobody_from_being_let_go(
    stage: Stage, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.bookings, "DUE_LIMIT", 1)
    waiting_id, invoice_id, attempt_id = stage.awaiting(method="link" if why == "sent" else "widget")
    left_id = stage.held(stage.offer_of(16))
    stage.pass_deadline(left_id, -0.1)
    if why == "admitted":
        stage.admit(invoice_id, attempt_id)
    stage.pass_deadline(left_id)
    assert _overdue(stage) == [left_id]
    assert stage.tell(stage.expire_hold(waiting_id), stage.expire_hold(left_id)) == [
        "payment_in_progress",
        "applied",
    ]
    assert _overdue(stage) == []
    stage.pass_deadline(waiting_id, EXPIRY_WAIT.total_seconds() / 60)
    assert _overdue(stage) == [waiting_id]
    assert stage.tell(stage.expire_hold(waiting_id)) == ["applied"]


def test_leave_that_is_over_is_not_waited_for(stage: Stage) -> None:
    booking_id, invoice_id, attempt_id = stage.awaiting()
    stage.pass_deadline(booking_id, -0.1)
    stage.admit(invoice_id, attempt_id)
    stage.pass_deadline(booking_id, 6)
    assert _overdue(stage) == [booking_id]
    assert stage.tell(stage.expire_hold(booking_id)) == ["applied"]


def test_the_longest_overdue_come_first_and_all_of_them_in_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.bookings, "DUE_LIMIT", 2)
    stage.set_studio(holds_limit=10)
    held = [stage.held(stage.offer_of(hour, hour + 1)) for hour in range(5)]
    stage.pass_deadline(held[-1])
    found: list[UUID] = []
    while due := _overdue(stage):
        found += due
        assert stage.tell(*(stage.expire_hold(each) for each in due)) == ["applied"] * len(due)
    assert found == held


@pytest.mark.parametrize("why", ["sent", "admitted"])
def test_an_invoice_that_waits_for_money_keeps_no_other_from_being_closed(
    stage: Stage, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.invoices, "DUE_LIMIT", 1)
    waiting_id, left_id, attempt_id = new_id(), new_id(), new_id()
    start = stage.start(attempt_id, waiting_id, "link" if why == "sent" else "widget")
    assert stage.tell(stage.issue(waiting_id), start, stage.issue(left_id)) == ["applied"] * 3
    if why == "admitted":
        stage.admit(waiting_id, attempt_id)
    for invoice_id in (waiting_id, left_id):
        stage.rows("UPDATE invoice SET expires_at = clock_timestamp() WHERE id = :id", id=invoice_id)
    with stage.worker.begin() as connection:
        assert [due.id for due in expired_invoices(connection)] == [left_id]
    assert stage.tell(stage.expire(waiting_id), stage.expire(left_id)) == ["payment_in_progress", "applied"]
    with stage.worker.begin() as connection:
        assert expired_invoices(connection) == []


def test_visits_are_finished_page_by_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage.bookings, "DUE_LIMIT", 1)
    visits = []
    for hour in (12, 14):
        booking_id = stage.held(stage.offer_of(hour), origin="staff")
        stage.tell(stage.check_out(booking_id, payment="on_site", origin="staff"))
        visits.append(booking_id)
    stage.set_clock(stage.at(17) + timedelta(seconds=1))
    found = []
    for _ in visits:
        with stage.worker.begin() as connection:
            (due,) = finished_bookings(connection)
        found.append(due.id)
        assert stage.tell(stage.complete(due.id)) == ["applied"]
    assert found == visits
