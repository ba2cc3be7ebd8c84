"""The lists of the admin, the whole of one thing, and exports. The JSON API and the pages call this."""

from dataclasses import replace
from typing import Final

from admin_api.listings.billing import INVOICES, SUBSCRIPTIONS
from admin_api.listings.bookings import BLACKOUTS, BOOKINGS
from admin_api.listings.catalog import PLANS, PRICES
from admin_api.listings.csv import EXPORT_LIMIT, export_csv
from admin_api.listings.details.bookings import BookingDetail, booking_detail
from admin_api.listings.details.customers import CustomerDetail, customer_card
from admin_api.listings.details.events import EventDetail, event_detail
from admin_api.listings.details.halls import HallDetail, hall_detail
from admin_api.listings.details.invoices import InvoiceDetail, invoice_detail
from admin_api.listings.details.parked import ParkedDetail, parked_detail
from admin_api.listings.details.payments import (
    PaymentDetail,
    ReceivedDetail,
    RefundDetail,
    payment_detail,
    received_detail,
    refund_detail,
)
from admin_api.listings.details.plans import PlanDetail, plan_detail
from admin_api.listings.details.subscriptions import SubscriptionDetail, subscription_detail
from admin_api.listings.events import EVENTS_LOG, NOTIFICATIONS
from admin_api.listings.filters import Filter
from admin_api.listings.halls import BOOKING_TERMS, EXTRAS, HALLS, TARIFFS
from admin_api.listings.listing import (
    COUNT_LIMIT,
    OFFSET_LIMIT,
    Listing,
    ListQuery,
    Page,
    with_row_as_detail,
)
from admin_api.listings.operations import AUDIT, PARKED
from admin_api.listings.payments import PAYMENTS, PROVIDER_ACCOUNTS
from admin_api.listings.people import CUSTOMERS, INVITATIONS, STAFF, TOKENS, own_sign_ins
from admin_api.listings.received import RECEIVED
from admin_api.listings.refunds import REFUNDS

_ALL: Final = (
    replace(PLANS, detail=plan_detail, detail_view=PlanDetail),
    with_row_as_detail(PRICES),
    replace(BOOKINGS, detail=booking_detail, detail_view=BookingDetail),
    replace(HALLS, detail=hall_detail, detail_view=HallDetail),
    with_row_as_detail(TARIFFS),
    with_row_as_detail(EXTRAS),
    with_row_as_detail(BLACKOUTS),
    with_row_as_detail(BOOKING_TERMS),
    replace(SUBSCRIPTIONS, detail=subscription_detail, detail_view=SubscriptionDetail),
    replace(INVOICES, detail=invoice_detail, detail_view=InvoiceDetail),
    replace(PAYMENTS, detail=payment_detail, detail_view=PaymentDetail),
    replace(RECEIVED, detail=received_detail, detail_view=ReceivedDetail),
    replace(REFUNDS, detail=refund_detail, detail_view=RefundDetail),
    replace(CUSTOMERS, detail=customer_card, detail_view=CustomerDetail),
    with_row_as_detail(STAFF),
    with_row_as_detail(INVITATIONS),
    with_row_as_detail(TOKENS),
    with_row_as_detail(PROVIDER_ACCOUNTS),
    replace(PARKED, detail=parked_detail, detail_view=ParkedDetail),
    with_row_as_detail(AUDIT),
    replace(EVENTS_LOG, detail=event_detail, detail_view=EventDetail),
    with_row_as_detail(NOTIFICATIONS),
)
LISTINGS: Final[dict[str, Listing]] = {listing.name: listing for listing in _ALL}

__all__ = [
    "COUNT_LIMIT",
    "EXPORT_LIMIT",
    "LISTINGS",
    "OFFSET_LIMIT",
    "Filter",
    "ListQuery",
    "Listing",
    "Page",
    "export_csv",
    "own_sign_ins",
]
