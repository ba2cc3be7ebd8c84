"""What several details share: rows of another list that belong to a thing."""

from collections.abc import Sequence
from typing import Final, TypeVar

from sqlalchemy import ColumnElement

from admin_api.desk import Desk
from admin_api.listings.listing import Listing
from admin_api.walls import GuardedSession
from web.views import View

PARTS_LIMIT: Final = 100

Part = TypeVar("Part", bound=View)


def parts_of(
    desk: Desk, session: GuardedSession, listing: Listing, view: type[Part], *conditions: ColumnElement[bool]
) -> Sequence[Part]:
    """Rows of a list as it shows them, in its order, at most PARTS_LIMIT; none for who may not read it."""
    if not desk.person.may(listing.permission):
        return []
    found = listing.some(session, conditions, PARTS_LIMIT)
    return [each for each in found if isinstance(each, view)]
