"""Parameters of the CloudPayments browser widget. Pure: the page that shows it makes no call from our side.

Called by the client API and the state updater. What the widget tells the browser afterwards is for the eye
only; money is known from callbacks and look-ups.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

import orjson

from providers.cloudpayments.amounts import decimal_from_minor
from providers.port import PaymentRequest, ProviderAccount

WidgetValue: TypeAlias = "str | bool | Decimal | Mapping[str, str]"


def widget_parameters(account: ProviderAccount, request: PaymentRequest) -> dict[str, WidgetValue]:
    """Give what `new cp.CloudPayments().start(...)` takes; `amount` is an exact decimal in major units.

    `retryPayment` is on: after a decline the payer may try again, and every try names the same attempt.
    """
    return {
        "publicTerminalId": account.public_id,
        "amount": decimal_from_minor(request.amount_minor, request.currency),
        "currency": request.currency,
        "paymentSchema": "Single",
        "externalId": str(request.attempt_id),
        "description": request.description,
        "culture": "ru-RU",
        "emailBehavior": "Hidden",
        "retryPayment": True,
        "tokenize": False,
        "userInfo": {"accountId": request.customer_reference},
        "successRedirectUrl": request.return_url,
        "failRedirectUrl": request.return_url,
    }


def widget_json(parameters: Mapping[str, WidgetValue]) -> str:
    """Write the parameters as JSON with an exact number, safe to stand inside a `<script>` element."""
    text = orjson.dumps(parameters, default=_exact_number).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _exact_number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError(type(value).__name__)
