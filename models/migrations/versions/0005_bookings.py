"""Bookings: halls, tariffs, extras, who is in a hall when, and leave to take money."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

# The way back, last made first; what the revision before has of invariants is made from its own text. A booking
# and its invoices are forgotten there, so what they did to the books would be too: it is refused once there is one.
DOWNGRADE = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM booking) THEN
        RAISE EXCEPTION 'There are bookings: what they did to invoices and books cannot be taken back.';
    END IF;
END $$;
REVOKE UPDATE (state, finished_at, problem) ON notification FROM billbus_events;
REVOKE SELECT ON invoice FROM billbus_relay;
DROP VIEW refund_owed;
DROP INDEX refund_promised;
DROP TABLE check_admission;
ALTER TABLE refund DROP CONSTRAINT refund_origin_check;
ALTER TABLE refund ADD CONSTRAINT refund_origin_check CHECK (origin IN ('customer', 'staff', 'provider'));
ALTER TABLE invoice DROP COLUMN booking_id;
DROP TABLE extra_use, occupancy, booking, extra, tariff, hall;
DELETE FROM machine_transition WHERE machine = 'booking';
ALTER TABLE studio DROP COLUMN hold_seconds, DROP COLUMN staff_hold_seconds, DROP COLUMN quote_seconds,
    DROP COLUMN holds_limit, DROP COLUMN on_site_limit, DROP COLUMN pays_on_site, DROP COLUMN late_money,
    DROP COLUMN reschedule_hours_before, DROP COLUMN cancellation_terms;
-- It may have been there before, of somebody else's.
DO $$ BEGIN
    DROP EXTENSION btree_gist;
EXCEPTION WHEN insufficient_privilege OR dependent_objects_still_exist THEN
    NULL;
END $$;
"""


def upgrade() -> None:
    op.execute(_text_of("0005_bookings"))


def downgrade() -> None:
    op.execute("DROP SCHEMA invariant CASCADE")
    op.execute(DOWNGRADE)
    op.execute(_text_of("0002_invariants"))
    for revision_file, heading in (
        ("0003_admin", "-- What the world is told of goes by the step"),
        ("0004_renewals", "-- ---------------------------------------------------------------- invariants"),
    ):
        op.execute("".join(_text_of(revision_file).partition(heading)[1:]))


def _text_of(revision_file: str) -> str:
    return Path(__file__).with_name(f"{revision_file}.sql").read_text("utf-8").replace(":", r"\:")
