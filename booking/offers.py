"""What somebody may be offered, made from what the database says now, and kept to by a signature.

Called by the routes of bookings, and by the admin for bookings on a client's behalf. An offer reserves
nothing: hall and extras are looked at again, under their locks, when the command that cites it is applied.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from booking.alternatives import Wish, alternatives
from booking.queries import (
    Extra,
    Hall,
    find_hall,
    get_policy,
    read_extras,
    read_taken,
    read_tariff,
    read_uses,
)
from booking.rules.availability import can_be_booked, check_slot
from booking.rules.prices import ExtraPrice, Line, quote_lines
from booking.rules.stock import most_in_use
from bus.messages import AMOUNT_LIMIT_MINOR, CancellationTier, ExtraWanted, InvoiceLine, Offer
from kit.errors import NotFound, Refused

DESCRIPTION_LIMIT: Final = 200


def make_offer(connection: Connection, wish: Wish, now: datetime) -> Offer:
    """A time in a hall with its price and the terms of today, if it may be had; `now` is the studio's own.

    Raises NotFound (the hall) and Refused: `too_many_people` (capacity), the codes of `check_slot`,
    `slot_taken` with `alternatives`, `extra_not_available`, `extra_given_twice`, `extra_not_free` (extra_id,
    free), `no_price`, `exceeds_amount_limit`.
    """
    hall = find_hall(connection, wish.hall_id)
    if hall is None:
        raise NotFound(what="hall", id=str(wish.hall_id))
    if wish.people > hall.capacity:
        raise Refused("too_many_people", capacity=hall.capacity)
    # What no hall offers is not looked for: it may be a year of occupancies.
    check_slot(hall.rules, (), wish.slot, now)
    taken = read_taken(connection, [hall.id], wish.slot, wish.except_booking)[hall.id]
    if not can_be_booked(hall.rules, taken, wish.slot, now):
        raise Refused("slot_taken", alternatives=alternatives(connection, wish, now))
    wanted = _wanted(connection, hall, wish.extras)
    _check_stock(connection, wanted, wish)
    lines = _lines(connection, hall, wish, [(extra.price, count) for extra, count in wanted], now)
    terms = get_policy(connection, hall.studio_id).terms
    return Offer(
        hall_id=hall.id,
        starts_at=wish.slot.starts_at,
        ends_at=wish.slot.ends_at,
        people=wish.people,
        extras=tuple(ExtraWanted(extra_id=extra.id, quantity=count) for extra, count in wanted),
        lines=lines,
        terms=tuple(
            CancellationTier(hours_before=tier.hours_before, refund_percent=tier.refund_percent)
            for tier in terms
        ),
    )


def _wanted(connection: Connection, hall: Hall, extras: Sequence[ExtraWanted]) -> list[tuple[Extra, int]]:
    known = {extra.id: extra for extra in read_extras(connection, hall.id)} if extras else {}
    wanted: dict[UUID, tuple[Extra, int]] = {}
    for sent in extras:
        if sent.extra_id not in known:
            raise Refused("extra_not_available", extra_id=str(sent.extra_id))
        if sent.extra_id in wanted:
            raise Refused("extra_given_twice", extra_id=str(sent.extra_id))
        wanted[sent.extra_id] = known[sent.extra_id], sent.quantity
    return list(wanted.values())


def _check_stock(connection: Connection, wanted: Sequence[tuple[Extra, int]], wish: Wish) -> None:
    limited = [(extra, count) for extra, count in wanted if extra.stock is not None]
    uses = read_uses(connection, [extra.id for extra, _count in limited], wish.slot, wish.except_booking)
    for extra, count in limited:
        free = max((extra.stock or 0) - most_in_use(uses[extra.id], wish.slot), 0)
        if count > free:
            raise Refused("extra_not_free", extra_id=str(extra.id), free=free)


def _lines(
    connection: Connection,
    hall: Hall,
    wish: Wish,
    extras: Sequence[tuple[ExtraPrice, int]],
    now: datetime,
) -> tuple[InvoiceLine, ...]:
    tariff = read_tariff(connection, hall.id, now)
    if tariff is None:
        raise Refused("no_price", hall_id=str(hall.id))
    lines = quote_lines(tariff, hall.rules.timezone, hall.name, wish.slot, wish.people, extras)
    if sum(line.quantity * line.unit_amount_minor for line in lines) > AMOUNT_LIMIT_MINOR:
        raise Refused("exceeds_amount_limit")
    return tuple(_invoice_line(line) for line in lines)


def _invoice_line(line: Line) -> InvoiceLine:
    return InvoiceLine(
        description=line.description[:DESCRIPTION_LIMIT],
        quantity=line.quantity,
        unit_amount_minor=line.unit_amount_minor,
    )
