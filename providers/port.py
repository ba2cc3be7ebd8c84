"""What every payment provider looks like from inside: requests, outcomes, callbacks, and the port itself.

Pure values: amounts are integer minor units, provider ids are text. A provider's folder turns its wire into
these and back. Nothing here opens a socket, reads a clock or decides what an outcome means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, StrEnum
from typing import Final, Literal, Protocol, TypeAlias
from uuid import UUID

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"
"""JSON without floats: exact decimals travel as text."""


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """One studio's account (terminal, shop) at a provider; the secret never shows in a repr."""

    account_id: UUID
    provider: str
    public_id: str
    secret: str = field(repr=False)
    api_url: str
    widget_script_url: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A wish to take money once; `request_id` is the idempotency key of this very body."""

    attempt_id: UUID
    request_id: str
    amount_minor: int
    currency: str
    description: str
    customer_reference: str
    return_url: str


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A wish to give money back, in full or in part, of the provider's payment `transaction_id`."""

    refund_id: UUID
    request_id: str
    attempt_id: UUID
    transaction_id: str
    amount_minor: int
    currency: str


class OutcomeKind(StrEnum):
    """What is known after a call; `unknown` is never failure."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class DeclineCategory(StrEnum):
    """What a decline asks for: try later, another card, the payer, a person on our side."""

    SOFT = "soft"
    HARD = "hard"
    TECHNICAL = "technical"
    PAYER_ACTION = "payer_action"
    MERCHANT_BUG = "merchant_bug"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Decline:
    """A provider's no: its own code, our category, and its text for the payer (may be empty)."""

    code: str
    category: DeclineCategory
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one call. `cause` names why for not_sent and unknown; `answer` is masked for storing."""

    kind: OutcomeKind
    transaction_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    redirect_url: str | None = None
    decline: Decline | None = None
    cause: str | None = None
    card_mask: str | None = None
    answer: Mapping[str, Json] = field(default_factory=dict)


class LookUpMiss(Enum):
    """A look-up that the provider answered with "no such operation"."""

    NOT_FOUND = "not_found"


NOT_FOUND: Final = LookUpMiss.NOT_FOUND
"""Not an outcome: an authorization may still be running, so the caller decides what the absence proves."""

LookUp: TypeAlias = Outcome | Literal[LookUpMiss.NOT_FOUND]


class PaymentProvider(Protocol):
    """The calls a worker makes. None of them raises for what the provider or the network does.

    A look-up that gets no clear answer is `unknown`, never `not_sent`: it says nothing about the attempt.
    """

    def create_payment(self, request: PaymentRequest) -> Outcome: ...

    def refund(self, request: RefundRequest) -> Outcome: ...

    def find_payment(self, attempt_id: UUID) -> LookUp: ...

    def find_transaction(self, attempt_id: UUID, transaction_id: str) -> LookUp: ...

    def find_refund(self, request: RefundRequest, first_day: date, last_day: date) -> LookUp: ...

    def close(self) -> None: ...


class CallbackKind(StrEnum):
    """The notifications that are listened to; `check` is a question, the others are facts."""

    CHECK = "check"
    PAY = "pay"
    FAIL = "fail"
    REFUND = "refund"


class CheckAnswer(StrEnum):
    """What a `check` may be answered before money moves."""

    ACCEPTED = "accepted"
    WRONG_INVOICE = "wrong_invoice"
    WRONG_CUSTOMER = "wrong_customer"
    WRONG_AMOUNT = "wrong_amount"
    REFUSED = "refused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Callback:
    """One verified notification, as the provider tells it and still unmatched to anything of ours.

    `transaction_id` is the refund's own for a refund, whose payment is `payment_transaction_id`.
    `currency` is None where the provider does not say it. `deduplication_hash` (32 bytes) is the same for
    every repeat of the same fact to the same account, however it was encoded.
    """

    kind: CallbackKind
    transaction_id: str
    payment_transaction_id: str | None
    attempt_reference: str
    amount_minor: int
    currency: str | None
    customer_reference: str
    status: str
    decline: Decline | None
    is_test: bool
    card_mask: str | None
    refund_reference: str | None
    deduplication_hash: bytes

    @property
    def reason_code(self) -> str | None:
        """The provider's decline code, for a fail."""
        return self.decline.code if self.decline else None


class BadSignature(Exception):
    """The callback is not proven to come from the provider."""


class UnreadableCallback(Exception):
    """The callback is not one that can be read without guessing."""
