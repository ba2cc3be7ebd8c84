"""Free time: what is listed, how it is asked for, and that it is just what can be quoted."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import Client, Response

from tests.integration.booking.conftest import StandingClock
from tests.integration.booking.houses import NOW, House, block, open_house


def _ask(client: Client, path: str = "/api/v1/availability", host: str = "", **query: object) -> Response:
    headers = {"Host": host} if host else {}
    named = {name.removesuffix("_"): str(value) for name, value in query.items()}
    return client.get(path, params=named, headers=headers)


def _of_hall(client: Client, house: House, hall_id: UUID, **query: object) -> dict[str, Any]:
    answer = _ask(client, f"/api/v1/halls/{hall_id}/availability", house.host, **query)
    assert answer.status_code == 200, answer.text
    (hall,) = answer.json()["halls"]
    return dict(hall)


def test_a_free_day_is_one_run_with_its_price_bands_by_the_local_clock(
    window_client: Client, house: House
) -> None:
    hall = _of_hall(window_client, house, house.big_id, from_="2038-03-10", to="2038-03-11")
    assert hall == {
        "hall_id": str(house.big_id),
        "free": [
            {
                "starts_at": "2038-03-10T10:00:00+01:00",
                "ends_at": "2038-03-10T22:00:00+01:00",
                "bands": [
                    {
                        "starts_at": "2038-03-10T10:00:00+01:00",
                        "ends_at": "2038-03-10T18:00:00+01:00",
                        "name": "",
                        "per_hour_minor": 2000,
                    },
                    {
                        "starts_at": "2038-03-10T18:00:00+01:00",
                        "ends_at": "2038-03-10T22:00:00+01:00",
                        "name": "Evening",
                        "per_hour_minor": 3000,
                    },
                ],
            }
        ],
    }


def test_what_is_taken_is_not_free_and_buffers_are_kept(window_client: Client, api_database: str) -> None:
    own = open_house(api_database)
    block(api_database, own, own.big_id, "2038-03-10T12:00", 120)
    block(api_database, own, own.small_id, "2038-03-10T12:00", 120)
    answer = _ask(window_client, host=own.host, from_="2038-03-10", to="2038-03-11").json()
    big, small = answer["halls"]
    assert [run["starts_at"][11:16] + "-" + run["ends_at"][11:16] for run in big["free"]] == [
        "10:00-12:00",
        "14:00-22:00",
    ]
    assert [run["starts_at"][11:16] + "-" + run["ends_at"][11:16] for run in small["free"]] == [
        "00:00-11:30",
        "14:00-00:00",
    ]


def test_what_is_remembered_is_forgotten_with_what_it_was_made_of(
    window_client: Client, api_database: str, clock: StandingClock, storage: Any
) -> None:
    own = open_house(api_database)
    storage("UPDATE hall SET horizon_days = 30 WHERE id = %s", own.big_id)

    def look() -> tuple[list[str], int]:
        query = {"from_": "2038-03-30", "to": "2038-04-01", "duration": 480}
        hall = _of_hall(window_client, own, own.big_id, **query)
        return [start[:16] for start in hall["starts"]], hall["free"][0]["bands"][0]["per_hour_minor"]

    starts, _price = look()
    assert (starts[0], starts[-1]) == ("2038-03-30T10:00", "2038-03-30T14:00"), "the horizon is on the 31st"
    assert look() == look()
    clock.now = NOW + timedelta(days=5)
    assert look()[0][-1] == "2038-03-31T14:00"
    block(api_database, own, own.big_id, "2038-03-30T10:00", 30)
    assert look()[0][0] == "2038-03-30T10:30"
    storage("UPDATE hall SET buffer_before_minutes = 60 WHERE id = %s", own.big_id)
    assert look()[0][0] == "2038-03-30T11:30"
    storage(
        "INSERT INTO tariff (id, studio_id, hall_id, version, currency, per_hour_minor, effective_from)"
        " SELECT gen_random_uuid(), studio_id, hall_id, 2, currency, 99900, %s FROM tariff"
        " WHERE hall_id = %s",
        NOW,
        own.big_id,
    )
    assert look()[1] == 99_900


def test_without_dates_it_is_a_week_from_today_and_never_what_is_over(
    window_client: Client, house: House
) -> None:
    hall = _of_hall(window_client, house, house.big_id)
    assert hall["free"][0]["starts_at"] == "2038-03-01T11:00:00+01:00", "an hour's notice after 10:00"
    assert hall["free"][-1]["ends_at"] == "2038-03-07T22:00:00+01:00"
    assert "starts" not in hall
    assert _of_hall(window_client, house, house.big_id, from_="2038-02-01", to="2038-02-28")["free"] == []


def test_a_duration_adds_where_one_may_start_also_across_the_end_of_the_window(
    window_client: Client, house: House
) -> None:
    hall = _of_hall(window_client, house, house.small_id, from_="2038-03-10", to="2038-03-11", duration=120)
    assert hall["starts"][0] == "2038-03-10T00:00:00+01:00"
    assert hall["starts"][-1] == "2038-03-10T23:30:00+01:00", "it may go on after midnight"
    assert len(hall["starts"]) == 48


def test_a_skipped_hour_is_not_there_and_a_repeated_one_is_there_twice(
    window_client: Client, house: House
) -> None:
    spring = _of_hall(window_client, house, house.small_id, from_="2038-03-28", to="2038-03-29", duration=30)
    assert len(spring["starts"]) == 46
    assert not any(start.startswith("2038-03-28T02") for start in spring["starts"])
    autumn = _of_hall(window_client, house, house.small_id, from_="2038-10-31", to="2038-11-01", duration=30)
    assert len(autumn["starts"]) == 50
    assert [start for start in autumn["starts"] if start.startswith("2038-10-31T02:00")] == [
        "2038-10-31T02:00:00+02:00",
        "2038-10-31T02:00:00+01:00",
    ]


def test_all_halls_at_once_are_those_of_the_studio_alone(
    window_client: Client, house: House, other_house: House
) -> None:
    answer = _ask(window_client).json()
    assert [hall["hall_id"] for hall in answer["halls"]] == [str(house.big_id), str(house.small_id)]
    assert answer["timezone"] == "Europe/Berlin"


BAD_QUERIES: list[tuple[dict[str, object], str, str]] = [
    ({"from_": "2038-03-10", "to": "2038-03-10"}, "query.to", "not_after_from"),
    ({"from_": "2038-03-10", "to": "2038-03-09"}, "query.to", "not_after_from"),
    ({"from_": "2038-03-01", "to": "2038-04-02"}, "query.to", "more_than_31_days"),
    ({"from_": "2038-03-01", "to": "2039-03-01"}, "query.to", "more_than_31_days"),
    ({"from_": "1999-12-31"}, "query.from", "greater_than_equal"),
    ({"from_": "9999-12-31"}, "query.from", "less_than_equal"),
    ({"from_": "tomorrow"}, "query.from", "date_from_datetime_parsing"),
    ({"duration": 0}, "query.duration", "greater_than_equal"),
    ({"duration": 1441}, "query.duration", "less_than_equal"),
    ({"hall": "x"}, "query", "extra_forbidden"),
]


@pytest.mark.parametrize(("query", "at", "fault"), BAD_QUERIES)
def test_a_query_that_makes_no_sense_is_told_where(
    window_client: Client, query: dict[str, object], at: str, fault: str
) -> None:
    answer = _ask(window_client, **query)
    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "invalid_request",
    )
    assert answer.json()["errors"] == [{"at": at, "fault": fault}]


def test_one_hall_is_shown_for_62_days_and_no_more(window_client: Client, house: House) -> None:
    path = f"/api/v1/halls/{house.big_id}/availability"
    assert _ask(window_client, path, from_="2038-03-01", to="2038-05-02").status_code == 200
    refused = _ask(window_client, path, from_="2038-03-01", to="2038-05-03")
    assert refused.json()["errors"] == [{"at": "query.to", "fault": "more_than_62_days"}]


@pytest.mark.parametrize(("duration", "code"), [(45, "too_short"), (495, "too_long"), (70, "off_grid")])
def test_a_duration_that_the_hall_is_never_booked_for_is_refused(
    window_client: Client, house: House, duration: int, code: str
) -> None:
    answer = _ask(window_client, f"/api/v1/halls/{house.big_id}/availability", duration=duration)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert _ask(window_client, duration=duration).status_code == 200


@pytest.mark.parametrize("limit", ["RUNS_LIMIT", "STARTS_LIMIT"])
def test_an_answer_has_an_end(window_client: Client, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(f"booking.availability.{limit}", 1)
    answer = _ask(window_client, duration=60)
    assert (answer.status_code, answer.json()["code"]) == (422, "answer_too_large")
