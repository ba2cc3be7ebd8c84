"""The API calls: what each does to the books and what it answers.

Called by `api` under the books' lock, after authorization. Each gives an Effect that is recorded in one entry
together with the request id. A refusal is an envelope with `Success: false` and changes nothing.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final, TypeAlias

import orjson

from sandbox.cloudpayments.books import Books
from sandbox.cloudpayments.courier import Courier
from sandbox.cloudpayments.money import minor_from_wire, wire_from_minor
from sandbox.cloudpayments.notices import CARD, REASONS, utc_text
from sandbox.cloudpayments.records import Callback, Order, Site, Transaction

PAGE_SIZE: Final = 100
Fields: TypeAlias = Mapping[str, object]
_NAMES: Final = MappingProxyType({"check": "Check", "pay": "Pay", "fail": "Fail", "refund": "Refund"})


@dataclass(frozen=True, slots=True)
class Desk:
    """What the calls work with."""

    books: Books
    courier: Courier
    clock: Callable[[], float]
    public_url: str


@dataclass(frozen=True, slots=True)
class Effect:
    """An answer and the rows that change with it."""

    answer: Mapping[str, object]
    kind: str = ""
    order: Order | None = None
    transaction: Transaction | None = None
    callbacks: tuple[Callback, ...] = ()
    site: Site | None = None


def refusal(message: str) -> Effect:
    """The provider's plain no."""
    return Effect({"Success": False, "Message": message})


