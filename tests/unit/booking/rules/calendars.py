"""Random halls about moments at which clocks do odd things, and what can be booked in them, counted naively.

The oracle knows nothing of runs, sweeps or remembered dates: it looks at every minute's local time and tries
every slot there is.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from zoneinfo import ZoneInfo

from booking.rules.calendar import HallRules, OpenHours, Span

ORACLES_KEPT = 4_096
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# A date of each zone, with what happens then.
MOMENTS = [
    ("UTC", "2026-06-15"),
    ("Europe/Moscow", "2026-03-29"),
    ("Asia/Kolkata", "2026-11-21"),
    ("Asia/Kathmandu", "2026-12-31"),
    # An hour forward, an hour back.
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    # Half an hour: the grid of an hour moves.
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Pacific/Chatham", "2026-04-05"),
    # Two hours.
    ("Antarctica/Troll", "2026-03-29"),
    ("Antarctica/Troll", "2026-10-25"),
    # A midnight that does not exist, and one that is put off by an hour.
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-17"),
    # The first hour of a date twice; a midnight that is skipped.
    ("America/Havana", "2026-11-01"),
    ("America/Havana", "2026-03-08"),
    ("Atlantic/Azores", "2026-10-25"),
    # At one minute past midnight back into the date before.
    ("America/St_Johns", "2006-10-29"),
    # A date that was left out.
    ("Pacific/Apia", "2011-12-30"),
    # A new offset for good.
    ("Europe/Moscow", "2014-10-26"),
    ("Asia/Pyongyang", "2018-05-04"),
]


@dataclass(frozen=True, slots=True)
class Case:
    """One question: what is free?"""

    rules: HallRules
    taken: tuple[Span, ...]
    window: Span
    now: datetime


def random_case(seed: int) -> Case:
    """Windows are up to a day and a half, within the three days about a moment."""
    random = Random(seed)
    timezone, day = random.choice(MOMENTS)
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    starts_at = midnight + (random.randrange(-720, 720, 5) + random.choice([0, 0, 0, 1, 7])) * MINUTE
    window = Span(starts_at, starts_at + random.randrange(1, 36 * 60) * MINUTE)
    now = starts_at - random.choice([DAY, timedelta(hours=3), -timedelta(hours=4)]) + _odd_time(random)
    return Case(
        _random_rules(random, timezone, date.fromisoformat(day)), _random_taken(random, window), window, now
    )


def _random_rules(random: Random, timezone: str, day: date) -> HallRules:
    step = random.choice([5, 10, 15, 15, 20, 30, 60])
    minutes_min = step * random.randint(1, 6)
    return HallRules(
        timezone=timezone,
        hours=tuple(_random_hours(random, day) for _ in range(random.randint(1, 4))),
        step_minutes=step,
        minutes_min=minutes_min,
        minutes_max=minutes_min + step * random.randint(0, 6),
        buffer_before_minutes=random.choice([0, 0, 5, 15, 40]),
        buffer_after_minutes=random.choice([0, 0, 10, 15, 60]),
        notice_minutes=random.choice([0, 1, 60, 240]),
        horizon_days=random.choice([1, 2, 30]),
    )


def _random_hours(random: Random, day: date) -> OpenHours:
    opens = random.choice([0, 0, 60, 90, 120, 150, 540, random.randrange(0, 1440)])
    closes = random.choice([1440, 1440, 60, 90, 120, 150, 180, 1380, random.randrange(1, 1441)])
    first_day = day + random.randint(-2, 2) * DAY if random.random() < 0.3 else None
    last_day = day + random.randint(0, 2) * DAY if random.random() < 0.3 else None
    weekdays = frozenset(random.sample(range(1, 8), random.choice([7, 7, 4])))
    if opens >= closes:
        opens, closes = 0, 1440
    return OpenHours(weekdays, opens, closes, first_day, last_day)


def _random_taken(random: Random, window: Span) -> tuple[Span, ...]:
    """A few, in no order, some across the window's edges or each other, some at odd seconds."""
    taken = []
    for _ in range(random.choice([0, 1, 3, 6])):
        starts_at = window.starts_at + 5 * random.randrange(-40, 400) * MINUTE + _odd_time(random)
        taken.append(Span(starts_at, starts_at + 5 * random.randint(1, 60) * MINUTE + _odd_time(random)))
    return tuple(taken)


