"""Leave to take an invoice's money: the lock that it is given under, what was given, and giving it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from billing.payments import ADMISSION_SECONDS
from client_api.queries.payments import Attempt
from kit.errors import Transient
from kit.ids import new_id
from providers.port import Callback
from storage.locks import advisory_key

# The provider waits for its answer, and the payer with it.
LOCK_WAIT_MS = 2_000

_WAIT_SHORTLY = text("SELECT set_config('lock_timeout', :milliseconds, true)")
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
# The updater's clock, not this host's: it decides by it whether an admission is still open.
_NOW = text("""
    SELECT clock_timestamp() + make_interval(secs => coalesce(
        (SELECT offset_seconds FROM clock_offset WHERE studio_id = :studio_id), 0))
""")
_LIST = text("""
    SELECT attempt_id, provider_account_id = :account_id AND transaction_id = :transaction_id, admitted_at,
        coalesce(closed_at, lapsed_at)
    FROM check_admission
    WHERE provider_account_id = :account_id AND transaction_id = :transaction_id
        OR invoice_id = :invoice_id AND closed_at IS NULL AND lapsed_at IS NULL
""")
# Not closed: nobody has said what became of it. A test studio's clock may have been set back.
_LAPSE = text("""
    UPDATE check_admission SET lapsed_at = greatest(admitted_at, :now)
    WHERE invoice_id = :invoice_id AND closed_at IS NULL AND lapsed_at IS NULL
""")
_INSERT = text("""
    INSERT INTO check_admission (id, studio_id, provider_account_id, invoice_id, attempt_id, transaction_id,
        admitted_at)
    VALUES (:id, :studio_id, :account_id, :invoice_id, :attempt_id, :transaction_id, :now)
    ON CONFLICT DO NOTHING
""")


@dataclass(frozen=True, slots=True)
class Admission:
    """A yes that was given for an invoice, or to the transaction that asks now."""

    attempt_id: UUID
    is_same_transaction: bool
    admitted_at: datetime
    # The provider has told the end, or another took its place.
    ended_at: datetime | None

    def is_open_at(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.admitted_at + timedelta(seconds=ADMISSION_SECONDS)


class CustomerBusy(Transient):
    """The customer's lock was not to be had in LOCK_WAIT_MS."""

    code = "customer_busy"


def lock_customer(connection: Connection, customer_id: UUID) -> None:
    """Takes the lock that every command of this customer is applied under, until the transaction ends.

    Raises CustomerBusy; the transaction can only be rolled back then.
    """
    connection.execute(_WAIT_SHORTLY, {"milliseconds": str(LOCK_WAIT_MS)})
    try:
        connection.execute(_LOCK, {"key": advisory_key(customer_id)})
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise CustomerBusy from error


def get_studio_time(connection: Connection, studio_id: UUID) -> datetime:
    """By the database's clock."""
    now: datetime = connection.execute(_NOW, {"studio_id": studio_id}).scalar_one()
    return now


def list_admissions(connection: Connection, attempt: Attempt, callback: Callback) -> list[Admission]:
    """The one of the transaction that asks, and the last one of the attempt's invoice unless closed."""
    return [Admission(*row) for row in connection.execute(_LIST, _named(attempt, callback))]


def store_admission(connection: Connection, attempt: Attempt, callback: Callback, now: datetime) -> bool:
    """Gives leave from `now` on, in the place of one whose time is over.

    Idempotent by provider account and transaction: False when that transaction has had its leave.
    """
    connection.execute(_LAPSE, {"invoice_id": attempt.invoice_id, "now": now})
    row = _named(attempt, callback) | {
        "id": new_id(),
        "studio_id": attempt.studio_id,
        "attempt_id": attempt.id,
        "now": now,
    }
    return connection.execute(_INSERT, row).rowcount == 1


def _named(attempt: Attempt, callback: Callback) -> dict[str, object]:
    return {
        "account_id": attempt.provider_account_id,
        "transaction_id": callback.transaction_id,
        "invoice_id": attempt.invoice_id,
    }
