"""The list of received money, applied to an invoice or not."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, or_

from admin_api.listings.filters import Filter
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, invoices_of, matching_invoices, named_by_provider
from admin_api.queries.ids import among
from admin_api.queries.names import Named, account_names, invoice_names
from admin_api.walls import GuardedSession
from models.tables import ProviderPayment
from web.views import Money, View


class ReceivedRow(View):
    """Money that a provider says it took. Without an invoice `unapplied_reason` says why."""

    id: UUID
    transaction_id: str
    invoice: Named | None
    attempt_id: UUID | None
    provider_account: Named
    amount: Money
    refunded: Money
    reserved: Money
    unapplied_reason: str | None
    card_mask: str | None
    received_at: datetime


def _received_rows(session: GuardedSession, rows: Rows) -> Sequence[ReceivedRow]:
    invoices = invoice_names(session, (row.invoice_id for row in rows))
    accounts = account_names(session, {row.provider_account_id for row in rows})
    return [
        ReceivedRow(
            id=row.id,
            transaction_id=row.transaction_id,
            invoice=invoices.get(row.invoice_id),
            attempt_id=row.attempt_id,
            provider_account=accounts[row.provider_account_id],
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            refunded=Money(amount_minor=row.refunded_minor, currency=row.currency),
            reserved=Money(amount_minor=row.reserved_minor, currency=row.currency),
            unapplied_reason=row.unapplied_reason,
            card_mask=row.card_mask,
            received_at=row.received_at,
        )
        for row in rows
    ]


def _received_of(session: GuardedSession, customer_id: UUID) -> ColumnElement[bool]:
    return among(ProviderPayment.invoice_id, invoices_of(session, [customer_id]))


def _received(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    named = named_by_provider(
        session, ProviderPayment.provider_account_id, ProviderPayment.transaction_id, term
    )
    invoices = matching_invoices(session, term)
    return or_(named, among(ProviderPayment.invoice_id, invoices)) if invoices else named


RECEIVED: Final = Listing(
    name="received",
    model=ProviderPayment,
    permission="payments.read",
    view=ReceivedRow,
    columns=("transaction_id", "invoice", "amount", "refunded", "unapplied_reason", "received_at"),
    fields=(
        ProviderPayment.id,
        ProviderPayment.transaction_id,
        ProviderPayment.invoice_id,
        ProviderPayment.attempt_id,
        ProviderPayment.provider_account_id,
        ProviderPayment.amount_minor,
        ProviderPayment.currency,
        ProviderPayment.refunded_minor,
        ProviderPayment.reserved_minor,
        ProviderPayment.unapplied_reason,
        ProviderPayment.card_mask,
        ProviderPayment.received_at,
    ),
    present=_received_rows,
    sorts={"received_at": ProviderPayment.received_at},
    default_sort="-received_at",
    filters=(
        Filter("is_applied", ProviderPayment.invoice_id, "flag"),
        Filter("customer", ProviderPayment.invoice_id, "uuid", condition=_received_of, is_selective=True),
        Filter("invoice", ProviderPayment.invoice_id, "uuid", is_selective=True),
        Filter("received_from", ProviderPayment.received_at, "date_from"),
        Filter("received_to", ProviderPayment.received_at, "date_to"),
    ),
    search=by_ids_or((ProviderPayment.id, ProviderPayment.invoice_id), _received),
)
