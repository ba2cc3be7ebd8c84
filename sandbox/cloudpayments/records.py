"""The twin's rows, as they stand in its ledger file.

Amounts are integer minor units, instants Unix seconds.
"""

from dataclasses import dataclass, field
from typing import Literal

CallbackName = Literal["check", "pay", "fail", "refund"]
CallbackState = Literal["waiting", "held", "delivered", "lost", "exhausted"]


@dataclass(frozen=True, slots=True)
class Site:
    """A terminal of the provider."""

    public_id: str
    secret: str = field(repr=False)
    is_test: bool
    format: Literal["form", "json"]
    callbacks: dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A payment page."""

    order_id: str
    number: int
    public_id: str
    amount_minor: int
    currency: str
    description: str
    invoice_id: str
    account_id: str
    data: str
    success_url: str
    fail_url: str
    status: Literal["Created", "Paid", "Cancelled"]
    created_at: float


@dataclass(frozen=True, slots=True)
class Transaction:
    """A capture, a declined try, or a refund (`original_id` is then its payment)."""

    transaction_id: int
    operation: Literal["Payment", "Refund"]
    public_id: str
    order_id: str
    amount_minor: int
    currency: str
    invoice_id: str
    account_id: str
    description: str
    data: str
    status: Literal["Completed", "Declined"]
    reason_code: int
    original_id: int | None
    origin: Literal["page", "api", "cabinet"]
    is_test: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class Callback:
    """A notification to send until it is answered with code 0."""

    callback_id: int
    name: CallbackName
    public_id: str
    invoice_id: str
    transaction_id: int
    body: str
    content_type: str
    state: CallbackState
    tries: int
    next_at: float
    last_answer: str
    forged: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What a request id was answered with; a repeat within the hour gets the same."""

    public_id: str
    request_id: str
    endpoint: str
    body_sha256: str
    answer: str
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of the fault script."""

    point: str
    kind: str
    times: int
    milliseconds: int
