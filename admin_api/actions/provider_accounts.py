"""Contracts with payment providers. Direct writes; a secret goes in sealed and never comes out here."""

from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue
from sqlalchemy import Connection

from admin_api.actions.action import Action, ActionRequest, Done, widget
from admin_api.actions.direct import Change, changed, made_id, write_once
from admin_api.actions.fields import Address, Flag, Line, Secret
from admin_api.desk import Desk
from kit.errors import Refused
from storage import catalog
from storage.sealing import seal
from web.fields import Body


class NewProviderAccount(Body):
    """`public_id` and `secret` are from the provider's cabinet."""

    provider: Annotated[Literal["cloudpayments"], Field(json_schema_extra=widget("choice"))] = "cloudpayments"
    public_id: Line
    secret: Secret
    api_url: Address
    widget_script_url: Address
    is_test: Flag


class ChangedProviderAccount(Body):
    """What is not given stays as it is, the secret too, but for another `api_url` it is asked for again.

    An inactive account starts no payments.
    """

    # The form's own mark, seen whatever may be left out: a secret is never sent by GET.
    secret: Annotated[Secret | None, Field(json_schema_extra=widget("secret"))] = None
    api_url: Address | None = None
    widget_script_url: Address | None = None
    is_active: Flag | None = None


def _create(desk: Desk, sent: ActionRequest, _subject_id: None, body: NewProviderAccount) -> Done:
    account_id = made_id(desk, sent, "provider_account")
    columns = body.model_dump(exclude={"secret"})

    def write(connection: Connection) -> Change:
        sealed = _seal(desk, body.secret.get_secret_value())
        catalog.create_provider_account(connection, account_id, desk.studio_id, columns, sealed)
        return Change(after=columns)

    write_once(desk, sent, "create_provider_account", account_id, write)
    return Done(subject_id=account_id)


def _change(desk: Desk, sent: ActionRequest, account_id: UUID, body: ChangedProviderAccount) -> Done:
    def write(connection: Connection) -> Change:
        before = catalog.get_provider_account(connection, account_id, lock=True)
        after = before | body.model_dump(exclude_none=True, exclude={"secret"})
        if after["api_url"] != before["api_url"] and body.secret is None:
            # Sent to another address, the old secret would tell itself to whoever listens there.
            raise Refused("secret_required")
        sealed = _seal(desk, body.secret.get_secret_value()) if body.secret else None
        catalog.change_provider_account(connection, account_id, after, sealed)
        change = changed(before, after)
        return Change(change.before, change.after, {"secret_changed": sealed is not None})

    write_once(desk, sent, "change_provider_account", account_id, write)
    return Done(subject_id=account_id)


def _seal(desk: Desk, secret: str) -> bytes:
    return seal(desk.services.settings.sealing_key.get_secret_value(), secret)


def _as_it_is(connection: Connection, account_id: UUID) -> dict[str, JsonValue]:
    account = catalog.get_provider_account(connection, account_id)
    return {
        "api_url": str(account["api_url"]),
        "widget_script_url": str(account["widget_script_url"]),
        "is_active": bool(account["is_active"]),
    }


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        name="create_provider_account",
        permission="provider_accounts.write",
        path="/provider_accounts",
        subject=None,
        body=NewProviderAccount,
        run=_create,
        summary="A contract with a payment provider",
    ),
    Action(
        name="change_provider_account",
        permission="provider_accounts.write",
        path="/provider_accounts/{subject_id}",
        subject="provider_accounts",
        body=ChangedProviderAccount,
        run=_change,
        initial=_as_it_is,
        is_dangerous=True,
        summary="New addresses or secret; on or off",
    ),
)
