"""Free time against an oracle that tries every slot, in random halls about changes of clocks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from booking.rules.availability import check_slot, free_spans, starts_in
from booking.rules.calendar import Span, open_spans
from kit.errors import Refused
from tests.unit.booking.rules.calendars import (
    MOMENTS,
    Case,
    Slot,
    bookable,
    random_case,
    slot_of,
    span_of,
)

CASES = 3_000
# Each of these tries a check for every start of a day.
CHECKED_CASES = 300
# Enough to meet every mutation below.
MUTATED_CASES = 400


def _offered(case: Case) -> set[Slot]:
    """All slots that lie in the runs of free time, by what the runs promise."""
    found = set()
    for run in free_spans(case.rules, case.taken, case.window, case.now):
        first, last = slot_of(run)
        for start in range(first, last, case.rules.step_minutes):
            for length in range(case.rules.minutes_min, case.rules.minutes_max + 1, case.rules.step_minutes):
                if start + length <= last:
                    found.add((start, start + length))
    return found


def test_free_runs_hold_exactly_the_slots_that_trying_every_one_finds() -> None:
    found = 0
    for seed in range(CASES):
        case = random_case(seed)
        expected = bookable(case)
        assert _offered(case) == expected, f"seed {seed}: {case}"
        found += len(expected)
    # The cases are not all empty.
    assert found > 20 * CASES


def test_free_runs_are_in_order_apart_and_as_long_as_they_can_be() -> None:
    for seed in range(CASES):
        case = random_case(seed)
        runs = free_spans(case.rules, case.taken, case.window, case.now)
        for run in runs:
            assert run.minutes >= case.rules.minutes_min, f"seed {seed}: {case}"
            assert run.minutes % case.rules.step_minutes == 0, f"seed {seed}: {case}"
        for earlier, later in pairwise(runs):
            assert earlier.ends_at <= later.starts_at, f"seed {seed}: {case}"


def test_a_slot_is_accepted_if_and_only_if_it_lies_in_free_time() -> None:
    accepted = refused = 0
    for seed in range(CHECKED_CASES):
        case, random = random_case(seed), Random(seed)
        free = bookable(case)
        starts_at, ends_at = slot_of(case.window)
        for start in range(starts_at + 1, ends_at):
            end = start + case.rules.step_minutes * random.randint(0, 14) + random.choice([0, 0, 0, 1])
            if end > ends_at or (start % 5 and random.random() < 0.9):
                continue
            is_accepted = _accepts(case, span_of((start, end)))
            assert is_accepted == ((start, end) in free), f"seed {seed}: {(start, end)} of {case}"
            accepted += is_accepted
            refused += not is_accepted
    assert accepted > CHECKED_CASES
    assert refused > CHECKED_CASES


def _accepts(case: Case, slot: Span) -> bool:
    try:
        check_slot(case.rules, case.taken, slot, case.now)
    except Refused:
        return False
    return True


def test_every_start_that_is_listed_for_a_length_is_accepted_and_no_other() -> None:
    for seed in range(CHECKED_CASES):
        case = random_case(seed)
        rules = case.rules
        free = free_spans(rules, case.taken, case.window, case.now)
        for minutes in {rules.minutes_min, rules.minutes_max}:
            starts = starts_in(rules, free, minutes)
            expected = {start for start, end in bookable(case) if end - start == minutes}
            assert [int(start.timestamp()) // 60 for start in starts] == sorted(expected), (
                f"seed {seed}: {case}"
            )


def test_a_hall_of_one_minute_steps_has_open_time_where_the_oracle_does() -> None:
    """Open time has no grid; an hour's worth of it has."""
    for seed in range(CHECKED_CASES):
        case = random_case(seed)
        plain = replace(
            case.rules,
            step_minutes=1,
            minutes_min=1,
            minutes_max=1,
            buffer_before_minutes=0,
            buffer_after_minutes=0,
            notice_minutes=0,
            horizon_days=30,
        )
        open_minutes = bookable(Case(plain, (), case.window, case.window.starts_at - timedelta(days=1)))
        found = [slot_of(span) for span in open_spans(case.rules, case.window)]
        assert {(at, at + 1) for first, last in found for at in range(first, last)} == open_minutes, (
            f"seed {seed}"
        )
        assert all(earlier[1] < later[0] for earlier, later in pairwise(found))


def _with_rules(**changed: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, rules=replace(case.rules, **changed))  # type: ignore[arg-type]


def _every_taken(changed: Callable[[Span], Span]) -> Callable[[Case], Case]:
    return lambda case: replace(case, taken=tuple(changed(span) for span in case.taken))


MUTATIONS: dict[str, Callable[[Case], Case]] = {
    "no buffer before": _with_rules(buffer_before_minutes=0),
    "no buffer after": _with_rules(buffer_after_minutes=0),
    "no notice": _with_rules(notice_minutes=0),
    "buffers the wrong way round": lambda case: replace(
        case,
        rules=replace(
            case.rules,
            buffer_before_minutes=case.rules.buffer_after_minutes,
            buffer_after_minutes=case.rules.buffer_before_minutes,
        ),
    ),
    "what ends as a slot begins is in its way": _every_taken(
        lambda span: Span(span.starts_at, span.ends_at + timedelta(minutes=1))
    ),
    "what begins in a slot's last minutes is not in its way": _every_taken(
        lambda span: Span(min(span.starts_at + timedelta(minutes=5), span.ends_at), span.ends_at)
    ),
    "a start right at the end of the notice is too soon": lambda case: replace(
        case, now=case.now + timedelta(microseconds=1)
    ),
    "a minute more of horizon": lambda case: replace(case, now=case.now + timedelta(minutes=1)),
    "seasons do not count": lambda case: replace(
        case,
        rules=replace(
            case.rules,
            hours=tuple(replace(rule, first_day=None, last_day=None) for rule in case.rules.hours),
        ),
    ),
    "hours are in UTC": _with_rules(timezone="UTC"),
    "open a minute longer": lambda case: replace(
        case,
        rules=replace(
            case.rules,
            hours=tuple(replace(rule, closes=min(1440, rule.closes + 1)) for rule in case.rules.hours),
        ),
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_the_oracle_catches_a_rule_that_is_wrong(mutation: str) -> None:
    wrong = 0
    for seed in range(MUTATED_CASES):
        case = random_case(seed)
        wrong += _offered(MUTATIONS[mutation](case)) != bookable(case)
    assert wrong > 0


def test_every_odd_moment_is_met_often() -> None:
    met = [random_case(seed).rules.timezone for seed in range(CASES)]
    assert all(met.count(timezone) > CASES // 50 for timezone, _ in MOMENTS)
