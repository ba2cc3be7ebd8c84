"""What a group is loaded with: one text per question, each over arrays of ids.

Called by `loading`, which knows their order. FOR NO KEY UPDATE, because plain FOR UPDATE would block the
foreign-key checks of rows that the APIs insert.
"""

from collections.abc import Iterable

from billing.invoices import UNPAID
from billing.payments import LIVE
from billing.refunds import WITHDRAWABLE
from booking.rules.availability import BLACKOUT_DAYS_MAX, BUFFER_MINUTES_MAX
from booking.rules.machine import HELD
from state_updater.booking_rows import Booking, ExtraUse, Occupancy
from state_updater.columns import columns_of
from state_updater.rows import Admission, Attempt, Invoice, Payment, Refund, Row, Subscription

LOCKING = " FOR NO KEY UPDATE"
LOCK_KEYS = "SELECT count(pg_advisory_xact_lock(key)) FROM unnest(%b::bigint[]) AS key"
LOCK_JOURNAL = """
    SELECT command_id, studio_id, state, kind, schema_version, body_hash, correlation_id, accepted_at
    FROM command_journal WHERE command_id = ANY(%b::uuid[]) ORDER BY command_id FOR NO KEY UPDATE
"""
# An invoice is of one booking for ever, so this may be asked before anything is locked.
BOOKINGS_OF_INVOICES = """
    SELECT DISTINCT booking_id FROM invoice WHERE id = ANY(%b::uuid[]) AND booking_id IS NOT NULL
"""
CLOCK = "SELECT clock_timestamp()"
STUDIOS = """
    SELECT s.id, s.timezone, s.currency::text, s.refund_policy, s.invoice_lifetime_seconds, s.hold_seconds,
        s.staff_hold_seconds, s.holds_limit, s.on_site_limit, s.pays_on_site, s.late_money,
        s.reschedule_hours_before, coalesce(o.offset_seconds, 0)
    FROM studio s LEFT JOIN clock_offset o ON o.studio_id = s.id WHERE s.id = ANY(%b::uuid[])
"""
PRICES = """
    SELECT r.id, r.studio_id, p.name,
        p.is_active
            AND r.effective_from <= clock_timestamp() + make_interval(secs => coalesce(o.offset_seconds, 0)),
        r.amount_minor, r.currency::text, r.period_unit, r.period_count, r.plan_id, r.version,
        r.effective_from
    FROM price r JOIN plan p ON p.id = r.plan_id LEFT JOIN clock_offset o ON o.studio_id = r.studio_id
    WHERE r.id = ANY(%b::uuid[])
"""
# A paid invoice starts a period of its subscription's price, which the message does not name.
PRICES_OF_SUBSCRIPTIONS = PRICES.replace(
    "r.id = ANY(%b::uuid[])", "r.id IN (SELECT price_id FROM subscription WHERE id = ANY(%b::uuid[]))"
)
# A renewal costs what the version in force says: of the price that the subscription is on, or that another
# command of the group puts it on.
VERSIONS_FOR_RENEWAL = PRICES.replace(
    "r.id = ANY(%b::uuid[])",
    """(r.plan_id, r.period_unit, r.period_count) IN (
        SELECT plan_id, period_unit, period_count FROM price
        WHERE id IN (SELECT price_id FROM subscription WHERE id = ANY(%b::uuid[]))
            OR id = ANY(%b::uuid[]))""",
)
PROVIDER_ACCOUNTS = "SELECT id, studio_id, is_active FROM provider_account WHERE id = ANY(%b::uuid[])"
CUSTOMERS = "SELECT id, studio_id FROM customer WHERE id = ANY(%b::uuid[])"


def _columns(row: type[Row], table: str) -> str:
    as_text = {"text", "jsonb"}
    return ", ".join(
        f"{table}.{name}::text" if kind in as_text else f"{table}.{name}"
        for name, kind in columns_of(row).items()
    )


def _select(row: type[Row], condition: str) -> str:
    return f"SELECT {_columns(row, row.TABLE)} FROM {row.TABLE} WHERE {condition}"  # noqa: S608  # our own words


