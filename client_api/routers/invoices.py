"""A customer's invoices: look, pay, ask for money back."""

from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from bus.messages import AmountMinor, ReasonText, RequestRefund, StartPayment
from client_api.queries.invoices import (
    get_invoice,
    get_invoice_detail,
    get_refund,
    list_invoices,
)
from client_api.queries.payments import find_provider_account, get_attempt_view
from client_api.queries.studios import get_studio
from client_api.return_urls import URL_LENGTH_LIMIT, is_allowed_return_url
from client_api.services import PREFIX, SignedIn
from client_api.views import AttemptView, InvoiceDetailView, InvoiceListView, RefundView
from kit.ids import new_id
from storage.invoices import find_refundable_payment
from web.commands import CommandRoute, KeyedCommandRequest, Wanted, answer_when_applied, submit
from web.documented import command_answers, problems
from web.fields import Body, Page, show, shown
from web.problems import Problem

router = APIRouter(prefix=PREFIX, tags=["invoices"], route_class=CommandRoute)


class Payment(Body):
    """Without `return_url` the payer comes back to our own page of the payment."""

    provider: Literal["cloudpayments"] = "cloudpayments"
    method: Literal["widget", "link"] = "widget"
    return_url: Annotated[
        str | None, Field(max_length=URL_LENGTH_LIMIT, examples=["https://studio.example.org/thanks"])
    ] = None


class RefundRequest(Body):
    """A sum of one payment of the invoice, in part or in full."""

    amount_minor: Annotated[AmountMinor, Field(examples=[149000])]
    reason: Annotated[ReasonText, Field(examples=["Заболел, не смогу ходить"])]


@router.get("/invoices", operation_id="list_invoices", responses=problems(401), summary="My invoices")
@shown
def list_own(caller: SignedIn, page: Annotated[Page, Query()]) -> InvoiceListView:
    """Newest first."""
    with caller.transaction() as connection:
        return list_invoices(connection, caller.customer_id, page.cursor, page.limit)


@router.get(
    "/invoices/{invoice_id}", operation_id="get_invoice", responses=problems(401, 404), summary="One invoice"
)
@shown
def get_one(invoice_id: UUID, caller: SignedIn) -> InvoiceDetailView:
    """With its lines, payments, refunds and everything that happened to it, in order."""
    with caller.transaction() as connection:
        return get_invoice_detail(connection, caller.customer_id, invoice_id)


@router.post(
    "/invoices/{invoice_id}/pay",
    operation_id="pay_invoice",
    responses=command_answers(200, AttemptView),
    summary="Pay",
)
def pay(
    invoice_id: UUID,
    sent: Payment,
    request: Request,
    caller: SignedIn,
    command_request: KeyedCommandRequest,
) -> Response:
    """Starts an attempt, or gives the one that is open already."""

    def want(connection: Connection) -> Wanted:
        return want_payment(connection, request, caller.studio_id, caller.customer_id, invoice_id, sent)

    def respond(connection: Connection, result: Mapping[str, object]) -> Response:
        attempt_id = UUID(str(result["attempt_id"]))
        view = get_attempt_view(connection, caller.customer_id, attempt_id)
        return show(view, 200, f"{PREFIX}/payment-attempts/{attempt_id}")

    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)


@router.post(
    "/invoices/{invoice_id}/refund-requests",
    operation_id="request_refund",
    status_code=201,
    responses=command_answers(201, RefundView),
    summary="Ask for money back",
)
def request_refund(
    invoice_id: UUID,
    sent: RefundRequest,
    request: Request,
    caller: SignedIn,
    command_request: KeyedCommandRequest,
) -> Response:
    """The sum is reserved at once; the studio's staff decides, unless its policy approves by itself."""

    def want(connection: Connection) -> Wanted:
        get_invoice(connection, caller.customer_id, invoice_id)
        payment_id = find_refundable_payment(connection, invoice_id, sent.amount_minor)
        if payment_id is None:
            raise Problem(409, "nothing_refundable")
        command = RequestRefund(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            refund_id=new_id(),
            payment_id=payment_id,
            invoice_id=invoice_id,
            amount_minor=sent.amount_minor,
            reason=sent.reason,
            origin="customer",
        )
        return Wanted(command, command.refund_id)

    def respond(connection: Connection, result: Mapping[str, object]) -> Response:
        refund_id = UUID(str(result["refund_id"]))
        return show(get_refund(connection, caller.customer_id, refund_id), 201)

    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)


def want_payment(
    connection: Connection,
    request: Request,
    studio_id: UUID,
    customer_id: UUID,
    invoice_id: UUID,
    sent: Payment,
) -> Wanted:
    """The command that begins to pay, for everyone who may: the signed-in and whoever holds a link.

    Raises Problem: 404, 409 `provider_not_available`, 422 `return_url_not_allowed`.
    """
    get_invoice(connection, customer_id, invoice_id)
    provider_account_id = find_provider_account(connection, sent.provider)
    if provider_account_id is None:
        raise Problem(409, "provider_not_available")
    attempt_id = new_id()
    return_url = sent.return_url or own_return_url(request, attempt_id)
    if not is_allowed_return_url(return_url, get_studio(connection, studio_id).allowed_origins):
        raise Problem(422, "return_url_not_allowed")
    command = StartPayment(
        studio_id=studio_id,
        customer_id=customer_id,
        attempt_id=attempt_id,
        invoice_id=invoice_id,
        provider_account_id=provider_account_id,
        method=sent.method,
        return_url=return_url,
    )
    return Wanted(command, invoice_id)


def own_return_url(request: Request, attempt_id: UUID) -> str:
    """Our page that tells how the payment went, at the address by which the client reached us."""
    return f"{request.url.scheme}://{request.url.netloc}/pay/{attempt_id}/done"
