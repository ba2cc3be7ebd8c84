"""CloudPayments behind the port: one method per wish, each one call (a look-up of a refund: a few pages).

Called by the worker's tasks, one client per process and account. It sends and tells; whether to repeat, wait
or look up is the caller's choice.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

import orjson

from providers.cloudpayments.amounts import decimal_from_minor
from providers.cloudpayments.answers import (
    created_order,
    found_payment,
    made_refund,
    masked,
    transaction_outcome,
)
from providers.cloudpayments.client.api import CloudPaymentsApi, Parameter
from providers.cloudpayments.client.transport import ANSWER_TIMEOUT_SECONDS, CallFailed
from providers.port import (
    NOT_FOUND,
    Decline,
    DeclineCategory,
    LookUp,
    Outcome,
    OutcomeKind,
    PaymentProvider,
    PaymentRequest,
    ProviderAccount,
    RefundRequest,
)

PAGE_SIZE: Final = 100
PAGE_LIMIT: Final = 100


class CloudPaymentsClient(PaymentProvider):
    """The port over CloudPayments. Safe to share between threads; make a new one after a fork."""

    def __init__(
        self, account: ProviderAccount, answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
    ) -> None:
        self._api = CloudPaymentsApi(account, answer_timeout_seconds)

    def close(self) -> None:
        """Close the pooled connections."""
        self._api.close()

    def create_payment(self, request: PaymentRequest) -> Outcome:
        """Make a hosted payment link: requires_action with `redirect_url`.

        Idempotent by `request.request_id` for one hour, with the same body only.
        """
        api = self._api.with_request_id(request.request_id)
        parameters: dict[str, Parameter] = {
            "Amount": decimal_from_minor(request.amount_minor, request.currency),
            "Currency": request.currency,
            "Description": request.description,
            "InvoiceId": str(request.attempt_id),
            "AccountId": request.customer_reference,
            "CultureName": "ru-RU",
            "SuccessRedirectUrl": request.return_url,
            "FailRedirectUrl": request.return_url,
        }
        return _acted(lambda: created_order(api.open_order(parameters)))

    def refund(self, request: RefundRequest) -> Outcome:
        """Refund a payment, in full or in part; JsonData carries our refund id, which look-ups read back.

        Idempotent by `request.request_id` for one hour, with the same body only. A refund to an SBP account
        is accepted here and finished later; the Refund notification tells its end.
        """
        api = self._api.with_request_id(request.request_id)
        amount = decimal_from_minor(request.amount_minor, request.currency)
        data = {"refund_id": str(request.refund_id)}
        return _acted(
            lambda: made_refund(
                api.refund_payment(request.transaction_id, amount, data),
                request.amount_minor,
                request.currency,
            )
        )

    def find_payment(self, attempt_id: UUID) -> LookUp:
        """Look the attempt up by our id. Tells of the *last* try on it only; a decline may be followed."""
        reference = str(attempt_id)
        return _looked_up(lambda: found_payment(self._api.find_invoice(reference), reference))

    def find_transaction(self, attempt_id: UUID, transaction_id: str) -> LookUp:
        """Look one try on the attempt up by the provider's id, also when others came after it."""
        reference = str(attempt_id)
        return _looked_up(
            lambda: found_payment(self._api.find_transaction(transaction_id), reference, transaction_id)
        )

    def find_refund(self, request: RefundRequest, first_day: date, last_day: date) -> LookUp:
        """Search the operations of whole UTC days (both included) for this refund, by the id in its JsonData.

        A refund of the same payment and sum that carries no id of ours may be this one or one made in the
        provider's cabinet: that is unknown, not NOT_FOUND.
        """
        created_from = datetime.combine(first_day, time(), UTC).isoformat()
        created_to = datetime.combine(last_day + timedelta(days=1), time(), UTC).isoformat()
        return _looked_up(lambda: self._search_refund(request, created_from, created_to))

    def _search_refund(self, request: RefundRequest, created_from: str, created_to: str) -> LookUp:
        result: LookUp = NOT_FOUND
        for page in range(1, PAGE_LIMIT + 1):
            envelope = self._api.list_operations(created_from, created_to, page)
            operations = envelope["Model"]
            if not envelope["Success"] or not isinstance(operations, list):
                raise CallFailed(OutcomeKind.UNKNOWN, "odd_envelope")
            for operation in operations:
                match _refund_match(operation, request):
                    case "same":
                        return transaction_outcome(operation, masked(operation))
                    case "unnamed":
                        result = Outcome(
                            OutcomeKind.UNKNOWN, cause="unnamed_refund", answer=masked(operation)
                        )
            if len(operations) < PAGE_SIZE:
                return result
        raise CallFailed(OutcomeKind.UNKNOWN, "too_many_operations")


def _acted(call: Callable[[], Outcome]) -> Outcome:
    try:
        return call()
    except CallFailed as failed:
        if failed.kind is OutcomeKind.DECLINED:
            decline = Decline(failed.cause, DeclineCategory.MERCHANT_BUG, "")
            return Outcome(failed.kind, decline=decline)
        return Outcome(failed.kind, cause=failed.cause)


def _looked_up(call: Callable[[], LookUp]) -> LookUp:
    """However a look-up breaks, the operation it asked about stays as unknown as it was."""
    try:
        return call()
    except CallFailed as failed:
        return Outcome(OutcomeKind.UNKNOWN, cause=failed.cause)


def _refund_match(operation: object, request: RefundRequest) -> str:
    """Tell whether a listed operation is this refund: `same`, `unnamed` or `other`."""
    if not isinstance(operation, dict):
        raise CallFailed(OutcomeKind.UNKNOWN, "odd_envelope")
    refund_id = _refund_id(operation.get("JsonData"))
    if refund_id is not None:
        return "same" if refund_id == str(request.refund_id) else "other"
    if str(operation.get("OriginalTransactionId")) != request.transaction_id:
        return "other"
    found = transaction_outcome(operation, {})
    return "unnamed" if found.amount_minor in (None, request.amount_minor) else "other"


def _refund_id(data: object) -> str | None:
    """JsonData comes back as text or as an object."""
    if isinstance(data, str):
        try:
            data = orjson.loads(data)
        except orjson.JSONDecodeError:
            return None
    value = data.get("refund_id") if isinstance(data, Mapping) else None
    return value if isinstance(value, str) else None
