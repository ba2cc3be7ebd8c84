"""The list of refunds, whoever asked for them. A customer's are found through the invoices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import (
    by_ids_or,
    invoice_numbers,
    invoices_of,
    matching_customers,
    matching_invoices,
    named_by_provider,
)
from admin_api.queries.ids import among
from admin_api.queries.names import Named, customer_names, invoice_names
from admin_api.walls import GuardedSession
from billing.refunds import REFUND
from models.tables import Refund
from web.views import Money, View


class RefundRow(View):
    id: UUID
    customer: Named | None
    invoice: Named | None
    provider_payment_id: UUID | None
    state: str
    amount: Money
    origin: str
    reason: str
    provider_refund_id: str | None
    decline_code: str | None
    created_at: datetime
    updated_at: datetime


def _refund_rows(session: GuardedSession, rows: Rows) -> Sequence[RefundRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    invoices = invoice_names(session, (row.invoice_id for row in rows))
    return [
        RefundRow(
            id=row.id,
            customer=customers.get(row.customer_id),
            invoice=invoices.get(row.invoice_id),
            provider_payment_id=row.provider_payment_id,
            state=row.state,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            origin=row.origin,
            reason=row.reason,
            provider_refund_id=row.provider_refund_id,
            decline_code=row.decline_code,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _refunds_of(session: GuardedSession, customer_id: UUID) -> ColumnElement[bool]:
    return _refunds_of_customers(session, [customer_id])


def _refunds_of_customers(session: GuardedSession, customer_ids: Sequence[UUID]) -> ColumnElement[bool]:
    # Those of unknown orders are few, and have no invoice.
    without_invoice = and_(Refund.invoice_id.is_(None), among(Refund.customer_id, customer_ids))
    return or_(among(Refund.invoice_id, invoices_of(session, customer_ids)), without_invoice)


def _refunds(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    named = named_by_provider(session, Refund.provider_account_id, Refund.provider_refund_id, term)
    if invoice_numbers(term):
        return or_(named, among(Refund.invoice_id, matching_invoices(session, term)))
    customers = matching_customers(session, term)
    return or_(named, _refunds_of_customers(session, customers)) if customers else named


REFUNDS: Final = Listing(
    name="refunds",
    model=Refund,
    permission="refunds.read",
    view=RefundRow,
    columns=("invoice", "customer", "state", "amount", "origin", "reason", "created_at"),
    fields=(
        Refund.id,
        Refund.customer_id,
        Refund.invoice_id,
        Refund.provider_payment_id,
        Refund.state,
        Refund.amount_minor,
        Refund.currency,
        Refund.origin,
        Refund.reason,
        Refund.provider_refund_id,
        Refund.decline_code,
        Refund.created_at,
        Refund.updated_at,
    ),
    present=_refund_rows,
    sorts={"created_at": Refund.created_at},
    default_sort="-created_at",
    filters=(
        Filter("state", Refund.state, "choice", REFUND.states),
        Filter("origin", Refund.origin, "choice", ("customer", "staff", "provider", "terms")),
        Filter("customer", Refund.customer_id, "uuid", condition=_refunds_of, is_selective=True),
        Filter("invoice", Refund.invoice_id, "uuid", is_selective=True),
        Filter("created_from", Refund.created_at, "date_from"),
        Filter("created_to", Refund.created_at, "date_to"),
    ),
    search=by_ids_or((Refund.id, Refund.invoice_id, Refund.provider_payment_id), _refunds),
)
