"""Reconnecting is neither a storm nor an eternity."""

import pytest

from bus.backoff import FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, reconnect_delay_seconds


@pytest.mark.parametrize("failures", [0, 1, 3, 6, 100, 10_000])
def test_the_delay_stays_between_its_bounds(failures: int) -> None:
    delays = [reconnect_delay_seconds(failures) for _ in range(50)]
    assert min(delays) >= FIRST_DELAY_SECONDS / 2
    assert max(delays) <= LONGEST_DELAY_SECONDS


def test_the_delay_grows_and_is_never_the_same_for_all() -> None:
    assert max(reconnect_delay_seconds(1) for _ in range(50)) < reconnect_delay_seconds(10)
    assert len({reconnect_delay_seconds(4) for _ in range(50)}) > 1
