"""Lists of attempts to pay and of the contracts they go through; a customer's are those of its invoices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.listings.filters import Filter, created_between
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import (
    Finder,
    by_ids_or,
    holding,
    invoices_of,
    matching_invoices,
)
from admin_api.queries.ids import among
from admin_api.queries.names import Named, customer_names, invoice_names
from admin_api.walls import GuardedSession
from billing.payments import PAYMENT
from models.tables import PaymentAttempt, ProviderAccount
from web.views import Money, View


class PaymentRow(View):
    """One attempt."""

    id: UUID
    customer: Named
    invoice: Named
    provider_account_id: UUID
    method: str
    state: str
    amount: Money
    decline_category: str | None
    decline_code: str | None
    created_at: datetime
    updated_at: datetime


class ProviderAccountRow(View):
    """A contract; its secret is nobody's to read."""

    id: UUID
    provider: str
    public_id: str
    api_url: str
    widget_script_url: str
    is_test: bool
    is_active: bool
    created_at: datetime


def _payment_rows(session: GuardedSession, rows: Rows) -> Sequence[PaymentRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    invoices = invoice_names(session, (row.invoice_id for row in rows))
    return [
        PaymentRow(
            id=row.id,
            customer=customers[row.customer_id],
            invoice=invoices[row.invoice_id],
            provider_account_id=row.provider_account_id,
            method=row.method,
            state=row.state,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            decline_category=row.decline_category,
            decline_code=row.decline_code,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _account_rows(_session: GuardedSession, rows: Rows) -> Sequence[ProviderAccountRow]:
    return [ProviderAccountRow.model_validate(dict(row._mapping)) for row in rows]


def _attempts_of(session: GuardedSession, customer_id: UUID) -> ColumnElement[bool]:
    return among(PaymentAttempt.invoice_id, invoices_of(session, [customer_id]))


def _of_invoices(column: InstrumentedAttribute[Any]) -> Finder:
    def find(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
        found = matching_invoices(session, term)
        return among(column, found) if found else None

    return find


PAYMENTS: Final = Listing(
    name="payments",
    model=PaymentAttempt,
    permission="payments.read",
    view=PaymentRow,
    columns=("invoice", "customer", "state", "amount", "method", "decline_category", "created_at"),
    fields=(
        PaymentAttempt.id,
        PaymentAttempt.customer_id,
        PaymentAttempt.invoice_id,
        PaymentAttempt.provider_account_id,
        PaymentAttempt.method,
        PaymentAttempt.state,
        PaymentAttempt.amount_minor,
        PaymentAttempt.currency,
        PaymentAttempt.decline_category,
        PaymentAttempt.decline_code,
        PaymentAttempt.created_at,
        PaymentAttempt.updated_at,
    ),
    present=_payment_rows,
    sorts={"created_at": PaymentAttempt.id},
    default_sort="-created_at",
    filters=(
        Filter("state", PaymentAttempt.state, "choice", PAYMENT.states),
        Filter("customer", PaymentAttempt.customer_id, "uuid", condition=_attempts_of, is_selective=True),
        Filter("invoice", PaymentAttempt.invoice_id, "uuid", is_selective=True),
        *created_between(PaymentAttempt.created_at, PaymentAttempt.id),
    ),
    search=by_ids_or((PaymentAttempt.id, PaymentAttempt.invoice_id), _of_invoices(PaymentAttempt.invoice_id)),
)

PROVIDER_ACCOUNTS: Final = Listing(
    name="provider_accounts",
    model=ProviderAccount,
    permission="provider_accounts.read",
    view=ProviderAccountRow,
    columns=("provider", "public_id", "is_test", "is_active", "created_at"),
    fields=(
        ProviderAccount.id,
        ProviderAccount.provider,
        ProviderAccount.public_id,
        ProviderAccount.api_url,
        ProviderAccount.widget_script_url,
        ProviderAccount.is_test,
        ProviderAccount.is_active,
        ProviderAccount.created_at,
    ),
    present=_account_rows,
    sorts={"created_at": ProviderAccount.id},
    default_sort="-created_at",
    filters=(Filter("is_active", ProviderAccount.is_active, "flag"),),
    search=by_ids_or((ProviderAccount.id,), holding(ProviderAccount.public_id)),
)
