"""Rules as lines of text: what is read, how it is written back, and which line is none."""

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin_api.pages.notations import (
    NOTATIONS,
    NotALength,
    NotInNotation,
    read_seconds,
    write_seconds,
)

WEEKEND = {"weekdays": [6, 7], "opens": "10:00", "closes": "24:00"}


@pytest.mark.parametrize(
    ("kind", "line", "rule"),
    [
        ("hours", "mon-fri 10:00-22:00", {"weekdays": [1, 2, 3, 4, 5], "opens": "10:00", "closes": "22:00"}),
        ("hours", "пн-пт 10:00-22:00", {"weekdays": [1, 2, 3, 4, 5], "opens": "10:00", "closes": "22:00"}),
        ("hours", "Сб, ВС  9:00 – 24:00", WEEKEND | {"opens": "09:00"}),
        (
            "hours",
            "daily 00:00-24:00",
            {"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"},
        ),
        ("hours", "fri-mon 10:00-12:00", {"weekdays": [1, 5, 6, 7], "opens": "10:00", "closes": "12:00"}),
        (
            "hours",
            "sat,sun 10:00-24:00 2026-06-01..2026-08-31",
            WEEKEND | {"from": "2026-06-01", "until": "2026-08-31"},
        ),
        ("hours", "sat,sun 10:00-24:00 2026-06-01..", WEEKEND | {"from": "2026-06-01"}),
        ("hours", "sat,sun 10:00-24:00 ..2026-08-31", WEEKEND | {"until": "2026-08-31"}),
        (
            "rates",
            "fri,sat 18:00-24:00 2026-12-01..2026-12-31 2500,50 Evening of 24",
            {
                "weekdays": [5, 6],
                "starts": "18:00",
                "ends": "24:00",
                "from": "2026-12-01",
                "until": "2026-12-31",
                "per_hour_minor": 250_050,
                "name": "Evening of 24",
            },
        ),
        ("tiers", "4 h 10 %", {"minutes_from": 240, "percent_off": 10}),
        ("tiers", "90 мин 5%", {"minutes_from": 90, "percent_off": 5}),
        ("terms", "48 ч 100 %", {"hours_before": 48, "refund_percent": 100}),
        ("terms", "0 hours 0 %", {"hours_before": 0, "refund_percent": 0}),
    ],
)
def test_line_is_read_as_its_rule(kind: str, line: str, rule: dict[str, Any]) -> None:
    assert NOTATIONS[kind].read(f"\n  {line}  \n", "RUB") == [rule]


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("hours", "10:00-22:00"),
        ("hours", "mon"),
        ("hours", "someday 10:00-22:00"),
        ("hours", "mon 22:00-10:00"),
        ("hours", "mon 10:00-25:00"),
        ("hours", "mon 10:00-22:00 2026-06-31..2026-08-31"),
        ("hours", "mon 10:00-22:00 2026-08-31..2026-06-01"),
        ("hours", "mon-fri 10:00-22:00 2500 Evening"),
        ("rates", "fri 18:00-24:00 Evening"),
        ("rates", "fri 18:00-24:00 2500"),
        ("rates", "fri 18:00-24:00 2 500 Evening"),
        ("rates", "fri 18:00-24:00 2500.555 Evening"),
        ("rates", "fri 18:00-24:00 0 Evening"),
        ("tiers", "4 h 95 %"),
        ("tiers", "4 days 10 %"),
        ("terms", "90 min 100 %"),
        ("terms", "48 h 101 %"),
        ("terms", "48 h"),
    ],
)
def test_line_that_means_nothing_is_named(kind: str, line: str) -> None:
    good = {
        "hours": "sun 10:00-11:00",
        "rates": "sun 10:00-11:00 1 A",
        "tiers": "1 h 1 %",
        "terms": "1 h 1 %",
    }
    with pytest.raises(NotInNotation) as unread:
        NOTATIONS[kind].read(f"{good[kind]}\n\n{line}", "RUB")
    assert unread.value.line == 3


def test_two_tiers_of_one_length_are_a_fault_of_the_second() -> None:
    with pytest.raises(NotInNotation) as unread:
        NOTATIONS["tiers"].read("4 h 10 %\n240 min 20 %", "RUB")
    assert unread.value.line == 2


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("ru", ["пн-пт 10:00-22:00", "сб,вс 10:00-24:00 2026-06-01..", "ежедневно 09:00-10:00"]),
        ("en", ["mon-fri 10:00-22:00", "sat,sun 10:00-24:00 2026-06-01..", "daily 09:00-10:00"]),
    ],
)
def test_rules_are_written_in_the_persons_language(language: Literal["ru", "en"], lines: list[str]) -> None:
    rules = NOTATIONS["hours"].read("\n".join(lines), "RUB")
    assert NOTATIONS["hours"].write(rules, language, "RUB") == lines


def test_sum_of_a_rate_is_in_the_currencys_own_digits() -> None:
    rates = NOTATIONS["rates"]
    (yen,) = rates.read("mon 10:00-11:00 2500 A", "JPY")
    (ruble,) = rates.read("mon 10:00-11:00 2500.5 A", "RUB")
    assert (yen["per_hour_minor"], ruble["per_hour_minor"]) == (2_500, 250_050)
    assert rates.write([yen], "ru", "JPY") == ["пн 10:00-11:00 2500 A"]
    assert rates.write([ruble], "ru", "RUB") == ["пн 10:00-11:00 2500,50 A"]


_MINUTES = st.integers(0, 1_439)
_DATES = st.none() | st.dates().map(str)


@st.composite
def hours_rules(draw: st.DrawFn) -> dict[str, Any]:
    opens = draw(_MINUTES)
    closes = draw(st.integers(opens + 1, 1_440))
    days = sorted(draw(st.sets(st.integers(1, 7), min_size=1)))
    season = sorted(each for each in (draw(_DATES), draw(_DATES)) if each and each >= "1000")
    rule = {"weekdays": days, "opens": _clock(opens), "closes": _clock(closes)}
    return rule | dict(zip(("from", "until"), season, strict=False))


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(st.lists(hours_rules(), max_size=5), st.sampled_from(["ru", "en"]))
def test_hours_come_back_as_they_were(rules: list[dict[str, Any]], language: Literal["ru", "en"]) -> None:
    hours = NOTATIONS["hours"]
    assert hours.read("\n".join(hours.write(rules, language, "RUB")), "RUB") == rules


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15 min", 900), ("15мин.", 900), ("24 ч", 86_400), ("720 hours", 2_592_000), ("90 с", 90)],
)
def test_length_is_read_in_seconds(text: str, seconds: int) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["15", "min", "15 days", "1,5 h", "-5 min", ""])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(NotALength):
        read_seconds(text)


@given(st.integers(0, 2_592_000), st.sampled_from(["ru", "en"]))
def test_length_is_written_as_it_is_read(seconds: int, language: Literal["ru", "en"]) -> None:
    assert read_seconds(write_seconds(seconds, language)) == seconds
