"""What a letter may tell of a booking, as words. Pure; called by `notifications.rendering`."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from booking.rules.machine import HELD
from notifications.formats import (
    NAME_LENGTH_LIMIT,
    Language,
    begin_text,
    money_text,
    name_in_quotes,
    one_line,
    time_text,
    visit_text,
)
from notifications.money import Money
from notifications.situations import BookingNow, Situation

# Every name that a template may use, where there is no booking.
_NOTHING: Final[Mapping[str, object]] = dict.fromkeys(
    [
        "hall",
        "when",
        "begins",
        "people",
        "extras",
        "total",
        "paid",
        "on_site",
        "hold_until",
        "given_back",
        "terms",
        "was_lost",
        "is_lost",
        "is_unpaid",
        "is_short",
    ]
)


def booking_facts(now: Situation, language: Language) -> Mapping[str, object]:
    """Every fact of a booking that a template may name; None where there is none.

    `paid` is without what went back, `on_site` is what is left to pay there; `terms` are (until when,
    percent) of what still goes back, the first deadline first.
    """
    booking = now.booking
    if booking is None:
        return _NOTHING
    timezone, slot = now.studio.timezone, booking.slot
    on_site_minor = (
        booking.total.amount_minor - booking.paid.amount_minor if booking.payment == "on_site" else 0
    )

    def money(amount_minor: int) -> str | None:
        return money_text(Money(amount_minor, booking.total.currency), language) if amount_minor > 0 else None

    return {
        "hall": name_in_quotes(booking.hall_name, language),
        "when": visit_text(slot.starts_at, slot.ends_at, timezone, language),
        "begins": begin_text(slot.starts_at, timezone, language),
        "people": booking.people,
        "extras": _extras(booking),
        "total": money(booking.total.amount_minor),
        "paid": money(booking.paid.amount_minor),
        "on_site": money(on_site_minor),
        "hold_until": time_text(booking.hold_expires_at, timezone, language),
        "given_back": money(booking.given_back.amount_minor),
        "terms": [
            (time_text(until, timezone, language), percent)
            for until, percent in _deadlines(booking, now.studio.now)
        ],
        "was_lost": booking.was_lost,
        "is_lost": booking.state in ("expired", "canceled"),
        "is_unpaid": booking.state in HELD,
        # Not all of it is paid, though it stands: a surcharge whose time is over.
        "is_short": booking.payment == "online" and booking.paid.amount_minor < booking.total.amount_minor,
    }


def _extras(booking: BookingNow) -> str | None:
    """`Софит × 2, Камера`."""
    named = (
        one_line(name, NAME_LENGTH_LIMIT) + (f" × {quantity}" if quantity > 1 else "")
        for name, quantity in booking.extras
    )
    return ", ".join(named) or None


def _deadlines(booking: BookingNow, now: datetime) -> Iterator[tuple[datetime, int]]:
    """Until when canceling gives back how much: what is ahead, of equal ones the last, and not nothing."""
    for tier, following in zip(booking.terms, (*booking.terms[1:], None), strict=True):
        until = booking.slot.starts_at - timedelta(hours=tier.hours_before)
        is_same = following is not None and following.refund_percent == tier.refund_percent
        if until > now and tier.refund_percent and not is_same:
            yield until, tier.refund_percent
