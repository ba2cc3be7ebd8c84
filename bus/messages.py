"""Every command that may travel, as a versioned pydantic model, the registry that knows them by name, and
what all messages share; events are in `bus.events`.

Commands are imperative and carry all ids that applying them will lock, so that the locks are a pure function
of the message; ids of what a command creates are minted by its sender: a repeat creates the same thing.
Sums are minor units. A change of shape is a new `schema_version`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self, TypeVar
from uuid import UUID
from zlib import crc32

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from booking.rules.terms import HOURS_BEFORE_MAX, TERMS_LIMIT
from kit.errors import InvalidMessage

PARTITION_COUNT = 8
BODY_LIMIT_BYTES = 65_536
LINES_LIMIT = 100
EXTRAS_LIMIT = 20
PEOPLE_LIMIT = 10_000
QUANTITY_LIMIT = 10_000
# The largest sum one invoice may carry: 10 billion in major units, far below bigint and exact in JSON.
AMOUNT_LIMIT_MINOR = 1_000_000_000_000


def _in_utc(at: datetime) -> datetime:
    """Some offset takes the first and the last day of the calendar out of it: no row could be read back."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is outside of the calendar") from None


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc)]
AmountMinor = Annotated[int, Field(strict=True, gt=0, le=AMOUNT_LIMIT_MINOR)]
People = Annotated[int, Field(strict=True, ge=1, le=PEOPLE_LIMIT)]
Quantity = Annotated[int, Field(strict=True, ge=1, le=QUANTITY_LIMIT)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
ShortText = Annotated[str, Field(max_length=200)]
ReasonText = Annotated[str, Field(min_length=1, max_length=500)]
Url = Annotated[str, Field(max_length=2_000)]

PaymentOutcomeName = Literal["requires_action", "pending", "succeeded", "declined", "not_sent", "unknown"]
RefundOutcomeName = Literal["succeeded", "declined", "unknown"]


class Message(BaseModel):
    """What commands and events share."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_version: ClassVar[int] = 1

    studio_id: UUID


SomeMessage = TypeVar("SomeMessage", bound=Message)


class Command(Message):
    """Something wanted. `customer_id` is None when it is about the studio as a whole."""

    customer_id: UUID | None

    @property
    def partition(self) -> int:
        """All aggregates of one customer are in one partition; studio-wide commands use the studio."""
        return (
            crc32(self.studio_id.bytes + (self.customer_id.bytes if self.customer_id else b""))
            % PARTITION_COUNT
        )


class CreateSubscription(Command):
    """A customer takes a plan at a price: an incomplete subscription and its first, open invoice."""

    customer_id: UUID
    subscription_id: UUID
    invoice_id: UUID
    price_id: UUID
    metadata: dict[ShortText, JsonValue] = Field(default_factory=dict, max_length=20)


class ChangeSubscription(Command):
    """From the next billing period on another price; what has been paid for runs to its end."""

    customer_id: UUID
    subscription_id: UUID
    price_id: UUID


class CancelSubscription(Command):
    """End a subscription at once, or `at_period_end`: then it is not renewed and keeps what is paid for.

    `invoice_id` is its unpaid invoice as the sender knows it. What is unpaid when this is applied is voided.
    """

    customer_id: UUID
    subscription_id: UUID
    invoice_id: UUID | None = None
    at_period_end: bool = False


class RenewSubscription(Command):
    """Draw and open the invoice of the next billing period, which begins at `period_start`: where the one
    that runs ends. Sent by the clock; `invoice_id` is derived from subscription and period."""

    customer_id: UUID
    subscription_id: UUID
    invoice_id: UUID
    period_start: Instant


class EndSubscription(Command):
    """The last paid period of a subscription that was to end with it is over. Sent by the clock."""

    customer_id: UUID
    subscription_id: UUID


class InvoiceLine(BaseModel):
    """One line: `quantity` times `unit_amount_minor`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Annotated[str, Field(min_length=1, max_length=200)]
    quantity: Quantity
    unit_amount_minor: AmountMinor


class IssueInvoice(Command):
    """Draw and open an invoice for a customer, outside any subscription."""

    customer_id: UUID
    invoice_id: UUID
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=LINES_LIMIT)]


