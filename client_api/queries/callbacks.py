"""What callbacks look up and store: the account that is to have signed, refunds by what is told of them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from providers.port import Callback, ProviderAccount


@dataclass(frozen=True, slots=True)
class KnownPayment:
    """Money that we know of, by the provider's id of it."""

    id: UUID
    currency: str
    invoice_id: UUID | None
    customer_id: UUID | None


@dataclass(frozen=True, slots=True)
class KnownRefund:
    id: UUID
    invoice_id: UUID | None
    customer_id: UUID | None


_STUDIO_OF_ACCOUNT = text("SELECT studio_of_provider_account(:account_id)")
_FIND_ACCOUNT = text("""
    SELECT id, provider, public_id, sealed_secret, api_url, widget_script_url, is_test FROM provider_account
    WHERE id = :account_id AND provider = :provider
""")
_INSERT = text("""
    INSERT INTO callback_inbox (id, studio_id, provider_account_id, kind, deduplication_hash, body, signature,
        command_id, set_aside)
    VALUES (:id, :studio_id, :account_id, :kind, :deduplication_hash, :body, :signature, :command_id,
        :set_aside)
    ON CONFLICT (provider_account_id, deduplication_hash) DO NOTHING
""")
_FIND_PAYMENT = text("""
    SELECT payment.id, payment.currency, payment.invoice_id,
        COALESCE(invoice.customer_id, attempt.customer_id) AS customer_id
    FROM provider_payment AS payment
    LEFT JOIN invoice ON invoice.id = payment.invoice_id
    LEFT JOIN payment_attempt AS attempt ON attempt.id = payment.attempt_id
    WHERE payment.provider_account_id = :account_id AND payment.transaction_id = :transaction_id
""")
_FIND_CORRELATION = text(
    "SELECT correlation_id FROM state_event WHERE aggregate_id = :aggregate_id AND version = 1"
)
# The most certain match first: our own id in it, the provider's id, then a call whose answer is missing.
_FIND_REFUND = text("""
    SELECT id, invoice_id, customer_id FROM refund
    WHERE provider_account_id = :account_id AND (
        id = :refund_id OR provider_refund_id = :provider_refund_id OR (
            provider_payment_id = :payment_id AND amount_minor = :amount_minor
            AND provider_refund_id IS NULL AND state IN ('sent', 'unknown')))
    ORDER BY id = CAST(:refund_id AS uuid) DESC NULLS LAST,
        provider_refund_id = CAST(:provider_refund_id AS text) DESC NULLS LAST, id
    LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class SealedAccount:
    """A provider account whose secret is still sealed."""

    sealed_secret: bytes
    account: ProviderAccount

    def opened(self, secret: str) -> ProviderAccount:
        account = self.account
        return ProviderAccount(
            account_id=account.account_id,
            provider=account.provider,
            public_id=account.public_id,
            secret=secret,
            api_url=account.api_url,
            widget_script_url=account.widget_script_url,
            is_test=account.is_test,
        )


def find_studio_of_account(connection: Connection, account_id: UUID) -> UUID | None:
    studio_id: UUID | None = connection.scalar(_STUDIO_OF_ACCOUNT, {"account_id": account_id})
    return studio_id


def find_account(connection: Connection, account_id: UUID, provider: str) -> SealedAccount | None:
    """Inactive ones too: money on its way does not ask whether we still sell."""
    row = connection.execute(_FIND_ACCOUNT, {"account_id": account_id, "provider": provider}).one_or_none()
    if row is None:
        return None
    account = ProviderAccount(
        account_id=row.id,
        provider=row.provider,
        public_id=row.public_id,
        secret="",
        api_url=row.api_url,
        widget_script_url=row.widget_script_url,
        is_test=row.is_test,
    )
    return SealedAccount(row.sealed_secret, account)


def store_callback(
    connection: Connection,
    *,
    inbox_id: UUID,
    studio_id: UUID,
    account_id: UUID,
    callback: Callback,
    body: bytes,
    signature: str,
    command_id: UUID | None,
    set_aside: str | None,
) -> bool:
    """False for a repeat. Exactly one of `command_id` and `set_aside` says what becomes of it."""
    row = {
        "id": inbox_id,
        "studio_id": studio_id,
        "account_id": account_id,
        "kind": callback.kind.value,
        "deduplication_hash": callback.deduplication_hash,
        "body": body,
        "signature": signature,
        "command_id": command_id,
        "set_aside": set_aside,
    }
    return connection.execute(_INSERT, row).rowcount == 1


def find_correlation_id(connection: Connection, aggregate_id: UUID | None) -> str | None:
    """Of the request that began an attempt or refund: what its provider tells later is the same story."""
    found: str | None = connection.scalar(_FIND_CORRELATION, {"aggregate_id": aggregate_id})
    return found


def find_payment(connection: Connection, account_id: UUID, transaction_id: str) -> KnownPayment | None:
    row = connection.execute(
        _FIND_PAYMENT, {"account_id": account_id, "transaction_id": transaction_id}
    ).one_or_none()
    return KnownPayment(*row) if row else None


def find_refund(
    connection: Connection,
    account_id: UUID,
    callback: Callback,
    refund_id: UUID | None,
    payment_id: UUID | None,
) -> KnownRefund | None:
    """The refund that a callback speaks of; `refund_id` is the one that it names, if it names one."""
    row = {
        "account_id": account_id,
        "refund_id": refund_id,
        "provider_refund_id": callback.transaction_id,
        "payment_id": payment_id,
        "amount_minor": callback.amount_minor,
    }
    found = connection.execute(_FIND_REFUND, row).one_or_none()
    return KnownRefund(*found) if found else None
