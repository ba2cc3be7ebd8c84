"""What somebody may be offered, made from what the database says now, and kept to by a signature.

Called by the routes of bookings, and by the admin for bookings on a client's behalf. An offer reserves
nothing: hall and extras are looked at again, under their locks, when the command that cites it is applied.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

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
from booking.rules.availability import check_slot
from booking.rules.calendar import Span
from booking.rules.prices import ExtraPrice, Line, quote_lines
from booking.rules.stock import most_in_use
from bus.messages import AMOUNT_LIMIT_MINOR, CancellationTier, ExtraWanted, InvoiceLine, Offer
from kit.errors import NotFound, Refused

DESCRIPTION_LIMIT: Final = 200


def make_offer(
    connection: Connection,
    hall_id: UUID,
    slot: Span,
    people: int,
    extras: Sequence[ExtraWanted],
    now: datetime,
    except_booking: UUID | None = None,
) -> Offer:
    """A time in a hall with its price and the terms of today, if it may be had; `now` is the studio's own.

    What `except_booking` has itself counts as free: it is the one to be moved. Raises NotFound (the hall) and
    Refused: `too_many_people` (capacity), the codes of `check_slot`, `extra_not_available`,
    `extra_given_twice`, `extra_not_free` (extra_id, free), `no_price`, `exceeds_amount_limit`.
    """
    hall = find_hall(connection, hall_id)
    if hall is None:
        raise NotFound(what="hall", id=str(hall_id))
    if people > hall.capacity:
        raise Refused("too_many_people", capacity=hall.capacity)
    # What no hall offers is not looked for: it may be a year of occupancies.
    check_slot(hall.rules, (), slot, now)
    check_slot(hall.rules, read_taken(connection, [hall_id], slot, except_booking)[hall_id], slot, now)
    wanted = _wanted(connection, hall, extras)
    _check_stock(connection, wanted, slot, except_booking)
    lines = _lines(connection, hall, slot, people, [(extra.price, count) for extra, count in wanted], now)
    terms = get_policy(connection, hall.studio_id).terms
    return Offer(
        hall_id=hall_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        people=people,
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


def _check_stock(
    connection: Connection, wanted: Sequence[tuple[Extra, int]], slot: Span, except_booking: UUID | None
) -> None:
    limited = [(extra, count) for extra, count in wanted if extra.stock is not None]
    uses = read_uses(connection, [extra.id for extra, _count in limited], slot, except_booking)
    for extra, count in limited:
        free = max((extra.stock or 0) - most_in_use(uses[extra.id], slot), 0)
        if count > free:
            raise Refused("extra_not_free", extra_id=str(extra.id), free=free)


def _lines(
    connection: Connection,
    hall: Hall,
    slot: Span,
    people: int,
    extras: Sequence[tuple[ExtraPrice, int]],
    now: datetime,
) -> tuple[InvoiceLine, ...]:
    tariff = read_tariff(connection, hall.id, now)
    if tariff is None:
        raise Refused("no_price", hall_id=str(hall.id))
    lines = quote_lines(tariff, hall.rules.timezone, hall.name, slot, people, extras)
    if sum(line.quantity * line.unit_amount_minor for line in lines) > AMOUNT_LIMIT_MINOR:
        raise Refused("exceeds_amount_limit")
    return tuple(_invoice_line(line) for line in lines)


def _invoice_line(line: Line) -> InvoiceLine:
    return InvoiceLine(
        description=line.description[:DESCRIPTION_LIMIT],
        quantity=line.quantity,
        unit_amount_minor=line.unit_amount_minor,
    )
