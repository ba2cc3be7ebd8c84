"""What became of a command: the address that every 202 names."""

from uuid import UUID

from fastapi import APIRouter

from client_api.services import PREFIX, SignedIn
from web.documented import problems
from web.fields import shown
from web.operations import find_operation
from web.problems import not_found
from web.strict import StrictRoute
from web.views import OperationView

router = APIRouter(prefix=PREFIX, tags=["operations"], route_class=StrictRoute)


@router.get(
    "/operations/{command_id}",
    operation_id="get_operation",
    responses=problems(401, 404),
    summary="One command",
)
@shown
def get_one(command_id: UUID, caller: SignedIn) -> OperationView:
    """`accepted` until it is applied or refused; `parked` when people must look into it."""
    with caller.transaction() as connection:
        operation = find_operation(connection, command_id, caller.principal)
    if operation is None:
        raise not_found()
    return OperationView.of(operation)
