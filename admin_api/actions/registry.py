"""The table of everything that staff may do, and the two doors to it: do, and foresee.

Called by the JSON API and the pages alike. Both doors ask for the permission first, whoever asked before.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from admin_api.actions import (
    blackouts,
    booking_terms,
    bookings,
    catalog,
    clearing,
    customers,
    extras,
    halls,
    invoices,
    look_ups,
    parked,
    provider_accounts,
    refunds,
    subscriptions,
    tariffs,
)
from admin_api.actions.action import Action, ActionRequest, Done, Effect
from admin_api.desk import Desk
from admin_api.people import actions as people
from kit.errors import NotFound, Refused
from web.fields import Body
from web.problems import problem_of_error

_ROOMS: Final[tuple[Iterable[Action], ...]] = (
    bookings.ACTIONS,
    tariffs.ACTIONS,
    halls.ACTIONS,
    blackouts.ACTIONS,
    clearing.ACTIONS,
    extras.ACTIONS,
    booking_terms.ACTIONS,
    subscriptions.ACTIONS,
    invoices.ACTIONS,
    refunds.ACTIONS,
    look_ups.ACTIONS,
    catalog.ACTIONS,
    customers.ACTIONS,
    provider_accounts.ACTIONS,
    parked.ACTIONS,
    people.ACTIONS,
)

ACTIONS: Final[dict[str, Action]] = {action.name: action for action in chain(*_ROOMS)}
assert len(ACTIONS) == sum(1 for _ in chain(*_ROOMS)), "two actions have one name"


def open_actions(desk: Desk, connection: Connection, subject: str, subject_id: UUID) -> list[Action]:
    """What this person could do now with one row of a listing. A hint: what is done is decided again."""
    return [
        action
        for action in ACTIONS.values()
        if action.subject == subject
        and desk.person.may(action.permission)
        and _is_open(action, connection, subject_id)
    ]


def _is_open(action: Action, connection: Connection, subject_id: UUID) -> bool:
    try:
        return action.is_open(connection, subject_id)
    except NotFound:
        return False


def perform(desk: Desk, action: Action, sent: ActionRequest, subject_id: UUID | None, body: Body) -> Done:
    """Does it. Raises Problem; idempotent by the key that `sent` carries."""
    desk.require(action.permission)
    try:
        return action.run(desk, sent, subject_id, body)
    except Refused as no:
        raise problem_of_error(no) from no


def foresee(desk: Desk, action: Action, subject_id: UUID | None, body: Body) -> Effect:
    """What doing it now would do; nothing for an action that has nothing to foresee. Raises as `perform`."""
    desk.require(action.permission)
    if action.preview is None:
        return Effect()
    try:
        return action.preview(desk, subject_id, body)
    except Refused as no:
        raise problem_of_error(no) from no
