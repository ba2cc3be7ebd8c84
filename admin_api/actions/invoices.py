"""Invoices: issued outside any subscription, and taken back while nobody has paid. Commands."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import Field
from sqlalchemy import Connection

from admin_api.actions.action import Action, widget
from admin_api.actions.commanding import command_action
from admin_api.actions.fields import Line, Reason
from admin_api.actions.rows import get_invoice
from admin_api.desk import Desk
from billing.invoices import INVOICE
from bus.messages import LINES_LIMIT, AmountMinor, InvoiceLine, IssueInvoice, Quantity, VoidInvoice
from kit.ids import new_id
from storage.customers import require_customer
from web.commands import Wanted
from web.fields import Body


class NewLine(Body):
    """`quantity` times `unit_amount_minor`."""

    description: Line
    quantity: Quantity = 1
    unit_amount_minor: Annotated[AmountMinor, Field(examples=[149_000])]


class NewInvoice(Body):
    """What the customer owes, in the studio's currency."""

    lines: Annotated[
        tuple[NewLine, ...],
        Field(min_length=1, max_length=LINES_LIMIT, json_schema_extra=widget("lines")),
    ]


class WhyVoid(Body):
    """The reason stays with the invoice's history."""

    reason: Reason


def _want_issue(desk: Desk, connection: Connection, customer_id: UUID, sent: NewInvoice) -> Wanted:
    require_customer(connection, customer_id)
    command = IssueInvoice(
        studio_id=desk.studio_id,
        customer_id=customer_id,
        invoice_id=new_id(),
        lines=tuple(InvoiceLine(**line.model_dump()) for line in sent.lines),
    )
    return Wanted(command, command.invoice_id)


def _want_void(desk: Desk, connection: Connection, invoice_id: UUID, sent: WhyVoid) -> Wanted:
    invoice = get_invoice(connection, invoice_id)
    command = VoidInvoice(
        studio_id=desk.studio_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice_id,
        subscription_id=invoice.subscription_id,
        reason=sent.reason,
    )
    return Wanted(command, invoice_id)


def _may_void(connection: Connection, invoice_id: UUID) -> bool:
    invoice = get_invoice(connection, invoice_id)
    return "void" in INVOICE.triggers_from(invoice.state) and not invoice.payment_in_flight


ACTIONS: Final[tuple[Action, ...]] = (
    command_action(
        "issue_invoice",
        "invoices.write",
        "/customers/{subject_id}/invoices",
        subject="customers",
        body=NewInvoice,
        want=_want_issue,
        summary="Issue an invoice",
    ),
    command_action(
        "void_invoice",
        "invoices.write",
        "/invoices/{subject_id}/void",
        subject="invoices",
        body=WhyVoid,
        want=_want_void,
        is_open=_may_void,
        is_dangerous=True,
        summary="Void an unpaid invoice",
    ),
)
