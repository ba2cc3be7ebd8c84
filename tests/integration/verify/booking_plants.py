"""Violations planted in bookings, each against the view that must see it, and what only looks like one.

As in `plants`; `{name}` is also the id of that name in `Visits`.
"""

_TIMES_OF = """jsonb_build_object('starts_at', {0}.facts -> 'starts_at', 'ends_at', {0}.facts -> 'ends_at')"""


def _held_when(booking: str, other: str) -> str:
    """The events say that `booking` was held for the time of `other`."""
    times = _TIMES_OF.format("other")
    return (
        f"UPDATE state_event e SET facts = e.facts || {times} FROM state_event other"  # noqa: S608
        f" WHERE e.aggregate_id = {{{booking}}} AND e.trigger = 'hold'"
        f" AND other.aggregate_id = {{{other}}} AND other.trigger = 'hold'"
    )


_SECOND = """
    INSERT INTO occupancy (id, studio_id, hall_id, kind, starts_at, ends_at, created_at, released_at)
    SELECT gen_random_uuid(), studio_id, hall_id, 'external', ends_at - interval '1 minute',
        ends_at + interval '1 year', created_at, released_at
    FROM occupancy WHERE booking_id = {booking}
"""
_DROP_FENCE = "ALTER TABLE occupancy DROP CONSTRAINT occupancy_never_twice"
_SMALLER_STOCK = "UPDATE extra SET stock = 1 WHERE id = {extra_id}"
_STAYS_UNREFUNDED = "DELETE FROM refund WHERE origin = 'terms' AND invoice_id IS NULL"

_UNANSWERED = "UPDATE check_admission SET admitted_at = now() - interval '16 minutes'"
_ASKED = """
    INSERT INTO provider_call (id, studio_id, kind, attempt_id, call_number, request_id, body_hash,
        started_at, lease_until, outcome, finished_at, next_at)
    SELECT gen_random_uuid(), studio_id, 'look_up', attempt_id, 1000, transaction_id, '', now(), now(),
        'not_found', now(), {next} FROM check_admission
"""

