"""Rows of a past that no command can make now: written as the owner, with triggers off."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from billing.ledger import ACCOUNTS, Posting, ledger_account_id
from kit.ids import new_id
from tests.integration.state_updater.shops import PRICE_MINOR, Shop

_QUIET = text("SET LOCAL session_replication_role = replica")
_ACCOUNT = text("""
    INSERT INTO ledger_account (id, studio_id, kind, currency) VALUES (:id, :studio, :kind, :currency)
    ON CONFLICT DO NOTHING
""")
_TRANSFER = text("""
    INSERT INTO ledger_transfer (id, studio_id, debit_account_id, credit_account_id, amount_minor, currency,
        posting_id, causation_id, posted_at)
    VALUES (:id, :studio, :debit, :credit, :amount_minor, :currency, :id, :id, :posted_at)
""")
_SUBSCRIPTION = text("""
    INSERT INTO subscription (id, studio_id, customer_id, price_id, state, version, head_hash,
        current_period_start, current_period_end, anchor_at, canceled_at, created_at, updated_at)
    VALUES (:id, :studio, :customer, :price, :state, 2, '', :paid_at,
        CAST(:paid_at AS timestamptz) + interval '1 month', :paid_at,
        :canceled_at, :created_at, :created_at)
""")
_ATTEMPT = text("""
    INSERT INTO payment_attempt (id, studio_id, customer_id, invoice_id, provider_account_id, method, state,
        version, head_hash, amount_minor, currency, return_url, decline_code, decline_category, created_at,
        updated_at)
    VALUES (:id, :studio, :customer, :id, :account, 'widget', :state, :version, '', 100, 'RUB', '',
        :decline_code, :decline_category, :created_at, :created_at)
""")
_PAYMENT = text("""
    INSERT INTO provider_payment (id, studio_id, provider_account_id, transaction_id, invoice_id,
        amount_minor, currency, unapplied_reason, refunded_minor, received_at)
    VALUES (:id, :studio, :account, CAST(:id AS text), NULL, :amount_minor, :currency, 'unknown_order',
        :refunded_minor, :received_at)
""")

_MATCHED = text("""
    INSERT INTO provider_payment (id, studio_id, provider_account_id, transaction_id, invoice_id,
        amount_minor, currency, unapplied_reason, refunded_minor, received_at)
    VALUES (:id, :studio, :account, CAST(:id AS text), CAST(:invoice AS uuid), :amount_minor, 'RUB',
        CASE WHEN CAST(:invoice AS uuid) IS NULL THEN 'invoice_expired' END, 0, :at)
""")
_DECLINED = text("""
    INSERT INTO refund (id, studio_id, invoice_id, provider_payment_id, provider_account_id, state, version,
        head_hash, amount_minor, currency, origin, reason, created_at, updated_at)
    VALUES (gen_random_uuid(), :studio, CAST(:invoice AS uuid), :id, :account, 'declined', 4, '',
        :amount_minor, 'RUB', 'terms', '', :at, :at)
""")


def post(shop: Shop, posting: Posting, amount_minor: int, at: datetime, currency: str = "RUB") -> None:
    """One transfer in the shop's books."""
    debit, credit = ACCOUNTS[posting]
    with shop.owner.begin() as connection:
        for kind in (debit, credit):
            account_id = ledger_account_id(shop.studio_id, kind, currency)
            account = {"id": account_id, "studio": shop.studio_id, "kind": kind.value, "currency": currency}
            connection.execute(_ACCOUNT, account)
        connection.execute(
            _TRANSFER,
            {
                "id": new_id(),
                "studio": shop.studio_id,
                "debit": ledger_account_id(shop.studio_id, debit, currency),
                "credit": ledger_account_id(shop.studio_id, credit, currency),
                "amount_minor": amount_minor,
                "currency": currency,
                "posted_at": at,
            },
        )


def subscribe(
    shop: Shop, created_at: datetime, *, is_paid: bool = True, canceled_at: datetime | None = None
) -> None:
    row = {
        "id": new_id(),
        "studio": shop.studio_id,
        "customer": shop.customer_id,
        "price": shop.price_id,
        "state": "canceled" if canceled_at else "active" if is_paid else "incomplete",
        "paid_at": created_at + timedelta(minutes=1) if is_paid else None,
        "canceled_at": canceled_at,
        "created_at": created_at,
    }
    with shop.owner.begin() as connection:
        connection.execute(_QUIET)
        connection.execute(_SUBSCRIPTION, row)


def attempt(
    shop: Shop, state: str, created_at: datetime, version: int = 3, decline: tuple[str, str] | None = None
) -> UUID:
    """`decline`: category and code."""
    category, code = decline or (None, None)
    attempt_id = new_id()
    row = {
        "id": attempt_id,
        "studio": shop.studio_id,
        "customer": shop.customer_id,
        "account": shop.account_id,
        "state": state,
        "version": version,
        "decline_code": code,
        "decline_category": category,
        "created_at": created_at,
    }
    with shop.owner.begin() as connection:
        connection.execute(_QUIET)
        connection.execute(_ATTEMPT, row)
    return attempt_id


def receive(
    shop: Shop,
    at: datetime,
    amount_minor: int = PRICE_MINOR,
    currency: str = "RUB",
    refunded_minor: int = 0,
) -> None:
    """Money without an invoice."""
    row = {
        "id": new_id(),
        "studio": shop.studio_id,
        "account": shop.account_id,
        "amount_minor": amount_minor,
        "currency": currency,
        "refunded_minor": refunded_minor,
        "received_at": at,
    }
    with shop.owner.begin() as connection:
        connection.execute(_PAYMENT, row)


def promise_declined(shop: Shop, at: datetime, amount_minor: int, invoice_id: UUID | None = None) -> UUID:
    """A payment, of an invoice if one is given, and the promised refund of all of it, which was declined."""
    payment_id = new_id()
    row = {
        "id": payment_id,
        "studio": shop.studio_id,
        "account": shop.account_id,
        "invoice": invoice_id,
        "amount_minor": amount_minor,
        "at": at,
    }
    with shop.owner.begin() as connection:
        connection.execute(_QUIET)
        connection.execute(_MATCHED, row)
        connection.execute(_DECLINED, row)
    return payment_id
