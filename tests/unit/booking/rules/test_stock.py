"""How many of an extra are out at one moment."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from booking.rules.calendar import Span
from booking.rules.stock import Use, most_in_use

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)


def _span(starts: float, ends: float) -> Span:
    return Span(MIDNIGHT + timedelta(hours=starts), MIDNIGHT + timedelta(hours=ends))


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ([], 0),
        ([(10, 12, 2)], 2),
        # One after the other are not out together.
        ([(10, 12, 2), (12, 14, 3)], 3),
        ([(10, 13, 2), (12, 14, 3)], 5),
        # Out before or after, and not within.
        ([(6, 9, 5), (18, 20, 5)], 0),
        ([(6, 9.25, 5), (17.75, 20, 4)], 5),
        ([(0, 24, 1), (10, 11, 1), (10.5, 12, 1)], 3),
    ],
)
def test_only_what_is_out_at_one_moment_counts(uses: list[tuple[float, float, int]], expected: int) -> None:
    spans = [Use(_span(starts, ends), quantity) for starts, ends, quantity in uses]
    assert most_in_use(spans, _span(9, 18)) == expected
    assert most_in_use(spans[::-1], _span(9, 18)) == expected


def test_the_most_is_what_looking_at_every_hour_finds() -> None:
    for seed in range(500):
        random = Random(seed)
        uses = []
        for _ in range(random.randint(0, 8)):
            starts = random.randrange(24)
            uses.append((starts, random.randint(starts + 1, 25), random.randint(1, 5)))
        first = random.randrange(24)
        last = random.randint(first + 1, 25)
        by_hour = [
            sum(quantity for starts, ends, quantity in uses if starts <= hour < ends)
            for hour in range(first, last)
        ]
        spans = [Use(_span(starts, ends), quantity) for starts, ends, quantity in uses]
        assert most_in_use(spans, _span(first, last)) == max(by_hour), f"seed {seed}"
