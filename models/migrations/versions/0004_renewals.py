"""Renewals: invoices of a period, what customers are written, the log of events, runs of jobs."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

# The way back, last made first; what the revision before has of invariants is made from its own text.
DOWNGRADE = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM billbus_events, billbus_cron;
REVOKE SELECT (id, studio_id, locale) ON customer FROM billbus_events, billbus_cron;
REVOKE SELECT (id, studio_id, email, name, locale) ON customer FROM billbus_worker;
REVOKE SELECT ON plan, price, invoice_line FROM billbus_worker;
REVOKE INSERT ON outbox FROM billbus_worker;
REVOKE SELECT ON job_run, payment_attempt, refund, clock_offset FROM billbus_relay;
GRANT SELECT, INSERT, UPDATE ON job_run TO billbus_worker;
ALTER TABLE job_run DROP CONSTRAINT job_run_check, DROP CONSTRAINT job_run_outcome_check,
    DROP COLUMN done, DROP COLUMN problem;
DROP TRIGGER tell_of_parked ON command_journal;
DROP FUNCTION tell_of_parked_command(), tell_of_parked(command_journal);
DELETE FROM outbox WHERE kind IN ('command.parked', 'notification.failed', 'subscription.renewed', 'subscription.ending');
DELETE FROM inbox WHERE consumer IN ('integrations', 'notifications');
DROP TABLE event_log, notification;
ALTER TABLE invoice DROP COLUMN period_start, DROP COLUMN period_end;
DROP INDEX subscription_period_end, refund_unknown;
ALTER TABLE subscription DROP COLUMN cancel_at_period_end, DROP COLUMN anchor_at;
"""


def upgrade() -> None:
    op.execute(_text_of("0004_renewals"))


def downgrade() -> None:
    op.execute("DROP SCHEMA invariant CASCADE")
    op.execute(DOWNGRADE)
    op.execute(_text_of("0002_invariants"))
    invariants_of_0003 = _text_of("0003_admin").partition("-- What the world is told of goes by the step")
    op.execute("".join(invariants_of_0003[1:]))


def _text_of(revision_file: str) -> str:
    return Path(__file__).with_name(f"{revision_file}.sql").read_text("utf-8").replace(":", r"\:")
