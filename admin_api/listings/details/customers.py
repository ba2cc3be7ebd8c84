"""The customer card: everything about one customer on one page."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select, text

from admin_api.desk import Desk
from admin_api.listings.billing import INVOICES, SUBSCRIPTIONS, InvoiceRow, SubscriptionRow
from admin_api.listings.bookings import BOOKINGS, BookingRow
from admin_api.listings.details.parts import PARTS_LIMIT, parts_of
from admin_api.listings.events import NOTIFICATIONS, NotificationRow
from admin_api.listings.operations import AUDIT, AuditRow
from admin_api.listings.payments import PAYMENTS, PaymentRow
from admin_api.listings.people import CUSTOMERS, CustomerRow
from admin_api.listings.refunds import REFUNDS, RefundRow
from admin_api.queries.ids import among
from admin_api.queries.names import Named, staff_names
from admin_api.walls import GuardedSession
from models.tables import (
    Audit,
    Booking,
    CustomerNote,
    Invoice,
    Notification,
    PaymentAttempt,
    Refund,
    Subscription,
)
from web.views import Money, View


class NoteView(View):
    """What a staff member remembers of a customer."""

    id: UUID
    body: str
    who: Named
    created_at: datetime


class CustomerDetail(CustomerRow):
    """Sums are over all invoices: paid, given back, and still to pay."""

    paid: Money
    refunded: Money
    open: Money
    bookings: Sequence[BookingRow]
    subscriptions: Sequence[SubscriptionRow]
    invoices: Sequence[InvoiceRow]
    payments: Sequence[PaymentRow]
    refunds: Sequence[RefundRow]
    notifications: Sequence[NotificationRow]
    notes: Sequence[NoteView]
    audit: Sequence[AuditRow]


_SUMS: Final = text("""
    SELECT coalesce(sum(paid_minor), 0)::bigint AS paid, coalesce(sum(refunded_minor), 0)::bigint AS refunded,
        coalesce(sum(total_minor - paid_minor) FILTER (WHERE state = 'open'), 0)::bigint AS open,
        (SELECT currency FROM studio) AS currency
    FROM invoice WHERE customer_id = :customer_id
""")


def customer_card(desk: Desk, customer_id: UUID) -> CustomerDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = CUSTOMERS.get(session, customer_id)
        assert isinstance(head, CustomerRow)
        own = Subscription.customer_id == customer_id
        subscriptions = parts_of(desk, session, SUBSCRIPTIONS, SubscriptionRow, own)
        bookings = parts_of(desk, session, BOOKINGS, BookingRow, Booking.customer_id == customer_id)
        invoices = parts_of(desk, session, INVOICES, InvoiceRow, Invoice.customer_id == customer_id)
        ids = [invoice.id for invoice in invoices]
        payments = parts_of(desk, session, PAYMENTS, PaymentRow, among(PaymentAttempt.invoice_id, ids))
        refunds = parts_of(desk, session, REFUNDS, RefundRow, among(Refund.invoice_id, ids))
        subjects = {customer_id, *ids, *(each.id for part in (subscriptions, bookings) for each in part)}
        subjects |= {*(each.id for each in payments), *(each.id for each in refunds)}
        written = Notification.customer_id == customer_id
        about = or_(among(Audit.subject_id, subjects), Audit.principal == f"customer:{customer_id}")
        return CustomerDetail(
            **dict(head),
            **_sums(session, customer_id),
            bookings=bookings,
            subscriptions=subscriptions,
            invoices=invoices,
            payments=payments,
            refunds=refunds,
            notifications=parts_of(desk, session, NOTIFICATIONS, NotificationRow, written),
            notes=_notes(session, customer_id),
            audit=parts_of(desk, session, AUDIT, AuditRow, about),
        )


def _sums(session: GuardedSession, customer_id: UUID) -> dict[str, Money]:
    row = session.connection().execute(_SUMS, {"customer_id": customer_id}).one()
    return {
        name: Money(amount_minor=getattr(row, name), currency=row.currency)
        for name in ("paid", "refunded", "open")
    }


def _notes(session: GuardedSession, customer_id: UUID) -> list[NoteView]:
    """The newest first."""
    found = (
        select(CustomerNote.id, CustomerNote.body, CustomerNote.staff_member_id, CustomerNote.created_at)
        .where(CustomerNote.customer_id == customer_id)
        .order_by(CustomerNote.id.desc())
        .limit(PARTS_LIMIT)
    )
    rows = session.execute(found).all()
    people = staff_names(session, (row.staff_member_id for row in rows))
    return [
        NoteView(id=row.id, body=row.body, who=people[row.staff_member_id], created_at=row.created_at)
        for row in rows
    ]