BOOKING_PLANTS: list[tuple[str, str]] = [
    (
        "always_applied_command_has_effects",
        "UPDATE occupancy SET id = gen_random_uuid() WHERE kind = 'blackout'",
    ),
    ("always_result_names_what_exists", "DELETE FROM booking WHERE id = {expired_id}"),
    ("always_no_hall_is_taken_twice", f"{_DROP_FENCE}; {_SECOND.replace('{booking}', '{paid_id}')}"),
    ("always_no_hall_is_taken_twice", f"{_DROP_FENCE}; {_SECOND.replace('{booking}', '{held_id}')}"),
    # Nothing stands any more, and it stood all the same.
    ("always_no_hall_is_taken_twice", _SECOND.replace("{booking}", "{canceled_id}")),
    ("always_no_hall_was_given_twice", _held_when("held_id", "paid_id")),
    (
        "always_no_hall_was_given_twice",
        "DELETE FROM state_event WHERE aggregate_id = {lost_id} AND trigger = 'expire'",
    ),
    (
        "always_no_hall_was_given_twice",
        "DELETE FROM state_event WHERE aggregate_id = {no_show_id} AND trigger = 'mark_no_show'",
    ),
    # Held after the hold before was lost, and before that was given again.
    ("always_no_hall_was_given_twice", _held_when("taker_id", "reinstated_id")),
    (
        "always_booking_is_where_its_events_put_it",
        "UPDATE booking SET ends_at = ends_at + interval '15 minutes' WHERE id = {moved_id}",
    ),
    (
        "always_booking_is_where_its_events_put_it",
        "UPDATE state_event SET trigger = 'check_out' WHERE aggregate_id = {held_id}",
    ),
    (
        "always_booking_has_its_hall",
        "UPDATE occupancy SET released_at = created_at WHERE booking_id = {paid_id}",
    ),
    ("always_booking_has_its_hall", "UPDATE occupancy SET kind = 'hold' WHERE booking_id = {completed_id}"),
    (
        "always_booking_has_its_hall",
        "UPDATE occupancy SET ends_at = ends_at - interval '31 minutes' WHERE booking_id = {paid_id}",
    ),
    (
        "always_booking_has_its_hall",
        "UPDATE occupancy SET hall_id = {other_hall_id} WHERE booking_id = {held_id}",
    ),
    ("always_booking_has_its_hall", "UPDATE booking SET state = 'canceled' WHERE id = {held_id}"),
    ("always_booking_has_its_hall", "UPDATE booking SET state = 'no_show' WHERE id = {completed_id}"),
    ("always_booking_has_its_hall", "UPDATE booking SET state = 'completed' WHERE id = {no_show_id}"),
    ("always_extra_is_with_its_booking", "UPDATE booking SET state = 'expired' WHERE id = {held_id}"),
    (
        "always_extra_is_with_its_booking",
        "UPDATE extra_use SET released_at = NULL WHERE booking_id = {no_show_id}",
    ),
    (
        "always_extra_is_with_its_booking",
        "UPDATE extra_use SET ends_at = ends_at - interval '1 hour' WHERE booking_id = {held_id}",
    ),
    ("always_extras_stay_within_stock", _SMALLER_STOCK),
    (
        "always_extras_stay_within_stock",
        "UPDATE extra_use u SET starts_at = held.starts_at + interval '1 hour', ends_at = held.ends_at"
        " FROM extra_use held WHERE u.booking_id = {resold_id} AND held.booking_id = {held_id}",
    ),
    (
        "always_booking_total_is_its_lines",
        "UPDATE booking SET total_minor = total_minor + 1 WHERE id = {held_id}",
    ),
    ("always_booking_total_is_its_lines", "UPDATE booking SET lines = '[]' WHERE id = {held_id}"),
    (
        "always_invoice_fits_its_booking",
        "UPDATE invoice SET customer_id = gen_random_uuid() WHERE id = {awaiting_invoice_id}",
    ),
    ("always_paid_booking_is_honored", "UPDATE booking SET state = 'expired' WHERE id = {paid_id}"),
    ("always_paid_booking_is_honored", "UPDATE invoice SET state = 'void' WHERE booking_id = {paid_id}"),
    ("always_paid_booking_is_honored", "UPDATE booking SET payment = 'online' WHERE id = {no_show_id}"),
    (
        "always_awaited_payment_has_its_invoice",
        "UPDATE invoice SET state = 'expired' WHERE id = {awaiting_invoice_id}",
    ),
    (
        "always_awaited_payment_has_its_invoice",
        "UPDATE invoice SET expires_at = expires_at + interval '1 second' WHERE id = {awaiting_invoice_id}",
    ),
    (
        "always_awaited_payment_has_its_invoice",
        "UPDATE booking SET state = 'canceled' WHERE id = {awaiting_id}",
    ),
    (
        "always_canceled_booking_gives_back",
        "DELETE FROM refund WHERE invoice_id IN (SELECT id FROM invoice WHERE booking_id = {canceled_id})",
    ),
    (
        "always_canceled_booking_gives_back",
        "UPDATE state_event SET facts = facts || '{{\"refund_percent\": 51}}'"
        " WHERE aggregate_id = {canceled_id} AND trigger = 'cancel'",
    ),
    ("always_late_money_is_answered", _STAYS_UNREFUNDED),
    ("always_late_money_is_answered", "DELETE FROM outbox WHERE kind = 'payment.unapplied'"),
    (
        "always_hold_expired_in_time",
        "UPDATE booking SET hold_expires_at = hold_expires_at + interval '1 minute' WHERE id = {expired_id}",
    ),
    (
        "always_one_open_admission",
        "DROP INDEX check_admission_open; INSERT INTO check_admission (id, studio_id, provider_account_id,"
        " invoice_id, attempt_id, transaction_id, admitted_at) SELECT gen_random_uuid(), studio_id,"
        " provider_account_id, invoice_id, attempt_id, 'other', admitted_at FROM check_admission",
    ),
    ("always_admission_is_of_its_attempt", "UPDATE check_admission SET invoice_id = {lost_invoice_id}"),
    ("always_admission_is_of_its_attempt", "UPDATE check_admission SET attempt_id = gen_random_uuid()"),
    (
        "always_admitted_invoice_stays",
        "UPDATE check_admission SET invoice_id = e.aggregate_id, admitted_at = e.occurred_at"
        " - interval '299 seconds' FROM state_event e"
        " WHERE e.aggregate_id = {lost_invoice_id} AND e.trigger = 'expire'",
    ),
    (
        "always_terminal_states_stay",
        "INSERT INTO machine_transition VALUES ('booking', 'no_show', 'canceled')",
    ),
    ("always_guards_stand", _DROP_FENCE),
    ("always_guards_stand", "DROP TRIGGER machine ON booking"),
    ("always_guards_stand", "ALTER TABLE tariff DISABLE TRIGGER append_only"),
    ("always_history_cannot_be_written", "GRANT UPDATE (rates) ON tariff TO billbus_admin"),
    (
        "settled_no_hold_is_overdue",
        "UPDATE booking SET hold_expires_at = now() - interval '21 minutes' WHERE id = {awaiting_id}",
    ),
    ("settled_unanswered_admission_is_asked_about", _UNANSWERED),
    # What was asked and is not asked again asks nothing.
    ("settled_unanswered_admission_is_asked_about", f"{_UNANSWERED}; {_ASKED.replace('{next}', 'NULL')}"),
]


def _audited(action: str, subject: str, column: str, before: str) -> str:
    """The admin has changed this column."""
    return f"""
        INSERT INTO audit (id, studio_id, principal, action, subject_id, before, after, correlation_id)
        SELECT gen_random_uuid(), studio_id, 'staff:test', '{action}', {subject},
            jsonb_build_object('{column}', {before}), '{{{{}}}}', ''
        FROM hall WHERE id = {{hall_id}}
    """  # noqa: S608  # our own words


# Changed as the admin changes it: what was promised before still holds.
NO_VIOLATIONS: list[tuple[str, str]] = [
    (
        "always_extras_stay_within_stock",
        "; ".join([_SMALLER_STOCK, _audited("change_extra", "{extra_id}", "stock", "2")]),
    ),
    (
        "always_extras_stay_within_stock",
        "; ".join([_SMALLER_STOCK, _audited("change_extra", "{extra_id}", "stock", "NULL")]),
    ),
    (
        "always_late_money_is_answered",
        "; ".join(
            [_STAYS_UNREFUNDED, _audited("change_booking_terms", "studio_id", "late_money", "'staff'")]
        ),
    ),
    (
        "always_late_money_is_answered",
        "; ".join([_STAYS_UNREFUNDED, "UPDATE studio SET late_money = 'staff'"]),
    ),
    (
        "settled_unanswered_admission_is_asked_about",
        f"{_UNANSWERED}; {_ASKED.replace('{next}', 'now() + interval $$1 hour$$')}",
    ),
    (
        "settled_unanswered_admission_is_asked_about",
        f"{_UNANSWERED}, closed_at = now()",
    ),
    # The second begins as the first ends.
    (
        "always_no_hall_is_taken_twice",
        _SECOND.replace("{booking}", "{canceled_id}").replace(" - interval '1 minute'", ""),
    ),
]