def test(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Check the credentials."""
    return Effect({"Success": True, "Message": "bd6353c3-0ed6-4a65-946f-083664bf8dbd"})


def create_order(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Make a payment page."""
    order = new_order(desk, site, fields)
    if isinstance(order, str):
        return refusal(order)
    model = {
        "Id": order.order_id,
        "Number": order.number,
        "Amount": _number(order.amount_minor),
        "Currency": order.currency,
        "CurrencyCode": 0,
        "Email": "",
        "Phone": "",
        "Description": order.description,
        "RequireConfirmation": False,
        "Url": page_url(desk, order.order_id),
        "StatusCode": 0,
        "Status": "Created",
        "CreatedDateIso": utc_text(order.created_at),
    }
    return Effect({"Success": True, "Message": None, "Model": model}, "order_created", order=order)


def page_url(desk: Desk, order_id: str) -> str:
    """Where a payer opens the order."""
    return f"{desk.public_url}/d/{order_id}"


def new_order(desk: Desk, site: Site, fields: Fields) -> Order | str:
    """Build an order, or say what is wrong with its fields."""
    amount_minor = minor_from_wire(fields.get("Amount"))
    if amount_minor is None:
        return "Amount is required and has at most two decimals"
    urls = [str(fields.get(name) or "") for name in ("SuccessRedirectUrl", "FailRedirectUrl")]
    if any(url and not url.startswith(("http://", "https://")) for url in urls):
        return "Redirect addresses are http or https"
    if not fields.get("Description"):
        return "Description is required"
    return Order(
        order_id=secrets.token_urlsafe(12),
        number=len(desk.books.orders) + 1,
        public_id=site.public_id,
        amount_minor=amount_minor,
        currency=str(fields.get("Currency") or "RUB"),
        description=str(fields["Description"]),
        invoice_id=_text(fields.get("InvoiceId")),
        account_id=_text(fields.get("AccountId")),
        data=_data_text(fields.get("JsonData")),
        success_url=urls[0],
        fail_url=urls[1],
        status="Created",
        created_at=desk.clock(),
    )


def cancel_order(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Close an unpaid payment page."""
    order = desk.books.orders.get(_text(fields.get("Id")))
    if order is None or order.public_id != site.public_id or order.status == "Paid":
        return refusal("Not found")
    answer: dict[str, object] = {"Success": True, "Message": None}
    return Effect(answer, "order_canceled", order=replace(order, status="Cancelled"))


def get_payment(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Find an operation by the provider's id."""
    wanted = _text(fields.get("TransactionId"))
    return _last(row for row in _operations(desk, site) if str(row.transaction_id) == wanted)


def find_payment(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Find the last payment with an InvoiceId."""
    wanted = _text(fields.get("InvoiceId"))
    rows = (row for row in _operations(desk, site) if row.operation == "Payment")
    return _last(row for row in rows if row.invoice_id == wanted)


def find_operation(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Find the last operation, refunds included, with an InvoiceId."""
    wanted = _text(fields.get("InvoiceId"))
    return _last(row for row in _operations(desk, site) if row.invoice_id == wanted)


def list_operations(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Give a page of a period's operations, oldest first."""
    try:
        since = _instant(_text(fields.get("CreatedDateGte")))
        until = _instant(_text(fields.get("CreatedDateLte")))
        page = int(_text(fields.get("PageNumber")))
    except ValueError:
        return refusal("CreatedDateGte, CreatedDateLte and PageNumber are required")
    rows = [row for row in _operations(desk, site) if since <= row.created_at <= until]
    start = (max(page, 1) - 1) * PAGE_SIZE
    models = [transaction_model(row) for row in rows[start : start + PAGE_SIZE]]
    return Effect({"Success": True, "Message": None, "Model": models})


def refund(desk: Desk, site: Site, fields: Fields) -> Effect:
    """Give money back by the API."""
    return make_refund(
        desk,
        site,
        _text(fields.get("TransactionId")),
        minor_from_wire(fields.get("Amount")),
        _data_text(fields.get("JsonData")),
        by_api=True,
    )


def make_refund(
    desk: Desk, site: Site, transaction_id: str, amount_minor: int | None, data: str, *, by_api: bool
) -> Effect:
    """Refund a completed payment, never beyond what was taken."""
    rows = (row for row in _operations(desk, site) if str(row.transaction_id) == transaction_id)
    payment = next(rows, None)
    if payment is None or payment.operation != "Payment" or payment.status != "Completed":
        return refusal("Not found")
    rest = payment.amount_minor - desk.books.refunded_minor(payment.transaction_id)
    if amount_minor is None or amount_minor > rest:
        return refusal("Сумма возврата больше остатка платежа")
    made = replace(
        payment,
        transaction_id=desk.books.next_transaction_id(),
        operation="Refund",
        amount_minor=amount_minor,
        original_id=payment.transaction_id,
        data=data,
        origin="api" if by_api else "cabinet",
        created_at=desk.clock(),
    )
    answer = {"Success": True, "Message": None, "Model": {"TransactionId": made.transaction_id}}
    callbacks = tuple(desk.courier.plan("refund", made))
    return Effect(answer, "refund", transaction=made, callbacks=callbacks)


def notification_operation(name: str, *, update: bool) -> Callable[[Desk, Site, Fields], Effect]:
    """Give the call that reads or changes where a kind of notification goes."""

    def run(desk: Desk, site: Site, fields: Fields) -> Effect:
        if not update:
            address = site.callbacks.get(name, "")
            model = {"IsEnabled": bool(address), "Address": address, "HttpMethod": "POST", "Encoding": "UTF8"}
            return Effect({"Success": True, "Message": None, "Model": model})
        if name == "check" or fields.get("HttpMethod") != "POST":
            return refusal("Check is set in the cabinet; the twin sends only POST")
        address = _text(fields.get("Address")) if fields.get("IsEnabled") else ""
        changed = replace(site, callbacks={**site.callbacks, name: address})
        return Effect({"Success": True, "Message": None}, "site_changed", site=changed)

    return run


def transaction_model(row: Transaction) -> dict[str, object]:
    """Give the provider's view of an operation; thinner than the real one, as some real answers are."""
    reason, message = REASONS[row.reason_code]
    return {
        "TransactionId": row.transaction_id,
        "Amount": _number(row.amount_minor),
        "Currency": row.currency,
        "CurrencyCode": 0,
        "InvoiceId": row.invoice_id,
        "AccountId": row.account_id,
        "Description": row.description,
        "JsonData": row.data or None,
        "CreatedDateIso": utc_text(row.created_at),
        "TestMode": row.is_test,
        "OriginalTransactionId": row.original_id,
        **CARD,
        "Status": row.status,
        "StatusCode": 3 if row.status == "Completed" else 5,
        "Reason": reason,
        "ReasonCode": row.reason_code,
        "CardHolderMessage": message,
        "OperationType": row.operation,
    }


def _last(rows: Iterable[Transaction]) -> Effect:
    found = [*rows]
    if not found:
        return refusal("Not found")
    answer = {"Success": found[-1].status == "Completed", "Message": None}
    return Effect({**answer, "Model": transaction_model(found[-1])})


def _operations(desk: Desk, site: Site) -> list[Transaction]:
    return [row for row in desk.books.transactions.values() if row.public_id == site.public_id]


def _number(amount_minor: int) -> orjson.Fragment:
    return orjson.Fragment(wire_from_minor(amount_minor))


def _instant(text: str) -> float:
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _data_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str) if value else ""


OPERATIONS: Final[Mapping[str, Callable[[Desk, Site, Fields], Effect]]] = MappingProxyType(
    {
        "test": test,
        "orders/create": create_order,
        "orders/cancel": cancel_order,
        "payments/get": get_payment,
        "payments/find": find_payment,
        "v2/payments/find": find_operation,
        "v2/payments/list": list_operations,
        "payments/refund": refund,
        **{
            f"site/notifications/{wire_name}/{verb}": notification_operation(name, update=verb == "update")
            for name, wire_name in _NAMES.items()
            for verb in ("get", "update")
        },
    }
)