def _odd_time(random: Random) -> timedelta:
    odd = timedelta(seconds=random.randrange(60), microseconds=1)
    return random.choice([timedelta(), timedelta(), odd, -odd])


Slot = tuple[int, int]


def slot_of(span: Span) -> Slot:
    """Its minutes since 1970."""
    return int(span.starts_at.timestamp()) // 60, int(span.ends_at.timestamp()) // 60


def span_of(slot: Slot) -> Span:
    return Span(*(datetime.fromtimestamp(minute * 60, UTC) for minute in slot))


@lru_cache(ORACLES_KEPT)
def bookable(case: Case) -> frozenset[Slot]:
    """Every slot within the case's window that can be booked."""
    rules, step = case.rules, case.rules.step_minutes
    clock = clock_from(rules.timezone, case.window.starts_at.date())
    is_open, is_taken = _open_minutes(rules, clock), _taken_minutes(case, clock)
    horizon = case.now + rules.horizon_days * DAY
    found = set()
    for start in range(*slot_of(case.window)):
        starts_at = datetime.fromtimestamp(start * 60, UTC)
        if clock.minute_of_day(start) % step or starts_at < case.window.starts_at:
            continue
        if starts_at <= case.now or starts_at < case.now + rules.notice_minutes * MINUTE:
            continue
        for length in range(rules.minutes_min, rules.minutes_max + 1, step):
            end = start + length
            if starts_at + length * MINUTE > min(case.window.ends_at, horizon):
                break
            if 0 in is_open[start - clock.first : end - clock.first]:
                break
            first = start - rules.buffer_before_minutes - clock.first
            if 1 in is_taken[first : end + rules.buffer_after_minutes - clock.first]:
                break
            if (clock.minute_of_day(end - 1) + 1) % step == 0:
                found.add((start, end))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Clock:
    """What a zone's clock shows, minute by minute from `first` on: the date, and the minute of the day."""

    first: int
    shown: list[tuple[date, int]]
    # Of each date, in order, where its minutes are in `shown`.
    indexes: dict[date, list[int]]

    def minute_of_day(self, minute: int) -> int:
        return self.shown[minute - self.first][1]


@lru_cache
def clock_from(timezone: str, day: date) -> Clock:
    """From a day before a date in UTC until four after."""
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    shown: list[tuple[date, int]] = []
    indexes: dict[date, list[int]] = {}
    for minute in range(-1440, 4 * 1440):
        local = (midnight + minute * MINUTE).astimezone(ZoneInfo(timezone))
        indexes.setdefault(local.date(), []).append(len(shown))
        shown.append((local.date(), local.hour * 60 + local.minute))
    return Clock(int(midnight.timestamp()) // 60 - 1440, shown, indexes)


def _open_minutes(rules: HallRules, clock: Clock) -> bytearray:
    """1 from the first minute of a date that is within a rule's hours to the last, for every date and
    rule."""
    is_open = bytearray(len(clock.shown))
    for day, indexes in clock.indexes.items():
        for rule in _rules_on(rules, day):
            within = [index for index in indexes if rule.opens <= clock.shown[index][1] < rule.closes]
            for index in range(within[0], within[-1] + 1) if within else ():
                is_open[index] = 1
    return is_open


def _rules_on(rules: HallRules, day: date) -> list[OpenHours]:
    seasonal = [rule for rule in rules.hours if rule.first_day or rule.last_day]
    in_season = [
        rule for rule in seasonal if (rule.first_day or date.min) <= day <= (rule.last_day or date.max)
    ]
    usual = [rule for rule in rules.hours if rule not in seasonal]
    return [rule for rule in in_season or usual if day.isoweekday() in rule.weekdays]


def _taken_minutes(case: Case, clock: Clock) -> bytearray:
    """1 in every minute that anything taken touches."""
    is_taken = bytearray(len(clock.shown))
    for span in case.taken:
        minute = span.starts_at.replace(second=0, microsecond=0)
        while minute < span.ends_at:
            index = int(minute.timestamp()) // 60 - clock.first
            if 0 <= index < len(is_taken):
                is_taken[index] = 1
            minute += MINUTE
    return is_taken