def _lock(row: type[Row], condition: str) -> str:
    return f"{_select(row, condition)} ORDER BY id{LOCKING}"


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


BY_ID = "id = ANY(%b::uuid[])"
_UNPAID_OF_SUBSCRIPTIONS = f"subscription_id = ANY(%b::uuid[]) AND state IN ({_listed(UNPAID)})"
_IN_UNPAID_INVOICES = f"invoice_id IN (SELECT id FROM invoice WHERE {_UNPAID_OF_SUBSCRIPTIONS})"  # noqa: S608
_IN_INVOICES_OF_BOOKINGS = "invoice_id IN (SELECT id FROM invoice WHERE booking_id = ANY(%b::uuid[]))"
_IS_LIVE = f"state IN ({_listed(LIVE)})"

LOCK_SUBSCRIPTIONS = _lock(Subscription, BY_ID)
LOCK_BOOKINGS = _lock(Booking, BY_ID)
# How many times somebody holds already.
LOCK_HELD_BOOKINGS = _lock(Booking, f"customer_id = ANY(%b::uuid[]) AND state IN ({_listed(HELD)})")
# How many visits somebody is to pay for on site.
LOCK_ON_SITE_BOOKINGS = _lock(
    Booking, "customer_id = ANY(%b::uuid[]) AND state = 'confirmed' AND payment = 'on_site'"
)
LOCK_INVOICES = _lock(Invoice, BY_ID)
# A refund may be told by somebody who did not know the payment yet, nor its invoice.
LOCK_INVOICES_OF_PAYMENTS = _lock(
    Invoice, "id IN (SELECT invoice_id FROM provider_payment WHERE id = ANY(%b::uuid[]))"
)
# Its sender may not know of the invoice that has been drawn since.
LOCK_UNPAID_INVOICES = _lock(Invoice, _UNPAID_OF_SUBSCRIPTIONS)
LOCK_INVOICES_OF_BOOKINGS = _lock(Invoice, "booking_id = ANY(%b::uuid[])")
LOCK_ATTEMPTS = _lock(Attempt, BY_ID)
LOCK_LIVE_ATTEMPTS = _lock(Attempt, f"invoice_id = ANY(%b::uuid[]) AND {_IS_LIVE}")
LOCK_ATTEMPTS_OF_CANCELED = _lock(Attempt, f"{_IN_UNPAID_INVOICES} AND {_IS_LIVE}")
LOCK_ATTEMPTS_OF_BOOKINGS = _lock(Attempt, f"{_IN_INVOICES_OF_BOOKINGS} AND {_IS_LIVE}")
LOCK_PAYMENTS = _lock(Payment, BY_ID)
LOCK_PAYMENTS_OF_BOOKINGS = _lock(Payment, _IN_INVOICES_OF_BOOKINGS)
LOCK_REFUNDS = _lock(Refund, BY_ID)
LOCK_REFUNDS_OF_PAYMENTS = _lock(
    Refund, f"provider_payment_id = ANY(%b::uuid[]) AND state IN ({_listed(WITHDRAWABLE)})"
)
# What was given back for a move, and what nobody has decided on.
LOCK_REFUNDS_OF_BOOKINGS = _lock(
    Refund, f"{_IN_INVOICES_OF_BOOKINGS} AND (origin = 'terms' OR state IN ({_listed(WITHDRAWABLE)}))"
)
LOCK_EARLY_REFUNDS = _lock(
    Refund,
    "provider_payment_id IS NULL AND (provider_account_id, payment_transaction_id) IN "
    "(SELECT * FROM unnest(%b::uuid[], %b::text[]))",
)

# ------------------------------------------------------------------ leave to take money

# Written under the customer's advisory lock, so they need none of their own.
_IN_INVOICES_OF_ATTEMPTS = "invoice_id IN (SELECT invoice_id FROM payment_attempt WHERE id = ANY(%b::uuid[]))"
_IS_OPEN = "closed_at IS NULL"
ADMISSIONS_OF_INVOICES = _select(Admission, f"invoice_id = ANY(%b::uuid[]) AND {_IS_OPEN}")
ADMISSIONS_OF_ATTEMPTS = _select(Admission, f"{_IN_INVOICES_OF_ATTEMPTS} AND {_IS_OPEN}")
ADMISSIONS_OF_CANCELED = _select(Admission, f"{_IN_UNPAID_INVOICES} AND {_IS_OPEN}")
ADMISSIONS_OF_BOOKINGS = _select(Admission, f"{_IN_INVOICES_OF_BOOKINGS} AND {_IS_OPEN}")

