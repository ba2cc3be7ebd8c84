"""Violations planted by hand, each against the view that must see it.

They run as the superuser with triggers and foreign keys off, as somebody with the disk in his hands could.
`{name}` is the id of that name in `History`.
"""

_TWICE = """
    INSERT INTO ledger_transfer (id, studio_id, debit_account_id, credit_account_id, amount_minor, currency,
        posting_id, causation_id, posted_at)
    SELECT gen_random_uuid(), studio_id, debit_account_id, credit_account_id, amount_minor, currency,
        posting_id, causation_id, posted_at
    FROM ledger_transfer WHERE posting_id = {subject}
"""

PLANTS: list[tuple[str, str]] = [
    (
        "always_event_of_applied_command",
        "UPDATE command_journal SET state = 'refused', problem = '1' WHERE kind = 'CreateSubscription'",
    ),
    (
        "always_event_of_applied_command",
        "UPDATE command_journal SET studio_id = gen_random_uuid() WHERE kind = 'CreateSubscription'",
    ),
    (
        "always_transfer_of_applied_command",
        "UPDATE ledger_transfer SET causation_id = gen_random_uuid() WHERE posting_id = {payment_id}",
    ),
    (
        "always_outbox_of_applied_command",
        "UPDATE outbox SET causation_id = gen_random_uuid() WHERE channel = 'task'",
    ),
    (
        "always_applied_command_has_effects",
        "UPDATE state_event SET command_id = gen_random_uuid() WHERE aggregate_id = {canceled_attempt_id}",
    ),
    ("always_result_names_what_exists", "DELETE FROM payment_attempt WHERE id = {canceled_attempt_id}"),
    ("always_result_names_what_exists", "DELETE FROM provider_payment WHERE id = {late_payment_id}"),
    ("always_command_body_is_as_accepted", "UPDATE command_journal SET body = body || ' '::bytea"),
    ("always_receivable_is_what_is_due", "UPDATE invoice SET state = 'open' WHERE id = {void_invoice_id}"),
    (
        "always_sales_are_what_was_invoiced",
        "UPDATE provider_payment SET refunded_minor = refunded_minor + 1 WHERE id = {payment_id}",
    ),
    ("always_clearing_is_what_providers_hold", "DELETE FROM ledger_transfer WHERE posting_id = {refund_id}"),
    (
        "always_unapplied_receipts_are_accounted",
        "UPDATE provider_payment SET amount_minor = amount_minor + 1 WHERE id = {unapplied_payment_id}",
    ),
    (
        "always_unapplied_refunds_are_accounted",
        "UPDATE refund SET amount_minor = amount_minor + 1 WHERE id = {early_refund_id}",
    ),
    ("always_balances_sum_to_zero", "DELETE FROM ledger_account WHERE kind = 'sales'"),
    ("always_payment_is_posted_once", _TWICE.replace("{subject}", "{payment_id}")),
    (
        "always_payment_is_posted_once",
        "DELETE FROM ledger_transfer WHERE posting_id = {unapplied_payment_id}",
    ),
    ("always_refund_is_posted_once", _TWICE.replace("{subject}", "{refund_id}")),
    ("always_refund_is_posted_once", "UPDATE refund SET state = 'declined' WHERE id = {refund_id}"),
    ("always_invoice_is_posted_once", _TWICE.replace("{subject}", "{paid_invoice_id}")),
    ("always_invoice_is_posted_once", "UPDATE invoice SET state = 'expired' WHERE id = {paid_invoice_id}"),
    (
        "always_posting_has_its_subject",
        "UPDATE ledger_transfer SET posting_id = gen_random_uuid() WHERE posting_id = {payment_id}",
    ),
    (
        "always_posting_has_its_subject",
        "UPDATE ledger_transfer SET debit_account_id = credit_account_id,"
        " credit_account_id = debit_account_id WHERE posting_id = {payment_id}",
    ),
    (
        "always_invoice_paid_is_matched_money",
        "UPDATE provider_payment SET amount_minor = amount_minor - 1 WHERE id = {payment_id}",
    ),
    (
        "always_invoice_refunded_is_given_back",
        "UPDATE invoice SET refunded_minor = refunded_minor + 1 WHERE id = {paid_invoice_id}",
    ),
    ("always_invoice_state_fits_its_sums", "UPDATE invoice SET state = 'paid' WHERE id = {paid_invoice_id}"),
    ("always_invoice_total_is_its_lines", "DELETE FROM invoice_line WHERE invoice_id = {void_invoice_id}"),
    ("always_invoice_numbers_are_gapless", "UPDATE invoice_counter SET last_number = last_number + 1"),
    ("always_invoice_numbers_are_gapless", "DELETE FROM invoice_counter"),
    (
        "always_invoice_numbers_are_gapless",
        "UPDATE invoice SET number = left(number, 4) || '-7' WHERE id = {paid_invoice_id}",
    ),
    (
        "always_invoice_numbers_are_gapless",
        "UPDATE invoice SET number = left(number, 4) || '-2' WHERE id = {paid_invoice_id}",
    ),
    ("always_invoice_numbers_are_gapless", "UPDATE invoice SET number = 'X' WHERE id = {paid_invoice_id}"),
    (
        "always_invoice_expired_in_time",
        "UPDATE state_event SET to_state = 'expired' WHERE to_state = 'void'",
    ),
    (
        "always_matched_payment_fits",
        "UPDATE provider_payment SET attempt_id = {declined_attempt_id} WHERE id = {payment_id}",
    ),
    (
        "always_attempt_pays_once",
        "UPDATE provider_payment SET invoice_id = {paid_invoice_id}, unapplied_reason = NULL"
        " WHERE id = {unapplied_payment_id}",
    ),
    (
        "always_succeeded_attempt_has_money",
        "UPDATE payment_attempt SET state = 'declined' WHERE id = {paid_attempt_id}",
    ),
    ("always_paid_subscription_is_active", "UPDATE subscription SET state = 'incomplete'"),
    ("always_active_subscription_was_paid", "UPDATE invoice SET state = 'void' WHERE id = {paid_invoice_id}"),
    (
        "always_one_live_attempt",
        "DROP INDEX payment_attempt_live;"
        " UPDATE payment_attempt SET state = 'requires_action' WHERE invoice_id = {void_invoice_id}",
    ),
    (
        "always_one_live_attempt_ever",
        "UPDATE state_event SET occurred_at = occurred_at - interval '1 hour'"
        " WHERE aggregate_id = {canceled_attempt_id} AND version = 1",
    ),
    (
        "always_unknown_needs_evidence",
        "UPDATE command_journal SET principal = 'cron:expiry' WHERE principal = 'task:test'",
    ),
    ("always_answer_was_recorded", "DELETE FROM provider_call WHERE refund_id IS NULL"),
    (
        "always_one_live_call",
        "DROP INDEX provider_call_live_attempt;"
        " UPDATE provider_call SET outcome = NULL, finished_at = NULL"
        " WHERE attempt_id = {declined_attempt_id}",
    ),
    (
        "always_refunded_is_what_refunds_gave",
        "UPDATE provider_payment SET refunded_minor = refunded_minor - 1 WHERE id = {payment_id}",
    ),
    (
        "always_reserved_is_what_refunds_wait_for",
        "UPDATE provider_payment SET reserved_minor = reserved_minor - 1 WHERE id = {payment_id}",
    ),
    (
        "always_refunds_stay_within_captured",
        "UPDATE provider_payment SET reserved_minor = amount_minor WHERE id = {payment_id}",
    ),
    ("always_refund_fits_its_payment", "UPDATE refund SET currency = 'USD' WHERE id = {refund_id}"),
    (
        "always_versions_are_gapless",
        "DELETE FROM state_event WHERE aggregate_id = {subscription_id} AND version = 1",
    ),
    (
        "always_steps_follow",
        "UPDATE state_event SET from_state = 'canceled'"
        " WHERE aggregate_id = {subscription_id} AND version = 2",
    ),
    (
        "always_step_is_declared",
        "DELETE FROM machine_transition WHERE machine = 'invoice' AND to_state = 'paid'",
    ),
    (
        "always_row_is_its_last_event",
        "UPDATE invoice SET head_hash = sha256('') WHERE id = {paid_invoice_id}",
    ),
    ("always_row_is_its_last_event", "DELETE FROM state_event WHERE aggregate_id = {subscription_id}"),
    ("always_row_is_its_last_event", "DELETE FROM subscription"),
    (
        "always_terminal_states_stay",
        "INSERT INTO machine_transition (machine, from_state, to_state)"
        " VALUES ('payment', 'succeeded', 'declined')",
    ),
    (
        "always_terminal_states_stay",
        "UPDATE state_event SET from_state = 'succeeded'"
        " WHERE aggregate_id = {declined_attempt_id} AND version = 3",
    ),
    ("always_step_is_announced", "DELETE FROM outbox WHERE kind = 'invoice.paid'"),
    (
        "always_announcement_is_true",
        "UPDATE outbox SET kind = 'subscription.canceled' WHERE kind = 'subscription.activated'",
    ),
    (
        "always_error_is_true",
        "UPDATE outbox SET kind = 'command.parked', causation_id = gen_random_uuid()"
        " WHERE kind = 'invoice.paid'",
    ),
    ("always_error_is_true", "UPDATE outbox SET kind = 'notification.failed' WHERE kind = 'invoice.paid'"),
    (
        "always_parked_command_is_told",
        "UPDATE command_journal SET state = 'parked', problem = '1' WHERE state = 'refused'",
    ),
    (
        "always_message_is_planned_once",
        "ALTER TABLE notification"
        " DROP CONSTRAINT notification_studio_id_kind_subject_id_occasion_channel_key;"
        " INSERT INTO notification (id, studio_id, customer_id, kind, channel, subject_id, occasion, facts,"
        " causation_id, correlation_id, due_at)"
        " SELECT gen_random_uuid(), studio_id, customer_id, 'invoice_issued', 'email', id, '', '{{}}', id,"
        " '', now() FROM invoice, generate_series(1, 2) WHERE id = {paid_invoice_id}",
    ),
    (
        "always_period_is_invoiced_once",
        "DROP INDEX invoice_period; UPDATE invoice i SET subscription_id = r.subscription_id,"
        " period_start = r.period_start, period_end = r.period_end"
        " FROM invoice r WHERE i.id = {paid_invoice_id} AND r.id = {renewal_invoice_id}",
    ),
    (
        "always_paid_periods_tile",
        "UPDATE invoice SET period_start = period_start + interval '1 second'"
        " WHERE id = {renewal_invoice_id}",
    ),
    (
        "always_paid_periods_tile",
        "UPDATE invoice SET period_start = period_start - interval '1 second'"
        " WHERE id = {renewal_invoice_id}",
    ),
    (
        "always_current_period_is_the_last_paid",
        "UPDATE invoice SET state = 'open' WHERE id = {renewal_invoice_id}",
    ),
    (
        "always_current_period_is_the_last_paid",
        "UPDATE subscription SET current_period_end = current_period_end + interval '1 second'"
        " WHERE id = {subscription_id}",
    ),
    (
        "always_open_renewal_is_of_the_next_period",
        "UPDATE invoice SET state = 'open' WHERE id = {renewal_invoice_id}",
    ),
    (
        "always_open_renewal_is_of_the_next_period",
        "UPDATE invoice SET state = 'open' WHERE id = {renewal_invoice_id};"
        " UPDATE subscription SET cancel_at_period_end = false",
    ),
    (
        "always_unpaid_renewal_ends_its_subscription",
        "UPDATE invoice SET state = 'expired' WHERE id = {renewal_invoice_id}",
    ),
    (
        "always_unpaid_renewal_ends_its_subscription",
        "UPDATE invoice SET state = 'void' WHERE id = {renewal_invoice_id};"
        " UPDATE subscription SET cancel_at_period_end = false",
    ),
    ("always_sent_work_has_its_task", "DELETE FROM outbox WHERE channel = 'task' AND kind = 'send_refund'"),
    ("always_callback_has_its_command", "UPDATE callback_inbox SET command_id = gen_random_uuid()"),
    ("always_callback_command_was_heard", "DELETE FROM callback_inbox"),
    ("always_guards_stand", "ALTER TABLE state_event DISABLE TRIGGER append_only"),
    ("always_guards_stand", "DROP TRIGGER machine ON invoice"),
    ("always_history_cannot_be_written", "GRANT DELETE ON ledger_transfer TO billbus_updater"),
    ("always_history_cannot_be_written", "GRANT UPDATE (facts) ON state_event TO billbus_api"),
    ("always_history_cannot_be_written", "ALTER ROLE billbus_api BYPASSRLS"),
    (
        "always_foreign_keys_carry_the_studio",
        "ALTER TABLE refund ADD FOREIGN KEY (invoice_id) REFERENCES invoice (id)",
    ),
    ("always_tenant_tables_are_fenced", "ALTER TABLE customer DISABLE ROW LEVEL SECURITY"),
    ("always_tenant_tables_are_fenced", "CREATE POLICY wide ON customer TO billbus_api USING (true)"),
    ("always_tenant_tables_are_fenced", "CREATE TABLE forgotten (studio_id uuid)"),
    (
        "settled_command_is_answered",
        "UPDATE command_journal SET state = 'accepted', answered_at = NULL WHERE state = 'refused'",
    ),
    ("settled_outbox_is_empty", "UPDATE outbox SET published_at = NULL WHERE kind = 'invoice.paid'"),
    (
        "settled_events_are_consumed",
        "INSERT INTO inbox (consumer, event_id, studio_id, kind, schema_version, body, correlation_id)"
        " SELECT 'index', id, studio_id, kind, 1, '', '' FROM outbox WHERE kind = 'invoice.paid'",
    ),
    (
        "settled_no_call_is_out",
        "UPDATE provider_call SET outcome = NULL, finished_at = NULL WHERE refund_id = {refund_id}",
    ),
    (
        "settled_nothing_is_unknown",
        "UPDATE payment_attempt SET state = 'unknown' WHERE id = {paid_attempt_id}",
    ),
    ("settled_nothing_is_unknown", "UPDATE refund SET state = 'sent' WHERE id = {waiting_refund_id}"),
]
