"""A customer's subscriptions: take a plan, look, cancel."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, JsonValue, field_validator
from sqlalchemy import Connection

from bus.messages import CancelSubscription, CreateSubscription, ShortText
from client_api.queries.studios import get_studio
from client_api.queries.subscriptions import get_subscription, list_subscriptions
from client_api.services import PREFIX, SignedIn
from client_api.views import SubscriptionListView, SubscriptionView
from kit.canonical import canonical_json
from kit.ids import new_id
from storage.catalog import is_for_sale
from storage.invoices import find_open_invoice
from web.commands import AnyCommandRequest, CommandRoute, Wanted, answer_when_applied, submit
from web.documented import command_answers, problems
from web.fields import Body, Page, show, shown
from web.problems import not_found

METADATA_LIMIT_BYTES: Final = 8 * 1024
PATH: Final = f"{PREFIX}/subscriptions"

router = APIRouter(prefix=PREFIX, tags=["subscriptions"], route_class=CommandRoute)


class NewSubscription(Body):
    """`metadata` is yours: it comes back as it is."""

    price_id: Annotated[UUID, Field(examples=["01934b1e-7a40-7c2e-8d8e-3d1f3a9b2c11"])]
    metadata: Annotated[
        dict[ShortText, JsonValue], Field(max_length=20, examples=[{"source": "landing"}])
    ] = Field(default_factory=dict)

    @field_validator("metadata")
    @classmethod
    def check_size(cls, metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Far below what a message may carry: nothing accepted here may be refused by the bus."""
        if len(canonical_json(metadata)) > METADATA_LIMIT_BYTES:
            raise ValueError("metadata is too large")
        return metadata


class Cancellation(Body):
    """`at_period_end`: it is not renewed any more, and lasts until what is paid for is over."""

    at_period_end: Annotated[bool, Field(strict=True, examples=[True])] = False


AT_ONCE: Final = Cancellation()


class SubscriptionPage(Page):
    state: Literal["incomplete", "active", "canceled"] | None = None


@router.post(
    "/subscriptions",
    operation_id="create_subscription",
    status_code=201,
    responses=command_answers(201, SubscriptionView),
    summary="Subscribe",
)
def create(
    sent: NewSubscription, request: Request, caller: SignedIn, command_request: AnyCommandRequest
) -> Response:
    """An incomplete subscription and its first, open invoice; paying that makes it active."""

    def want(connection: Connection) -> Wanted:
        now = get_studio(connection, caller.studio_id).now(caller.services.clock())
        if not is_for_sale(connection, sent.price_id, now):
            raise not_found()
        command = CreateSubscription(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            subscription_id=new_id(),
            invoice_id=new_id(),
            price_id=sent.price_id,
            metadata=sent.metadata,
        )
        return Wanted(command, command.subscription_id)

    def respond(connection: Connection, result: Mapping[str, object]) -> Response:
        subscription_id = UUID(str(result["subscription_id"]))
        view = get_subscription(connection, caller.customer_id, subscription_id)
        return show(view, 201, f"{PATH}/{subscription_id}")

    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)


@router.get(
    "/subscriptions",
    operation_id="list_subscriptions",
    responses=problems(401),
    summary="My subscriptions",
)
@shown
def list_own(caller: SignedIn, page: Annotated[SubscriptionPage, Query()]) -> SubscriptionListView:
    """Newest first."""
    with caller.transaction() as connection:
        return list_subscriptions(connection, caller.customer_id, page.state, page.cursor, page.limit)


@router.get(
    "/subscriptions/{subscription_id}",
    operation_id="get_subscription",
    responses=problems(401, 404),
    summary="One subscription",
)
@shown
def get_one(subscription_id: UUID, caller: SignedIn) -> SubscriptionView:
    with caller.transaction() as connection:
        return get_subscription(connection, caller.customer_id, subscription_id)


@router.post(
    "/subscriptions/{subscription_id}/cancel",
    operation_id="cancel_subscription",
    responses=command_answers(200, SubscriptionView),
    summary="Cancel, at once or at the end of the period",
)
def cancel(
    subscription_id: UUID,
    request: Request,
    caller: SignedIn,
    command_request: AnyCommandRequest,
    sent: Cancellation = AT_ONCE,
) -> Response:
    """Without a body, at once. Either way its open invoice, if there is one, is voided; refused while a
    payment is being processed."""

    def want(connection: Connection) -> Wanted:
        get_subscription(connection, caller.customer_id, subscription_id)
        command = CancelSubscription(
            studio_id=caller.studio_id,
            customer_id=caller.customer_id,
            subscription_id=subscription_id,
            invoice_id=find_open_invoice(connection, subscription_id),
            at_period_end=sent.at_period_end,
        )
        return Wanted(command, subscription_id)

    def respond(connection: Connection, _result: Mapping[str, object]) -> Response:
        return show(get_subscription(connection, caller.customer_id, subscription_id))

    return answer_when_applied(request, caller, submit(caller, command_request, want), respond)
