"""Customers as staff enters them, and notes about them. Direct writes."""

from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator, Field
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, widget
from admin_api.actions.direct import Change, made_id, write_once
from admin_api.actions.fields import Line, Locale, NoteText
from admin_api.desk import Desk
from storage import customers
from web.credentials import Email, same_email
from web.fields import Body


def _same(email: object) -> object:
    return same_email(email) if isinstance(email, str) else email


class NewCustomer(Body):
    """Without a password."""

    name: Line
    email: Annotated[
        Email,
        BeforeValidator(_same),
        Field(json_schema_extra=widget("text"), examples=["anna@example.org"]),
    ]
    locale: Locale = "ru"


class NewNote(Body):
    """Staff reads it, the customer does not."""

    text: NoteText


def _create_customer(desk: Desk, sent: ActionRequest, _subject_id: None, body: NewCustomer) -> Done:
    customer_id = made_id(desk, sent, "customer")

    def write(connection: Connection) -> Change:
        customers.create_customer(connection, customer_id, studio_id=desk.studio_id, **body.model_dump())
        # Of people the audit keeps ids only.
        return Change(after={"customer_id": customer_id, "locale": body.locale})

    write_once(desk, sent, "create_customer", customer_id, write)
    return Done(subject_id=customer_id)


def _add_note(desk: Desk, sent: ActionRequest, customer_id: UUID, body: NewNote) -> Done:
    note_id = made_id(desk, sent, "customer_note")

    def write(connection: Connection) -> Change:
        customers.add_note(
            connection,
            note_id,
            studio_id=desk.studio_id,
            customer_id=customer_id,
            staff_member_id=desk.person.id,
            body=body.text,
        )
        return Change(facts={"note_id": note_id})

    write_once(desk, sent, "add_note", customer_id, write)
    return Done(subject_id=note_id)


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="create_customer",
        permission="customers.write",
        path="/customers",
        subject=None,
        body=NewCustomer,
        run=_create_customer,
        summary="A new customer, without a password",
    ),
    Action(
        name="add_note",
        permission="customers.write",
        path="/customers/{subject_id}/notes",
        subject="customers",
        body=NewNote,
        run=_add_note,
        summary="Write something down about a customer",
    ),
)
