"""Commands about bookings on their way: accepted, sent, and answered with what became of them.

Called by the routes, one `Asking` for each request. What a command wants is said there; who wants it, by
which quote, and what is free when the time is taken, is the same for all and is here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from sqlalchemy import Connection

from booking.alternatives import Wish, alternatives
from booking.bookings import get_booking
from booking.doors import Customer, Doors, DoorsOf, SignedIn
from booking.queries import Policy, get_policy
from booking.quotes import Quote, read_quote
from booking.rules.calendar import Span
from booking.views import BookingView
from web.commands import (
    AnyCommandRequest,
    CommandRequest,
    Explain,
    Respond,
    Wanted,
    answer_when_applied,
    submit,
)
from web.fields import show


@dataclass(frozen=True, slots=True)
class Mine:
    """The bookings of whoever is signed in, in their studio."""

    caller: Customer
    doors: Doors

    def look(self, connection: Connection) -> tuple[Policy, datetime]:
        """How this studio sells time, and what time it is there."""
        policy = get_policy(connection, self.caller.studio_id)
        return policy, policy.now(self.doors.clock())

    def get(self, connection: Connection, booking_id: UUID) -> BookingView:
        """Raises Problem 404."""
        policy, now = self.look(connection)
        return get_booking(connection, policy, self.caller.customer_id, booking_id, now)


@dataclass(frozen=True, slots=True)
class Asking:
    """One request for a command about them."""

    mine: Mine
    request: Request
    sent: CommandRequest

    @property
    def whose(self) -> dict[str, Any]:
        """What the command says of its sender."""
        caller = self.mine.caller
        return {"studio_id": caller.studio_id, "customer_id": caller.customer_id, "origin": "customer"}

    def read(self, quote: str, booking_id: UUID | None = None) -> Quote:
        """The quote that they cite; `booking_id` to move that booking. Raises Refused."""
        caller = self.mine.caller
        return read_quote(self.mine.doors.quote_key, quote, caller.studio_id, caller.customer_id, booking_id)

    def require_valid(self, connection: Connection, quote: Quote) -> None:
        """Raises Refused."""
        quote.require_valid(self.mine.look(connection)[1])

    def accept(
        self, want: Callable[[Connection], Wanted], respond: Respond, quote: Quote | None = None
    ) -> Response:
        """Accepts the wanted command. Refused because the time of `quote` is taken, it says what is free."""
        command_id = submit(self.mine.caller, self.sent, want)
        explain = self._explain(quote) if quote else None
        return answer_when_applied(self.request, self.mine.caller, command_id, respond, explain)

    def show(self, booking_id: UUID) -> Respond:
        """Answers with the booking as it is then."""

        def respond(connection: Connection, _result: Mapping[str, object]) -> Response:
            return show(self.mine.get(connection, booking_id))

        return respond

    def _explain(self, quote: Quote) -> Explain:
        def explain(connection: Connection, refusal: Mapping[str, object]) -> Mapping[str, object]:
            if refusal.get("code") != "slot_taken":
                return {}
            offer = quote.offer
            slot = Span(offer.starts_at, offer.ends_at)
            wish = Wish(offer.hall_id, slot, offer.people, except_booking=quote.booking_id)
            return {"alternatives": alternatives(connection, wish, self.mine.look(connection)[1])}

        return explain


# Coroutines, as those in `doors`.
async def get_mine(caller: SignedIn, doors: DoorsOf) -> Mine:
    return Mine(caller, doors)


MineOf = Annotated[Mine, Depends(get_mine)]


async def get_asking(mine: MineOf, request: Request, sent: AnyCommandRequest) -> Asking:
    return Asking(mine, request, sent)


Asked = Annotated[Asking, Depends(get_asking)]
