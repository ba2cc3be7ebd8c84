"""The shapes of the API's answers: what a client may rely on, and what the OpenAPI document shows."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from web.views import Money, View

AllowedAction = Literal["pay", "request_refund"]


class CustomerView(View):
    id: UUID
    email: Annotated[str, Field(examples=["anna@example.org"])]
    name: Annotated[str, Field(examples=["Anna"])]
    locale: Literal["ru", "en"]


class TokensView(View):
    """`access_token` goes into `Authorization: Bearer …`; `refresh_token` is good for one use."""

    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    access_token: str
    expires_in_seconds: Annotated[int, Field(examples=[600])]
    refresh_token: str
    customer: CustomerView


class PriceView(View):
    id: UUID
    amount: Money
    period_unit: Literal["day", "week", "month", "year"]
    period_count: Annotated[int, Field(examples=[1])]


class PlanView(View):
    id: UUID
    code: Annotated[str, Field(examples=["standard"])]
    name: Annotated[str, Field(examples=["Стандарт"])]
    description: str
    prices: list[PriceView]


class PlanListView(View):
    items: list[PlanView]


class SubscriptionView(View):
    """`latest_invoice_id`: of the newest period; one that was voided or has expired, only without another."""

    id: UUID
    state: Annotated[str, Field(examples=["active"])]
    plan_name: str
    price: PriceView
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    created_at: datetime
    latest_invoice_id: UUID | None
    metadata: dict[str, JsonValue]
    allowed_actions: list[Literal["cancel", "cancel_at_period_end"]]


class SubscriptionListView(View):
    """`next_cursor` goes into `cursor` for the page after this one; null when this is the last."""

    items: list[SubscriptionView]
    next_cursor: UUID | None


class InvoiceView(View):
    """`period_start` and `period_end` tell which billing period it renews its subscription for."""

    id: UUID
    number: Annotated[str | None, Field(examples=["2026-000042"])]
    state: Annotated[str, Field(examples=["open"])]
    subscription_id: UUID | None
    booking_id: UUID | None
    total: Money
    paid: Money
    refunded: Money
    due: Money
    period_start: datetime | None
    period_end: datetime | None
    expires_at: datetime
    opened_at: datetime | None
    created_at: datetime
    allowed_actions: list[AllowedAction]


class InvoiceListView(View):
    """`next_cursor` goes into `cursor` for the page after this one; null when this is the last."""

    items: list[InvoiceView]
    next_cursor: UUID | None


class InvoiceLineView(View):
    description: str
    quantity: int
    unit_amount: Money
    amount: Money


class PaymentView(View):
    """Money received for this invoice."""

    id: UUID
    amount: Money
    refunded: Money
    card_mask: str | None
    received_at: datetime


class AttemptSummaryView(View):
    id: UUID
    state: Annotated[str, Field(examples=["requires_action"])]
    method: Literal["widget", "link"]
    created_at: datetime


class RefundView(View):
    id: UUID
    state: Annotated[str, Field(examples=["requested"])]
    invoice_id: UUID | None
    amount: Money
    origin: Literal["customer", "staff", "provider", "terms"]
    reason: str
    created_at: datetime


class TimelineEntryView(View):
    """One step of the invoice, its subscription or booking, an attempt to pay it, or a refund."""

    at: datetime
    machine: Literal["invoice", "payment", "refund", "subscription", "booking"]
    subject_id: UUID
    trigger: Annotated[str, Field(examples=["pay"])]
    from_state: str
    to_state: str


class InvoiceDetailView(InvoiceView):
    lines: list[InvoiceLineView]
    payments: list[PaymentView]
    attempts: list[AttemptSummaryView]
    refunds: list[RefundView]
    timeline: list[TimelineEntryView]


class AttemptView(View):
    """One try to pay. `pay_url` is our page for it; `redirect_url` the provider's, once there is one.

    `widget` is what `new cp.CloudPayments().start(...)` takes, while it can still be paid that way.
    """

    id: UUID
    invoice_id: UUID
    state: Annotated[str, Field(examples=["requires_action"])]
    method: Literal["widget", "link"]
    amount: Money
    pay_url: Annotated[str, Field(examples=["/pay/01934b1e-7a40-7c2e-8d8e-3d1f3a9b2c11"])]
    redirect_url: str | None
    return_url: str
    decline_code: str | None
    decline_category: str | None
    created_at: datetime
    widget: dict[str, JsonValue] | None
