"""The payer's side: the payment page, its two buttons, and our own small widget script.

Mounted by `app`. The pages need no JavaScript, load one style sheet from here and may be framed by nobody.
"""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.cloudpayments.cashier import Cashier
from sandbox.cloudpayments.faults import answer_after, fails_before, server_error
from sandbox.cloudpayments.money import wire_from_minor
from sandbox.cloudpayments.notices import REASONS
from sandbox.cloudpayments.operations import Desk, Fields, new_order
from sandbox.cloudpayments.records import Order, Transaction

INTENT_LIMIT: Final = 8_000
_FILES: Final = Path(__file__).parent / "pages"
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Pages:
    """All page routes over one desk."""

    def __init__(self, desk: Desk, cashier: Cashier) -> None:
        self._desk = desk
        self._cashier = cashier
        loader = jinja2.FileSystemLoader(_FILES)
        self._templates = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )

    def routes(self) -> list[Route]:
        """Give the page, its buttons, the widget and the two static files."""
        return [
            Route("/d/{order_id}", self._show, methods=["GET"]),
            Route("/d/{order_id}/{button:str}", self._press, methods=["POST"]),
            Route("/widget/start", self._start_widget, methods=["GET"]),
            Route("/bundles/cloudpayments.js", _file("cloudpayments.js", "text/javascript"), methods=["GET"]),
            Route("/twin.css", _file("twin.css", "text/css"), methods=["GET"]),
        ]

    async def _show(self, request: Request) -> Response:
        order = self._desk.books.orders.get(request.path_params["order_id"])
        return self._page(order, []) if order else self._missing()

    async def _press(self, request: Request) -> Response:
        order = self._desk.books.orders.get(request.path_params["order_id"])
        button = request.path_params["button"]
        if order is None or button not in ("pay", "decline"):
            return self._missing()
        return await run_in_threadpool(self._settle, order.order_id, button)

    def _settle(self, order_id: str, button: str) -> Response:
        desk, point = self._desk, f"page/{button}"
        if fails_before(desk.books, point, desk.clock()):
            return server_error()
        taken = self._cashier.take(order_id, approve=button == "pay")
        page = self._page(desk.books.orders[order_id], taken)
        try:
            return answer_after(
                desk.books, point, desk.clock(), page, lambda: desk.courier.deliver(self._callbacks(taken))
            )
        finally:
            desk.courier.wake()

    def _callbacks(self, taken: list[Transaction]) -> list[int]:
        ids = {row.transaction_id for row in taken}
        with self._desk.books.lock:
            rows = [*self._desk.books.callbacks.values()]
        return [row.callback_id for row in rows if row.transaction_id in ids and row.state == "waiting"]

    def _page(self, order: Order, taken: list[Transaction]) -> Response:
        reason_code = taken[-1].reason_code if taken else 0
        text = self._templates.get_template("page.html").render(
            order=order,
            amount=_spoken_amount(order.amount_minor),
            currency={"RUB": "₽"}.get(order.currency, order.currency),
            is_test=self._desk.books.sites[order.public_id].is_test,
            reason=REASONS[reason_code][::-1] if reason_code else None,
        )
        return HTMLResponse(text, headers=_HEADERS)

    def _missing(self) -> Response:
        text = self._templates.get_template("missing.html").render()
        return HTMLResponse(text, status_code=404, headers=_HEADERS)

    async def _start_widget(self, request: Request) -> Response:
        """Open the page of these widget parameters; the same unpaid ones come back to the same page."""
        order = await run_in_threadpool(self._widget_order, request.query_params.get("intent", ""))
        if order is None:
            return self._missing()
        return RedirectResponse(f"/d/{order.order_id}", status_code=303, headers=_HEADERS)

    def _widget_order(self, intent: str) -> Order | None:
        desk, fields = self._desk, _order_fields(intent)
        with desk.books.lock:
            site = desk.books.sites.get(str(fields.get("PublicId")))
            order = new_order(desk, site, fields) if site else None
            if not isinstance(order, Order):
                return None
            for known in desk.books.orders.values():
                if known.status == "Created" and _same_wish(known, order):
                    return known
            desk.books.record("order_created", desk.clock(), order=order)
            return order


def _same_wish(known: Order, order: Order) -> bool:
    wish = ("public_id", "invoice_id", "account_id", "amount_minor", "currency", "description", "success_url")
    return bool(order.invoice_id) and all(getattr(known, name) == getattr(order, name) for name in wish)


def _order_fields(intent: str) -> Fields:
    """Turn the widget's parameter names into those of orders/create; nothing when they cannot be read."""
    if len(intent) > INTENT_LIMIT:
        return {}
    try:
        given = json.loads(intent, parse_float=Decimal)
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    user = given.get("userInfo")
    return {
        "PublicId": given.get("publicTerminalId"),
        "Amount": given.get("amount"),
        "Currency": given.get("currency"),
        "Description": given.get("description") or "Оплата",
        "InvoiceId": given.get("externalId"),
        "AccountId": user.get("accountId") if isinstance(user, dict) else None,
        "JsonData": given.get("metadata"),
        "SuccessRedirectUrl": given.get("successRedirectUrl"),
        "FailRedirectUrl": given.get("failRedirectUrl"),
    }


def _spoken_amount(amount_minor: int) -> str:
    """Give `1 490,00` with no-break spaces, as it is written in Russian."""
    whole, _, part = wire_from_minor(amount_minor).partition(".")
    return f"{int(whole):,}".replace(",", "\u00a0") + f",{part}"


def _file(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def send(request: Request) -> Response:
        return FileResponse(_FILES / name, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return send
