"""Halls as anybody sees them."""

import pytest
from httpx import Client

from tests.integration.booking.houses import House

ABSENT = "018f0000-0000-7000-8000-000000000000"


def test_halls_are_listed_in_their_order_with_hours_prices_and_extras(
    window_client: Client, house: House
) -> None:
    big, small = window_client.get("/api/v1/halls").json()["items"]
    assert (big["id"], small["id"]) == (str(house.big_id), str(house.small_id))
    assert big["hours"] == [
        {
            "weekdays": [1, 2, 3, 4, 5, 6, 7],
            "opens": "10:00",
            "closes": "22:00",
            "first_day": None,
            "last_day": None,
        }
    ]
    assert (big["price_from_minor"], big["currency"], big["timezone"]) == (2000, "EUR", "Europe/Berlin")
    assert [extra["name"] for extra in big["extras"]] == ["Light", "Piano"]
    assert [extra["name"] for extra in small["extras"]] == ["Light"]
    assert small["hours"][0]["closes"] == "24:00"


def test_one_hall_is_shown_as_in_the_list(window_client: Client, house: House) -> None:
    listed = window_client.get("/api/v1/halls").json()["items"][0]
    assert window_client.get(f"/api/v1/halls/{house.big_id}").json() == listed


@pytest.mark.parametrize("path", ["/api/v1/halls/{}", "/api/v1/halls/{}/availability"])
def test_a_hall_of_another_studio_is_as_absent(window_client: Client, other_house: House, path: str) -> None:
    foreign = window_client.get(path.format(other_house.big_id))
    absent = window_client.get(path.format(ABSENT))
    assert (foreign.status_code, absent.status_code) == (404, 404)
    assert foreign.json() == absent.json()