class VoidInvoice(Command):
    """Take an unpaid invoice back."""

    customer_id: UUID
    invoice_id: UUID
    subscription_id: UUID | None
    reason: ReasonText


class ExpireInvoice(Command):
    """The time to pay an invoice has passed."""

    customer_id: UUID
    invoice_id: UUID
    subscription_id: UUID | None


class ExtraWanted(BaseModel):
    """So many of one extra for the whole of a booking."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extra_id: UUID
    quantity: Quantity


class CancellationTier(BaseModel):
    """Canceled at least `hours_before` the start, `refund_percent` of what was paid goes back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours_before: Annotated[int, Field(strict=True, ge=0, le=HOURS_BEFORE_MAX)]
    refund_percent: Annotated[int, Field(strict=True, ge=0, le=100)]


class Offer(BaseModel):
    """What somebody was quoted for a time in a hall: the lines of its invoice, and the terms of canceling it.

    The first tier whose hours are left applies, the longest first; after the last one nothing goes back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hall_id: UUID
    starts_at: Instant
    ends_at: Instant
    people: People
    extras: Annotated[tuple[ExtraWanted, ...], Field(max_length=EXTRAS_LIMIT)]
    lines: Annotated[tuple[InvoiceLine, ...], Field(min_length=1, max_length=LINES_LIMIT)]
    terms: Annotated[tuple[CancellationTier, ...], Field(max_length=TERMS_LIMIT)]

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends before it starts")
        return self

    @property
    def total_minor(self) -> int:
        return sum(line.quantity * line.unit_amount_minor for line in self.lines)


class HoldBooking(Command):
    """Keep a time in a hall for a customer, until the hold's deadline. The offer was checked by the sender:
    hours, price and terms are as quoted; whether hall and extras are free is seen when this is applied."""

    customer_id: UUID
    booking_id: UUID
    offer: Offer
    origin: Literal["customer", "staff"]

    @property
    def hall_id(self) -> UUID:
        return self.offer.hall_id


class CheckOutBooking(Command):
    """Go on with a held booking: draw the invoice that confirms it once paid, or confirm it to be paid on
    site. `invoice_id` is that of the invoice to draw."""

    customer_id: UUID
    booking_id: UUID
    invoice_id: UUID
    payment: Literal["online", "on_site"]
    origin: Literal["customer", "staff"]


class ExpireHold(Command):
    """The time to pay a hold has passed. Sent by the clock."""

    customer_id: UUID
    booking_id: UUID


class RescheduleBooking(Command):
    """Move a confirmed booking to another time, or another hall, as offered. People and extras are the
    offer's. A difference in price is charged by `invoice_id`, drawn then, or given back."""

    customer_id: UUID
    booking_id: UUID
    invoice_id: UUID
    offer: Offer
    origin: Literal["customer", "staff"]

    @property
    def hall_id(self) -> UUID:
        return self.offer.hall_id


class CancelBooking(Command):
    """Let a booking go. `refund_percent` is what staff gives back in place of the terms, or None."""

    customer_id: UUID
    booking_id: UUID
    origin: Literal["customer", "staff"]
    refund_percent: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    reason: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _customers_have_terms(self) -> Self:
        if self.origin == "customer" and self.refund_percent is not None:
            raise ValueError("only staff may waive the terms")
        return self


class CompleteBooking(Command):
    """The visit is over. Sent by the clock, or by staff once it has begun."""

    customer_id: UUID
    booking_id: UUID
    origin: Literal["clock", "staff"]


class MarkNoShow(Command):
    """Nobody came."""

    customer_id: UUID
    booking_id: UUID


class BlockHall(Command):
    """Close a hall for a time, from now on at the earliest. Refused (`bookings_in_the_way`, with their ids)
    while it is taken."""

    hall_id: UUID
    blackout_id: UUID
    starts_at: Instant
    ends_at: Instant
    note: Annotated[str, Field(max_length=200)]

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ends_at <= self.starts_at:
            raise ValueError("ends before it starts")
        return self


class UnblockHall(Command):
    """Open a hall again that was closed for a time."""

    hall_id: UUID
    blackout_id: UUID


class StartPayment(Command):
    """Begin to pay an invoice, or find the attempt that is already open for it."""

    customer_id: UUID
    attempt_id: UUID
    invoice_id: UUID
    provider_account_id: UUID
    method: Literal["widget", "link"]
    return_url: Url