# ------------------------------------------------------------------ halls

# As `storage.locks.advisory_key`.
_KEY_OF = "('x' || right(replace({}::text, '-', ''), 16))::bit(64)::bigint"
# Those that are named, and those of bookings that are: of these the customer's lock is held, so they stay.
LOCK_LENT = f"""
    SELECT count(pg_advisory_xact_lock(key)) FROM (
        SELECT unnest(%b::bigint[]) AS key
        UNION SELECT {_KEY_OF.format("hall_id")} FROM booking WHERE id = ANY(%b::uuid[])
        UNION SELECT {_KEY_OF.format("extra_id")} FROM extra_use WHERE booking_id = ANY(%b::uuid[])
        ORDER BY key
    ) AS sorted
"""  # noqa: S608
HALLS = """
    SELECT id, studio_id, name, is_active, buffer_before_minutes, buffer_after_minutes FROM hall
    WHERE id = ANY(%b::uuid[]) OR id IN (SELECT hall_id FROM booking WHERE id = ANY(%b::uuid[]))
"""
EXTRAS = """
    SELECT id, studio_id, hall_id, is_active, stock FROM extra
    WHERE id = ANY(%b::uuid[]) OR id IN (SELECT extra_id FROM extra_use WHERE booking_id = ANY(%b::uuid[]))
"""
OCCUPANCIES = _select(Occupancy, BY_ID)
OCCUPANCIES_OF_BOOKINGS = _select(Occupancy, "booking_id = ANY(%b::uuid[]) AND released_at IS NULL")
# A time is wanted with its hall's buffers. What stands at the end of a blackout that is too long does not
# matter: it is refused.
_BUFFER = f"interval '{BUFFER_MINUTES_MAX} minutes'"
_IN_THE_WAY = f"""
    SELECT {_columns(Occupancy, "o")} FROM {{wanted}}
    JOIN occupancy o ON o.hall_id = w.hall_id AND o.released_at IS NULL AND o.during && tstzrange(
        w.starts_at - {_BUFFER},
        least(w.ends_at, w.starts_at + interval '{BLACKOUT_DAYS_MAX} days') + {_BUFFER})
"""  # noqa: S608
OCCUPANCIES_IN_WINDOWS = _IN_THE_WAY.format(
    wanted="unnest(%b::uuid[], %b::timestamptz[], %b::timestamptz[]) AS w (hall_id, starts_at, ends_at)"
)
# What stands where a paid booking is, or was until its hold was lost.
OCCUPANCIES_AROUND_BOOKINGS = _IN_THE_WAY.format(
    wanted="(SELECT hall_id, starts_at, ends_at FROM booking WHERE id = ANY(%b::uuid[])) AS w"
)
# Also those that were released: that a hold is lost does not make known what it held.
EXTRA_USES_OF_BOOKINGS = _select(ExtraUse, "booking_id = ANY(%b::uuid[])")
_OUT_MEANWHILE = f"""
    SELECT {_columns(ExtraUse, "u")} FROM {{wanted}}
    JOIN extra_use u ON u.extra_id = w.extra_id AND u.released_at IS NULL
        AND u.ends_at > w.starts_at AND u.starts_at < w.ends_at
"""  # noqa: S608
EXTRA_USES_IN_WINDOWS = _OUT_MEANWHILE.format(
    wanted="unnest(%b::uuid[], %b::timestamptz[], %b::timestamptz[]) AS w (extra_id, starts_at, ends_at)"
)
EXTRA_USES_AROUND_BOOKINGS = _OUT_MEANWHILE.format(
    wanted="(SELECT extra_id, starts_at, ends_at FROM extra_use WHERE booking_id = ANY(%b::uuid[])) AS w"
)
