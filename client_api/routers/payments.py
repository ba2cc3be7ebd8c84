"""A customer's tries to pay."""

from uuid import UUID

from fastapi import APIRouter

from client_api.queries.payments import get_attempt_view
from client_api.services import PREFIX, SignedIn
from client_api.views import AttemptView
from web.documented import problems
from web.fields import shown
from web.strict import StrictRoute

router = APIRouter(prefix=PREFIX, tags=["payments"], route_class=StrictRoute)


@router.get(
    "/payment-attempts/{attempt_id}",
    operation_id="get_payment_attempt",
    responses=problems(401, 404),
    summary="One try to pay",
)
@shown
def get_one(attempt_id: UUID, caller: SignedIn) -> AttemptView:
    with caller.transaction() as connection:
        return get_attempt_view(connection, caller.customer_id, attempt_id)
