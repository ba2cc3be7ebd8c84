"""Taking, keeping and giving back the time of halls, and the extras that go with it.

Called by the handlers of bookings and of late money. The locks of the hall and of the extras are held, and
all that stands about the wanted time is loaded: what is free here is free. The exclusion constraint is never
how somebody is refused. Rows are dated by the database's clock, so that they can be compared.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from booking.rules.calendar import Span
from booking.rules.stock import Use, most_in_use
from bus.messages import Offer
from kit.errors import Refused
from kit.ids import new_id
from state_updater.booking_rows import Booking, Extra, ExtraUse, Hall, Occupancy
from state_updater.work import Work


@dataclass(frozen=True, slots=True)
class Slot:
    """A time in a hall with so many of each extra."""

    hall: Hall
    starts_at: datetime
    ends_at: datetime
    quantities: Mapping[UUID, int]

    @property
    def span(self) -> Span:
        return Span(self.starts_at, self.ends_at)

    @property
    def widened(self) -> Span:
        """With the hall's buffers: what it takes of the hall."""
        before = timedelta(minutes=self.hall.buffer_before_minutes)
        after = timedelta(minutes=self.hall.buffer_after_minutes)
        return Span(self.starts_at - before, self.ends_at + after)


def offered_slot(work: Work, offer: Offer) -> Slot:
    """Raises NotFound for a hall that is none of the studio's."""
    quantities: Counter[UUID] = Counter()
    for wanted in offer.extras:
        quantities[wanted.extra_id] += wanted.quantity
    return Slot(work.get_hall(offer.hall_id), offer.starts_at, offer.ends_at, quantities)


def former_slot(work: Work, booking: Booking) -> Slot:
    """What a booking had when its hold was lost."""
    quantities = {use.extra_id: use.quantity for use in work.uses_of(booking)}
    return Slot(work.get_hall(booking.hall_id), booking.starts_at, booking.ends_at, quantities)


def require_free(work: Work, slot: Slot, moving: Booking | None = None) -> None:
    """Nothing, if the slot can be taken now. What `moving` has itself is not in its way.

    Raises Refused: slot_in_the_past, hall_not_for_sale, slot_taken, extra_not_free.
    """
    if slot.starts_at <= work.now:
        raise Refused("slot_in_the_past", starts_at=slot.starts_at.isoformat())
    if not slot.hall.is_active:
        raise Refused("hall_not_for_sale", hall_id=str(slot.hall.id))
    widened, own_id = slot.widened, moving.id if moving else None
    for taken in work.occupancies(slot.hall.id, widened.starts_at, widened.ends_at):
        if taken.booking_id is None or taken.booking_id != own_id:
            raise Refused("slot_taken", hall_id=str(slot.hall.id))
    for extra_id, quantity in slot.quantities.items():
        free = _free_of(work, slot, work.get_extra(extra_id), own_id)
        if free is not None and free < quantity:
            raise Refused("extra_not_free", extra_id=str(extra_id), free=free)


def _free_of(work: Work, slot: Slot, extra: Extra, own_id: UUID | None) -> int | None:
    """How many of an extra may be lent for all of the slot; None: as many as are wanted."""
    if not extra.is_active or extra.hall_id not in (None, slot.hall.id):
        return 0
    if extra.stock is None:
        return None
    uses = [
        Use(Span(use.starts_at, use.ends_at), use.quantity)
        for use in work.uses_meanwhile(extra.id)
        if use.booking_id != own_id
    ]
    return max(0, extra.stock - most_in_use(uses, slot.span))


def take(work: Work, booking: Booking, slot: Slot, kind: Literal["hold", "booking"]) -> None:
    widened = slot.widened
    work.insert(
        Occupancy(
            id=new_id(),
            studio_id=work.studio.id,
            hall_id=slot.hall.id,
            kind=kind,
            booking_id=booking.id,
            starts_at=widened.starts_at,
            ends_at=widened.ends_at,
            note="",
            created_at=work.written_at,
            released_at=None,
        )
    )
    for extra_id, quantity in slot.quantities.items():
        work.insert(
            ExtraUse(
                id=new_id(),
                studio_id=work.studio.id,
                extra_id=extra_id,
                booking_id=booking.id,
                quantity=quantity,
                starts_at=slot.starts_at,
                ends_at=slot.ends_at,
                created_at=work.written_at,
                released_at=None,
            )
        )


def keep(work: Work, booking: Booking) -> None:
    """What was held is booked."""
    work.touch(work.occupancy_of(booking), kind="booking")


def release(work: Work, booking: Booking) -> None:
    work.touch(work.occupancy_of(booking), released_at=work.written_at)
    for use in work.uses_of(booking):
        if use.released_at is None:
            work.touch(use, released_at=work.written_at)
