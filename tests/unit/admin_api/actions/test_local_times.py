"""Times as a person writes them: by the studio's clock, with the hours that it leaves out or shows twice."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from admin_api.actions.local_times import LocalTime, read_local, read_span, write_local
from web.problems import Problem

BERLIN = "Europe/Berlin"
_CHECKED = TypeAdapter[str](LocalTime)


def fault_of(problem: Problem) -> tuple[str, str]:
    ((fault),) = problem.facts["errors"]  # type: ignore[misc]
    return fault["at"], fault["fault"]


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2026-12-05 10:00", datetime(2026, 12, 5, 9, tzinfo=UTC)),
        ("2026-07-05 10:00", datetime(2026, 7, 5, 8, tzinfo=UTC)),
        ("2026-12-05T9:05", datetime(2026, 12, 5, 8, 5, tzinfo=UTC)),
        ("2026-12-05 24:00", datetime(2026, 12, 5, 23, tzinfo=UTC)),
        ("2026-12-05 10:00:00", datetime(2026, 12, 5, 9, tzinfo=UTC)),
        ("2026-12-05 10:00Z", datetime(2026, 12, 5, 10, tzinfo=UTC)),
        ("2026-12-05 10:00+05:30", datetime(2026, 12, 5, 4, 30, tzinfo=UTC)),
        ("2026-12-05T10:00:00-03:00", datetime(2026, 12, 5, 13, tzinfo=UTC)),
    ],
)
def test_time_is_read_by_the_studios_clock_or_by_its_offset(typed: str, at: datetime) -> None:
    assert read_local(BERLIN, _CHECKED.validate_python(typed), "starts_at") == at


@pytest.mark.parametrize(
    "typed",
    [
        "", "10:00", "2026-12-05", "tomorrow", "2026-13-05 10:00", "2026-02-30 10:00", "2026-12-05 25:00",
        "2026-12-05 24:30", "2026-12-05 10:60", "2026-12-05 10:00+25:00", "1026-12-05 10:00",
        "9999-12-31 24:00", "2026-12-05 10:00:30", "2026-12-05 ١٠:00", "2026-12-05 10:00 CET",
    ],
)  # fmt: skip
def test_what_is_no_time_is_a_fault_of_its_field(typed: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        _CHECKED.validate_python(typed)
    assert [error["type"] for error in wrong.value.errors()] == ["not_a_time"]


def test_time_that_the_clocks_leave_out_is_a_fault() -> None:
    with pytest.raises(Problem) as absent:
        read_local(BERLIN, "2027-03-28 02:30", "ends_at")
    assert fault_of(absent.value) == ("body.ends_at", "time_does_not_exist")


def test_time_that_comes_twice_asks_for_its_offset_and_takes_either() -> None:
    with pytest.raises(Problem) as twice:
        read_local(BERLIN, "2026-10-25 02:30", "starts_at")
    assert fault_of(twice.value) == ("body.starts_at", "time_exists_twice")
    first, second = str(twice.value.facts["first"]), str(twice.value.facts["second"])
    assert (first, second) == ("2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00")
    instants = [read_local(BERLIN, typed, "starts_at") for typed in (first, second)]
    assert instants[1] - instants[0] == timedelta(hours=1)


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, tzinfo=UTC),
        datetime(2026, 12, 5, 9, tzinfo=UTC),
    ],
)
def test_what_a_form_begins_with_is_read_as_the_same_instant(at: datetime) -> None:
    assert read_local(BERLIN, write_local(BERLIN, at), "starts_at") == at


def test_offset_is_written_only_where_the_time_comes_twice() -> None:
    assert write_local(BERLIN, datetime(2026, 12, 5, 9, tzinfo=UTC)) == "2026-12-05 10:00"
    assert write_local(BERLIN, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)) == "2026-10-25 02:30+01:00"


@pytest.mark.parametrize("ends", ["2026-12-05 10:00", "2026-12-05 09:00"])
def test_end_comes_after_the_start(ends: str) -> None:
    with pytest.raises(Problem) as wrong:
        read_span(BERLIN, "2026-12-05 10:00", ends)
    assert fault_of(wrong.value) == ("body.ends_at", "ends_before_it_starts")
