"""Lists of subscriptions and invoices. Newest first is the order of their keys, which are made in time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select

from admin_api.listings.filters import Filter, created_between
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, invoice_numbers, of_customers
from admin_api.queries.ids import among
from admin_api.queries.names import Named, customer_names, price_tags
from admin_api.walls import GuardedSession
from billing.invoices import INVOICE
from billing.subscriptions import SUBSCRIPTION
from models.tables import Invoice, Price, Subscription
from web.views import Money, View


class SubscriptionRow(View):
    id: UUID
    customer: Named
    plan: Named
    price: Money
    period_unit: str
    period_count: int
    state: str
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    created_at: datetime


class InvoiceRow(View):
    id: UUID
    number: str | None
    customer: Named
    subscription_id: UUID | None
    booking_id: UUID | None
    state: str
    total: Money
    paid: Money
    refunded: Money
    due: Money
    period_start: datetime | None
    period_end: datetime | None
    expires_at: datetime
    created_at: datetime


def _subscription_rows(session: GuardedSession, rows: Rows) -> Sequence[SubscriptionRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    prices = price_tags(session, {row.price_id for row in rows})
    return [
        SubscriptionRow(
            id=row.id,
            customer=customers[row.customer_id],
            plan=prices[row.price_id].plan,
            price=prices[row.price_id].amount,
            period_unit=prices[row.price_id].period_unit,
            period_count=prices[row.price_id].period_count,
            state=row.state,
            current_period_start=row.current_period_start,
            current_period_end=row.current_period_end,
            cancel_at_period_end=row.cancel_at_period_end,
            canceled_at=row.canceled_at,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _invoice_rows(session: GuardedSession, rows: Rows) -> Sequence[InvoiceRow]:
    customers = customer_names(session, (row.customer_id for row in rows))
    return [
        InvoiceRow(
            id=row.id,
            number=row.number,
            customer=customers[row.customer_id],
            subscription_id=row.subscription_id,
            booking_id=row.booking_id,
            state=row.state,
            total=Money(amount_minor=row.total_minor, currency=row.currency),
            paid=Money(amount_minor=row.paid_minor, currency=row.currency),
            refunded=Money(amount_minor=row.refunded_minor, currency=row.currency),
            due=Money(amount_minor=row.total_minor - row.paid_minor, currency=row.currency),
            period_start=row.period_start,
            period_end=row.period_end,
            expires_at=row.expires_at,
            created_at=row.created_at,
        )
        for row in rows
    ]


def _on_plan(session: GuardedSession, plan_id: UUID) -> ColumnElement[bool]:
    return among(
        Subscription.price_id, session.scalars(select(Price.id).where(Price.plan_id == plan_id)).all()
    )


def _by_number(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    numbers = invoice_numbers(term)
    return Invoice.number.in_(numbers) if numbers else of_customers(Invoice.customer_id)(session, term)


SUBSCRIPTIONS: Final = Listing(
    name="subscriptions",
    model=Subscription,
    permission="subscriptions.read",
    view=SubscriptionRow,
    columns=(
        "customer",
        "plan",
        "price",
        "state",
        "current_period_end",
        "cancel_at_period_end",
        "created_at",
    ),
    fields=(
        Subscription.id,
        Subscription.customer_id,
        Subscription.price_id,
        Subscription.state,
        Subscription.current_period_start,
        Subscription.current_period_end,
        Subscription.cancel_at_period_end,
        Subscription.canceled_at,
        Subscription.created_at,
    ),
    present=_subscription_rows,
    sorts={"created_at": Subscription.id},
    default_sort="-created_at",
    filters=(
        Filter("state", Subscription.state, "choice", SUBSCRIPTION.states),
        Filter("plan", Subscription.price_id, "uuid", condition=_on_plan),
        Filter("cancel_at_period_end", Subscription.cancel_at_period_end, "flag"),
        Filter("customer", Subscription.customer_id, "uuid", is_selective=True),
        *created_between(Subscription.created_at, Subscription.id),
    ),
    search=by_ids_or((Subscription.id, Subscription.customer_id), of_customers(Subscription.customer_id)),
)

INVOICES: Final = Listing(
    name="invoices",
    model=Invoice,
    permission="invoices.read",
    view=InvoiceRow,
    columns=("number", "customer", "state", "total", "due", "created_at", "expires_at"),
    fields=(
        Invoice.id,
        Invoice.number,
        Invoice.customer_id,
        Invoice.subscription_id,
        Invoice.booking_id,
        Invoice.state,
        Invoice.currency,
        Invoice.total_minor,
        Invoice.paid_minor,
        Invoice.refunded_minor,
        Invoice.period_start,
        Invoice.period_end,
        Invoice.expires_at,
        Invoice.created_at,
    ),
    present=_invoice_rows,
    sorts={"created_at": Invoice.id},
    default_sort="-created_at",
    filters=(
        Filter("state", Invoice.state, "choice", INVOICE.states),
        Filter("customer", Invoice.customer_id, "uuid", is_selective=True),
        Filter("subscription", Invoice.subscription_id, "uuid", is_selective=True),
        Filter("booking", Invoice.booking_id, "uuid", is_selective=True),
        *created_between(Invoice.created_at, Invoice.id),
    ),
    search=by_ids_or(
        (Invoice.id, Invoice.customer_id, Invoice.subscription_id, Invoice.booking_id), _by_number
    ),
)
