"""Managers: sign-in of staff, invitations, notes, a fuller audit, lists, and what the admin may write."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

# The way back, last made first. Rows that only the new columns can tell apart go with them.
DOWNGRADE = """
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM billbus_admin;
REVOKE SELECT (id, studio_id, email, name, locale, created_at, metadata) ON customer FROM billbus_admin;
REVOKE ALL (id, studio_id, provider, public_id, api_url, widget_script_url, is_test, is_active, created_at,
    sealed_secret) ON provider_account FROM billbus_admin;
REVOKE SELECT (id, studio_id, customer_id, provider_account_id, card_mask, card_expires, created_at)
    ON payment_method FROM billbus_admin;
REVOKE SELECT (id, studio_id, email, name, role, created_at) ON staff_member FROM billbus_platform;
DELETE FROM machine_transition WHERE machine = 'subscription' AND from_state = to_state;
DROP INDEX command_journal_answered, payment_attempt_created, ledger_transfer_posted, command_journal_studio,
    state_event_command, refund_created, provider_payment_received, payment_attempt_state, subscription_price, subscription_state, invoice_state,
    audit_action, audit_principal, audit_subject;
ALTER TABLE audit DROP COLUMN before, DROP COLUMN after;
DROP FUNCTION customers_matching(text, integer);
DROP FUNCTION enter_studio_as_customer(uuid, uuid, uuid);
DROP INDEX customer_words;
DROP TABLE customer_note, sign_in_failure, invitation;
DROP INDEX session_staff_member;
DELETE FROM session WHERE kind <> 'refresh';
ALTER TABLE session DROP COLUMN kind, DROP COLUMN label;
ALTER TABLE staff_member DROP COLUMN locale, DROP COLUMN deactivated_at,
    DROP CONSTRAINT staff_member_role_check;
UPDATE staff_member SET role = 'ops' WHERE role = 'platform_admin';
ALTER TABLE staff_member
    ADD CONSTRAINT staff_member_role_check CHECK (role IN ('owner', 'manager', 'support', 'ops'))
"""


def upgrade() -> None:
    op.execute(Path(__file__).with_suffix(".sql").read_text("utf-8").replace(":", r"\:"))


def downgrade() -> None:
    op.execute(DOWNGRADE)
    # The invariants hold nothing, so they are dropped whole and made as the revision before has them.
    op.execute("DROP SCHEMA invariant CASCADE")
    invariants = Path(__file__).with_name("0002_invariants.sql").read_text("utf-8")
    op.execute(invariants.replace(":", r"\:"))