class RecordPaymentOutcome(Command):
    """What became of an attempt, told by an answer, a callback or a look-up.

    `payment_id` is derived from the provider account and `transaction_id`; both are there when a sum is.
    The ids of attempt, invoice and subscription are None when the provider named an order we do not have.
    """

    payment_id: UUID | None
    attempt_id: UUID | None
    invoice_id: UUID | None
    subscription_id: UUID | None
    provider_account_id: UUID
    outcome: PaymentOutcomeName
    transaction_id: ShortText | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None
    redirect_url: Url | None = None
    decline_code: ShortText | None = None
    decline_category: ShortText | None = None
    card_mask: ShortText | None = None


class RequestRefund(Command):
    """Ask to give back part or all of one received payment."""

    refund_id: UUID
    payment_id: UUID
    invoice_id: UUID | None
    amount_minor: AmountMinor
    reason: ReasonText
    origin: Literal["customer", "staff"]


class ApproveRefund(Command):
    """Staff agrees: the refund goes to the provider."""

    refund_id: UUID
    payment_id: UUID
    invoice_id: UUID | None


class RejectRefund(Command):
    """Staff does not agree: the sum is free again."""

    refund_id: UUID
    payment_id: UUID
    invoice_id: UUID | None
    reason: ReasonText


class DeclineRefund(Command):
    """Staff has seen that the provider never made a refund whose answer was lost: the sum is free again."""

    refund_id: UUID
    payment_id: UUID
    invoice_id: UUID | None
    reason: ReasonText


class RecordRefundOutcome(Command):
    """What became of a refund. For one made in the provider's cabinet `refund_id` is new, derived from its
    `provider_refund_id`, and there is no row yet."""

    refund_id: UUID
    payment_id: UUID | None
    invoice_id: UUID | None
    provider_account_id: UUID
    outcome: RefundOutcomeName
    payment_transaction_id: ShortText | None = None
    provider_refund_id: ShortText | None = None
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None
    decline_code: ShortText | None = None


class RetryLookUp(Command):
    """Ask the provider now what became of one attempt or one refund, before its next look-up is due."""

    attempt_id: UUID | None
    refund_id: UUID | None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.attempt_id is None) == (self.refund_id is None):
            raise ValueError("names an attempt or a refund, not both")
        return self


COMMANDS: dict[str, type[Command]] = {
    command.__name__: command
    for command in (
        CreateSubscription,
        ChangeSubscription,
        CancelSubscription,
        RenewSubscription,
        EndSubscription,
        IssueInvoice,
        HoldBooking,
        CheckOutBooking,
        ExpireHold,
        RescheduleBooking,
        CancelBooking,
        CompleteBooking,
        MarkNoShow,
        BlockHall,
        UnblockHall,
        VoidInvoice,
        ExpireInvoice,
        StartPayment,
        RecordPaymentOutcome,
        RequestRefund,
        ApproveRefund,
        RejectRefund,
        DeclineRefund,
        RecordRefundOutcome,
        RetryLookUp,
    )
}


def encode(message: Message) -> bytes:
    """The body of a message: JSON, as pydantic writes it."""
    return message.model_dump_json().encode()


def decode_command(kind: str, schema_version: int, body: bytes) -> Command:
    """Raises InvalidMessage: an unknown name or version, an oversize body, or one that does not validate."""
    return decode(COMMANDS, kind, schema_version, body)


def decode(
    models: Mapping[str, type[SomeMessage]], kind: str, schema_version: int, body: bytes
) -> SomeMessage:
    """One of `models`, by its name. Raises InvalidMessage."""
    model = models.get(kind)
    if model is None or model.schema_version != schema_version:
        raise InvalidMessage("unknown_message", kind=kind, schema_version=schema_version)
    if len(body) > BODY_LIMIT_BYTES:
        raise InvalidMessage(
            "oversize_message", kind=kind, schema_version=schema_version, size_bytes=len(body)
        )
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        fields = sorted({".".join(str(part) for part in problem["loc"]) for problem in error.errors()})
        raise InvalidMessage(
            "unreadable_message", kind=kind, schema_version=schema_version, fields=fields
        ) from error
