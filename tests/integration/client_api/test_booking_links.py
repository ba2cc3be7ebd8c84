"""Links that let a booking go: the page says what goes back, the button does it once."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from httpx import Client

from kit.ids import new_id
from storage.halls import NewHall, NewTariff, create_hall, create_tariff
from tests.databases import owner_engine
from tests.integration.client_api.conftest import ShopWindow
from tests.integration.client_api.notices import notify, pay_fields
from tests.integration.client_api.people import Person, paying, register
from tests.integration.client_api.test_links import (
    NOW,
    Storage,
    commands,
    link_of,
    path_of,
    press_of,
    pressed,
)
from tests.integration.client_api.test_story import until

pytestmark = pytest.mark.usefixtures("consumer")

TOTAL_MINOR = 400_000
_turns = count()


@pytest.fixture(scope="module")
def hall_id(api_database: str, shop: ShopWindow) -> UUID:
    """A hall of the shop that is open always."""
    hall_id, always = new_id(), [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}]
    hall = NewHall(id=hall_id, studio_id=shop.studio_id, name=f"Зал {hall_id}", capacity=9, hours=always)
    tariff = NewTariff(
        id=new_id(),
        studio_id=shop.studio_id,
        hall_id=hall_id,
        per_hour_minor=TOTAL_MINOR // 2,
        effective_from=datetime(2020, 1, 1, tzinfo=UTC),
    )
    with owner_engine(api_database).begin() as connection:
        create_hall(connection, hall)
        create_tariff(connection, tariff)
    return hall_id


@pytest.fixture
def booking(person: Person, hall_id: UUID) -> dict[str, Any]:
    """Two hours in three days, at a time of its own; not paid yet."""
    begin = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(days=3, hours=2 * next(_turns))
    wanted = {
        "hall_id": str(hall_id),
        "starts_at": begin.isoformat(),
        "ends_at": (begin + timedelta(hours=2)).isoformat(),
        "people": 2,
        "extras": [],
    }
    quote = person.post("/api/v1/quotes", wanted)
    assert quote.status_code == 200, quote.text
    held = person.post("/api/v1/bookings", {"quote": quote.json()["quote"]}, Prefer="wait=15")
    assert held.status_code == 201, held.text
    path = f"/api/v1/bookings/{held.json()['id']}/checkout"
    checked_out = person.post(path, {"payment": "online"}, Prefer="wait=15")
    assert checked_out.status_code == 200, checked_out.text
    view: dict[str, Any] = checked_out.json()
    return view


@pytest.fixture
def confirmed(client: Client, person: Person, shop: ShopWindow, booking: dict[str, Any]) -> dict[str, Any]:
    attempt = paying(person, booking["invoice_id"])
    notify(client, shop, "pay", pay_fields(attempt, person.customer_id))
    return until(lambda: person.get(f"/api/v1/bookings/{booking['id']}").json(), "confirmed")


@pytest.fixture
def path(person: Person, shop: ShopWindow, booking: dict[str, Any]) -> str:
    return path_of(link_of(shop, person, "cancel_booking", booking["id"]))


def test_looking_says_what_goes_back_and_changes_nothing(
    client: Client, person: Person, confirmed: dict[str, Any], path: str, storage: Storage
) -> None:
    page = client.get(path)
    assert confirmed["hall_name"] in page.text
    assert "Вернём: 4\u00a0000\u00a0₽" in page.text
    assert page.text.count("<button") == 1
    assert "Comes back:" in client.get(f"{path}?lang=en").text
    assert commands(storage, person) == []


def test_the_button_lets_the_booking_go_and_gives_back_what_its_terms_say(
    client: Client, person: Person, confirmed: dict[str, Any], path: str, storage: Storage
) -> None:
    press = press_of(client.get(path))
    for _ in range(2):
        done = client.post(path, data={"press": press}, follow_redirects=True)
        assert "Этого бронирования больше нет" in done.text
        assert "<button" not in done.text
    assert commands(storage, person) == [("CancelBooking", "applied")]
    refunds = storage(
        "SELECT r.amount_minor, r.origin FROM refund r JOIN invoice i ON i.id = r.invoice_id"
        " WHERE i.booking_id = %s",
        confirmed["id"],
    )
    assert refunds == [(TOTAL_MINOR, "terms")]


def test_a_hold_is_given_up_and_nothing_is_said_of_money(
    client: Client, person: Person, booking: dict[str, Any], path: str
) -> None:
    assert "Вернём" not in client.get(path).text
    assert "Этого бронирования больше нет" in pressed(client, path).text
    assert person.get(f"/api/v1/bookings/{booking['id']}").json()["state"] == "canceled"


def test_a_visit_that_has_begun_has_no_button(
    client: Client, confirmed: dict[str, Any], path: str, storage: Storage
) -> None:
    storage(
        "UPDATE booking SET starts_at = now() - interval '1 minute', ends_at = now() + interval '1 hour'"
        " WHERE id = %s",
        confirmed["id"],
    )
    page = client.get(path)
    assert "Отменить уже нельзя" in page.text
    assert "<button" not in page.text


def test_while_money_may_be_moving_there_is_no_button(
    client: Client, person: Person, booking: dict[str, Any], path: str, storage: Storage
) -> None:
    attempt = paying(person, booking["invoice_id"])
    moved = "UPDATE payment_attempt SET state = 'pending', version = version + 1 WHERE id = %s"
    storage(moved, attempt["id"])
    page = client.get(path)
    assert "Банк обрабатывает платёж" in page.text
    assert "<button" not in page.text


def test_somebody_elses_booking_is_none(
    client: Client, shop: ShopWindow, booking: dict[str, Any], person: Person
) -> None:
    stranger = register(client)
    foreign = path_of(link_of(shop, stranger, "cancel_booking", booking["id"]))
    assert client.get(foreign).status_code == 404
    client.post(foreign, data={"press": "x" * 16}, follow_redirects=True)
    assert person.get(f"/api/v1/bookings/{booking['id']}").json()["state"] == "awaiting_payment"
