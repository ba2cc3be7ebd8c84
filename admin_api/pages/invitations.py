"""The invitations that are open, shown under the list of the staff for whoever may invite."""

from typing import Final

from starlette.requests import Request

from admin_api.actions.registry import ACTIONS
from admin_api.listings import LISTINGS
from admin_api.listings.people import InvitationRow
from admin_api.pages.buttons import button_of
from admin_api.pages.cells import Cell, Table, cell_of, label_of
from admin_api.pages.doors import desk_of
from admin_api.pages.frame import tell
from admin_api.people.members import INVITING
from models.tables import Invitation

INVITATIONS_LIMIT: Final = 100
_COLUMNS: Final = ("email", "role", "created_at", "expires_at")


def table(request: Request) -> Table | None:
    """The newest first, each with the way to withdraw it; None for who may not invite."""
    desk = desk_of(request)
    if not desk.person.may(INVITING):
        return None
    are_open = (
        Invitation.accepted_at.is_(None),
        Invitation.revoked_at.is_(None),
        Invitation.expires_at > desk.now,
    )
    with desk.session() as session:
        found = LISTINGS["invitations"].some(session, are_open, INVITATIONS_LIMIT)
    heads = [*(label_of(request, "staff", name) for name in _COLUMNS), ""]
    rows = [_cells(request, one) for one in found if isinstance(one, InvitationRow)]
    return Table("invitations", tell(request, "section.invitations"), heads, rows)


def _cells(request: Request, one: InvitationRow) -> list[Cell]:
    button = button_of(request, ACTIONS["revoke_invitation"], one.id)
    cells = [cell_of(request, "staff", name, getattr(one, name)) for name in _COLUMNS]
    return [*cells, Cell(button.text, href=button.href)]
