"""The `cloudpayments` package with its one choke point replaced, and the calls it lacks.

Called by `adapter`. The package has no timeouts, cannot send an exact amount, takes no request id on most
calls and looks at no HTTP status; every call of it goes through `_send_request`, so that is where all of this
is put right. Calls that it inherits work too: their models find every key they index.
"""

import copy
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeAlias, cast

from cloudpayments import CloudPayments

from providers.cloudpayments.answers import Envelope
from providers.cloudpayments.client.transport import ANSWER_TIMEOUT_SECONDS, exact_json, open_session, post
from providers.port import ProviderAccount

Parameter: TypeAlias = "str | int | Decimal | Mapping[str, Parameter]"

# What the package's Transaction.from_dict and PaymentError index without asking.
_TRANSACTION_KEYS: Final = (
    "TransactionId", "Amount", "Currency", "CurrencyCode", "InvoiceId", "AccountId", "Email",
    "Description", "JsonData", "CreatedDateIso", "AuthDateIso", "ConfirmDateIso", "AuthCode",
    "TestMode", "IpAddress", "IpCountry", "IpCity", "IpRegion", "IpDistrict", "IpLatitude",
    "IpLongitude", "CardFirstSix", "CardLastFour", "CardExpDate", "CardType", "CardTypeCode", "Issuer",
    "IssuerBankCountry", "Status", "StatusCode", "Reason", "ReasonCode", "CardHolderMessage", "Name",
    "Token",
)  # fmt: skip
_DATE_LENGTH: Final = len("2026-11-21T03:04:05")


class CloudPaymentsApi(CloudPayments):  # type: ignore[misc]  # the package has no types
    """The provider's calls. Every one raises CallFailed when no readable answer came."""

    def __init__(
        self, account: ProviderAccount, answer_timeout_seconds: float = ANSWER_TIMEOUT_SECONDS
    ) -> None:
        super().__init__(account.public_id, account.secret)
        self.URL = account.api_url.rstrip("/") + "/"
        self._session = open_session(account.public_id, account.secret, is_test=account.is_test)
        self._answer_timeout_seconds = answer_timeout_seconds
        self._request_id: str | None = None

    def with_request_id(self, request_id: str) -> "CloudPaymentsApi":
        """Give a copy over the same connections whose calls carry `X-Request-ID` (kept 1 hour there)."""
        bound = copy.copy(self)
        bound._request_id = request_id
        return bound

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def open_order(self, parameters: Mapping[str, Parameter]) -> Envelope:
        """Make a payment link; unlike the inherited `create_order` it can carry redirect addresses."""
        return self._send_request("orders/create", parameters)

    def refund_payment(self, transaction_id: str, amount: Decimal, data: Mapping[str, Parameter]) -> Envelope:
        """Refund with JsonData, which the inherited `refund` cannot send."""
        parameters: dict[str, Parameter] = {
            "TransactionId": int(transaction_id),
            "Amount": amount,
            "JsonData": data,
        }
        return self._send_request("payments/refund", parameters)

    def find_invoice(self, invoice_id: str) -> Envelope:
        """Give the last payment with this InvoiceId; the inherited `find_payment` loses a declined Model."""
        return self._send_request("payments/find", {"InvoiceId": invoice_id})

    def find_transaction(self, transaction_id: str) -> Envelope:
        """Give the operation with this id; the inherited `get_transaction` loses a declined Model."""
        return self._send_request("payments/get", {"TransactionId": int(transaction_id)})

    def list_operations(self, created_from: str, created_to: str, page: int) -> Envelope:
        """Give one page (100 operations, oldest first) of payments and refunds; times are ISO with zone."""
        parameters: dict[str, Parameter] = {
            "CreatedDateGte": created_from,
            "CreatedDateLte": created_to,
            "PageNumber": page,
            "TimeZone": "UTC",
        }
        return self._send_request("v2/payments/list", parameters)

    def _send_request(
        self, endpoint: str, params: Mapping[str, Parameter] | None = None, request_id: str | None = None
    ) -> Envelope:
        envelope = post(
            self._session,
            self.URL + endpoint,
            exact_json(params or {}),
            request_id or self._request_id,
            self._answer_timeout_seconds,
        )
        model = envelope["Model"]
        if isinstance(model, dict) and "TransactionId" in model:
            envelope["Model"] = _whole_transaction(cast(dict[str, object], model))
        return envelope


def _whole_transaction(model: dict[str, object]) -> dict[str, object]:
    """Fill the keys that the package indexes; cut fractions and zones off dates, which it cannot read."""
    whole = dict.fromkeys(_TRANSACTION_KEYS) | model
    for key, value in whole.items():
        if key.endswith("DateIso") and isinstance(value, str):
            whole[key] = value[:_DATE_LENGTH]
    return whole
