"""What a time costs: every minute by the clock, every line rounded once."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import product
from uuid import UUID

import pytest

from booking.rules.calendar import Span
from booking.rules.prices import (
    DurationTier,
    ExtraPrice,
    Line,
    Rate,
    Tariff,
    bands_of,
    price_bands,
    quote_lines,
)

EVERY_DAY = frozenset(range(1, 8))
BERLIN = "Europe/Berlin"
PLAIN = Tariff(
    id=UUID(int=1),
    currency="EUR",
    per_hour_minor=10_000,
    rates=(),
    duration_tiers=(),
    people_included=10,
    per_person_hour_minor=0,
    rounding_minor=1,
)
EVENING = Rate("Evening", EVERY_DAY, 18 * 60, 22 * 60, None, None, 25_000)
LIGHT = ExtraPrice(UUID(int=2), "Light", "hour", 500)
CLEANING = ExtraPrice(UUID(int=3), "Cleaning", "booking", 1_500)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00" if "T" in text else f"2026-11-21T{text}+00:00")


def _span(starts: str, ends: str) -> Span:
    return Span(_at(starts), _at(ends))


def _bands(tariff: Tariff, span: Span, timezone: str = "UTC") -> list[tuple[str, str, str, int]]:
    return [
        (f"{band.span.starts_at:%H:%M}", f"{band.span.ends_at:%H:%M}", band.name, band.per_hour_minor)
        for band in price_bands(tariff, timezone, span)
    ]


def _lines(
    tariff: Tariff,
    slot: Span,
    *,
    timezone: str = "UTC",
    people: int = 1,
    extras: tuple[tuple[ExtraPrice, int], ...] = (),
) -> list[tuple[str, int, int]]:
    lines = quote_lines(tariff, timezone, "Blue", slot, people, extras)
    return [(line.description, line.quantity, line.unit_amount_minor) for line in lines]


def _total(lines: tuple[Line, ...]) -> int:
    return sum(line.quantity * line.unit_amount_minor for line in lines)


def test_without_rates_all_time_has_one_price() -> None:
    assert _bands(PLAIN, _span("10:00", "12:30")) == [("10:00", "12:30", "", 10_000)]
    assert _lines(PLAIN, _span("10:00", "12:30")) == [("Blue 10:00–12:30", 1, 25_000)]


def test_a_slot_across_a_rate_is_cut_at_its_borders() -> None:
    tariff = replace(PLAIN, rates=(EVENING,))
    assert _lines(tariff, _span("17:30", "22:15")) == [
        ("Blue 17:30–18:00", 1, 5_000),
        ("Blue, Evening 18:00–22:00", 1, 100_000),
        ("Blue 22:00–22:15", 1, 2_500),
    ]


def test_the_first_rate_that_holds_wins() -> None:
    short = replace(EVENING, name="Prime", starts=19 * 60, ends=20 * 60, per_hour_minor=40_000)
    slot = _span("18:00", "21:00")
    assert _bands(replace(PLAIN, rates=(short, EVENING)), slot) == [
        ("18:00", "19:00", "Evening", 25_000),
        ("19:00", "20:00", "Prime", 40_000),
        ("20:00", "21:00", "Evening", 25_000),
    ]
    assert _bands(replace(PLAIN, rates=(EVENING, short)), slot) == [("18:00", "21:00", "Evening", 25_000)]


def test_a_rate_holds_on_its_weekdays_and_in_its_season_only() -> None:
    saturday = replace(EVENING, weekdays=frozenset({6}))
    assert len(_bands(replace(PLAIN, rates=(saturday,)), _span("17:00", "19:00"))) == 2
    friday = replace(EVENING, weekdays=frozenset({5}))
    assert len(_bands(replace(PLAIN, rates=(friday,)), _span("17:00", "19:00"))) == 1
    last, first = date(2026, 11, 21), date(2026, 11, 22)
    assert len(_bands(replace(PLAIN, rates=(replace(EVENING, last_day=last),)), _span("17:00", "19:00"))) == 2
    assert (
        len(_bands(replace(PLAIN, rates=(replace(EVENING, first_day=first),)), _span("17:00", "19:00"))) == 1
    )


def test_a_slot_across_midnight_has_the_prices_of_both_dates() -> None:
    sunday = Rate("Sunday", frozenset({7}), 0, 1440, None, None, 20_000)
    assert _lines(replace(PLAIN, rates=(sunday,)), _span("23:00", "2026-11-22T02:00")) == [
        ("Blue 23:00–00:00", 1, 10_000),
        ("Blue, Sunday 00:00–02:00", 1, 40_000),
    ]


def test_a_rate_that_goes_on_after_midnight_is_one_band() -> None:
    night = Rate("Night", EVERY_DAY, 22 * 60, 1440, None, None, 8_000)
    tariff = replace(PLAIN, rates=(night, replace(night, starts=0, ends=6 * 60)))
    assert _bands(tariff, _span("22:00", "2026-11-22T06:00")) == [("22:00", "06:00", "Night", 8_000)]


def test_prices_are_by_the_studios_clock() -> None:
    tariff = replace(PLAIN, rates=(EVENING,))
    assert _bands(tariff, _span("12:00", "13:00"), "Asia/Kolkata") == [
        ("12:00", "12:30", "", 10_000),
        ("12:30", "13:00", "Evening", 25_000),
    ]


def test_an_hour_that_is_there_twice_is_paid_twice_and_told_apart() -> None:
    night = Rate("Night", EVERY_DAY, 120, 180, None, None, 6_000)
    tariff = replace(PLAIN, rates=(night,))
    slot = _span("2026-10-24T23:30", "2026-10-25T02:30")
    assert _lines(tariff, slot, timezone=BERLIN) == [
        ("Blue 01:30–02:00", 1, 5_000),
        ("Blue, Night 02:00+02:00–03:00+01:00", 1, 12_000),
        ("Blue 03:00–03:30", 1, 5_000),
    ]
    half = _span("2026-10-25T00:30", "2026-10-25T01:30")
    assert _lines(tariff, half, timezone=BERLIN) == [("Blue, Night 02:30+02:00–02:30+01:00", 1, 6_000)]


def test_an_hour_that_is_skipped_is_not_paid() -> None:
    night = Rate("Night", EVERY_DAY, 120, 180, None, None, 6_000)
    tariff = replace(PLAIN, rates=(night,))
    assert _lines(tariff, _span("2026-03-29T00:00", "2026-03-29T02:00"), timezone=BERLIN) == [
        ("Blue 01:00+01:00–04:00+02:00", 1, 20_000)
    ]


def test_the_longest_tier_that_the_whole_slot_reaches_takes_its_percent_off_the_halls_hours_only() -> None:
    tariff = replace(
        PLAIN,
        rates=(EVENING,),
        duration_tiers=(DurationTier(240, 10), DurationTier(120, 5)),
        people_included=1,
        per_person_hour_minor=100,
    )
    extras = ((LIGHT, 1), (CLEANING, 1))
    assert _lines(tariff, _span("16:00", "17:45"), people=2, extras=extras)[0] == (
        "Blue 16:00–17:45",
        1,
        17_500,
    )
    assert _lines(tariff, _span("17:00", "19:00"), people=2, extras=extras) == [
        ("Blue 17:00–18:00 −5%", 1, 9_500),
        ("Blue, Evening 18:00–19:00 −5%", 1, 23_750),
        ("Blue +1 17:00–19:00", 1, 200),
        ("Light", 1, 1_000),
        ("Cleaning", 1, 1_500),
    ]
    assert _lines(tariff, _span("10:00", "14:00"))[0] == ("Blue 10:00–14:00 −10%", 1, 36_000)


def test_tiers_count_real_minutes_across_a_change_of_clocks() -> None:
    tariff = replace(PLAIN, duration_tiers=(DurationTier(120, 10),))
    # 01:00 to 03:00 by the clock, one hour of time.
    assert _lines(tariff, _span("2026-03-29T00:00", "2026-03-29T01:00"), timezone=BERLIN)[0][2] == 10_000


def test_people_beyond_those_included_are_one_line() -> None:
    tariff = replace(PLAIN, people_included=4, per_person_hour_minor=300)
    assert len(_lines(tariff, _span("10:00", "11:30"), people=4)) == 1
    assert _lines(tariff, _span("10:00", "11:30"), people=7)[1] == ("Blue +3 10:00–11:30", 1, 1_350)
    assert len(_lines(replace(tariff, per_person_hour_minor=0), _span("10:00", "11:30"), people=7)) == 1


def test_extras_are_by_the_hour_or_by_the_booking_and_by_their_number() -> None:
    assert _lines(PLAIN, _span("10:00", "11:30"), extras=((LIGHT, 2), (CLEANING, 3)))[1:] == [
        ("Light", 2, 750),
        ("Cleaning", 3, 1_500),
    ]


def test_an_extra_whose_rounded_amount_cannot_be_shared_out_is_a_line_of_one() -> None:
    tariff = replace(PLAIN, rounding_minor=1_000)
    # 3 x 1.5 x 5.00 is 22.50, rounded to 20.00, which is no multiple of three.
    assert _lines(tariff, _span("10:00", "11:30"), extras=((LIGHT, 3),))[1] == ("Light × 3", 1, 2_000)


@pytest.mark.parametrize(
    ("per_hour_minor", "minutes", "rounding_minor", "expected"),
    [
        (10_000, 60, 100, 10_000),
        (10_050, 60, 100, 10_100),
        (10_049, 60, 100, 10_000),
        # 20.99166..: nearest, and not by way of 20.99 or 21.00.
        (4_199, 30, 1, 2_100),
        (4_198, 30, 1, 2_099),
        (101, 30, 1, 51),
        (99, 30, 100, 100),
        (101, 30, 100, 100),
        # What would be nothing is one unit of rounding.
        (1, 5, 1, 1),
        (1, 15, 100, 100),
        (100, 60, 100_000, 100_000),
        (149_999, 60, 100_000, 100_000),
        (150_000, 60, 100_000, 200_000),
        (1_000_000_000_000, 1_440, 1, 24_000_000_000_000),
    ],
)
def test_a_line_is_rounded_half_up_once_and_is_never_nothing(
    per_hour_minor: int, minutes: int, rounding_minor: int, expected: int
) -> None:
    tariff = replace(PLAIN, per_hour_minor=per_hour_minor, rounding_minor=rounding_minor)
    slot = Span(_at("00:00"), _at("00:00") + timedelta(minutes=minutes))
    assert _lines(tariff, slot)[0][2] == expected


def test_every_line_is_the_multiple_nearest_to_its_exact_amount() -> None:
    for price, minutes, percent, rounding in product(
        (1, 7, 99, 100, 101, 12_345), (5, 10, 15, 60, 75), (0, 1, 10, 33, 90), (1, 5, 100)
    ):
        tariff = replace(
            PLAIN,
            per_hour_minor=price,
            rounding_minor=rounding,
            duration_tiers=(DurationTier(1, percent),) if percent else (),
        )
        slot = Span(_at("10:00"), _at("10:00") + timedelta(minutes=minutes))
        amount = _lines(tariff, slot)[0][2]
        exact = Fraction(price * minutes * (100 - percent), 6_000)
        assert amount % rounding == 0
        # A half goes up; only a line of one unit may be farther off, and only from below.
        assert -rounding <= 2 * (exact - amount) < rounding or (amount == rounding and exact < rounding)


def test_how_rates_are_cut_changes_nothing() -> None:
    """A rate in two, three or sixteen pieces of its own name and price gives the same lines, rounding and
    all."""
    whole = replace(PLAIN, per_hour_minor=3_333, rates=(EVENING,), rounding_minor=100)
    for pieces in (2, 3, 16):
        minutes = 240 // pieces
        rates = tuple(
            replace(EVENING, starts=1080 + index * minutes, ends=1080 + (index + 1) * minutes)
            for index in range(pieces)
        )
        cut = replace(whole, rates=tuple(reversed(rates)))
        for start, length in product(range(16 * 4, 22 * 4), range(1, 16)):
            slot = Span(
                _at("00:00") + start * timedelta(minutes=15),
                _at("00:00") + (start + length) * timedelta(minutes=15),
            )
            assert quote_lines(cut, "UTC", "Blue", slot, 1, ()) == quote_lines(
                whole, "UTC", "Blue", slot, 1, ()
            )


def test_a_slot_costs_what_its_parts_cost_where_nothing_is_rounded() -> None:
    tariff = replace(
        PLAIN, per_hour_minor=6_000, rates=(replace(EVENING, per_hour_minor=9_000),), rounding_minor=1
    )
    quarter = timedelta(minutes=15)
    edges = [_at("16:00") + index * quarter for index in range(33)]
    for first, cut, last in product(range(0, 33, 4), range(33), range(0, 33, 3)):
        if first < cut < last:
            whole, *parts = (
                _total(quote_lines(tariff, "UTC", "Blue", Span(edges[start], edges[end]), 1, ()))
                for start, end in ((first, last), (first, cut), (cut, last))
            )
            assert whole == sum(parts)


def test_many_spans_have_the_bands_that_each_has_alone() -> None:
    tariff = replace(PLAIN, rates=(EVENING,))
    spans = [_span("17:00", "19:00"), _span("2026-12-24T21:00", "2026-12-25T09:00"), _span("09:00", "10:00")]
    assert bands_of(tariff, BERLIN, spans) == [price_bands(tariff, BERLIN, span) for span in spans]
    assert bands_of(tariff, BERLIN, []) == []


def test_tariffs_of_one_id_and_other_prices_are_not_taken_for_each_other() -> None:
    assert _bands(PLAIN, _span("10:00", "11:00"))[0][3] == 10_000
    assert _bands(replace(PLAIN, per_hour_minor=20_000), _span("10:00", "11:00"))[0][3] == 20_000


def test_descriptions_fit_an_invoice_whatever_the_names() -> None:
    long = "x" * 400
    rate = Rate("y" * 60, EVERY_DAY, 0, 1440, None, None, 100)
    tariff = replace(
        PLAIN,
        rates=(rate,),
        duration_tiers=(DurationTier(1, 90),),
        people_included=1,
        per_person_hour_minor=1,
        rounding_minor=7,
    )
    slot = _span("2026-10-25T00:30", "2026-10-25T01:30")
    lines = quote_lines(tariff, BERLIN, long, slot, 10_000, ((replace(LIGHT, name=long), 9_999),))
    assert len(lines) == 3
    assert all(len(line.description) <= 200 for line in lines)
